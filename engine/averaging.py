"""An exponential moving average of a network's weights (Polyak & Juditsky 1992), and statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The average of a network's floating-point state; what counts is as in the network itself.

    After n steps it has moved by 1 - min(decay, (1 + n) / (10 + n)) towards the network at the
    last of them, so that short trainings forget their start too, as in TensorFlow's
    ExponentialMovingAverage.

    Attributes:
        state: name -> tensor, as of the network's `state_dict`.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._net, self._decay, self._steps = net, decay, torch.zeros((), dtype=torch.int64)
        self.state = {name: t.detach().clone() for name, t in net.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the network as it is now."""
        self._steps += 1
        steps = int(self._steps)
        share = 1 - min(self._decay, (1 + steps) / (10 + steps))
        now = self._net.state_dict()
        names = [name for name, t in self.state.items() if t.is_floating_point()]
        torch._foreach_lerp_([self.state[n] for n in names], [now[n] for n in names], share)
        for name in self.state.keys() - names:
            self.state[name].copy_(now[name])

    @torch.no_grad()
    def mask_(self, mask: dict[str, Tensor]) -> None:
        """Zero the weights that `mask` (name -> bool) prunes."""
        for name, alive in mask.items():
            self.state[name].mul_(alive)

    @contextmanager
    def worn(self) -> Iterator[None]:
        """With the average in the network; what was there comes back."""
        own = {name: t.detach().clone() for name, t in self._net.state_dict().items()}
        self._net.load_state_dict(self.state)
        try:
            yield
        finally:
            self._net.load_state_dict(own)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that going on needs; not copies."""
        return {**self.state, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])
