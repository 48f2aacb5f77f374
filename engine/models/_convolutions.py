"""How a network convolves neighbourhoods: plainly, over every position, or by cosine waves."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models._settings import ResNet as Settings


class Plain:
    """Zeros around the maps keep their size."""

    margin = 0  # pixels that a 3x3 convolution adds to every side of its maps

    def block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        """The 3x3 convolution of a block."""
        return nn.Conv2d(inputs, outputs, 3, stride, 1 + self.margin, bias=False)

    def stem(self, inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        """The first convolution, which never adds a margin."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)

    def shortcut(self, *strides: int) -> nn.Module:
        """What pads a shortcut as far as 3x3 convolutions beside it add to their maps.

        Args:
            strides: of the maps that each of them sees, against those that the shortcut sees.
        """
        return nn.ZeroPad2d(self.margin * sum(strides)) if self.margin else nn.Identity()


class Full(Plain):
    """Zeros let each filter see every position where it overlaps the maps, which so grow.

    Kayhan & van Gemert 2020, https://arxiv.org/abs/2003.07064, F-Conv.
    """

    margin = 1


class Harmonic(Plain):
    """Filters are weighted sums of cosine waves, as a discrete cosine transform has them.

    Ulicny et al. 2022, https://arxiv.org/abs/2001.06570.
    """

    def __init__(self, level: int, norm: str) -> None:
        self.level, self.norm = level, norm

    def block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        return HarmonicConvolution(inputs, outputs, waves(3, self.level, self.norm), stride)

    def stem(self, inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        return HarmonicStem(inputs, outputs, waves(kernel, 2 * kernel, self.norm), stride)


def chosen(settings: Settings) -> Plain:
    """How the network of some settings convolves."""
    if settings.convolution == "harmonic":
        return Harmonic(settings.harmonic_level, settings.harmonic_norm)
    return Full() if settings.convolution == "full" else Plain()


def waves(size: int, level: int, norm: str) -> Tensor:
    """The type-II discrete cosine transform's waves of low frequency.

    Args:
        level: keeps frequencies i (down) and j (across) with i + j < level.
        norm: each wave's absolute values add to 1 (l1), or its squares do (orthonormal).

    Returns:
        float32 [frequencies, size, size], in the order of (i, j).
    """
    orders = [(i, j) for i in range(size) for j in range(size) if i + j < level]
    return torch.tensor([_wave(size, *order, norm) for order in orders])


def _wave(size: int, i: int, j: int, norm: str) -> list[list[float]]:
    down, across = (
        [math.cos(math.pi * (x + 0.5) * order / size) for x in range(size)] for order in (i, j)
    )
    power = 1 if norm == "l1" else 2
    scale = 1.0
    for side in (down, across):
        scale /= sum(abs(value) ** power for value in side) ** (1 / power)
    return [[scale * one * other for other in across] for one in down]


class HarmonicConvolution(nn.Module):
    """A convolution, without bias, by filters that are sums of waves.

    Its weight is [outputs, inputs, waves]. The waves are constants and no part of its state.
    """

    waves: Tensor

    def __init__(self, inputs: int, outputs: int, waves: Tensor, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, len(waves)))
        self.register_buffer("waves", waves, persistent=False)
        self.stride, self.padding = stride, waves.shape[-1] // 2
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as torch's convolutions

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        filters = torch.tensordot(self.weight, self.waves, 1)  # [outputs, inputs, size, size]
        return functional.conv2d(x, filters, None, self.stride, self.padding)


class HarmonicStem(HarmonicConvolution):
    """The same with every wave's map of the image normalised, without parameters, before it counts.

    The frequencies of images differ by orders of magnitude.
    """

    def __init__(self, inputs: int, outputs: int, waves: Tensor, stride: int) -> None:
        super().__init__(inputs, outputs, waves, stride)
        self.bn = nn.BatchNorm2d(inputs * len(waves), affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """As a plain convolution."""
        inputs = x.shape[1]
        filters = self.waves.unsqueeze(1).repeat(inputs, 1, 1, 1)  # [inputs * waves, 1, size, size]
        maps = functional.conv2d(x, filters, None, self.stride, self.padding, groups=inputs)
        return functional.conv2d(self.bn(maps), self.weight.flatten(1)[:, :, None, None])
