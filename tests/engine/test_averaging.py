"""The moving average of weights, by its recurrence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.averaging import Average


def test_it_follows_the_recurrence_and_warms_up() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 1.0)
    average, expected = Average(net, 0.5), 1.0
    for step, value in enumerate([3.0, -1.0, 2.0, 8.0, 5.0, 7.0, 0.0, 4.0, 6.0, 9.0], start=1):
        nn.init.constant_(net.weight, value)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        assert float(average.state["weight"]) == pytest.approx(expected, rel=1e-6)
    assert decay == 0.5


def test_it_has_the_statistics_too_and_leaves_the_network_alone() -> None:
    net = nn.BatchNorm2d(2)
    average = Average(net, 0.9)
    net(torch.randn(4, 2, 3, 3))
    before = {name: t.clone() for name, t in net.state_dict().items()}
    average.update()
    with average.worn():
        assert int(net.num_batches_tracked) == 1
        moved = 1 - 2 / 11
        torch.testing.assert_close(net.running_mean, moved * before["running_mean"])
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())


def test_pruned_weights_leave_the_average() -> None:
    net = nn.Linear(3, 1)
    average = Average(net, 0.9)
    average.mask_({"weight": torch.tensor([[True, False, True]])})
    assert (average.state["weight"] == 0).tolist() == [[False, True, False]]
