"""Cutout: a box of each image takes its mean level (DeVries and Taylor 2017, arXiv 1708.04552).

Drawn as in DataEfficientLTH, whose boxes reach up to half over the top and left edges, never over
the others, and take the mean of the image where the paper's take that of the data set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def cut_out(
    x: Tensor, side: int, form: Literal["correct", "paper"], rng: torch.Generator
) -> Tensor:
    """uint8 [B, C, H, W] with a box of a place of its own in each.

    Args:
        side: of the square in pixels, before the edges cut it; no larger than the images.
        form: `correct`, or `paper` for boxes as the paper's code cuts them.
    """
    height, width = x.shape[2:]
    place = boxes if form == "correct" else defective_boxes
    top, bottom, left, right = (
        place(len(x), height, width, side, rng).to(x.device, non_blocking=True).view(4, -1, 1)
    )
    rows, columns = (torch.arange(extent, device=x.device) for extent in (height, width))
    down = (rows >= top) & (rows < bottom)  # [B, H]
    across = (columns >= left) & (columns < right)
    inside = (down.unsqueeze(2) & across.unsqueeze(1)).unsqueeze(1)
    sums = x.flatten(1).sum(1, dtype=torch.int64).view(-1, 1, 1, 1)
    mean = (sums // x[0].numel()).to(torch.uint8)
    return torch.where(inside, mean, x)


def boxes(count: int, height: int, width: int, side: int, rng: torch.Generator) -> Tensor:
    """int64 [4, count]: the first rows and those after the last, columns likewise.

    Of 32 x 32 pixels, a side of 16 takes 20.5 % on average.
    """
    starts = []
    for extent in (height, width):
        places = max(extent - side + side // 2, 1)
        starts.append(torch.randint(places, (count,), generator=rng) - side // 2)
    top, left = starts
    return torch.stack([top.clamp(min=0), top + side, left.clamp(min=0), left + side])


def defective_boxes(count: int, height: int, width: int, side: int, rng: torch.Generator) -> Tensor:
    """As `boxes`, but those that do not cross the left edge begin at the column of their first row.

    Of 32 x 32 pixels, a side of 16 takes 22.4 % on average, and up to 31 x 16 pixels.
    """
    top, bottom, left, right = boxes(count, height, width, side, rng)
    crosses = right < side
    return torch.stack([top, bottom, torch.where(crosses, left, top), right])
