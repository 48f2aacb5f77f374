"""LeNet-5 (LeCun et al. 1998, https://doi.org/10.1109/5.726791), with ReLU and max pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.models import _settings

if TYPE_CHECKING:
    from torch import nn


class Settings(_settings.Scaled):
    """6 and 16 filters and hidden layers of 120 and 84: 61,706 parameters for MNIST.

    Most are in linear maps, which `prunable: conv+linear` prunes, too. Papers on pruning often mean
    Caffe's, of 431,080 parameters, which this is not.
    """

    presets: ClassVar[tuple[str, ...]] = ("conv", "conv+linear", "conv-no-first", "linear")
    batch_norm: ClassVar[bool] = False


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and `size` pixels; below 32, amid zeros."""
    from engine.models._lenet import LeNet5

    return LeNet5(_settings.scaled(settings.width, 6, 16, 120, 84), classes, channels, size)
