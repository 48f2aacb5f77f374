"""What the app does about tickets outside of the screen: reads, compares, checks and exports them.

Every method may take long and is called in a thread.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import packed
from engine.errors import LthError, UsageError
from engine.packed import Packed
from engine.rundir import RunDirectory
from engine.sources import TICKET
from lthtui import densitymap, overlap
from lthtui.commands.tickets import ask
from lthtui.densitymap import DensityMap, Kept
from lthtui.overlap import Overlap
from lthtui.runview import RunView
from lthtui.text import clean_line
from lthtui.ticketindex import Ticket
from lthtui.ticketlook import Look

CARD = "ticket.json"
CARD_BYTES = 1_000_000  # of a card at most


class TicketDesk:
    """Reads the tickets of one root; what was counted of a file is kept while it is the same."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._counted: dict[tuple[Path, int, int], tuple[Packed, Kept]] = {}

    def look(self, ticket: Ticket) -> Look:
        """What there is to show of a ticket; what cannot be read of it is said."""
        folder = self._folder(ticket.run, ticket.level.index)
        trouble = "" if folder else "its files are not on this machine"
        kept: Kept = {}
        mask, before = None, None
        try:
            if folder is not None:
                mask, kept = self._counts(folder)
                before = self._before(ticket)
        except (LthError, OSError) as error:
            trouble = clean_line(str(error), 500)
        return Look(
            ticket=ticket,
            kept=kept,
            totals=_totals(mask) if mask else {},
            card=_card(folder) if folder else {},
            before=before,
            trouble=trouble,
        )

    def compared(self, tickets: Sequence[Ticket]) -> Overlap | str:
        """How much of their masks tickets share, or why that cannot be told."""
        try:
            count = Counter(ticket.label for ticket in tickets)
            return overlap.measure(
                {
                    ticket.label if count[ticket.label] == 1 else ticket.key: self._mask(ticket)
                    for ticket in tickets
                }
            )
        except (LthError, OSError) as error:
            return clean_line(str(error), 1000)

    def verify(self, ticket: Ticket) -> str:
        """Load a ticket into a fresh network and score it again; say what came of it.

        Raises:
            LthError: it is not what its card says, or cannot be loaded.
        """
        file = self._weights(ticket)
        report = ask(["verify", str(file)])
        scores = ", ".join(
            f"{split} {found['correct']:,}/{found['total']:,}"
            for split, found in report["splits"].items()
        )
        if report["verified"]:
            return clean_line(f"{ticket.label} is verified: {scores} as on its card", 500)
        why = "" if report["same_images"] else "; the images are not those of the card"
        raise LthError(f"{ticket.label} is NOT what its card says: {scores}{why}")

    def export(self, ticket: Ticket, output: Path) -> str:
        """Write a ticket to a file, its card beside it; `.pt` for a plain masked state dict.

        Raises:
            UsageError: the file exists, or its name ends otherwise.
            LthError: it cannot be written.
        """
        forms = {".safetensors": "ticket", ".pt": "state_dict"}
        output = output.expanduser().absolute()
        if output.suffix not in forms:
            raise UsageError(f"{output}: the name has to end in {' or '.join(forms)}")
        for path in (output, output.with_suffix(".json")):
            if path.exists():
                raise UsageError(f"{path} exists already; give another name")
        self._weights(ticket)
        where = ["--level", str(ticket.level.index), "--format", forms[output.suffix]]
        card = ask(["export", ticket.run.directory, *where, "-o", str(output)])
        return clean_line(f"wrote {output}, sha256 {str(card['sha256'])[:16]}", 1000)

    def densities(self, runs: Sequence[RunView]) -> DensityMap:
        """The densities of all layers at all levels of runs that differ in their seed."""
        found: list[dict[int, Kept]] = []
        picked = [run.winner for run in runs if run.winner]  # level 0 is no ticket
        totals: dict[str, int] = {}
        trouble = "" if any(run.levels for run in runs) else "no level has started yet"
        for run in runs:
            levels: dict[int, Kept] = {}
            for level in run.ended_levels:
                folder = self._folder(run, level.index)
                try:
                    if folder is None:
                        raise UsageError(f"{run.run_id}: its masks are not on this machine")
                    mask, levels[level.index] = self._counts(folder)
                    totals = totals or _totals(mask)
                except (LthError, OSError) as error:
                    trouble = clean_line(str(error), 500)
            found.append(levels)
        return densitymap.gather(found, totals, picked, trouble)

    def _weights(self, ticket: Ticket) -> Path:
        """The file with a ticket's weights, in the folder of its run."""
        folder = self._folder(ticket.run, ticket.level.index) if ticket.run.directory else None
        if folder is None:
            raise UsageError(f"the folder of {ticket.run.run_id} is not on this machine")
        if not ticket.level.ticket or not (folder / TICKET).is_file():
            raise UsageError(
                f"the weights of {ticket.label} were not kept; keep: [all] in a spec keeps all"
            )
        return folder / TICKET

    def _before(self, ticket: Ticket) -> tuple[int, Overlap] | None:
        """The level before, and how much of its mask the ticket has; None where it is not kept."""
        level = ticket.level.index - 1
        folder = self._folder(ticket.run, level) if level >= 0 else None
        if folder is None:
            return None
        try:
            other, _ = self._counts(folder)
        except LthError:
            return None
        return level, overlap.measure({"before": other, "this": self._mask(ticket)})

    def _mask(self, ticket: Ticket) -> Packed:
        folder = self._folder(ticket.run, ticket.level.index)
        if folder is None:
            raise UsageError(f"the mask of {ticket.label} is not on this machine")
        return self._counts(folder)[0]

    def _folder(self, run: RunView, level: int) -> Path | None:
        """Where a level's files are: in the run's folder, or among MLflow's artifacts."""
        if run.directory:
            folder = RunDirectory(run.directory).level(level)
            return folder if folder.is_dir() else None
        place = f"artifacts/*/{run.stored}/artifacts/tickets/level-{level:02d}"
        if not run.stored.isalnum():
            return None
        return next(iter(sorted(self._root.glob(place))), None)

    def _counts(self, folder: Path) -> tuple[Packed, Kept]:
        """The mask in a folder, and how many weights of each layer live."""
        path = folder / packed.MASK
        if not path.is_file():
            path = folder / TICKET
        seen = path.stat()
        key = (path, seen.st_mtime_ns, seen.st_size)
        if key not in self._counted:
            of_ticket = path.name == TICKET
            mask = packed.of_ticket(path) if of_ticket else packed.of_level(folder)
            self._counted[key] = mask, packed.kept(mask)
        return self._counted[key]


def _totals(mask: Packed) -> dict[str, int]:
    return {name: layer.total for name, layer in mask.layers.items()}


def _card(folder: Path) -> dict[str, Any]:
    """What the card beside a ticket says; nothing if there is none that can be read."""
    try:
        with (folder / CARD).open("rb") as file:
            card = json.loads(file.read(CARD_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) else {}
