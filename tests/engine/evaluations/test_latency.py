"""Latency: its bookkeeping by a clock that is given, formats by hand, and what is not timed."""

import itertools
from functools import partial

import pytest
import torch
from torch import nn

from engine.evaluations import _formats, _timing, latency
from engine.images import Images
from engine.masks import Mask

IMAGES = Images(
    torch.arange(24).view(2, 3, 2, 2).byte(), torch.tensor([0, 1]), ("a", "b"), ("x", "y")
)


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))


def pruned(rows=4):
    """The ticket of a perceptron whose first units have no weights."""
    mask = torch.ones(8, 12, dtype=torch.bool)
    mask[:rows] = False
    return Mask({"1.weight": mask})


def ticket():
    net = perceptron()
    with torch.no_grad():
        net[1].weight *= pruned()["1.weight"]
    return net


def test_rounds_take_turns_and_end_in_time():
    ticks, calls = itertools.count(0.0, 1.0), []
    actions = {name: lambda name=name: calls.append(name) for name in "ab"}
    wait, tick = (partial(calls.append, mark) for mark in ".?")
    times = _timing.rounds(actions, 9, 14.0, wait, tick, lambda: next(ticks))
    # the clock: 0 for the end at 14, 4 readings a round, and a question from the third on
    assert times == {"a": [1.0] * 4, "b": [1.0] * 4}
    assert "".join(calls) == "aabb." + 4 * "?a.b."


def test_three_rounds_are_made_however_long_they_take_and_no_more_than_asked():
    def made(most, clock):
        def nothing():
            pass

        return len(_timing.rounds({"a": nothing}, most, 1.0, nothing, nothing, clock)["a"])

    assert made(9, partial(next, itertools.count(0.0, 100.0))) == 3
    assert made(5, partial(next, itertools.count(0.0, 0.001))) == 5


def test_a_summary_pairs_rounds():
    found = _timing.summary([0.001, 0.002, 0.004], [0.002, 0.006, 0.004])
    assert {name: found[name] for name in ("ms", "speed-up", "rounds")} == pytest.approx(
        {"ms": 2.0, "speed-up": 2.0, "rounds": 3}  # ratios are 2, 3 and 1
    )
    assert found["speed-up lower quartile"] == pytest.approx(1.5)
    assert found["ms upper quartile"] == pytest.approx(3.0)


def test_two_of_each_four_weights_are_the_largest():
    weight = torch.tensor(
        [[1.0, -4.0, 2.0, 3.0, 0.0, 0.0, -1.0, 0.0], [5.0, 5.0, 5.0, 5.0, 1, 2, 3, 4]]
    )
    assert _formats.two_of_four(weight).tolist() == [
        [0, -4, 0, 3, 0, 0, -1, 0],
        [0, 0, 5, 5, 0, 0, 3, 4],
    ]


def test_compressed_rows_say_the_same():
    net, other = ticket(), ticket()
    _formats.compressed(other, pruned(), bf16=False)
    shown = torch.randn(3, 3, 2, 2)
    assert other[1].weight.layout is torch.sparse_csr and other[3].weight.layout is torch.strided
    with torch.no_grad():
        torch.testing.assert_close(other(shown), net(shown))


def test_linear_maps_of_the_right_shape_are_stored_2_4(monkeypatch):
    stored = []
    monkeypatch.setattr(_formats, "_capable", lambda device: True)
    monkeypatch.setattr(
        torch.sparse, "to_sparse_semi_structured", lambda weight: stored.append(weight) or weight
    )
    net = nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 64), nn.Linear(64, 32))
    mask = Mask({f"{at}.weight": torch.ones_like(net[at].weight).bool() for at in (0, 1)})
    for alive in mask.values():
        alive[:, 0] = False
    with torch.no_grad():
        net[0].weight.fill_(1.0)[:, 0] = 0
    # 16 fours a row, of which one has 3 weights left and all others have 4
    assert _formats.semi_structured(net, mask, bf16=True) == (1 + 15 * 2) / 63
    assert [weight.dtype for weight in stored] == [torch.bfloat16]
    assert stored[0].shape == (32, 64) and int(stored[0].sum()) == 32 * 32
    assert net[0].bias.dtype is torch.bfloat16 and net[1].weight.dtype is torch.float32


