"""Filters that are dead, and weights on living paths (Vysogorets and Kempe 2023).

Effective density is the share of weights on a path of living ones from the image to the outputs
(https://arxiv.org/abs/2107.02306, section 3). A filter is dead without such a weight: because it
has no living weight at all (empty), or as what it reads is dead or nobody reads it (cut off).
Shortcuts are paths, too, so that a residual stream keeps channels alive. A layer collapses when
none of its weights lives (Tanaka et al. 2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.context import Context, Result
from engine.evaluationspec import CheapSettings

if TYPE_CHECKING:
    from torch import Tensor, nn


class Settings(CheapSettings):
    """Nothing to set but the levels."""

    shares: ClassVar[str] = "(?!collapsed).*"


def evaluate(settings: Settings, context: Context) -> Result:
    """Counts per layer, and shares of all layers together as metrics."""
    from engine.evaluations import _paths  # needs torch when it is imported

    net, mask = context.net(), context.mask
    groups = {name: _groups(net, name) for name in mask}
    size = context.splits.geometry.size
    living = _paths.living(net, mask, (context.splits.train.x.shape[1], size, size))
    layers = {name: _layer(m, living[name], groups[name]) for name, m in mask.items()}
    sums = {
        key: sum(layer[key] for layer in layers.values()) for key in next(iter(layers.values()))
    }
    metrics = {
        "density": sums["kept"] / sums["weights"],
        "effective density": sums["on paths"] / sums["weights"],
        "dead filters": (sums["empty"] + sums["cut off"]) / sums["filters"],
        "empty filters": sums["empty"] / sums["filters"],
        "unread channels": sums["unread"] / sums["channels"],
        "collapsed layers": float(sum(not layer["kept"] for layer in layers.values())),
    }
    return Result(metrics, {"dead_filters.json": layers})


def _layer(mask: Tensor, living: Tensor, groups: int) -> dict[str, int]:
    """What is dead in a layer, [outputs, inputs of a group, ...]; `unread` are input channels."""
    has, works = mask.flatten(1).any(1), living.flatten(1).any(1)
    read = mask.reshape(groups, len(mask) // groups, mask.shape[1], -1).any(3).any(1)
    return {
        "weights": mask.numel(),
        "kept": int(mask.sum()),
        "on paths": int(living.sum()),
        "filters": len(has),
        "empty": int((~has).sum()),
        "cut off": int((has & ~works).sum()),
        "channels": read.numel(),
        "unread": int((~read).sum()),
    }


def _groups(net: nn.Module, weight: str) -> int:
    """Into how many groups a convolution's channels fall; 1 for other maps."""
    return int(getattr(net.get_submodule(weight.rpartition(".")[0]), "groups", 1))
