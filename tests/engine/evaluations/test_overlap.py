"""Overlaps of masks: by hand, and the same as those of `lthtui ticket overlap`."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from maskfiles import draw, write_mask
from torch import nn

from engine import packed
from engine.errors import SpecError
from engine.evaluations import overlap
from engine.images import Images
from engine.masks import Mask
from engine.overlap import describe
from engine.sources import Source
from lthtui import overlap as listed

IMAGES = Images(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.tensor([0]), ("a",), ("0", "1"))


def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 2))


def mask(first, second):
    flat = torch.zeros(24, dtype=torch.bool)
    flat[[*first, *(16 + at for at in second)]] = True
    return Mask({"1.weight": flat[:16].view(4, 4), "2.weight": flat[16:].view(2, 4)})


@pytest.fixture
def two(context):
    """Makes the context of level 3, beside another mask: of level 1, and of other runs."""

    def make(mine, other, **around):
        made = context(net, IMAGES, mask=mine, level=3)
        beside = replace(made.subject, mask=other, level=1)
        found = {"kept": (1, 3, 4), "at": {1: beside}.__getitem__, "other": lambda source: beside}
        return replace(made, around=replace(made.around, **{**found, **around}))

    return make


def test_by_hand(two):
    # in the first layer 4 and 2 live, 1 in both; in the second 4 and 1, 1 in both
    made = two(mask(range(4), range(4)), mask((3, 9), (0,)))
    found = overlap.evaluate(overlap.Settings(), made)
    chance = 4 * 2 / 16 + 4 * 1 / 8
    assert found.metrics == {
        "iou": 2 / 9,
        "iou by chance": chance / (8 + 3 - chance),
        "share of the sparser": 2 / 3,
    }
    document = found.files["overlap.json"]
    assert [one["name"] for one in document["tickets"]] == ["level 3", "level 1"]
    assert [layer["iou"][0][1] for layer in document["layers"]] == [1 / 5, 1 / 4]


def test_the_figures_are_those_of_masks_on_disk(two, tmp_path):
    drawn = [draw({"1.weight": (4, 4), "2.weight": (2, 4)}, 0.6, seed) for seed in (1, 2)]
    for at, one in enumerate(drawn):
        write_mask(tmp_path / str(at), one)
    names = ("level 3", "other:2")
    on_disk = {name: packed.of_level(tmp_path / str(at)) for at, name in enumerate(names)}
    mine, other = (Mask({n: torch.from_numpy(np.asarray(m)) for n, m in d.items()}) for d in drawn)
    settings = overlap.Settings(other=Source("other", 2))
    found = overlap.evaluate(settings, two(mine, other))
    assert found.files["overlap.json"] == describe(listed.measure(on_disk))


def test_nothing_comes_before_the_first_level(two):
    made = two(mask((), ()), mask((), ()), kept=(3, 4))
    assert overlap.evaluate(overlap.Settings(), made).metrics == {}


def test_masks_that_keep_nothing_have_no_overlap(two):
    found = overlap.evaluate(overlap.Settings(), two(mask((), ()), mask((), ())))
    assert found.metrics == {} and found.files["overlap.json"]["iou"] == [[None] * 2] * 2


def test_dense_that_is_not_kept_and_masks_of_other_networks_are_refused(two):
    made = two(mask((0,), (0,)), Mask({"1.weight": torch.ones(4, 4, dtype=torch.bool)}))
    with pytest.raises(SpecError, match="has kept no dense ticket"):
        overlap.evaluate(overlap.Settings(other="dense"), made)
    with pytest.raises(SpecError, match=r"the mask of that:2 covers other weights"):
        overlap.evaluate(overlap.Settings(other=Source("that", 2)), made)
