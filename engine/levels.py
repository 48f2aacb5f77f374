"""The finished levels of a run on disk: what each left behind, and what the next one starts from.

`levels/NN/` is a checkpoint with `ticket.safetensors` and its card `ticket.json` (while the level
is kept), `mask.safetensors` and `next.safetensors` (the next level's mask and the sparsifier's
state), so that a run that starts again skips what is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import checkpoints, sources, tickets
from engine.errors import Damaged
from engine.events import LevelEnded, TicketSaved
from engine.masks import Mask
from engine.rundir import RunDirectory
from engine.tickets import Ticket

if TYPE_CHECKING:
    from torch import Tensor

TICKET, CARD = sources.TICKET, "ticket.json"


@dataclass(frozen=True)
class Finished:
    """A finished level, and the epochs and steps of the whole run up to its end."""

    ended: LevelEnded
    saved: TicketSaved
    epochs: int
    steps: int


@dataclass(frozen=True)
class Carry:
    """What a level hands on.

    Attributes:
        mask: of the next level.
        sparsifier: its state.
        optimizer: what it remembers, if the next level goes on with that.
        final: the network's last state dict, if the next level goes on from it and the ticket has
            another epoch's.
        onward: whether a level may follow.
    """

    mask: Mask
    sparsifier: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    final: dict[str, Tensor]
    onward: bool = True


def save(
    directory: RunDirectory,
    ticket: Ticket,
    carry: Carry,
    ended: LevelEnded,
    epochs: int,
    steps: int,
) -> Finished:
    """Write a finished level and return what was written."""
    assert ended.level is not None
    folder = directory.level(ended.level)
    data, card = tickets.serialise(ticket)
    saved = TicketSaved(
        level=ended.level,
        epoch=ended.epoch,
        step=ended.step,
        density=ended.density,
        kept=ended.kept,
        total=ended.total,
        sha256=card["sha256"],
        path=str((folder / TICKET).relative_to(directory.path)),
        bytes=len(data),
        search=ended.search,
    )
    parts = {
        "mask": tickets.pack_mask(carry.mask),
        "state": carry.sparsifier,
        "optimizer": carry.optimizer,
        "final": carry.final,
    }
    files = {
        TICKET: data,
        CARD: card_file(card),
        "mask.safetensors": checkpoints.pack(tickets.pack_mask(ticket.mask)),
        "next.safetensors": checkpoints.pack(
            {f"{part}/{name}": t for part, found in parts.items() for name, t in found.items()}
        ),
    }
    finished = Finished(ended, saved, epochs, steps)
    checkpoints.write(folder, files, {**_meta(finished), "onward": carry.onward})
    return finished


def card_file(card: dict[str, Any]) -> bytes:
    """A ticket's card as it lies beside the ticket."""
    return json.dumps(card, sort_keys=True, indent=1).encode()


def finished(directory: RunDirectory, warn: Callable[[str], None]) -> list[Finished]:
    """The levels that are done, from 0; a damaged one ends the list and is said to `warn`."""
    done: list[Finished] = []
    while directory.level(len(done)).is_dir():
        try:
            done.append(_finished(directory.level(len(done))))
        except Damaged as error:
            warn(f"{error}; level {len(done)} is trained again")
            break
    return done


def carry(directory: RunDirectory, level: int) -> Carry:
    """What finished level `level` hands to the next.

    Raises:
        Damaged: the file is missing or broken.
    """
    from safetensors.torch import load as unpack

    files, _ = checkpoints.read(directory.level(level), only="next.safetensors")
    tensors = unpack(files["next.safetensors"])
    parts = {
        part: {n.removeprefix(part): t for n, t in tensors.items() if n.startswith(part)}
        for part in ("mask/", "state/", "optimizer/", "final/")
    }
    mask = tickets.unpack_mask(parts.pop("mask/"))
    return Carry(mask, parts["state/"], parts["optimizer/"], parts["final/"])


def final(directory: RunDirectory, level: int) -> dict[str, Tensor]:
    """The state dict that finished level `level` ended with, whatever epoch its ticket is of.

    Raises:
        Damaged: a file is missing or broken.
    """
    return carry(directory, level).final or ticket(directory, level).trained


def mask(directory: RunDirectory, level: int) -> Mask:
    """The mask that finished level `level` was trained under."""
    from safetensors.torch import load as unpack

    files, _ = checkpoints.read(directory.level(level), only="mask.safetensors")
    return tickets.unpack_mask(unpack(files["mask.safetensors"]))


def ticket(directory: RunDirectory, level: int) -> Ticket:
    """The ticket of a kept level.

    Raises:
        Damaged: it is broken, or the level's weights were not kept.
    """
    files, _ = checkpoints.read(directory.level(level), only=TICKET)
    return tickets.parse(files[TICKET])


def ticket_path(directory: RunDirectory, level: int) -> Path | None:
    """Where the ticket of a level is; None if its weights were not kept."""
    path = directory.level(level) / TICKET
    return path if path.is_file() else None


def retain(directory: RunDirectory, levels: Iterable[int], keep: set[int]) -> None:
    """Drop the weights, not the masks, of the levels that are not to be kept."""
    for level in set(levels) - keep:
        if ticket_path(directory, level):
            checkpoints.drop(directory.level(level), TICKET)


def _meta(finished: Finished) -> dict[str, object]:
    return {
        "ended": finished.ended.model_dump(mode="json"),
        "saved": finished.saved.model_dump(mode="json"),
        "epochs": finished.epochs,
        "steps": finished.steps,
    }


def _finished(folder: Path) -> Finished:
    """Read a level's record, checking every file of it."""
    _, meta = checkpoints.read(folder)
    return Finished(
        LevelEnded.model_validate(meta["ended"]),
        TicketSaved.model_validate(meta["saved"]),
        meta["epochs"],
        meta["steps"],
    )
