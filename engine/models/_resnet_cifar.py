"""Residual networks of three stages for small images (He et al. 2016, section 4.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models._resnet import BasicBlock, Shortcut, convolution, projection, stage
from engine.models._settings import CifarResNet as Settings


class PaddedIdentity(nn.Module):
    """The shortcut without parameters: every other pixel, between channels of zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (outputs - inputs) // 2
        self.after = outputs - inputs - self.before

    def forward(self, x: Tensor) -> Tensor:
        strided = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(strided, (0, 0, 0, 0, self.before, self.after))


SHORTCUTS: dict[str, Shortcut] = {"A": PaddedIdentity, "B": projection, "conv": convolution}


class CifarResNet(nn.Module):
    """(batch, channels, height, width) images -> (batch, classes) logits.

    Its depth is 6 * `blocks` + 2, `blocks` being the number of blocks in a stage.
    """

    def __init__(self, blocks: int, settings: Settings, classes: int, channels: int) -> None:
        super().__init__()
        width = settings.width
        shortcut = SHORTCUTS[settings.shortcut]
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = stage(BasicBlock, blocks, width, width, 1, shortcut)
        self.layer2 = stage(BasicBlock, blocks, width, 2 * width, 2, shortcut)
        self.layer3 = stage(BasicBlock, blocks, 2 * width, 4 * width, 2, shortcut)
        self.fc = nn.Linear(4 * width, classes)
        if settings.init != "random":
            draw = nn.init.kaiming_normal_ if settings.init == "kaiming" else nn.init.xavier_normal_
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    draw(module.weight)
        if settings.init == "xavier":
            nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.mean(x, (2, 3)))  # type: ignore[no-any-return]
