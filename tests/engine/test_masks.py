"""Masks: exact counts, ties by position, layer shares, and the reference's golden counts."""

from __future__ import annotations

import pytest
import torch

from engine import masks
from engine.errors import SpecError
from engine.masks import Mask
from engine.plugin import AllocationSettings

# Remaining conv weights of ResNet-18 (cifar stem, 10 classes) over 15 prunings of 20 %.
RESNET18 = [
    11159232, 8927386, 7141909, 5713527, 4570822, 3656658, 2925326, 2340261,
    1872209, 1497767, 1198214, 958571, 766857, 613486, 490789, 392631,
]  # fmt: skip


def test_keeps_the_highest_scores_and_breaks_ties_by_position() -> None:
    scores = {"a": torch.tensor([[1.0, 2.0], [2.0, 2.0]]), "b": torch.tensor([2.0, 3.0])}
    mask = masks.keep_top(scores, 3)
    assert mask["a"].tolist() == [[False, True], [True, False]]
    assert mask["b"].tolist() == [False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equals_a_stable_sort_however_many_scores_are_equal(dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(0)
    for kept in (0, 1, 7, 500, 999, 1000):
        scores = (torch.randn(1000, generator=rng) * 4).round().to(dtype)
        scores[::50] = float("inf")
        within = torch.rand(1000, generator=rng) < 0.9
        order = scores.float().argsort(descending=True, stable=True)
        assert sorted(order[:kept].tolist()) == _where(masks.keep_top({"a": scores}, kept))
        order = order[within[order]]
        found = masks.keep_top({"a": scores}, kept, Mask({"a": within}))
        assert sorted(order[:kept].tolist()) == _where(found)


def _where(mask: Mask) -> list[int]:
    return mask["a"].nonzero()[:, 0].tolist()


def test_ranks_scores_in_their_own_precision() -> None:
    tiny = torch.tensor([3e-60, 1e-60, 4e-60, 2e-60], dtype=torch.float64)  # zero in float32
    assert masks.keep_top({"a": tiny}, 2)["a"].tolist() == [True, False, True, False]


def test_keeps_only_what_lives_within() -> None:
    within = Mask({"a": torch.tensor([True, False, True, False])})
    mask = masks.keep_top({"a": torch.tensor([1.0, 9.0, 2.0, 8.0])}, 1, within)
    assert mask["a"].tolist() == [False, False, True, False]


def test_a_score_that_is_no_number_is_the_first_to_go() -> None:
    scores = {"a": torch.tensor([float("nan"), 0.0, -5.0]), "b": torch.tensor([1.0, float("nan")])}
    mask = masks.keep_top(scores, 3)
    assert mask["a"].tolist() == [False, True, True]
    assert mask["b"].tolist() == [True, False]
    within = Mask({"a": torch.tensor([True, True, True]), "b": torch.tensor([False, True])})
    mask = masks.keep_top(scores, 3, within)
    assert mask["a"].tolist() == [True, True, True] and mask["b"].tolist() == [False, False]


def test_what_lives_within_stays_before_what_does_not_whatever_it_scores() -> None:
    scores = {"a": torch.tensor([2.0, float("-inf"), float("nan")])}
    within = Mask({"a": torch.tensor([False, True, True])})
    assert masks.keep_top(scores, 2, within)["a"].tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, {"a": 0, "b": 0, "c": 12}),
        ({"allocation": "uniform"}, {"a": 2, "b": 4, "c": 6}),
        ({"keep_dense": "first"}, {"a": 8, "b": 0, "c": 4}),
        ({"allocation": "uniform", "keep_dense": "re:a"}, {"a": 8, "b": 2, "c": 2}),
        # (4+2)/8 * 8, (4+4)/16 * 16, (4+6)/24 * 24: 12 in the ratio of 6 to 8 to 10
        ({"allocation": "erk"}, {"a": 3, "b": 4, "c": 5}),
    ],
)
def test_scores_are_spread_over_layers_as_the_settings_say(
    settings: dict[str, str], kept: dict[str, int]
) -> None:
    sizes = {"a": 2, "b": 4, "c": 6}
    scores = {
        n: i * 100 + torch.arange(4.0 * k).view(4, k) for i, (n, k) in enumerate(sizes.items())
    }
    mask = masks.allocate(scores, AllocationSettings(density=12 / 48, **settings))
    assert {name: int(m.sum()) for name, m in mask.items()} == kept
    for name, m in mask.items():  # the highest of each lie last
        assert m.flatten().tolist() == [False] * (m.numel() - kept[name]) + [True] * kept[name]


