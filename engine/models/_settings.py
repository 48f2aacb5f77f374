"""What the families of networks that several names belong to can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine import plugin


class ResNet(plugin.Settings):
    """The family for ImageNet: four stages."""

    stem: Literal["cifar", "imagenet"] = Field(
        "cifar",
        description="first layers: one 3x3 convolution for images of about 32 pixels (cifar), or"
        " 7x7 with stride 2 and max pooling for about 224 (imagenet)",
    )
    width: int = Field(
        64, ge=1, le=4096, description="channels of the first stage; each later stage doubles them"
    )
    init: Literal["random", "kaiming"] = Field(
        "random",
        description="first weights: torch's own (random, as DataEfficientLTH), or normal"
        " convolutions scaled by their fan-out (kaiming, as torchvision)",
    )
    zero_init: bool = Field(
        False,
        description="start the last normalisation of every block at zero, so that blocks begin as"
        " their shortcuts (Goyal 2017, as RigL's reproduction)",
    )


class CifarResNet(plugin.Settings):
    """The family for CIFAR: three stages of basic blocks."""

    width: int = Field(
        16, ge=1, le=4096, description="channels of the first stage; each later stage doubles them"
    )
    shortcut: Literal["A", "B", "conv"] = Field(
        "A",
        description="where a stage begins: strided identity padded with zero channels, without"
        " parameters (A), 1x1 convolution and batch normalisation (B), or 1x1 convolution alone"
        " (conv, as Continuous Sparsification, which prunes the others only: prunable re:conv)",
    )
    init: Literal["kaiming", "xavier", "random"] = Field(
        "kaiming",
        description="first weights: normal, scaled by their fan-in (kaiming, as PrAC) or by both"
        " fans and without a bias (xavier, as Continuous Sparsification), or torch's own (random)",
    )


class VGG(plugin.Settings):
    """VGG with batch normalisation and a single linear map."""

    width: int = Field(
        64,
        ge=1,
        le=4096,
        description="channels of the first stage; the next three double them",
    )
    init: Literal["kaiming", "random"] = Field(
        "kaiming",
        description="first weights: normal, convolutions scaled by their fan-out and the linear"
        " map by 0.01, without biases (kaiming, as DataEfficientLTH), or torch's own (random)",
    )
