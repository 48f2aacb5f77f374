"""Fewer images to evaluate on, where all would take too long: the same for every ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from engine import seeds
from engine.images import Images
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Most = Annotated[
    int | None,
    Field(
        ge=1,
        le=10**7,
        description="test images that it is made of, as many of each class as there are, drawn by"
        " their ids alone; null for all",
    ),
]


def positions(images: Images, most: int | None) -> Tensor:
    """Positions, int64 [N] in ascending order, of at most so many images, class by class.

    Which they are depends on nothing but the ids, and those of a smaller number are among those of
    a larger one. Classes with too few images leave their places to the others.
    """
    if most is None or most >= len(images):
        return torch.arange(len(images))
    order = sorted(range(len(images)), key=lambda at: seeds.number(0, "sample", images.ids[at]))
    seen = [0] * len(images.classes)
    rounds = []
    for at, label in zip(order, images.y[torch.as_tensor(order)].tolist(), strict=True):
        rounds.append((seen[label], at))
        seen[label] += 1
    chosen = [at for _, at in sorted(rounds, key=lambda one: one[0])[:most]]
    return torch.tensor(sorted(chosen))
