"""Optimizers without torch's optimizer classes, and the learning rate at any step.

Making a `torch.optim.SGD` imports torch's compiler, which takes longer than many a first epoch. The
functions that it is made of do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from engine.errors import Damaged
from engine.trainspec import Adam, Constant, Cosine, MultiStep, Sgd, Step, TrainSpec


def learning_rate(train: TrainSpec, position: int, steps_per_epoch: int) -> float:
    """The learning rate of one optimizer step.

    Warm-up rises linearly to the peak, which its last step has. A cosine then spans the steps that
    remain; beyond the end of training it rises again, as torch's does. Milestones and intervals
    count from the start of training.

    Args:
        position: number of schedule steps before this one; may lie beyond the end of training.
    """
    peak = train.optimizer.lr
    warmup = train.warmup.in_steps(steps_per_epoch)
    if position < warmup:
        return peak * ((position + 1) / warmup)
    match train.schedule:
        case Cosine(per=per):
            begun = position if per == "step" else position - position % steps_per_epoch
            whole = train.epochs * steps_per_epoch
            progress = max(0, begun - warmup) / (whole - warmup)
            return peak * (1 + math.cos(math.pi * progress)) / 2
        case MultiStep(milestones=milestones, gamma=gamma):
            passed = sum(point.in_steps(steps_per_epoch) <= position for point in milestones)
            return float(peak * gamma**passed)
        case Step(every=every, gamma=gamma):
            return float(peak * gamma ** (position // every.in_steps(steps_per_epoch)))
        case Constant():
            return peak


def last_learning_rate(train: TrainSpec, steps_per_epoch: int) -> float:
    """The schedule's last value above zero, at which fine-tuning goes on."""
    return learning_rate(train, train.epochs * steps_per_epoch - 1, steps_per_epoch)


@dataclass(frozen=True)
class _Group:
    """Parameters that share their learning rate and weight decay."""

    parameters: dict[str, Tensor]
    lr_factor: float
    weight_decay: float


