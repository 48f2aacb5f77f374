"""Which test images look like a training image: the same scene, cut or coloured otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.images import CENTRE, Geometry, Images
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 16
AT_ONCE = 500  # images of either kind that are compared


@dataclass(frozen=True)
class Nearest:
    """What of the training images each test image is most like.

    Attributes:
        likeness: float32 [N], from -1 to 1, where 1 is the same but for brightness and contrast.
        train: int64 [N], positions in the training images.
    """

    likeness: Tensor
    train: Tensor


def nearest(test: Images, train: Images, geometry: Geometry, tick: Callable[[], None]) -> Nearest:
    """Compare every test image, and its mirror image, with all training images.

    They are reduced to 16 by 16 pixels; likeness is the correlation of these.

    Args:
        tick: called for every `AT_ONCE` images.
    """
    crop = "pad" if train.boxes is None else geometry.crop
    known = _thumbnails(train, geometry, crop, tick)
    best, where = [], []
    for shown in torch.split(_thumbnails(test, geometry, "pad", tick), AT_ONCE):
        tick()
        both = torch.stack([_directions(shown), _directions(shown.flip(3))])
        found = [(both @ _directions(part).T).amax(0) for part in torch.split(known, AT_ONCE)]
        likeness, train_at = torch.cat(found, 1).max(1)
        best.append(likeness.cpu())
        where.append(train_at.cpu())
    return Nearest(torch.cat(best), torch.cat(where))


def _directions(x: Tensor) -> Tensor:
    """Images as vectors [B, values] of mean 0 and length 1; even ones stay 0."""
    flat = x.flatten(1)
    return functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)


def _thumbnails(images: Images, geometry: Geometry, crop: str, tick: Callable[[], None]) -> Tensor:
    """float32 [N, C, 16, 16] on the device: what a test shows of each image."""
    made = []
    for at in torch.split(torch.arange(len(images)), AT_ONCE):
        tick()
        batch = images.batch(at, geometry)
        if batch.boxes is None:
            made.append(functional.adaptive_avg_pool2d(batch.x.float(), SIDE))
        else:
            made += [
                functional.adaptive_avg_pool2d(_centre(x, height, width, crop)[None].float(), SIDE)
                for x, (height, width) in zip(batch.x, batch.boxes.tolist(), strict=True)
            ]
    return torch.cat(made)


def _centre(x: Tensor, height: int, width: int, crop: str) -> Tensor:
    """The square that a test would show of a stored image [C, H, W]."""
    side = min(height, width)
    if crop == "resized":
        side = round(side * CENTRE)
    top, left = (height - side) // 2, (width - side) // 2
    return x[:, top : top + side, left : left + side]
