"""VGG-16 with batch normalisation (Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.models import _settings

if TYPE_CHECKING:
    from torch import nn


class Settings(_settings.VGG):
    """Convolutions, 2, 2, 3, 3 and 3 to a stage."""


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and `size` pixels."""
    from engine.models._vgg import VGG

    return VGG((2, 2, 3, 3, 3), settings, classes, channels, size)
