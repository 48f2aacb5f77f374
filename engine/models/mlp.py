"""A multilayer perceptron: hidden layers that see all of the layer before, with ReLU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine import plugin

if TYPE_CHECKING:
    from torch import nn


class Settings(plugin.ModelSettings):
    """As many hidden layers as it is given widths; no convolutions."""

    presets: ClassVar[tuple[str, ...]] = ("linear", "conv+linear")
    batch_norm: ClassVar[bool] = False

    hidden: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field(
        (256, 256),
        min_length=1,
        max_length=100,
        description="widths of the hidden layers, one for each: [256, 256]",
    )


def build(settings: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """The network for images of `channels` channels and `size` pixels."""
    from engine.models._lenet import MLP

    return MLP(settings.hidden, classes, channels, size)
