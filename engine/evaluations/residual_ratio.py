"""How large shortcuts are beside the branches that are added to them, block by block.

Figure 8 of the data-efficient tickets paper: the mean over test images of the norm of the shortcut
over that of the branch, as its last normalisation (or map) gives it, before the addition. The less,
the more a block changes what goes through it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.context import Context, Result
from engine.errors import Inapplicable
from engine.evaluations import _samples
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class Settings(EvaluationSettings):
    """On how many images."""

    images: _samples.Most = None


def evaluate(settings: Settings, context: Context) -> Result:
    """The ratio of every branch, and the mean, lowest and highest as metrics.

    Raises:
        Inapplicable: the network has no such blocks.
    """
    net, model = context.net(), context.subject.spec.model.name
    found = list(branches(net))
    if not found:
        raise Inapplicable(
            f"{model} adds no branches to shortcuts, which residual_ratio compares; it is for"
            " residual networks: ResNets, wide ResNets, MobileNetV2 and vision transformers"
        )
    _show(context, net, found, settings.images)
    ratios = {branch.name: branch.ratio() for branch in found}
    known = [ratio for ratio in ratios.values() if ratio is not None]
    measures: dict[str, Callable[[list[float]], float]]
    measures = {"mean": statistics.mean, "lowest": min, "highest": max}
    metrics = {name: measure(known) for name, measure in measures.items() if known}
    return Result(metrics, {"residual_ratio.json": ratios})


@dataclass
class Branch:
    """What a block adds to a shortcut.

    Attributes:
        added: gives the branch.
        first: sees the shortcut as it begins.
        way: what the shortcut goes through; None if it is the identity, or pads with zeros.
        shortcuts, outputs: norms of batches of images, float64 [B] each.
    """

    name: str
    added: nn.Module
    first: nn.Module
    way: nn.Module | None
    shortcuts: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    def watch(self, stack: ExitStack) -> None:
        """Take norms of what goes through the block, as long as `stack` is open."""

        def begins(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.shortcuts.append(_norms(inputs[0]))

        def led(_: nn.Module, __: Any, output: Tensor) -> None:
            self.shortcuts.append(_norms(output))

        def gives(_: nn.Module, __: Any, output: Tensor) -> None:
            self.outputs.append(_norms(output))  # at once: the sum may take its place

        if self.way is None:
            stack.enter_context(self.first.register_forward_pre_hook(begins))
        else:
            stack.enter_context(self.way.register_forward_hook(led))
        stack.enter_context(self.added.register_forward_hook(gives))

    def ratio(self) -> float | None:
        """The mean over images whose branch is not zero; None if there are none."""
        shortcuts, outputs = torch.cat(self.shortcuts), torch.cat(self.outputs)
        some = outputs > 0
        return (shortcuts[some] / outputs[some]).mean().item() if some.any() else None


def branches(net: nn.Module) -> Iterator[Branch]:
    """Those that the blocks of a network name, in its order."""
    for name, block in net.named_modules():
        named: dict[str, str] = getattr(block, "branches", {})
        for added, first in named.items():
            way = getattr(block, "downsample", None)
            ends = block.get_submodule(added), block.get_submodule(first)
            yield Branch(f"{name}.{added}", *ends, way)


def _show(context: Context, net: nn.Module, found: list[Branch], most: int | None) -> None:
    """Let the network see test images, watched."""
    test, geometry = context.splits.test, context.splits.geometry
    says = context.around.says(net)
    at_once = context.subject.spec.train.batch_size  # for which the device has room
    with ExitStack() as stack, torch.no_grad():
        for branch in found:
            branch.watch(stack)
        for at in torch.split(_samples.positions(test, most), at_once):
            says(test.batch(at, geometry).x)


def _norms(batch: Tensor) -> Tensor:
    """[B, ...] -> float64 [B]."""
    norms: Tensor = batch.double().flatten(1).norm(dim=1)
    return norms
