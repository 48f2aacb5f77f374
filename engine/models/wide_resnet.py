"""Wide ResNet (Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146).

As it stands, WRN-22-2 of RigL's reproduction (Sundar & Dwaraknath 2021,
https://arxiv.org/abs/2103.15767). Its small dense networks multiply all channels by sqrt(d), to
have about the share d of the weights: `width: 2 sqrt(d)`, and `stem_width: 16 sqrt(d)` rounded
down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from engine import plugin

if TYPE_CHECKING:
    from torch import nn


class Settings(plugin.ModelSettings):
    """Blocks of two 3x3 convolutions in three stages; 16, 22, 28 and 40 layers are common."""

    depth: int = Field(
        22, ge=10, le=1000, description="layers: 6n+4, with n blocks in each of three stages"
    )
    width: float = Field(
        2.0,
        ge=1 / 16,
        le=64,
        description="k: the stages have 16k, 32k and 64k channels, rounded down",
    )
    stem_width: int = Field(
        16,
        ge=1,
        le=4096,
        description="channels of the first convolution, which k does not widen",
    )
    dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="share of activations dropped between the two convolutions of a block",
    )
    init: Literal["kaiming", "random"] = Field(
        "kaiming",
        description="first weights: normal convolutions scaled by their fan-out (kaiming, as RigL's"
        " reproduction), or torch's own (random)",
    )

    @field_validator("depth")
    @classmethod
    def _whole_blocks(cls, depth: int) -> int:
        if depth % 6 != 4:
            below = depth - (depth - 4) % 6
            raise ValueError(f"{depth} is not 6n+4; the nearest depths are {below} and {below + 6}")
        return depth

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of the first convolution and of the three stages."""
        return (
            self.stem_width,
            int(16 * self.width),
            int(32 * self.width),
            int(64 * self.width),
        )


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and any `size` (pixels)."""
    from engine.models._wide_resnet import WideResNet

    blocks = (settings.depth - 4) // 6
    net = WideResNet(blocks, settings.channels, settings.dropout, classes, channels)
    if settings.init == "kaiming":
        net.kaiming()
    return net
