"""What a ticket costs: weights, bytes, operations, and what it took to find it.

Operations are two per weight and place (engine.flops); those of training count forward and
backward passes with living weights only. What was trained before the ticket, in searches or denser
levels of its run, counts with it. Energy is that of the whole device.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.context import Context, Result
from engine.evaluationspec import CheapSettings

if TYPE_CHECKING:
    from engine.events import LevelEnded
    from engine.masks import Mask
    from engine.tickets import State

SPENT = {  # fields of a level's end, by what they are called here
    "training FLOPs": "training_flops",
    "seconds": "seconds",
    "device seconds": "device_seconds",
    "joules": "joules",
}


class Settings(CheapSettings):
    """Nothing to set but the levels."""


def evaluate(settings: Settings, context: Context) -> Result:
    """Figures of the ticket and, as far as they are known, of its level and all up to it."""
    from engine import flops, sources, tickets

    ticket, splits = context.subject.ticket, context.splits
    counted = flops.count(context.net(), splits.train.x.shape[1], splits.geometry.size)
    parameters = sum(p.numel() for p in context.net().parameters())
    pruned = ticket.mask.total - ticket.mask.kept
    file, _ = tickets.serialise(ticket)
    dense = sum(t.numel() * t.element_size() for t in ticket.trained.values())
    packed = _packed(ticket.mask, ticket.trained)
    metrics = {
        "parameters": parameters,
        "parameters kept": parameters - pruned,
        "prunable": ticket.mask.total,
        "prunable kept": ticket.mask.kept,
        "dense bytes": dense,
        "packed bytes": packed,
        "ticket bytes": len(file),
        "inference FLOPs dense": counted.dense,
        "inference FLOPs": counted.sparse(context.mask),
        **_spent(context.around.history, context.level),
    }
    starts = [
        {"setting": at, "run": source.run, "level": source.level}
        for at, source in sources.found_in(context.subject.spec)
        if not at.startswith(("evaluate", "controls"))
    ]
    levels = [_level(one) for one in context.around.history if (one.level or 0) <= context.level]
    document = {**metrics, "levels": levels, "not counted": starts}
    return Result({name: float(value) for name, value in metrics.items()}, {"cost.json": document})


def _packed(mask: Mask, trained: State) -> int:
    """Bytes of the trained weights that live, everything that is not pruned, and a bit a weight."""
    size = 0
    for name, tensor in trained.items():
        alive = mask.get(name)
        kept = tensor.numel() if alive is None else int(alive.sum())
        bits = 0 if alive is None else -(-alive.numel() // 8)
        size += kept * tensor.element_size() + bits
    return size


def _spent(history: Iterable[LevelEnded], level: int) -> dict[str, float]:
    """What the level took, and with it all before: what is not known of each is left out."""
    found: dict[str, float] = {}
    before = [one for one in history if (one.level or 0) <= level]
    for name, attribute in SPENT.items():
        values = [getattr(one, attribute) for one in before]
        if not values or None in values:
            continue
        found[name] = values[-1]
        found[f"{name} with search"] = sum(values)
    return found


def _level(ended: LevelEnded) -> dict[str, Any]:
    own = {name: getattr(ended, attribute) for name, attribute in SPENT.items()}
    return {"level": ended.level, "search": ended.search, "kept": ended.kept, **own}
