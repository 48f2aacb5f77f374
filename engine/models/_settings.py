"""What the families of networks that several names belong to can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine import plugin


class ResNet(plugin.ModelSettings):
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
    convolution: Literal["plain", "full", "harmonic"] = Field(
        "plain",
        description="3x3 convolutions: plain; padded by 2, so that filters see every position"
        " where they overlap maps, which grow (full: F-Conv, Kayhan 2020; 6 times the operations);"
        " or by sums of cosine waves whose weights are trained and pruned (harmonic, Ulicny 2022)."
        " DataEfficientLTH has both with init: kaiming",
    )
    harmonic_level: Annotated[int, plugin.IdleWith("convolution", "plain", "full")] = Field(
        5,
        ge=1,
        le=5,
        description="of a block's nine waves, those with i + j below it, i and j being their"
        " frequencies: 1, 3, 6, 8 or all 9",
    )
    harmonic_norm: Annotated[
        Literal["l1", "orthonormal"], plugin.IdleWith("convolution", "plain", "full")
    ] = Field(
        "l1",
        description="a wave's absolute values add to 1 (l1, as published) or its squares do"
        " (orthonormal)",
    )


class CifarResNet(plugin.ModelSettings):
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


class VGG(plugin.ModelSettings):
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


class Scaled(plugin.ModelSettings):
    """Networks with a whole number of channels in each layer, which a factor scales."""

    width: float = Field(
        1.0, ge=1 / 64, le=16, description="factor on all channels and hidden units, rounded down"
    )


def scaled(width: float, *channels: int) -> tuple[int, ...]:
    """Numbers of channels at a width: at least 1 each."""
    return tuple(max(1, int(width * count)) for count in channels)