def test_dense_layers_must_fit_into_a_global_density() -> None:
    scores = {"a": torch.rand(4, 2), "b": torch.rand(4, 4)}
    settings = AllocationSettings(density=0.5, keep_dense="last")
    with pytest.raises(SpecError, match=r"\(b\) have 16 weights, but the density keeps 12 of 24"):
        masks.allocate(scores, settings)


def test_layer_scope_gives_each_layer_its_share_of_the_living() -> None:
    scores = {"a": torch.arange(10.0), "b": torch.arange(100.0, 130.0)}
    mask = masks.keep_top(scores, 20, scope="layer")
    # 20 * 10/40 = 5 and 20 * 30/40 = 15, though every score of b is higher
    assert mask["a"].tolist() == [False] * 5 + [True] * 5
    assert int(mask["b"].sum()) == 15


def test_shares_add_up_with_the_largest_remainders_rounded_up() -> None:
    assert masks.share({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1, "c": 0}
    assert masks.share({"a": 7, "b": 2, "c": 1}, 5) == {"a": 4, "b": 1, "c": 0}
    assert sum(masks.share({str(i): i * i + 1 for i in range(50)}, 12_345).values()) == 12_345


def test_counts_of_the_reference_for_resnet18() -> None:
    shapes = [1728] + [36864] * 4 + [73728, 147456, 8192, 147456, 147456]
    shapes += [294912, 589824, 32768, 589824, 589824]
    shapes += [1179648, 2359296, 131072, 2359296, 2359296]
    rng = torch.Generator().manual_seed(0)
    scores = {str(i): torch.rand(n, generator=rng) for i, n in enumerate(shapes)}
    mask, counts = masks.ones(scores), []
    for _ in RESNET18:
        counts.append(mask.kept)
        mask = masks.keep_top(scores, mask.kept - round(0.2 * mask.kept), mask)
    assert counts == RESNET18


def test_prunable_presets() -> None:
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 4, 1),
        torch.nn.Linear(4, 2),
    )  # fmt: skip
    assert list(masks.prunable(net, "conv")) == ["0.weight", "2.weight"]
    assert list(masks.prunable(net, "conv-no-first")) == ["2.weight"]
    assert list(masks.prunable(net, "conv+linear")) == ["0.weight", "2.weight", "3.weight"]
    assert list(masks.prunable(net, "re:^[23]")) == ["2.weight", "3.weight"]
    with pytest.raises(SpecError, match="matches no weights"):
        masks.prunable(net, "re:layer9")
    with pytest.raises(SpecError, match="matches no weights"):
        masks.prunable(net, "linear")  # the classifier is no part of it


def test_prunable_presets_by_names_and_shapes() -> None:
    weights = {
        "pos_embed": torch.zeros(1, 5, 4),
        "patch_embed.proj.weight": torch.zeros(4, 3, 2, 2),
        "harmonic.weight": torch.zeros(4, 3, 9),
        "blocks.0.norm1.weight": torch.zeros(4),
        "blocks.0.attn.qkv.weight": torch.zeros(12, 4),
        "blocks.0.mlp.fc1.weight": torch.zeros(16, 4),
        "blocks.0.mlp.fc1.bias": torch.zeros(16),
        "head.weight": torch.zeros(10, 4),
    }
    attention, mlp = "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight"
    found = {
        "conv": ["harmonic.weight"],
        "conv+linear": ["harmonic.weight", attention, mlp, "head.weight"],
        "conv-no-first": [],
        "linear": [attention, mlp],
        "attention": [attention],
        "mlp": [mlp],
        "re:embed": ["pos_embed", "patch_embed.proj.weight"],
    }
    assert {which: list(masks.matching(weights, which)) for which in found} == found
