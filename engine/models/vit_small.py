"""ViT-S, the small vision transformer (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929;
Touvron et al. 2021, https://arxiv.org/abs/2012.12877, for its size)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from engine import plugin
from engine.errors import SpecError

if TYPE_CHECKING:
    from torch import nn

DEPTH, HEADS = 12, 6


class Settings(plugin.ModelSettings):
    """Twelve blocks of six heads and an MLP four times as wide, on patches and a class token."""

    presets: ClassVar[tuple[str, ...]] = ("linear", "attention", "mlp", "conv+linear")
    batch_norm: ClassVar[bool] = False

    patch: int = Field(
        8,
        ge=1,
        le=256,
        description="side of a patch in pixels, which must divide the images': 8 for those of 32,"
        " 16 or 32 for those of 224",
    )
    width: int = Field(
        64, ge=1, le=1024, description="numbers per head; a token has six times as many"
    )
    init: Literal["truncated", "random"] = Field(
        "truncated",
        description="first weights: of linear maps and positions normal with deviation 0.02 and no"
        " biases (truncated, as timm), or torch's own with positions at zero (random)",
    )

    def check_size(self, size: int) -> None:
        if size % self.patch:
            fitting = ", ".join(str(n) for n in range(1, size + 1) if size % n == 0)
            raise SpecError(
                f"patches of {self.patch} pixels do not divide images of {size}; sides that do:"
                f" {fitting}",
                "model.patch",
            )


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and `size` pixels.

    Raises:
        SpecError: the patches do not divide the images.
    """
    from engine.models._vit import VisionTransformer

    settings.check_size(size)
    shape = (settings.patch, classes, channels, size)
    net = VisionTransformer(DEPTH, HEADS, HEADS * settings.width, *shape)
    if settings.init == "truncated":
        net.truncated()
    return net
