"""Images, batches and their normalisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from inprocess import run
from stepping import Plain, begun

from engine import images as module
from engine.evaluation import score
from engine.events import Warned
from engine.images import Geometry, Images, Splits, fits, normalise
from engine.rundir import RunDirectory
from engine.spec import RunSpec
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


@pytest.fixture
def too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices that hold no split whole."""
    monkeypatch.setattr(module, "fits", lambda size, device: False)


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


def test_images_that_leave_a_device_too_little_memory_stay_with_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = {"bytes": 4 * images().x.nbytes}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free["bytes"], 0))
    assert fits(images().x.nbytes, torch.device("cuda"))
    free["bytes"] -= 1
    assert not fits(images().x.nbytes, torch.device("cuda"))
    assert fits(images().x.nbytes, torch.device("cpu"))


def test_streamed_images_are_batches_on_the_device(too_small: None) -> None:
    streamed = images(boxes=True).to("meta")
    assert streamed.streamed and streamed.x.device.type == "cpu"
    assert streamed.device.type == "meta"
    assert streamed.batch(torch.tensor([1, 1]), GEOMETRY).x.is_meta
    assert streamed.subset([0, 2]).batch(torch.tensor([1]), GEOMETRY).x.is_meta
    assert torch.equal(streamed.subset([0, 2]).x, images().x[[0, 2]])


def test_streamed_pixels_are_those_of_the_images(too_small: None) -> None:
    streamed, ids = images(boxes=True).to("cpu"), torch.tensor([4, 0, 1])
    assert streamed.streamed
    assert torch.equal(streamed.batch(ids, GEOMETRY).x, images().x[ids])
    boxes = streamed.batch(ids, GEOMETRY).boxes
    assert boxes is not None and boxes.tolist() == [[8, 9], [0, 1], [2, 3]]


def test_a_run_says_once_which_images_are_streamed(
    tiny: Callable[..., RunSpec],
    run_folder: Callable[..., RunDirectory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = tiny(data={"name": "digits", "per_class": 5, "validation": 100}, sparsifier="dense")
    monkeypatch.setattr(module, "fits", lambda size, device: size < 200 * 64)
    told = [one.message for one in run(run_folder(spec)) if isinstance(one, Warned)]
    assert len(told) == 1 and told[0].startswith("test images stay in the host's memory")


def test_training_and_scores_are_the_same_with_streamed_images(
    request: pytest.FixtureRequest, tiny: Callable[..., RunSpec]
) -> None:
    def trained() -> tuple[bool, dict[str, torch.Tensor], object]:
        training = begun(tiny(data={"name": "digits", "per_class": 5, "validation": 100}))
        training.data = training.data.to("cpu")
        for start in (0, 20):
            training.take_step(torch.arange(start, start + 20), Plain(training.spec.sparsifier))
        val = training.data.val
        assert val is not None
        found = score(training.net, val, training.data.geometry, training.judge())
        return val.streamed, training.net.state_dict(), found

    held, weights, found = trained()
    request.getfixturevalue("too_small")
    streamed, others, scored = trained()
    assert streamed and not held
    assert scored == found
    assert all(torch.equal(weights[name], others[name]) for name in weights)


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
