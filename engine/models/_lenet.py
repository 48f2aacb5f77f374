"""The small networks of LeCun et al. 1998, with ReLU: linear maps, or two convolutions first."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

SIZE = 32  # pixels of the images that LeNet-5 was made for


class MLP(nn.Module):
    """(batch, channels, size, size) images -> (batch, classes) logits, through hidden layers."""

    def __init__(self, hidden: Sequence[int], classes: int, channels: int, size: int) -> None:
        super().__init__()
        self.layers = _hidden(channels * size**2, hidden)
        self.fc = nn.Linear(hidden[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(x.flatten(1)))  # type: ignore[no-any-return]


class LeNet5(nn.Module):
    """(batch, channels, size, size) images -> (batch, classes) logits.

    Twice a 5x5 convolution without padding and 2x2 pooling, and hidden layers. Smaller images than
    it was made for get zeros around them, as LeCun gave MNIST's.
    """

    def __init__(self, widths: Sequence[int], classes: int, channels: int, size: int) -> None:
        """Make a network of two numbers of filters and the widths of its hidden layers."""
        super().__init__()
        first, second, *hidden = widths
        missing = max(0, SIZE - size)
        before, after = missing // 2, missing - missing // 2
        self.padding = before, after, before, after
        side = ((size + missing - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(channels, first, 5)
        self.conv2 = nn.Conv2d(first, second, 5)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.layers = _hidden(second * side**2, hidden)
        self.fc = nn.Linear(hidden[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(functional.pad(x, self.padding))))
        x = self.pool(self.relu(self.conv2(x)))
        return self.fc(self.layers(x.flatten(1)))  # type: ignore[no-any-return]


def _hidden(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)
