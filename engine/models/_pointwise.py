"""The strided 1x1 convolution of shortcuts."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, without bias, of every `stride`-th pixel in both directions.

    It picks the pixels itself. What comes out is the same to the bit, but where a CPU's vectors
    hold more numbers than there are input channels, oneDNN's own picking writes past its workspace
    (oneDNN issue 6035): torch 2.15 crashes with 8 channels of 64x64 pixels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        rows, columns = self.stride
        return functional.conv2d(input[:, :, ::rows, ::columns], self.weight)
