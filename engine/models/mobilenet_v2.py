"""MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine.models import _settings

if TYPE_CHECKING:
    from torch import nn


class Settings(_settings.Scaled):
    """Seventeen blocks whose 3x3 convolutions see one channel each; these are pruned, too."""

    stem: Literal["cifar", "imagenet"] = Field(
        "cifar",
        description="for images of about 32 pixels, which it halves three times, with ReLU and 1x1"
        " convolutions in shortcuts that change channels (cifar, as DataEfficientLTH), or of about"
        " 224, which it halves five times (imagenet, as published and as torchvision)",
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of features dropped before the last linear map"
    )
    init: Literal["random", "kaiming"] = Field(
        "random",
        description="first weights: torch's own (random, as DataEfficientLTH), or normal, those of"
        " convolutions scaled by their fan-out (kaiming, as torchvision)",
    )


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and any `size` (pixels)."""
    from engine.models._mobilenet_v2 import PUBLISHED, SMALL, MobileNetV2

    variant = SMALL if settings.stem == "cifar" else PUBLISHED
    net = MobileNetV2(variant, settings.width, settings.dropout, classes, channels)
    if settings.init == "kaiming":
        net.kaiming()
    return net
