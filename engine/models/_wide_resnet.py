"""Wide residual networks: blocks that normalise before they convolve, in three stages."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.models._pointwise import Pointwise


class PreactivationBlock(nn.Module):
    """Normalisation, ReLU and a 3x3 convolution, twice, beside a shortcut.

    Where the number of channels changes, the shortcut is a 1x1 convolution of what the first
    normalisation and ReLU give; everywhere else it is the identity.
    """

    branches: ClassVar = {"conv2": ""}

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        changes = stride != 1 or inputs != outputs
        self.downsample = Pointwise(inputs, outputs, stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu(self.bn1(x))
        out = self.dropout(self.relu(self.bn2(self.conv1(active))))
        shortcut: Tensor = x if self.downsample is None else self.downsample(active)
        return self.conv2(out) + shortcut  # type: ignore[no-any-return]


class WideResNet(nn.Module):
    """(batch, inputs, height, width) images -> (batch, classes) logits.

    Its depth is 6 * `blocks` + 4, `blocks` being the number of blocks in a stage.
    """

    def __init__(
        self,
        blocks: int,
        channels: tuple[int, int, int, int],
        dropout: float,
        classes: int,
        inputs: int,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels[0], 3, 1, 1, bias=False)
        self.layer1 = _stage(blocks, channels[0], channels[1], 1, dropout)
        self.layer2 = _stage(blocks, channels[1], channels[2], 2, dropout)
        self.layer3 = _stage(blocks, channels[2], channels[3], 2, dropout)
        self.bn = nn.BatchNorm2d(channels[3])
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(channels[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(torch.mean(self.relu(self.bn(x)), (2, 3)))  # type: ignore[no-any-return]

    def kaiming(self) -> None:
        """Draw convolutions from normal distributions scaled by their fan-out; no bias at first."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)


def _stage(blocks: int, inputs: int, outputs: int, stride: int, dropout: float) -> nn.Sequential:
    first = PreactivationBlock(inputs, outputs, stride, dropout)
    rest = (PreactivationBlock(outputs, outputs, 1, dropout) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)
