"""Critical sets: the training images that PrAC goes on with, and why each is among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.examples import document
from engine.forgetting import NEVER_LEARNED, NOT_SHOWN
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.images import Images


@dataclass(frozen=True)
class CriticalSet:
    """The images to train the next level on; bool [N] over the run's training images, on the CPU.

    Attributes:
        hard: hard to memorise: forgotten often while training.
        pie: easy to forget under pruning: another class is predicted than by the dense network.
        added: neither, but their class would have too few images without them.
        counts: forgetting events int32 [N], as `Memory.counts` gives them.
    """

    hard: Tensor
    pie: Tensor
    added: Tensor
    counts: Tensor

    @property
    def chosen(self) -> Tensor:
        """Bool [N]: all images of the set."""
        return self.hard | self.pie | self.added

    @property
    def ids(self) -> Tensor:
        """Indices of the set's images, int64, ascending."""
        return self.chosen.nonzero()[:, 0]

    def metrics(self, images: Images) -> dict[str, float]:
        """Sizes: in total, as a share, by reason and by class."""
        labels = images.y.cpu()[self.chosen]
        sizes = torch.bincount(labels, minlength=len(images.classes)).tolist()
        return {
            "critical": float(sum(sizes)),
            "critical_share": sum(sizes) / len(images),
            "hard": float(self.hard.sum()),
            "pie": float(self.pie.sum()),
            "hard_and_pie": float((self.hard & self.pie).sum()),
            "added": float(self.added.sum()),
            "never_learned": float((self.counts == NEVER_LEARNED).sum()),
            **{f"class/{n}": float(s) for n, s in zip(images.classes, sizes, strict=True)},
        }

    def document(self, images: Images, about: dict[str, Any]) -> dict[str, Any]:
        """The set as a file that `data.examples` of another run can name."""
        ids = self.ids.tolist()
        labels = images.y.cpu()[self.ids].tolist()
        counts = self.counts[self.ids].tolist()
        columns: dict[str, list[Any]] = {
            "class": [images.classes[label] for label in labels],
            "why": [self._why(i) for i in ids],
            "forgotten": [_times(count) for count in counts],
            "learned": [None if c == NOT_SHOWN else c != NEVER_LEARNED for c in counts],
        }
        return document([images.ids[i] for i in ids], about, columns)

    def _why(self, index: int) -> str:
        if self.hard[index]:
            return "both" if self.pie[index] else "hard"
        return "pie" if self.pie[index] else "added"


def forgotten(counts: Tensor, more_than: int) -> Tensor:
    """Bool [N]: images that were forgotten more often, or never learned; only those shown."""
    return counts > more_than


def most_forgotten(counts: Tensor, size: int, rng: torch.Generator) -> Tensor:
    """Bool [N]: the `size` images that were forgotten most; only those shown, ties by lot."""
    chosen = torch.zeros_like(counts, dtype=torch.bool)
    chosen[_ranked(counts, rng)[:size]] = True
    return chosen & (counts != NOT_SHOWN)


def fill_up(
    chosen: Tensor, counts: Tensor, images: Images, least: int, rng: torch.Generator
) -> Tensor:
    """Bool [N]: the most forgotten of the other images that classes need to have `least` images.

    A class with fewer images than that gives all it has. Ties are drawn by lot.
    """
    order, labels = _ranked(counts, rng), images.y.cpu()
    added = torch.zeros_like(chosen)
    for label in range(len(images.classes)):
        own = labels == label
        missing = max(0, least - int((own & chosen).sum()))
        candidates = order[(own & ~chosen)[order]]
        added[candidates[:missing]] = True
    return added


def _ranked(counts: Tensor, rng: torch.Generator) -> Tensor:
    """Indices int64 [N] by descending count, ties by lot: lists are often sorted by class."""
    lot = torch.randperm(len(counts), generator=rng)
    return lot[counts[lot].argsort(descending=True, stable=True)]


def _times(count: int) -> int | None:
    """Forgetting events for a file's reader; None for an image that was not shown."""
    return None if count == NOT_SHOWN else count % NEVER_LEARNED
