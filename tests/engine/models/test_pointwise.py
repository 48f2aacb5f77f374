"""The strided 1x1 convolution against torch's own, and where torch's own crashes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from engine.models._pointwise import Pointwise

CRASHES = """
import torch
from engine import registry
torch.set_num_threads(1)
for name, knobs in (("resnet20", {"width": 4, "shortcut": "B"}), ("resnet18", {"width": 8})):
    model = registry.load("models", name)
    net = model.build(model.Settings(**knobs), 4, 3, 64).to(memory_format=torch.channels_last)
    for _ in range(8):
        x = torch.randn(50, 3, 64, 64).contiguous(memory_format=torch.channels_last)
        net(x).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in net.parameters())
"""


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [7, 8])
def test_it_is_torchs_convolution(stride: int, size: int) -> None:
    ours = Pointwise(5, 6, stride).double()
    theirs = nn.Conv2d(5, 6, 1, stride, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 5, size, size, dtype=torch.float64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    mine, other = ours(a), theirs(b)
    towards = torch.randn_like(mine)
    mine.backward(towards)
    other.backward(towards)
    for one, two in ((mine, other), (a.grad, b.grad), (ours.weight.grad, theirs.weight.grad)):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_narrow_networks_train_on_larger_images() -> None:
    """In a process of its own: torch's convolution corrupts the heap there and ends it."""
    command = [sys.executable, "-c", CRASHES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
