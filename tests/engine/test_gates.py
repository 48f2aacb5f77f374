"""Gates: temperatures, gradients and what happens between rounds, by hand and by autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine import gates


def _double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_temperature_rises_exponentially_to_its_end() -> None:
    # 85 epochs to 200, as published
    found = [gates.temperature(200.0, epoch, 85) for epoch in (0, 42, 63, 84)]
    assert found == pytest.approx([1.0, 14.142136, 53.182959, 200.0], rel=1e-7)
    assert [gates.temperature(200.0, e, 3) for e in range(5)] == pytest.approx(
        [1, 14.142136, 200, 200, 200], rel=1e-7
    )
    assert gates.temperature(200.0, 0, 1) == 200.0


def test_the_scale_undoes_a_gate_at_its_start() -> None:
    published = {0.0: 2.0, -0.1: 2.105, 0.1: 1.905}
    for initial, scale in published.items():
        assert gates.scale(initial) == pytest.approx(scale, abs=5e-4)
        weight = _double(3.0)
        gated, _ = gates.apply(
            {"w": weight * gates.scale(initial)}, {"w": _double(initial)}, beta=1.0
        )
        assert gated["w"].item() == pytest.approx(3.0, rel=1e-12)


def test_gated_weights_and_gradients_by_hand() -> None:
    weights = {"a": _double(2.0, -4.0).requires_grad_()}
    open_by = {"a": _double(0.0, math.log(3) / 2).requires_grad_()}
    gated, total = gates.apply(weights, open_by, beta=2.0)
    # sigmoid(0) = 1/2 and sigmoid(log 3) = 3/4
    assert gated["a"].tolist() == pytest.approx([1.0, -3.0])
    assert total.item() == pytest.approx(1.25)
    (gated["a"] @ _double(1.0, 10.0) + 0.5 * total).backward()
    assert weights["a"].grad is not None and open_by["a"].grad is not None
    assert weights["a"].grad.tolist() == pytest.approx([0.5, 7.5])
    # beta * g * (1 - g) * (upstream * weight + 0.5)
    expected = [2 / 4 * (2 + 0.5), 2 * 3 / 16 * (-40 + 0.5)]
    assert open_by["a"].grad.tolist() == pytest.approx(expected)


def test_gradients_agree_with_autograd_for_all_layers_and_formats() -> None:
    rng = torch.Generator().manual_seed(0)
    shapes = {"conv": (4, 3, 3, 3), "linear": (5, 4)}
    weights = {n: torch.randn(s, generator=rng, dtype=torch.float64) for n, s in shapes.items()}
    weights["conv"] = weights["conv"].to(memory_format=torch.channels_last)
    logits = {n: torch.randn(s, generator=rng, dtype=torch.float64) for n, s in shapes.items()}
    up = {n: torch.randn(s, generator=rng, dtype=torch.float64) for n, s in shapes.items()}
    leaves = [*weights.values(), *logits.values()]
    for leaf in leaves:
        leaf.requires_grad_()
    gated, total = gates.apply(weights, logits, 3.0)
    mine = torch.stack([(gated[n] * up[n]).sum() for n in up]).sum() + 0.7 * total
    found = torch.autograd.grad(mine, leaves)
    plain = torch.stack(
        [((3.0 * logits[n]).sigmoid() * (weights[n] * up[n] + 0.7)).sum() for n in up]
    ).sum()
    torch.testing.assert_close(found, torch.autograd.grad(plain, leaves), rtol=1e-12, atol=1e-14)

    def flat(*tensors: Tensor) -> tuple[Tensor, ...]:
        parts, total = gates.apply(
            dict(zip(shapes, tensors[:2], strict=True)),
            dict(zip(shapes, tensors[2:], strict=True)),
            3.0,
        )
        return total, *parts.values()

    assert torch.autograd.gradcheck(flat, leaves)


def test_soft_gates_become_the_hard_mask_as_the_temperature_rises() -> None:
    weights = {"w": torch.linspace(-1, 1, 101, dtype=torch.float64)}
    logits = {"w": 0.1 * torch.cos(torch.arange(101, dtype=torch.float64) * 40).sign()}
    hard = weights["w"] * gates.opened(logits)["w"]
    far, near = ((gates.apply(weights, logits, b)[0]["w"] - hard).abs().max() for b in (1, 200))
    assert far > 0.4 and near < 1 / (1 + math.exp(20)) + 1e-15


def test_between_rounds_closed_gates_stay_the_further_out_the_surer_they_were() -> None:
    held = {"a": _double(0.02, -0.01, -0.001, 0.0).requires_grad_()}
    gates.restart_(held, final=200.0, initial=-0.1)
    # the original code takes min(s, s0), which puts -0.01 beside the open gates
    assert held["a"].tolist() == pytest.approx([-0.1, -2.0, -0.2, -0.1])
    gates.restart_({"a": held["a"]}, final=200.0, initial=0.1)
    assert held["a"].tolist() == pytest.approx([-20.0, -400.0, -40.0, -20.0])


def test_a_gate_is_open_above_zero_unless_a_density_is_asked_for() -> None:
    held = {"a": _double(0.3, 0.0, -0.2), "b": _double(-0.1, 0.1, -0.3)}
    assert {n: m.tolist() for n, m in gates.opened(held).items()} == {
        "a": [True, False, False],
        "b": [False, True, False],
    }
    for density, kept in ((1 / 6, "a0"), (0.5, "a0 a1 b1"), (5 / 6, "a0 a1 a2 b0 b1")):
        mask = gates.opened(held, density)
        names = [f"{n}{i}" for n, m in mask.items() for i in range(3) if m[i]]
        assert " ".join(names) == kept


def test_the_summary_and_the_histograms_count_every_gate() -> None:
    held = {"a": _double(1.0, -1.0), "b": _double(0.25, 0.0)}
    found = gates.summary(held, beta=math.log(3))
    quarter = 1 / (1 + 3**-0.25)
    assert found.opened == 0.5
    assert found.mean == pytest.approx((0.75 + 0.25 + quarter + 0.5) / 4)
    assert found.softness == pytest.approx((0.25 + 0.25 + (1 - quarter) + 0.5) / 4)
    shown = gates.histograms(held, bins=4)
    assert shown["edges"] == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert shown["layers"]["a"] == {"open": 1, "total": 2, "counts": [1, 0, 0, 1]}
    assert shown["layers"]["b"] == {"open": 1, "total": 2, "counts": [0, 0, 2, 0]}
    untouched = gates.histograms({"a": torch.zeros(3)}, bins=2)
    assert untouched["edges"] == [-1.0, 0.0, 1.0]
    assert untouched["layers"]["a"] == {"open": 0, "total": 3, "counts": [0, 3]}
