"""What the app does about tickets outside of the screen: reads, compares, checks and exports them.

Every method may take long and is called in a thread.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from engine import packed
from engine.cards import verified_card
from engine.errors import LthError, UsageError
from engine.overlap import Overlap
from engine.packed import Packed
from engine.rundir import RunDirectory
from engine.sources import TICKET
from lthtui import densitymap, overlap, placing
from lthtui.checked import Checked, Stamp
from lthtui.densitymap import DensityMap, Kept
from lthtui.filedesk import FileDesk
from lthtui.runview import RunView
from lthtui.text import clean_line
from lthtui.ticketindex import Ticket
from lthtui.ticketlook import Look
from lthtui.verbs import ask

CARD = "ticket.json"
FORMS = {".safetensors": "ticket", ".pt": "state_dict"}  # by how a file's name ends
BESIDE = ".json"  # how the name of a card beside a ticket ends
CARD_BYTES = 1_000_000  # of a card at most
COUNTED = 1000  # files of which what was counted is kept, some kB each


class Alike(NamedTuple):
    """Tickets of one network; `left` says how many others were left out, and why."""

    tickets: list[Ticket]
    left: str


class TicketDesk:
    """Reads the tickets of one root; what was counted of a file is kept while it is the same."""

    def __init__(self, root: Path, files: FileDesk | None = None) -> None:
        self._root, self._files = root, files or FileDesk(root)
        self._counted = lru_cache(COUNTED)(_counted)
        self._checked = Checked()

    def look(self, ticket: Ticket) -> Look:
        """What there is to show of a ticket; what cannot be read of it is said."""
        folder = self._folder(ticket.run, ticket.level.index)
        trouble = "" if folder else "its files are not on this machine"
        if not ticket.level.ended:
            folder, trouble = None, "this level is still being trained"
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
            check=self._checked.of(ticket.key, self._stamp(ticket)),
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

    def alike(self, one: Ticket, tickets: Sequence[Ticket]) -> Alike:
        """Those of some tickets whose masks are of one's network, and so can be compared with it.

        Of too many they are those around it.
        """
        shapes, found, left = self._shapes(one), list[Ticket](), Counter[str]()
        for ticket in tickets:
            theirs = self._shapes(ticket)
            if ticket == one or (theirs and theirs == shapes):
                found.append(ticket)
            else:
                left["of other networks" if theirs and shapes else "without a mask here"] += 1
        first = max(min(found.index(one) - packed.MOST // 2, len(found) - packed.MOST), 0)
        shown = found[first : first + packed.MOST]
        if len(found) > len(shown):
            left[f"more than {packed.MOST}"] = len(found) - len(shown)
        return Alike(shown, ", ".join(f"{count} {why}" for why, count in left.items()))

    def _shapes(self, ticket: Ticket) -> dict[str, tuple[int, ...]]:
        """The shapes of a ticket's layers; none where its mask cannot be read."""
        try:
            return {name: layer.shape for name, layer in self._mask(ticket).layers.items()}
        except (LthError, OSError):
            return {}

    def verify(self, ticket: Ticket) -> str:
        """Load a ticket into a fresh network and score it again; say what came of it.

        A look at the ticket says so, too, from then on.

        Raises:
            LthError: it is not what its card says, or cannot be loaded.
        """
        return self._checked.note(ticket.key, self._stamp(ticket), lambda: self._scored(ticket))

    def export(self, ticket: Ticket, output: Path, replace: bool = False) -> str:
        """Write a ticket to a file, its card beside it; `.pt` for a plain masked state dict.

        Args:
            replace: write over files that are there.

        Raises:
            UsageError: a file exists, or its name ends otherwise.
            LthError: it cannot be written.
        """
        placing.check(output, FORMS)
        output = placing.whole(output)
        there = [] if replace else placing.in_the_way(output, [BESIDE])
        if there:
            raise UsageError(f"{clean_line(str(there[0]))} exists already; give another name")
        try:
            with self._weights(ticket) as file, _aside(output) as made:
                card = self._written(ticket, file, made)
                for one in (made, made.with_suffix(BESIDE)):
                    placing.place(output.with_suffix(one.suffix), one.replace, replace)
        except OSError as error:
            raise LthError(f"{clean_line(str(output))}: {error.strerror or error}") from None
        return clean_line(f"wrote {output}, sha256 {str(card['sha256'])[:16]}", 1000)

    def _scored(self, ticket: Ticket) -> str:
        with self._weights(ticket) as file:
            report = ask(["verify", str(file)])
        scores = ", ".join(
            f"{split} {found['correct']:,}/{found['total']:,}"
            for split, found in report["splits"].items()
        )
        if report["verified"]:
            return clean_line(f"{ticket.label} is verified: {scores} as on its card", 500)
        why = "" if report["same_images"] else "; the images are not those of the card"
        raise LthError(f"{ticket.label} is NOT what its card says: {scores}{why}")

    def _written(self, ticket: Ticket, file: Path, output: Path) -> dict[str, Any]:
        """Write a ticket whose weights are in a file to another, and its card; the card."""
        form = FORMS[output.suffix.lower()]
        if ticket.run.directory:
            where = ["--level", str(ticket.level.index), "--format", form]
            return ask(["export", ticket.run.directory, *where, "-o", str(output)])
        if form != "ticket":
            raise UsageError("only the machine that ran it makes a .pt; export it as .safetensors")
        card = verified_card(file)
        shutil.copyfile(file, output)
        output.with_suffix(BESIDE).write_text(json.dumps(card, indent=1))
        return card

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

    @contextmanager
    def _weights(self, ticket: Ticket) -> Iterator[Path]:
        """The file with a ticket's weights: in its run's folder, or a copy of what MLflow keeps."""
        if not ticket.run.directory:
            within = f"tickets/level-{ticket.level.index:02d}/{TICKET}"
            try:
                copy = self._files.artifact(ticket.run, within)
            except LthError as error:
                raise UsageError(f"MLflow has no weights of {ticket.label}: {error}") from None
            with copy as file:
                yield file
            return
        folder = self._folder(ticket.run, ticket.level.index)
        if folder is None or not ticket.level.ticket or not (folder / TICKET).is_file():
            raise UsageError(
                f"the weights of {ticket.label} were not kept; keep: [all] in a spec keeps all"
            )
        yield folder / TICKET

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
        within = f"artifacts/*/{run.stored}/artifacts/tickets/level-{level:02d}"
        if not run.stored.isalnum():
            return None
        return next(iter(sorted(self._root.glob(within))), None)

    def _stamp(self, ticket: Ticket) -> Stamp:
        """What tells whether a ticket's file is as it was; None where MLflow keeps it."""
        file = Path(ticket.run.directory, ticket.level.ticket or "")
        seen = file.stat() if ticket.run.directory and file.is_file() else None
        return (seen.st_mtime_ns, seen.st_size) if seen else None

    def _counts(self, folder: Path) -> tuple[Packed, Kept]:
        """The mask in a folder, and how many weights of each layer live."""
        path = folder / packed.MASK
        if not path.is_file():
            path = folder / TICKET
        seen = path.stat()
        return self._counted(path, seen.st_mtime_ns, seen.st_size)


def _counted(path: Path, changed: int, size: int) -> tuple[Packed, Kept]:
    """The mask in a file that was last changed then, and how many weights of each layer live."""
    mask = packed.of_ticket(path) if path.name == TICKET else packed.of_level(path.parent)
    return mask, packed.kept(mask)


def _totals(mask: Packed) -> dict[str, int]:
    return {name: mask.layers[name].total for name in densitymap.in_order(mask.layers)}


@contextmanager
def _aside(output: Path) -> Iterator[Path]:
    """A file of the same name in a folder beside, which goes in the end."""
    with tempfile.TemporaryDirectory(prefix=".lthtui-", dir=output.parent) as folder:
        yield Path(folder, output.name)


def _card(folder: Path) -> dict[str, Any]:
    """What the card beside a ticket says; nothing if there is none that can be read."""
    try:
        with (folder / CARD).open("rb") as file:
            card = json.loads(file.read(CARD_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) else {}
