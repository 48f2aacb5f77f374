"""ResNet-101 (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.models import _settings

if TYPE_CHECKING:
    from torch import nn


class Settings(_settings.ResNet):
    """Bottleneck blocks, 3, 4, 23 and 3 to a stage."""


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and any `size` (pixels)."""
    from engine.models._resnet import Bottleneck, ResNet

    return ResNet(Bottleneck, (3, 4, 23, 3), settings, classes, channels)
