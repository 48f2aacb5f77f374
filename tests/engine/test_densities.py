"""Allocations: the published densities of layers, exact totals, and layers that stay dense."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from engine import densities
from engine.errors import SpecError
from engine.registry import load

Shapes = dict[str, tuple[int, ...]]


def _wide_resnet() -> Shapes:
    """WideResNet-22-2 for ten classes: what RigL's reproduction prunes."""
    shapes: Shapes = {"conv1": (16, 3, 3, 3)}
    before = 16
    for block, width in (("b1", 32), ("b2", 64), ("b3", 128)):
        for layer in range(3):
            shapes[f"{block}.{layer}.conv1"] = (width, before if layer == 0 else width, 3, 3)
            shapes[f"{block}.{layer}.conv2"] = (width, width, 3, 3)
            if layer == 0:
                shapes[f"{block}.shortcut"] = (width, before, 1, 1)
        before = width
    return {**shapes, "fc": (10, 128)}


def _resnet18() -> Shapes:
    shapes: Shapes = {"conv1": (64, 3, 3, 3)}
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            shapes[f"{stage}.{block}.conv1"] = (width, before if block == 0 else width, 3, 3)
            shapes[f"{stage}.{block}.conv2"] = (width, width, 3, 3)
            if block == 0 and stage > 1:
                shapes[f"{stage}.shortcut"] = (width, before, 1, 1)
        before = width
    return {**shapes, "fc": (10, 512)}


def _kept(shapes: Shapes, counts: dict[str, int]) -> dict[str, float]:
    return {name: counts[name] / math.prod(shape) for name, shape in shapes.items()}


def _flop_share(shapes: Shapes, counts: dict[str, int]) -> float:
    """Of WideResNet-22-2's multiplications on a 32x32 image; its stages see 32, 16 and 8 pixels."""
    side = {"conv1": 32, "b1": 32, "b2": 16, "b3": 8, "fc": 1}
    uses = {name: side[name.partition(".")[0]] ** 2 for name in shapes}
    dense = sum(math.prod(shape) * uses[name] for name, shape in shapes.items())
    return sum(counts[name] * uses[name] for name in shapes) / dense


def test_erk_gives_the_published_densities_of_wide_resnet_22_2() -> None:
    shapes = _wide_resnet()
    kept = _kept(shapes, densities.counts(shapes, 0.2, "erk"))
    expected = {"b1.0.conv1": 0.886, "b2.0.conv1": 0.418, "b3.0.conv1": 0.203}
    for name in shapes:
        block = {"b1": 0.574, "b2": 0.275, "b3": 0.134}.get(name[:2], 1.0)
        if "shortcut" in name:
            block = 1.0
        assert kept[name] == pytest.approx(expected.get(name, block), abs=6e-4), name


def test_erk_gives_the_published_densities_of_resnet18() -> None:
    shapes = _resnet18()
    kept = _kept(shapes, densities.counts(shapes, 0.05, "erk"))
    special = {
        "conv1": 1.0, "2.0.conv1": 0.172, "3.0.conv1": 0.085, "4.0.conv1": 0.042,
        "2.shortcut": 1.0, "3.shortcut": 0.754, "4.shortcut": 0.376, "fc": 1.0,
    }  # fmt: skip
    usual = {"1": 0.233, "2": 0.114, "3": 0.056, "4": 0.028}
    for name, density in kept.items():
        assert density == pytest.approx(special.get(name, usual.get(name[0])), abs=6e-4), name


@pytest.mark.parametrize(
    ("density", "allocation", "share"),
    [
        (0.05, "erk", 0.088),
        (0.1, "erk", 0.174),
        (0.2, "erk", 0.352),
        (0.5, "erk", 0.728),
        (0.2, "er", 0.349),
    ],
)
def test_the_published_shares_of_operations(density: float, allocation: str, share: float) -> None:
    shapes = _wide_resnet()
    counts = densities.counts(shapes, density, allocation)
    assert _flop_share(shapes, counts) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize("allocation", ["uniform", "er", "erk"])
