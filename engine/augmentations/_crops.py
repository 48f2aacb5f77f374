"""Cut, resize and mirror whole batches, each image by its own numbers.

The numbers live on the CPU; one copy takes them to the batch's device.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.images import CENTRE, Batch
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

RATIO, TRIES = 4 / 3, 10


@dataclass(frozen=True)
class Cuts:
    """The part of each image to keep; all tensors are [B], on the CPU.

    Attributes:
        top, left: int64, the first pixel. A shifted part may begin before its image.
        height, width: int64, the size in pixels.
        mirror, upend: bool, whether to swap left and right, top and bottom.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    mirror: Tensor
    upend: Tensor


def heights_widths(batch: Batch) -> tuple[Tensor, Tensor]:
    """int64 [B] each, on the CPU: the size of each image's own area."""
    if batch.boxes is not None:
        return batch.boxes[:, 0], batch.boxes[:, 1]
    count, _, height, width = batch.x.shape
    return torch.full((count,), height), torch.full((count,), width)


def centre(batch: Batch) -> Cuts:
    """What an image shows when it is tested: the middle, at the data set's own scale."""
    height, width = heights_widths(batch)
    if batch.geometry.crop == "pad":
        side = torch.full_like(height, batch.geometry.size)
    else:
        side = (torch.minimum(height, width) * CENTRE).round().long().clamp_(min=1)
    top, left = ((extent - side).div(2).round().long() for extent in (height, width))
    no = torch.zeros(len(side), dtype=torch.bool)
    return Cuts(top, left, side, side, no, no)


def shifts(batch: Batch, pad: int, flips: Collection[str], rng: torch.Generator) -> Cuts:
    """Anywhere within a border of `pad` pixels, and mirrored half of the time.

    Draws as torchvision's RandomCrop and flips do; a smaller image stays in the middle.
    """
    size = batch.geometry.size
    draws = torch.rand(len(batch.x), 4, generator=rng, dtype=torch.float64)
    starts = []
    for extent, draw in zip(heights_widths(batch), draws.T, strict=False):
        room = extent + 2 * pad - size
        anywhere = (draw * (room + 1)).floor().long()
        starts.append(torch.where(room > 0, anywhere, room.div(2, rounding_mode="floor")) - pad)
    side = torch.full_like(starts[0], size)
    mirror, upend = _flips(draws[:, 2:], flips)
    return Cuts(starts[0], starts[1], side, side, mirror, upend)


def parts(
    batch: Batch, scale: tuple[float, float], flips: Collection[str], rng: torch.Generator
) -> Cuts:
    """Parts of a random area and aspect ratio, mirrored half of the time.

    Args:
        scale: smallest and largest share of the image's area. The aspect ratio lies in 3/4..4/3.

    Draws as torchvision's RandomResizedCrop does: the first of ten tries that fits, otherwise the
    largest part in the middle with an allowed aspect ratio.
    """
    count = len(batch.x)
    tries = torch.rand(2, count, TRIES, generator=rng, dtype=torch.float64)
    draws = torch.rand(count, 4, generator=rng, dtype=torch.float64)
    height, width = (extent.unsqueeze(1) for extent in heights_widths(batch))
    area = height * width * (scale[0] + (scale[1] - scale[0]) * tries[0])
    aspect = torch.exp(math.log(RATIO) * (2 * tries[1] - 1))
    tall, wide = (area / aspect).sqrt().round(), (area * aspect).sqrt().round()
    fits = (tall > 0) & (tall <= height) & (wide > 0) & (wide <= width)
    tall = torch.cat([tall, torch.minimum(height, (width * RATIO).round())], dim=1)
    wide = torch.cat([wide, torch.minimum(width, (height * RATIO).round())], dim=1)
    fits = torch.cat([fits, torch.ones(count, 1, dtype=torch.bool)], dim=1)
    first = fits.long().argmax(dim=1, keepdim=True)
    tall, wide = tall.gather(1, first).long(), wide.gather(1, first).long()
    middle = first == TRIES
    room = torch.cat([height - tall, width - wide], dim=1)
    start = torch.where(middle, room // 2, (draws[:, :2] * (room + 1)).floor().long())
    mirror, upend = _flips(draws[:, 2:], flips)
    return Cuts(start[:, 0], start[:, 1], tall[:, 0], wide[:, 0], mirror, upend)


def _flips(draws: Tensor, flips: Collection[str]) -> tuple[Tensor, Tensor]:
    """bool [B] each: mirrored left to right, upside down."""
    axes = enumerate(("horizontal", "vertical"))
    mirror, upend = ((draws[:, i] < 0.5) & (axis in flips) for i, axis in axes)
    return mirror, upend


def cut(batch: Batch, cuts: Cuts) -> Batch:
    """The batch as the network sees it."""
    bring = shifted if batch.geometry.crop == "pad" else resized
    x = bring(batch.x, cuts, batch.geometry.size)
    return Batch(x, None, batch.geometry)


def shifted(x: Tensor, cuts: Cuts, size: int) -> Tensor:
    """Squares of `size` pixels from (top, left), black beyond the image.

    Equal to zero padding, cropping and flipping each image in PIL, pixel for pixel.
    """
    before = [max(0, -int(start.min())) for start in (cuts.top, cuts.left)]
    ends = zip((cuts.top, cuts.left), x.shape[2:], strict=True)
    after = [max(0, int(start.max()) + size - extent) for start, extent in ends]
    if any(before + after):
        x = functional.pad(x, (before[1], after[1], before[0], after[0]))
    count, channels, _, width = x.shape
    numbers = torch.stack(
        [cuts.top + before[0], cuts.left + before[1], cuts.mirror.long(), cuts.upend.long()]
    )
    top, left, mirror, upend = numbers.to(x.device, non_blocking=True).unsqueeze(2)
    steps = torch.arange(size, device=x.device)
    rows = top + torch.where(upend > 0, size - 1 - steps, steps)  # [B, size]
    columns = left + torch.where(mirror > 0, size - 1 - steps, steps)  # [B, size]
    pixels = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).view(count, 1, size * size)
    kept = x.view(count, channels, -1).gather(2, pixels.expand(-1, channels, -1))
    return kept.view(count, channels, size, size)


