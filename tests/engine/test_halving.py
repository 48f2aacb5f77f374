"""A device that has no room for a batch: the same is said of its halves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from engine import images
from engine.evaluation import Judge, logits
from engine.halving import halved
from engine.images import Geometry, Images


class Cramped(nn.Module):
    """Has no room for more than two images; remembers how many it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.shown.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return x.flatten(1)


def test_images_are_halved_until_there_is_room_and_come_back_in_order() -> None:
    x, says = torch.arange(21.0).view(7, 3), Cramped()
    assert torch.equal(halved(says, x), x)
    assert says.shown == [7, 4, 2, 2, 3, 2, 1]


def test_what_has_no_room_for_one_image_or_fails_otherwise_fails() -> None:
    def says(x: Tensor) -> Tensor:
        shown.append(len(x))
        raise error

    for error, asked in ((MemoryError(), [3, 2, 1]), (RuntimeError("of another shape"), [3])):
        shown = list[int]()
        with pytest.raises(type(error)):
            halved(says, torch.zeros(3))
        assert shown == asked


def test_a_split_is_scored_where_there_is_no_room_for_a_batch() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (9, 1, 2, 2), dtype=torch.uint8, generator=rng)
    split = Images(x, torch.zeros(9).long(), tuple("abcdefghi"), ("x", "y"))
    geometry = Geometry(2, "pad", 0, (), (0.5,), (0.5,))
    judge = Judge(nn.functional.cross_entropy, lambda: torch.autocast("cpu", enabled=False))
    expected = images.normalise(x, geometry).flatten(1)
    assert torch.equal(logits(Cramped(), split, geometry, judge), expected)