@pytest.mark.parametrize(
    ("capable", "bf16", "layer", "why"),
    [
        (False, True, nn.Linear(64, 32), "compute capability 8.0"),
        (True, False, nn.Linear(64, 32), "16 bits"),
        (True, True, nn.Linear(60, 32), "32 outputs and 64 inputs"),
        (True, True, nn.Conv2d(64, 32, 1), "no kernels for sparse convolutions"),
    ],
)
def test_what_2_4_cannot_do_is_said(monkeypatch, capable, bf16, layer, why):
    monkeypatch.setattr(_formats, "_capable", lambda device: capable)
    mask = Mask({"0.weight": torch.zeros_like(layer.weight).bool()})
    with pytest.raises(_formats.Unfit, match=why):
        _formats.semi_structured(nn.Sequential(layer), mask, bf16)


def test_networks_are_timed_beside_dense(context, monkeypatch):
    took = {"dense": 0.006, "masked": 0.006, "narrowed": 0.003, "csr": 0.012}
    seen = []

    def rounds(actions, most, seconds, wait, tick):
        seen.append(tuple(action().shape for action in actions.values()))
        return {name: [took[name]] * most for name in actions}

    monkeypatch.setattr(_timing, "rounds", rounds)
    made = context(ticket, IMAGES, mask=pruned())
    found = latency.evaluate(latency.Settings(batches=(1, 5), repeats=4), made)
    assert seen == [((1, 2),) * 4, ((5, 2),) * 4]
    assert found.metrics.pop("narrowed logits differ by") < 1e-6
    # 4 of 10 outputs; 4 of 8 units: half of 2 * 12 * 8 + 2 * 8 * 2 operations
    assert found.metrics.pop("channels removed") == pytest.approx(0.4)
    assert found.metrics.pop("narrowed FLOPs") == pytest.approx(0.5)
    times = {f"batch {b} {name} ms": 1e3 * taken for b in (1, 5) for name, taken in took.items()}
    ratios = {"masked": 1.0, "narrowed": 2.0, "csr": 0.5}
    times |= {f"batch {b} {name} speed-up": ratio for b in (1, 5) for name, ratio in ratios.items()}
    assert found.metrics == pytest.approx(times)
    document = found.files["latency.json"]
    assert document["not timed"].keys() == {"2_4"} and document["precision"] == "fp32"
    assert document["batches"]["5"]["csr"]["rounds"] == 4


def test_dense_has_all_of_its_weights(context):
    made = latency._dense(context(ticket, IMAGES, mask=pruned()))
    assert bool((made[1].weight != 0).all())
    assert torch.equal(made[1].weight[4:], ticket()[1].weight[4:])


def test_of_a_dense_network_only_that_is_timed(context):
    found = latency.evaluate(latency.Settings(batches=(1,), repeats=3), context(perceptron, IMAGES))
    assert [*found.metrics] == ["batch 1 dense ms"]
    assert found.files["latency.json"]["not timed"].keys() == {"masked", "narrowed", "csr", "2_4"}


def test_a_narrowed_network_that_says_something_else_is_not_timed(context, monkeypatch):
    from engine.evaluations import _narrowed

    def wrong(net, image):
        found = _narrowed_of(net, image)
        with torch.no_grad():
            net = found.net
            net.get_submodule("3").bias += 1
        return found

    _narrowed_of = _narrowed.narrowed
    monkeypatch.setattr(_narrowed, "narrowed", wrong)
    made = context(ticket, IMAGES, mask=pruned())
    found = latency.evaluate(latency.Settings(batches=(1,), repeats=3), made)
    assert "differ by 1" in found.files["latency.json"]["not timed"]["narrowed"]
    assert "batch 1 narrowed ms" not in found.metrics


def test_one_that_cannot_be_traced_costs_the_others_nothing(context):
    class Looks(nn.Sequential):
        def forward(self, x):
            return super().forward(x if x.sum() > 0 else -x)

    made = context(lambda: Looks(*ticket()), IMAGES, mask=pruned())
    found = latency.evaluate(latency.Settings(batches=(1,), repeats=3), made)
    assert "traced" in found.files["latency.json"]["not timed"]["narrowed"]
    assert "batch 1 csr ms" in found.metrics