def resized(x: Tensor, cuts: Cuts, size: int) -> Tensor:
    """The parts resized to squares of `size` pixels, uint8, by PIL's antialiased bilinear filter.

    Within two grey levels of PIL. On the CPU torch's 8-bit kernel does one image at a time, which
    is about 20 times faster there than the batched products that other devices use.
    """
    return (one_by_one if x.device.type == "cpu" else by_products)(x, cuts, size)


def by_products(x: Tensor, cuts: Cuts, size: int) -> Tensor:
    """`resized` as two batched matrix products, flips folded into the matrices."""
    down = _filters(cuts.top, cuts.height, cuts.upend, x.shape[2], size, x.device)
    across = _filters(cuts.left, cuts.width, cuts.mirror, x.shape[3], size, x.device)
    y = down.unsqueeze(1) @ x.float() @ across.transpose(1, 2).unsqueeze(1)
    return y.add_(0.5).to(torch.uint8)


def one_by_one(x: Tensor, cuts: Cuts, size: int) -> Tensor:
    """`resized` for each image in turn."""
    out = x.new_empty(len(x), x.shape[1], size, size)
    numbers = torch.stack([cuts.top, cuts.left, cuts.height, cuts.width], dim=1).tolist()
    flips = zip(cuts.mirror.tolist(), cuts.upend.tolist(), strict=True)
    for i, ((top, left, height, width), (mirror, upend)) in enumerate(
        zip(numbers, flips, strict=True)
    ):
        part = x[i : i + 1, :, top : top + height, left : left + width]
        part = functional.interpolate(part, (size, size), mode="bilinear", antialias=True)
        axes = [3] * mirror + [2] * upend
        out[i] = (part.flip(axes) if axes else part)[0]
    return out


def _filters(
    start: Tensor, length: Tensor, flip: Tensor, extent: int, size: int, device: torch.device
) -> Tensor:
    """float32 [B, size, extent]: how much of each source pixel goes into each pixel of the result.

    A triangle as wide as the reduction, cut off at the edges of the part and summing to 1.
    """
    numbers = torch.stack([start, length, flip.long()]).to(device, torch.float32)
    start, length, flip = numbers.view(3, -1, 1, 1)
    steps = torch.arange(size, device=device).view(1, -1, 1) + 0.5
    steps = torch.where(flip > 0, size - steps, steps)
    pixels = torch.arange(extent, device=device).view(1, 1, -1) + 0.5
    ratio = length / size
    distance = (pixels - start - steps * ratio).abs()
    weights = (1 - distance / ratio.clamp(min=1)).clamp_(min=0)
    weights = weights * ((pixels > start) & (pixels < start + length))
    return weights / weights.sum(dim=2, keepdim=True)
