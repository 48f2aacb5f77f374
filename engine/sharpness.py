"""Sharpness-aware minimisation (Foret et al. 2021, https://arxiv.org/abs/2010.01412)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def climbed(
    parameters: Mapping[str, nn.Parameter], mask: Mapping[str, Tensor], radius: float
) -> Iterator[None]:
    """With the weights moved by `radius` along their gradient, uphill (equation 2); then put back.

    Pruned weights stay zero, and their gradients don't count for the length.
    """
    moved = [(name, p) for name, p in parameters.items() if p.grad is not None]
    before = [p.detach().clone() for _, p in moved]
    with torch.no_grad():
        steps = [_alive(p.grad, mask.get(name)) for name, p in moved]
        length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(steps)))
        torch._foreach_mul_(steps, radius / (length + 1e-12))
        torch._foreach_add_([p for _, p in moved], steps)
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_([p for _, p in moved], before)


def _alive(gradient: Tensor | None, mask: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient if mask is None else gradient * mask


@contextmanager
def statistics_kept(net: nn.Module) -> Iterator[None]:
    """Without changes to the running statistics of batch normalisations."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
