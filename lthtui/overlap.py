"""How much of their masks tickets of one network share, and how much random masks would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine import packed
from engine.packed import Packed

Counts = tuple[tuple[int, ...], ...]  # for each two masks, the weights that live in both


@dataclass(frozen=True)
class Overlap:
    """Masks of one network, compared in pairs.

    The overlap of two masks is the number of weights that live in both, over that of those that
    live in either (intersection over union, IoU): 1 for equal masks, 0 for disjoint ones.

    Attributes:
        names: of the tickets.
        totals: weights of each layer.
        counts: by layer; of a mask and itself, the weights that live in it.
    """

    names: tuple[str, ...]
    totals: Mapping[str, int]
    counts: Mapping[str, Counts]

    def kept(self, one: int, layer: str | None = None) -> int:
        """How many weights of a ticket live, in all of it or in a layer."""
        return self.both(one, one, layer)

    def total(self, layer: str | None = None) -> int:
        """How many prunable weights there are."""
        return self.totals[layer] if layer else sum(self.totals.values())

    def both(self, one: int, other: int, layer: str | None = None) -> int:
        """How many weights live in both."""
        if layer:
            return self.counts[layer][one][other]
        return sum(counts[one][other] for counts in self.counts.values())

    def iou(self, one: int, other: int, layer: str | None = None) -> float | None:
        """Intersection over union; None where nothing lives in either."""
        return self._iou(one, other, self.both(one, other, layer), layer)

    def by_chance(self, one: int, other: int, layer: str | None = None) -> float | None:
        """The overlap to expect of two random masks with as many weights in every layer.

        It is that of the expected intersection, the sum over layers of kept · kept / total.
        """
        layers = [layer] if layer else [name for name, total in self.totals.items() if total]
        both = sum(
            self.kept(one, name) * self.kept(other, name) / self.totals[name] for name in layers
        )
        return self._iou(one, other, both, layer)

    def anywhere(self, one: int, other: int) -> float | None:
        """The same of random masks that have as many weights in all, in whatever layers."""
        total = self.total()
        return self._iou(one, other, self.kept(one) * self.kept(other) / total if total else 0)

    def within(self, one: int, other: int) -> float | None:
        """Which part of the sparser one's weights lives in the other, too."""
        fewest = min(self.kept(one), self.kept(other))
        return self.both(one, other) / fewest if fewest else None

    def _iou(self, one: int, other: int, both: float, layer: str | None = None) -> float | None:
        either = self.kept(one, layer) + self.kept(other, layer) - both
        return both / either if either else None


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


def describe(found: Overlap) -> dict[str, Any]:
    """Everything as JSON; matrices are in the order of the tickets."""
    count = len(found.names)
    return {
        "tickets": [
            {"name": name, "kept": found.kept(at), "total": found.total()}
            for at, name in enumerate(found.names)
        ],
        "both": _matrix(count, found.both),
        "iou": _matrix(count, found.iou),
        "by_chance": _matrix(count, found.by_chance),
        "by_chance_anywhere": _matrix(count, found.anywhere),
        "layers": [
            {
                "name": layer,
                "total": total,
                "kept": [found.kept(at, layer) for at in range(count)],
                "iou": _matrix(count, found.iou, layer),
                "by_chance": _matrix(count, found.by_chance, layer),
            }
            for layer, total in found.totals.items()
        ],
    }


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


def _matrix(count: int, of: Any, *layer: str) -> list[Sequence[float | None]]:
    return [[of(one, other, *layer) for other in range(count)] for one in range(count)]
