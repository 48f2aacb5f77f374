"""Overlaps of masks on disk, and as tables."""

from __future__ import annotations

from collections.abc import Mapping

from engine import packed
from engine.overlap import Overlap
from engine.packed import Packed


def measure(named: Mapping[str, Packed]) -> Overlap:
    """Compare masks on disk; reads all of them.

    Raises:
        UsageError: they are of different networks.
        Damaged: a file is broken.
    """
    masks = [*named.values()]
    counts = packed.common(masks)
    totals = {name: layer.total for name, layer in masks[0].layers.items()} if masks else {}
    return Overlap(
        tuple(named), totals, {name: tuple(map(tuple, rows)) for name, rows in counts.items()}
    )


def table(found: Overlap) -> tuple[list[str], list[list[str]]]:
    """A header and a line for each ticket: its overlap with each other, and that by chance."""
    numbers = [str(at + 1) for at in range(len(found.names))]
    lines = [
        [
            number,
            name,
            f"{found.kept(one) / max(found.total(), 1):.2%}",
            *(_pair(found, one, other) for other in range(one)),
            "1",
            *("" for _ in numbers[one + 1 :]),
        ]
        for one, (number, name) in enumerate(zip(numbers, found.names, strict=True))
    ]
    return ["", "TICKET", "KEPT", *numbers], lines


def by_layer(found: Overlap) -> tuple[list[str], list[list[str]]]:
    """A header and a line for each layer, with a column for each two tickets."""
    pairs = [(one, other) for one in range(len(found.names)) for other in range(one)]
    lines = [
        [layer, f"{total:,}", *(_pair(found, one, other, layer) for one, other in pairs)]
        for layer, total in found.totals.items()
    ]
    return ["LAYER", "WEIGHTS", *(f"{other + 1}-{one + 1}" for one, other in pairs)], lines


def figure(value: float | None) -> str:
    """An overlap with two digits, as `.41` or `1`."""
    if value is None:
        return "–"
    text = f"{value:.2f}"
    return "1" if value == 1 else text.removeprefix("0")


def _pair(found: Overlap, one: int, other: int, layer: str | None = None) -> str:
    overlap, chance = found.iou(one, other, layer), found.by_chance(one, other, layer)
    return f"{figure(overlap)} ({figure(chance)})"
