"""Operations between the bands of RGB images; images of other bands stay as they are.

Each takes images, uint8 [n, C, H, W], and values, float64 [n].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.augmentations import _arithmetic
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def color(x: Tensor, values: Tensor) -> Tensor:
    """Blend with the grey image: `values` of the colour are kept, as `ImageEnhance.Color`."""
    return _arithmetic.blend(_arithmetic.luma(x), x, values) if _arithmetic.is_rgb(x) else x


def grayscale(x: Tensor, values: Tensor) -> Tensor:
    """The brightness in all three bands, as `Image.convert("L")`; values are not used."""
    return _arithmetic.luma(x).to(torch.uint8).expand_as(x) if _arithmetic.is_rgb(x) else x


def hue(x: Tensor, values: Tensor) -> Tensor:
    """Turn the colour circle by `values` (-0.5..0.5) of a turn, as torchvision does on PIL images.

    Hues and saturations are whole numbers in 0..255, as in PIL's HSV images.
    """
    if not _arithmetic.is_rgb(x):
        return x
    shift = (values * 255).trunc().view(-1, 1, 1)
    turn, saturation, value = _hsv(x)
    return _rgb((turn + shift) % 256, saturation, value)


def _hsv(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """float64 [n, H, W] of whole numbers each: hue, saturation, value.

    PIL keeps quotients and hues in single precision and computes with them in double precision.
    """
    red, green, blue = x.float().unbind(1)
    most, least = x.amax(1).float(), x.amin(1).float()
    chroma = most - least
    r, g, b = (((most - band) / chroma.clamp(min=1)).double() for band in (red, green, blue))
    turn = torch.where(red == most, b - g, torch.where(green == most, 2 + r - b, 4 + g - r))
    turn = ((turn.float().double() / 6 + 1) % 1).float().double()
    turn = torch.where(chroma > 0, turn * 255, 0).trunc()
    saturation = (chroma / most.clamp(min=1)).double()
    return turn, (saturation * 255).trunc(), most.double()


def _rgb(turn: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """uint8 [n, 3, H, W] of what `_hsv` returns."""
    sector = (turn * 6 / 255).floor()
    rest, share = turn * 6 / 255 - sector, saturation / 255
    p, q, t = (
        (value * (1 - part) + 0.5).floor() for part in (share, share * rest, share * (1 - rest))
    )
    bands = torch.stack([value, q, p, p, t, value])  # red, by sector; the others lag behind it
    sector = (sector % 6).long()
    made = [bands.gather(0, ((sector + lag) % 6).unsqueeze(0))[0] for lag in (0, 4, 2)]
    return torch.stack(made, dim=1).to(torch.uint8)
