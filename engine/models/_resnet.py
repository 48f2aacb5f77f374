"""Residual networks of four stages, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.models._convolutions import HarmonicConvolution, Plain, chosen
from engine.models._pointwise import Pointwise
from engine.models._settings import ResNet as Settings

Shortcut = Callable[[int, int, int], nn.Module]
"""Makes the shortcut from `inputs` to `outputs` channels with a stride."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    `branches` names what is added to a shortcut, and what of the block sees that first ("" for the
    block itself); `downsample`, where there is one, is on the shortcut.
    """

    expansion = 1
    branches: ClassVar = {"bn2": ""}

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        downsample: nn.Module | None,
        convolve: Plain,
    ) -> None:
        super().__init__()
        self.conv1 = convolve.block(inputs, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolve.block(width, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pad = convolve.shortcut(1, stride)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        x = self.pad(x)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the 3x3 one carries the stride."""

    expansion = 4
    branches: ClassVar = {"bn3": ""}

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        downsample: nn.Module | None,
        convolve: Plain,
    ) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolve.block(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.pad = convolve.shortcut(1)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        x = self.pad(x)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)  # type: ignore[no-any-return]


Block = type[BasicBlock] | type[Bottleneck]


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The shortcut with parameters: a strided 1x1 convolution and batch normalisation."""
    return nn.Sequential(Pointwise(inputs, outputs, stride), nn.BatchNorm2d(outputs))


def convolution(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A strided 1x1 convolution alone."""
    return Pointwise(inputs, outputs, stride)


PLAIN = Plain()


def stage(
    block: Block,
    count: int,
    inputs: int,
    width: int,
    stride: int,
    shortcut: Shortcut = projection,
    convolve: Plain = PLAIN,
) -> nn.Sequential:
    """A row of `count` blocks; only the first may change channels and resolution."""
    outputs = width * block.expansion
    changes = stride != 1 or inputs != outputs
    entrance = shortcut(inputs, outputs, stride) if changes else None
    first = block(inputs, width, stride, entrance, convolve)
    rest = (block(outputs, width, 1, None, convolve) for _ in range(count - 1))
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """(batch, channels, height, width) images -> (batch, classes) logits."""

    def __init__(
        self,
        block: Block,
        counts: tuple[int, int, int, int],
        settings: Settings,
        classes: int,
        channels: int,
    ) -> None:
        super().__init__()
        width, grown = settings.width, settings.width * block.expansion
        small, convolve = settings.stem == "cifar", chosen(settings)
        self.conv1 = convolve.stem(channels, width, 3 if small else 7, 1 if small else 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.layer1 = stage(block, counts[0], width, width, 1, projection, convolve)
        self.layer2 = stage(block, counts[1], grown, 2 * width, 2, projection, convolve)
        self.layer3 = stage(block, counts[2], 2 * grown, 4 * width, 2, projection, convolve)
        self.layer4 = stage(block, counts[3], 4 * grown, 8 * width, 2, projection, convolve)
        self.fc = nn.Linear(8 * grown, classes)
        if settings.init == "kaiming":
            for module in self.modules():
                if isinstance(module, nn.Conv2d | HarmonicConvolution):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if settings.zero_init:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                    nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.mean(x, (2, 3)))  # type: ignore[no-any-return]