class Optimizer:
    """SGD or Adam over named parameters, with torch's arithmetic.

    Make it when the parameters have their device and memory format. Parameters without a gradient
    are left alone, as torch does.

    Args:
        train: its `optimizer` and `decay` say what to do.
        parameters: (name, parameter) pairs, such as `net.named_parameters()`.
        groups: a method's own groups: `params` (name -> tensor), and optionally `lr_factor` (1) and
            `weight_decay` (the optimizer's). A name that is also in `parameters` moves here.
    """

    def __init__(
        self,
        train: TrainSpec,
        parameters: Iterable[tuple[str, Tensor]],
        groups: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._settings = train.optimizer
        self._groups = _grouped(train, dict(parameters), groups)
        self._parameters = {n: p for group in self._groups for n, p in group.parameters.items()}
        # zeros equal torch's empty start: the first momentum is then the first gradient
        self._buffers = {
            kind: {name: torch.zeros_like(p) for name, p in self._parameters.items()}
            for kind in _kinds(self._settings)
        }
        self._strides = {name: p.stride() for name, p in self._parameters.items()}
        device = next((p.device for p in self._parameters.values()), None)
        self._step = torch.zeros(len(self._parameters), device=device)
        self._steps = dict(zip(self._parameters, self._step.unbind(), strict=True))
        self._mask: Mapping[str, Tensor] = {}
        self._masked: list[Tensor] = []
        self._factors: list[Tensor] = []

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter by its gradient, at learning rate `lr`."""
        for group in self._groups:
            grads = {
                name: self._laid_out(name, p.grad)
                for name, p in group.parameters.items()
                if p.grad is not None
            }
            if isinstance(self._settings, Sgd):
                self._sgd(self._settings, group, grads, lr * group.lr_factor)
            else:
                self._adam(self._settings, group, grads, lr * group.lr_factor)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def buffers(self, name: str) -> dict[str, Tensor]:
        """What is remembered of parameter `name`: `momentum`, or `exp_avg` and `exp_avg_sq`.

        Tensors of the parameter's shape, not copies. SGD without momentum remembers nothing.
        """
        return {kind: buffers[name] for kind, buffers in self._buffers.items()}

    @torch.no_grad()
    def mask_(self, mask: Mapping[str, Tensor]) -> None:
        """Zero what is remembered of the weights that `mask` (name -> bool) prunes.

        A mask is a value: to change it, make another.
        """
        if mask is not self._mask:
            self._use_mask(mask)
        if self._masked:
            torch._foreach_mul_(self._masked, self._factors)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything a later `step` depends on besides the parameters; not copies."""
        state = {
            f"{kind}/{name}": buffer
            for kind, buffers in self._buffers.items()
            for name, buffer in buffers.items()
        }
        if isinstance(self._settings, Adam):
            state["step"] = self._step
        return state

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            Damaged: it belongs to another network or optimizer.
        """
        mine = self.state_dict()
        wrong = mine.keys() ^ state.keys() or {n for n in mine if mine[n].shape != state[n].shape}
        if wrong:
            raise Damaged(
                f"the saved optimizer state does not fit this network and optimizer:"
                f" {', '.join(sorted(wrong)[:3])}; start the run anew"
            )
        for name, tensor in mine.items():
            tensor.copy_(state[name])

    def _sgd(self, settings: Sgd, group: _Group, grads: dict[str, Tensor], lr: float) -> None:
        momentum = self._buffers.get("momentum", {})
        sgd(
            [group.parameters[name] for name in grads],
            list(grads.values()),
            [momentum.get(name) for name in grads],
            fused=True,
            weight_decay=group.weight_decay,
            momentum=settings.momentum,
            lr=lr,
            dampening=0,
            nesterov=settings.nesterov,
            maximize=False,
        )

    def _adam(self, settings: Adam, group: _Group, grads: dict[str, Tensor], lr: float) -> None:
        adam(
            [group.parameters[name] for name in grads],
            list(grads.values()),
            [self._buffers["exp_avg"][name] for name in grads],
            [self._buffers["exp_avg_sq"][name] for name in grads],
            [],
            [self._steps[name] for name in grads],
            fused=True,
            amsgrad=False,
            beta1=settings.beta1,
            beta2=settings.beta2,
            lr=lr,
            weight_decay=group.weight_decay,
            eps=settings.eps,
            maximize=False,
        )

    def _laid_out(self, name: str, grad: Tensor) -> Tensor:
        """The gradient in its parameter's memory format, which the fused kernels take for granted.

        Autograd's gradients have it already; one that a method made may not.
        """
        if grad.stride() == self._strides[name]:
            return grad
        parameter = self._parameters[name]
        if parameter.stride() != self._strides[name]:
            raise RuntimeError(f"{name} changed its memory format after the optimizer was made")
        return torch.empty_like(parameter).copy_(grad)

    def _use_mask(self, mask: Mapping[str, Tensor]) -> None:
        self._mask, self._masked, self._factors = mask, [], []
        for buffers in self._buffers.values():
            for name, alive in mask.items():
                self._masked.append(buffers[name])
                self._factors.append(torch.empty_like(buffers[name]).copy_(alive))


def _grouped(
    train: TrainSpec, parameters: dict[str, Tensor], groups: Sequence[Mapping[str, Any]]
) -> list[_Group]:
    decay = train.optimizer.weight_decay
    own = [
        _Group(dict(g["params"]), g.get("lr_factor", 1.0), g.get("weight_decay", decay))
        for g in groups
    ]
    taken = [name for group in own for name in group.parameters]
    if len(set(taken)) < len(taken):
        raise ValueError("a parameter is in two groups")
    rest = {name: p for name, p in parameters.items() if name not in taken}
    if train.decay == "all":
        return [_Group(rest, 1.0, decay), *own]
    thin = {name: p for name, p in rest.items() if p.ndim <= 1}
    weights = {name: p for name, p in rest.items() if p.ndim > 1}
    return [_Group(weights, 1.0, decay), _Group(thin, 1.0, 0.0), *own]


def _kinds(settings: Sgd | Adam) -> tuple[str, ...]:
    if isinstance(settings, Adam):
        return "exp_avg", "exp_avg_sq"
    return ("momentum",) if settings.momentum else ()
