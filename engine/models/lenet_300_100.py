"""LeNet-300-100 (LeCun et al. 1998, https://doi.org/10.1109/5.726791), with ReLU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.models import _settings

if TYPE_CHECKING:
    from torch import nn


class Settings(_settings.Scaled):
    """Hidden layers of 300 and 100; 266,610 parameters for MNIST."""

    presets: ClassVar[tuple[str, ...]] = ("linear", "conv+linear")
    batch_norm: ClassVar[bool] = False


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and `size` pixels."""
    from engine.models._lenet import MLP

    return MLP(_settings.scaled(settings.width, 300, 100), classes, channels, size)
