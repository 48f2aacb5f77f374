"""Scoring a network on a split of images, in exact counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine import halving, images
from engine.images import Images

# values per batch: 200 images of 3 x 32 x 32 stay in a core's caches, a GPU wants more at once
PIXELS_PER_BATCH, PIXELS_PER_GPU_BATCH = 614_400, 12_288_000


@dataclass(frozen=True)
class Score:
    """How a network does on a split. `balanced` is the mean accuracy of the classes."""

    loss: float
    accuracy: float
    balanced: float
    correct: int
    total: int


def _unchanged(outputs: Tensor) -> Tensor:
    return outputs


@dataclass(frozen=True)
class Judge:
    """How what a network gives is scored.

    Attributes:
        loss: mean objective of a batch from logits [B, classes] and targets [B].
        autocast: the arithmetic of the network.
        logits: makes logits [B, classes] of what the network gives.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    autocast: Callable[[], torch.autocast]
    logits: Callable[[Tensor], Tensor] = _unchanged


def score(net: nn.Module, split: Images, geometry: images.Geometry, judge: Judge) -> Score:
    """Score `net` on all images of a split, in evaluation mode; the network is left unchanged."""
    total = torch.zeros((), dtype=torch.float64, device=split.device)
    right = []
    for said, y in _said(net, split, geometry, judge):
        with torch.inference_mode(), judge.autocast():
            total += judge.loss(said, y) * len(y)
            right.append(said.argmax(1) == y)
    return _score(torch.cat(right), split.y, len(split.classes), total.item())


def logits(net: nn.Module, split: Images, geometry: images.Geometry, judge: Judge) -> Tensor:
    """What `net` says of all images of a split, as it is scored: float32 [N, classes] on the CPU.

    The network is left unchanged.
    """
    return torch.cat([said.float().cpu() for said, _ in _said(net, split, geometry, judge)])


def _said(
    net: nn.Module, split: Images, geometry: images.Geometry, judge: Judge
) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits and classes of a split, batch by batch, in evaluation mode."""
    was_training = net.training
    net.eval()
    pixels = PIXELS_PER_BATCH if split.device.type == "cpu" else PIXELS_PER_GPU_BATCH
    per_batch = max(1, pixels // split.x[0].numel())
    batches = torch.split(torch.arange(len(split)), per_batch)
    for ids, y in zip(batches, torch.split(split.y, per_batch), strict=True):
        with torch.inference_mode(), judge.autocast():
            x = images.normalise(split.batch(ids, geometry).x, geometry)
            said = halving.halved(lambda part: judge.logits(net(part)), x)
        yield said, y
    net.train(was_training)


def _score(right: Tensor, targets: Tensor, classes: int, loss: float) -> Score:
    per_class = torch.zeros(classes, dtype=torch.int64, device=targets.device)
    hits = per_class.scatter_add(0, targets, right.long()).double()
    sizes = torch.bincount(targets, minlength=classes)
    present = sizes > 0
    correct = int(right.sum())
    balanced = (hits[present] / sizes[present]).mean().item()
    return Score(loss / len(targets), correct / len(targets), balanced, correct, len(targets))
