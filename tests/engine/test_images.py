"""Images, batches and their normalisation."""

from __future__ import annotations

import torch

from engine.images import Geometry, Images, Splits, normalise
from engine.subsets import Subset

GEOMETRY = Geometry(4, "pad", 1, (), (0.5, 0.25, 0.0), (0.5, 0.25, 1.0))


def images(boxes: bool = False) -> Images:
    return Images(
        x=torch.arange(5 * 3 * 16, dtype=torch.uint8).view(5, 3, 4, 4),
        y=torch.arange(5),
        ids=tuple("abcde"),
        classes=("k",) * 5,
        boxes=torch.arange(10).view(5, 2) if boxes else None,
    )


def test_a_subset_keeps_everything_together_in_the_order_given() -> None:
    some = images(boxes=True).subset([3, 0])
    assert some.ids == ("d", "a")
    assert len(some) == 2
    assert some.y.tolist() == [3, 0]
    assert torch.equal(some.x, images().x[[3, 0]])
    assert some.boxes is not None and some.boxes.tolist() == [[6, 7], [0, 1]]


def test_a_batch_takes_images_and_boxes() -> None:
    batch = images(boxes=True).batch(torch.tensor([4, 4, 1]), GEOMETRY)
    assert torch.equal(batch.x, images().x[[4, 4, 1]])
    assert batch.boxes is not None and batch.boxes.tolist() == [[8, 9], [8, 9], [2, 3]]
    assert images().batch(torch.tensor([1]), GEOMETRY).boxes is None


def test_normalise_by_hand_and_in_channels_last() -> None:
    x = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    x[1] = 255
    y = normalise(x, GEOMETRY)
    assert y.dtype == torch.float32
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y[0, :, 0, 0], torch.tensor([-1.0, -1.0, 0.0]))
    torch.testing.assert_close(y[1, :, 0, 0], torch.tensor([1.0, 3.0, 1.0]))


def test_normalise_leaves_float_images_as_they_are() -> None:
    x = torch.full((1, 3, 4, 4), 127.5)
    y = normalise(x, GEOMETRY)
    assert x.eq(127.5).all()
    torch.testing.assert_close(y[0, :, 0, 0], torch.tensor([0.0, 1.0, 0.5]))


def test_splits_move_whole() -> None:
    splits = Splits(images(), None, images(boxes=True), GEOMETRY, Subset(("a",), ()))
    moved = splits.to("meta")
    assert moved.train.x.is_meta and moved.test.y.is_meta and moved.val is None
    assert moved.test.boxes is not None and not moved.test.boxes.is_meta
