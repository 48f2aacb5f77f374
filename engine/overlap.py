"""How much of their masks tickets of one network share, and how much random masks would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


def _matrix(count: int, of: Any, *layer: str) -> list[Sequence[float | None]]:
    return [[of(one, other, *layer) for other in range(count)] for one in range(count)]
