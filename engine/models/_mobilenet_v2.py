"""MobileNetV2: thin maps between blocks, wide ones within, with a filter for each of those."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.models._settings import scaled

STAGES = (  # table 2 of the paper: how much wider within, channels, blocks, stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True)
class Variant:
    """In what the network for small images is another than the published one.

    Attributes:
        strides: of the first convolution and of the second stage.
        rectifier: after every normalisation but a block's last.
        uniform: whether the first block, too, begins with a 1x1 convolution though it does not
            widen, and stride 1 alone gives a block a shortcut, with a 1x1 convolution where
            channels change.
    """

    strides: tuple[int, int]
    rectifier: type[nn.ReLU | nn.ReLU6]
    uniform: bool


SMALL = Variant((1, 1), nn.ReLU, True)
PUBLISHED = Variant((2, 2), nn.ReLU6, False)


class InvertedResidual(nn.Module):
    """1x1 to `within` channels, 3x3 on each of them alone, and 1x1 to fewer; maybe a shortcut."""

    def __init__(
        self, inputs: int, within: int, outputs: int, stride: int, widens: bool, variant: Variant
    ) -> None:
        super().__init__()
        relu = variant.rectifier
        widening = [_unit(inputs, within, 1, 1, 1, relu)] if widens or variant.uniform else []
        self.conv = nn.Sequential(
            *widening,
            _unit(within, within, 3, stride, within, relu),
            nn.Conv2d(within, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        changes = inputs != outputs
        self.adds = stride == 1 and (variant.uniform or not changes)
        self.branches = {"conv": ""} if self.adds else {}
        self.downsample = _projection(inputs, outputs) if self.adds and changes else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        if not self.adds:
            return out
        return out + (x if self.downsample is None else self.downsample(x))


class MobileNetV2(nn.Module):
    """(batch, channels, height, width) images -> (batch, classes) logits.

    What it shares with torchvision's has the names that it has there.
    """

    def __init__(
        self, variant: Variant, width: float, dropout: float, classes: int, channels: int
    ) -> None:
        super().__init__()
        first, last = scaled(width, 32, 1280)
        layers = [_unit(channels, first, 3, variant.strides[0], 1, variant.rectifier)]
        inputs = first
        for number, (factor, nominal, count, stride) in enumerate(STAGES):
            (outputs,) = scaled(width, nominal)
            for index in range(count):
                step = 1 if index else variant.strides[1] if number == 1 else stride
                block = (inputs, factor * inputs, outputs, step, factor > 1, variant)
                layers.append(InvertedResidual(*block))
                inputs = outputs
        layers.append(_unit(inputs, last, 1, 1, 1, variant.rectifier))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.mean(self.features(x), (2, 3)))  # type: ignore[no-any-return]

    def kaiming(self) -> None:
        """Draw weights as torchvision does."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int, relu: type[nn.Module]
) -> nn.Module:
    """A convolution, normalisation and rectifier."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), relu(inplace=True))


def _projection(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
