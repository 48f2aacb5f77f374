"""Rotations, shears and translations, each image by its own numbers, as PIL does them.

The numbers live on the CPU; one copy takes them to the images' device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.augmentations import _arithmetic
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

GREY = 128
"""What AutoAugment shows beyond an image's edge."""

FRACTION = 16
"""Bits behind the point of PIL's fixed-point coordinates."""


def rotate(degrees: Tensor, size: int) -> Tensor:
    """Counter-clockwise around the middle of a square."""
    angle, middle = -torch.deg2rad(degrees % 360), size / 2
    cos, sin = angle.cos(), angle.sin()
    across = cos * -middle + sin * -middle + middle
    down = -sin * -middle + cos * -middle + middle
    return torch.stack([cos, sin, across, -sin, cos, down], dim=1)


def shear_x(share: Tensor, size: int) -> Tensor:
    """Each row by `share` of its height to the left, from the top on."""
    return _matrices(share, 1)


def shear_y(share: Tensor, size: int) -> Tensor:
    """Each column by `share` of its distance from the left upward."""
    return _matrices(share, 3)


def translate_x(pixels: Tensor, size: int) -> Tensor:
    """To the left, by whole pixels."""
    return _matrices((pixels + 0.5).floor(), 2)


def translate_y(pixels: Tensor, size: int) -> Tensor:
    """Upward, by whole pixels."""
    return _matrices((pixels + 0.5).floor(), 5)


def _matrices(values: Tensor, place: int) -> Tensor:
    """Identities, but for `values` at one of the six places."""
    made = torch.tensor([1.0, 0, 0, 0, 1, 0], dtype=torch.float64).repeat(len(values), 1)
    made[:, place] = values
    return made


MATRICES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "rotate": rotate,
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
}
"""Values, float64 [n], and the side of the squares, to matrices, float64 [n, 6] of a..f: what is
shown at (x, y) is found at (ax + by + c, dx + ey + f)."""


def moved(x: Tensor, matrices: Tensor, fill: int) -> Tensor:
    """The nearest pixel of uint8 [n, C, H, W] at each place; `fill` beyond the edges.

    Pixel for pixel `Image.transform` with nearest resampling, by the same fixed-point numbers.
    """
    fixed = matrices.clone()
    fixed[:, [2, 5]] += matrices[:, [0, 3]] * 0.5  # to the middles of pixels
    fixed[:, [2, 5]] += matrices[:, [1, 4]] * 0.5
    fixed = (fixed * 2**FRACTION + 0.5).floor().int().to(x.device, non_blocking=True)
    a, b, c, d, e, f = fixed.T.unsqueeze(2).unsqueeze(3)
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device, dtype=torch.int32).view(1, -1, 1)
    columns = torch.arange(width, device=x.device, dtype=torch.int32).view(1, 1, -1)
    left = (a * columns + (b * rows + c)).bitwise_right_shift_(FRACTION).clamp_(-1, width)
    top = (d * columns + (e * rows + f)).bitwise_right_shift_(FRACTION).clamp_(-1, height)
    pixels = top.add_(1).mul_(width + 2).add_(left).add_(1).long().flatten(1).unsqueeze(1)
    framed = functional.pad(x, (1, 1, 1, 1), value=fill).flatten(2)
    return framed.gather(2, pixels.expand(-1, x.shape[1], -1)).view_as(x)


def cubic_shear_x(x: Tensor, share: Tensor) -> Tensor:
    """`shear_x` by cubic interpolation (PIL's BICUBIC transform), grey beyond the edges."""
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device, dtype=torch.float64).view(1, -1, 1) + 0.5
    columns = torch.arange(width, device=x.device, dtype=torch.float64).view(1, 1, -1) + 0.5
    place = columns + share.view(-1, 1, 1) * rows  # [n, H, W]
    inside = (place >= 0) & (place < width)
    place -= 0.5
    first = place.floor()
    rest = (place - first).unsqueeze(1)
    first = first.long().unsqueeze(1).expand_as(x)
    p, q, r, s = (x.gather(3, (first + i).clamp_(0, width - 1)).int() for i in (-1, 0, 1, 2))
    cubic, square = q - p - r + s, 2 * (p - q) + r - s
    made = ((rest * cubic).add_(square).mul_(rest).add_(r - p)).mul_(rest).add_(q)
    return torch.where(inside.unsqueeze(1), _arithmetic.to_levels(made), GREY)


def cubic_shear_y(x: Tensor, share: Tensor) -> Tensor:
    """`shear_y` by cubic interpolation, grey beyond the edges."""
    return cubic_shear_x(x.transpose(2, 3), share).transpose(2, 3)
