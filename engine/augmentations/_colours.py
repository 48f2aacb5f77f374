"""Operations between the bands of RGB images; images of other bands stay as they are.

Each takes images, uint8 [n, C, H, W], and values, float64 [n].
"""

from __future__ import annotations

from functools import lru_cache
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
    turn, saturation, value = _hsv(x)
    shift = (values * 255).long().view(-1, 1, 1)
    missing = _missing(x.device)[:, (torch.arange(256, device=x.device) + shift) % 256]
    missing = missing.transpose(0, 1).squeeze(2)  # [n, 3, 256]
    part = missing.gather(2, turn.flatten(1).unsqueeze(1).expand(-1, 3, -1)).view(x.shape)
    return _arithmetic.to_levels(part.mul_(saturation / -255).add_(1).mul_(value).add_(0.5))


def _hsv(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[n, H, W] or [n, 1, H, W] each: hue, int64; saturation and value, float64. All are whole.

    PIL keeps quotients and hues in single precision and computes with them in double precision.
    """
    most, least = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    chroma = most - least
    r, g, b = ((most - x).float() / chroma.clamp(min=1)).double().unbind(1)
    top = x == most
    turn = torch.where(top[:, 0], b - g, torch.where(top[:, 1], 2 + r - b, 4 + g - r))
    turn = turn.float().double().div_(6).add_(1)
    turn = turn.sub_(turn.floor()).float().double().mul_(255).long()
    turn.masked_fill_(chroma.squeeze(1) == 0, 0)
    saturation = (chroma.float() / most.clamp(min=1)).double().mul_(255).floor_()
    return turn, saturation, most.double()


@lru_cache(maxsize=16)
def _missing(device: torch.device) -> Tensor:
    """float64 [3, 256]: the share of red, green, blue that each hue lacks at full saturation."""
    sector = torch.arange(256, dtype=torch.float64, device=device) * 6 / 255
    rest = sector - sector.floor()
    up, none, all_ = 1 - rest, torch.zeros_like(rest), torch.ones_like(rest)
    red = torch.stack([none, rest, all_, all_, up, none])  # green and blue lag behind it
    lags = torch.tensor([[0], [4], [2]], device=device)
    return red.gather(0, ((sector.long() + lags) % 6))
