"""What a network says of images, as evaluations take it: probabilities, and what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.context import Context
from engine.errors import Diverged
from engine.images import Images
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def logits(context: Context, images: Images) -> Tensor:
    """What the ticket's network says of images: float64 [N, classes] on the CPU, 0 at most.

    The greatest of each image is 0, which changes no probability.

    Raises:
        Diverged: some of it is NaN or infinite.
    """
    said = context.logits(context.net(), images).double()
    if not said.isfinite().all():
        raise Diverged(
            f"the network of level {context.level} says NaN or infinite of some images, which are"
            " no probabilities; name other levels with --level, or train with a lower"
            " train.optimizer.lr"
        )
    return said - said.amax(1, keepdim=True)


def confidence(logits: Tensor) -> Tensor:
    """The probability of the class that is predicted, the largest of each image: float64 [N]."""
    return logits.softmax(1).amax(1)


def right(logits: Tensor, y: Tensor) -> Tensor:
    """Whether each image's class is predicted, bool [N]; of equal logits the first counts."""
    return logits.argmax(1) == y


def balanced(right: Tensor, y: Tensor) -> float:
    """The mean accuracy of the classes that there are.

    Args:
        right: bool [N], whether each image's class is predicted.
        y: int64 [N], its class.
    """
    shares = torch.bincount(y, right.double()) / torch.bincount(y)
    return shares.nanmean().item()
