"""Gates: weights times a sigmoid that hardens as a temperature rises (Savarese et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from engine import densities, masks
from engine.lazy import torch
from engine.masks import Mask

if TYPE_CHECKING:
    from torch import Tensor


def temperature(final: float, epoch: int, epochs: int) -> float:
    """final ** (epoch / (epochs - 1)): 1 in the first epoch, `final` in the last or only one."""
    if epochs <= 1:
        return final
    return float(final ** (min(epoch, epochs - 1) / (epochs - 1)))


def scale(initial: float) -> float:
    """1 / sigmoid(initial): with it, a gate that starts at `initial` passes its weight as it is."""
    return 1 + math.exp(-initial)


def apply(
    weights: Mapping[str, Tensor], gates: Mapping[str, Tensor], beta: float
) -> tuple[dict[str, Tensor], Tensor]:
    """Gated weights by name, and the sum of all open shares; gradients flow through both.

    Args:
        weights: name -> tensor.
        gates: name -> tensor of the weight's shape; its weight passes as sigmoid(beta * gate).
        beta: the temperature.
    """
    aligned = [gates[name] for name in weights]
    total, *gated = _gating().apply(beta, *weights.values(), *aligned)
    return dict(zip(weights, gated, strict=True)), total


def opened(gates: Mapping[str, Tensor], density: float | None = None) -> Mask:
    """The mask of the gates above zero, or of exactly the share `density` of the largest ones."""
    if density is None:
        return Mask({name: gate.detach() > 0 for name, gate in gates.items()})
    total = sum(gate.numel() for gate in gates.values())
    return masks.keep_top(gates, densities.count(total, density))


def restart_(gates: Mapping[str, Tensor], final: float, initial: float) -> None:
    """Between rounds, in place: min(final * gate, initial).

    Open gates start anew; closed ones start the further below zero the surer they were.
    """
    with torch.no_grad():
        for gate in gates.values():
            gate.mul_(final).clamp_(max=initial)


@dataclass(frozen=True)
class Summary:
    """Where all gates stand, as shares of 1.

    Attributes:
        opened: share of gates above zero.
        mean: mean of sigmoid(beta * gate), the share of a weight that passes.
        softness: mean distance of that share from the 0 or 1 of the gate's sign.
    """

    opened: float
    mean: float
    softness: float


def summary(gates: Mapping[str, Tensor], beta: float) -> Summary:
    """Where all gates stand at temperature `beta`."""
    with torch.no_grad():
        gate = torch.cat([gate.flatten() for gate in gates.values()])
        share, hard = (beta * gate).sigmoid_(), (gate > 0).to(gate)
        means = [x.mean(dtype=torch.float64) for x in (hard, share, (share - hard).abs())]
        return Summary(*torch.stack(means).tolist())


def histograms(gates: Mapping[str, Tensor], bins: int) -> dict[str, Any]:
    """Counts of gates by value, layer by layer, as JSON.

    Returns:
        `edges` of `bins` (even) equal bins over plus or minus the largest gate, so that zero is an
        edge, and per layer `counts`, `open` (above zero, which zero itself is not) and `total`.
    """
    on_cpu = {name: gate.detach().float().cpu() for name, gate in gates.items()}
    most = max((float(gate.abs().max()) for gate in on_cpu.values()), default=0.0) or 1.0
    layers = {
        name: {
            "open": int((gate > 0).sum()),
            "total": gate.numel(),
            "counts": [int(n) for n in torch.histc(gate, bins, -most, most)],
        }
        for name, gate in on_cpu.items()
    }
    edges = [most * (2 * i / bins - 1) for i in range(bins + 1)]
    return {"edges": edges, "layers": layers}


@cache
def _gating() -> Any:
    """The operation behind `apply`, made at first use: its base class needs torch."""

    class Gating(torch.autograd.Function):
        """All layers at once: few kernels, and one pass for the loss' and the sum's gradients."""

        @staticmethod
        def forward(ctx: Any, beta: float, *tensors: Tensor) -> tuple[Tensor, ...]:
            weights, gates = _halves(tensors)
            shares = torch._foreach_mul(gates, beta)
            torch._foreach_sigmoid_(shares)
            ctx.beta = beta
            ctx.save_for_backward(*weights, *shares)
            total = torch.stack([share.sum() for share in shares]).sum()
            return total, *torch._foreach_mul(weights, shares)

        @staticmethod
        def backward(ctx: Any, to_total: Tensor, *grads: Tensor) -> tuple[Tensor | None, ...]:
            weights, shares = _halves(ctx.saved_tensors)
            # d sigmoid(beta * s) / ds = beta * share * (1 - share)
            slopes = torch._foreach_mul(shares, -ctx.beta)
            torch._foreach_add_(slopes, ctx.beta)
            torch._foreach_mul_(slopes, shares)
            to_gates = torch._foreach_mul(grads, weights)
            torch._foreach_add_(to_gates, to_total)
            torch._foreach_mul_(to_gates, slopes)
            return None, *torch._foreach_mul(grads, shares), *to_gates

    return Gating


def _halves(tensors: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    middle = len(tensors) // 2
    return tensors[:middle], tensors[middle:]