@pytest.mark.parametrize("dense", [(), ("conv1",), ("conv1", "fc")])
def test_totals_are_exact_and_no_layer_keeps_more_than_it_has(
    allocation: str, dense: tuple[str, ...]
) -> None:
    shapes = _wide_resnet()
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    for density in (0.003, 0.0507, 1 / 3, 0.8, 0.999, 1.0):
        counts = densities.counts(shapes, density, allocation, dense=dense)
        assert sum(counts.values()) == round(density * sum(sizes.values()))
        assert all(0 <= counts[name] <= size for name, size in sizes.items())
        assert all(counts[name] == sizes[name] for name in dense)


def test_uniform_keeps_the_same_of_each_and_lowers_it_for_layers_kept_dense() -> None:
    shapes = {"a": (10, 10), "b": (20, 10), "c": (70, 10)}
    assert densities.counts(shapes, 0.3, "uniform") == {"a": 30, "b": 60, "c": 210}
    # 300 - 100 left for 900: 2/9 of 200 and of 700, 44.4 and 155.6
    kept = densities.counts(shapes, 0.3, "uniform", dense=("a",))
    assert kept == {"a": 100, "b": 44, "c": 156}


def test_er_and_erk_by_hand() -> None:
    shapes = {"a": (2, 3, 5, 5), "b": (4, 4, 1, 1)}
    # er: 5/6 * 150 = 125 and 8/16 * 16 = 8, so that 50 of 166 are 47 and 3
    assert densities.counts(shapes, 50 / 166, "er") == {"a": 47, "b": 3}
    # erk: 15 and 10, so that 20 are 12 and 8; 100 would be 60 and 40, but b has 16
    assert densities.counts(shapes, 20 / 166, "erk") == {"a": 12, "b": 8}
    assert densities.counts(shapes, 100 / 166, "erk") == {"a": 84, "b": 16}


def test_the_power_blends_into_uniform() -> None:
    shapes = _wide_resnet()
    uniform = densities.counts(shapes, 0.2, "uniform")
    assert densities.counts(shapes, 0.2, "erk", power=0.0) == uniform
    half = densities.counts(shapes, 0.05, "erk", power=0.5)
    # densities go with the square root of (64+64+6)/(64*64*9) and (128+128+6)/(128*128*9)
    ratio = (half["b2.1.conv1"] / 36864) / (half["b3.1.conv1"] / 147456)
    assert ratio == pytest.approx(math.sqrt(134 / 36864 / (262 / 147456)), rel=1e-3)


def test_layers_that_cannot_all_stay_dense_are_named() -> None:
    shapes = {"a": (10, 10), "b": (20, 10)}
    with pytest.raises(SpecError, match=r"\(b\) have 200 weights, but the density keeps 150"):
        densities.counts(shapes, 0.5, "uniform", dense=("b",))
    assert densities.counts(shapes, 2 / 3, "erk", dense=("b",)) == {"a": 0, "b": 200}


def test_layers_to_keep_dense_by_name() -> None:
    shapes = {"stem": (1, 1), "block.shortcut": (1, 1), "fc": (1, 1)}
    assert densities.named(shapes, "none") == ()
    assert densities.named(shapes, "first") == ("stem",)
    assert densities.named(shapes, "last") == ("fc",)
    assert densities.named(shapes, "first+last") == ("stem", "fc")
    assert densities.named({"only": (1, 1)}, "first+last") == ("only",)
    assert densities.named(shapes, "re:short|fc") == ("block.shortcut", "fc")
    with pytest.raises(SpecError, match="matches none of the prunable layers: stem"):
        densities.named(shapes, "re:layer9")


@pytest.mark.parametrize("wrong", ["re:[", "middle"])
def test_a_wrong_name_for_dense_layers_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="keep_dense"):
        load("sparsifiers", "random").Settings(keep_dense=wrong)
