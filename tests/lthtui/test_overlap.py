"""Overlaps of masks: by hand, and against NumPy's count of random ones."""

import numpy as np
import pytest
from maskfiles import draw, write_mask

from engine import packed
from engine.overlap import Overlap, describe
from lthtui import overlap

SHAPES = {"a": (4, 2), "b": (10, 10)}


def masks(tmp_path, *drawn):
    named = {}
    for index, one in enumerate(drawn):
        write_mask(tmp_path / str(index), one)
        named[f"t{index}"] = packed.of_level(tmp_path / str(index))
    return named


def of(layer_a, layer_b=()):
    a, b = np.zeros(8, bool), np.zeros(100, bool)
    a[list(layer_a)] = b[list(layer_b)] = True
    return {"a": a.reshape(4, 2), "b": b.reshape(10, 10)}


def test_overlap_by_hand(tmp_path):
    # in a: 4 and 2 live, 1 in both; in b: 10 and 20, 5 in both
    found = overlap.measure(
        masks(tmp_path, of(range(4), range(10)), of((3, 4), range(5, 25)), of(()))
    )
    assert found.iou(0, 1, "a") == 1 / 5 and found.iou(0, 1, "b") == 5 / 25
    assert found.iou(0, 1) == found.iou(1, 0) == 6 / 30
    assert found.within(0, 1) == 6 / 14  # 14 live in the sparser
    # by chance: in a 4 * 2 / 8 = 1 of 5 in either, in b 10 * 20 / 100 = 2 of 28
    assert found.by_chance(0, 1, "a") == 1 / 5
    assert found.by_chance(0, 1, "b") == pytest.approx(2 / 28)
    assert found.by_chance(0, 1) == pytest.approx(3 / (14 + 22 - 3))
    both = 14 * 22 / 108  # wherever they are
    assert found.anywhere(0, 1) == pytest.approx(both / (14 + 22 - both))
    assert found.iou(0, 0) == 1 and found.iou(0, 2) == 0 and found.iou(2, 2) is None


def test_random_masks_overlap_as_much_as_by_chance(tmp_path):
    shapes = {"a": (100, 100), "b": (50, 400)}
    drawn = [
        {**draw({"a": shapes["a"]}, 0.5, seed), **draw({"b": shapes["b"]}, 0.1, seed)}
        for seed in (1, 2)
    ]
    found = overlap.measure(masks(tmp_path, *drawn))
    assert found.iou(0, 1) == pytest.approx(found.by_chance(0, 1), abs=0.01)
    assert found.anywhere(0, 1) < found.by_chance(0, 1) - 0.05  # the layers alone explain so much
    inside = sum(int((drawn[0][name] & drawn[1][name]).sum()) for name in shapes)
    assert found.both(0, 1) == inside


def test_as_json(tmp_path):
    found = describe(overlap.measure(masks(tmp_path, of((0,)), of((0, 1)))))
    assert found["tickets"] == [
        {"name": "t0", "kept": 1, "total": 108},
        {"name": "t1", "kept": 2, "total": 108},
    ]
    assert found["iou"] == [[1, 0.5], [0.5, 1]] and found["both"] == [[1, 1], [1, 2]]
    assert [layer["name"] for layer in found["layers"]] == ["a", "b"]
    assert found["layers"][0]["kept"] == [1, 2] and found["layers"][0]["by_chance"][0][1] == (
        pytest.approx(0.25 / 2.75)
    )
    assert found["layers"][1]["iou"] == [[None, None], [None, None]]
    assert found["layers"][1]["by_chance"] == [[None, None], [None, None]]


def test_a_layer_without_weights_counts_for_nothing():
    found = Overlap(("x", "y"), {"a": 4, "none": 0}, {"a": ((2, 1), (1, 2)), "none": ((0, 0),) * 2})
    assert found.by_chance(0, 1) == 1 / 3  # 1 of 3 in either


def test_no_tickets_at_all():
    assert describe(overlap.measure({}))["iou"] == []
