"""Normalisation with statistics of its own for adversarial images (Xie et al. 2020, AdvProp,
https://arxiv.org/abs/1911.09665, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class SplitNorm(nn.BatchNorm2d):
    """Batch normalisation that keeps parameters and statistics apart for adversarial images.

    What it has under its own names is the normalisation for clean images, and the only one that
    tests use.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine)
        self.load_state_dict(norm.state_dict())
        self.auxiliary = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine)
        self.adversarial = False

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W], unchanged in shape."""
        return self.auxiliary(input) if self.adversarial else super().forward(input)


def split(net: nn.Module) -> None:
    """Give every batch normalisation of a network an auxiliary one, which begins as its equal."""
    norms = [(n, m) for n, m in net.named_modules() if type(m) is nn.BatchNorm2d]
    for name, norm in norms:
        net.set_submodule(name, SplitNorm(norm))
    begin(net)


def begin(net: nn.Module) -> None:
    """Let the auxiliary normalisations begin as the equals of those for clean images."""
    for norm in (module for module in net.modules() if isinstance(module, SplitNorm)):
        own = norm.state_dict()
        norm.auxiliary.load_state_dict({n: own[n] for n in norm.auxiliary.state_dict()})


@contextmanager
def adversarial(net: nn.Module) -> Iterator[None]:
    """With the auxiliary normalisations in use."""
    norms = [module for module in net.modules() if isinstance(module, SplitNorm)]
    for norm in norms:
        norm.adversarial = True
    try:
        yield
    finally:
        for norm in norms:
            norm.adversarial = False
