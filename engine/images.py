"""Images as tensors: uint8 until the network sees them, so that most sets fit on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from engine.lazy import torch
from engine.mixing import Mix
from engine.subsets import Subset

if TYPE_CHECKING:
    from torch import Tensor

Flip = Literal["horizontal", "vertical"]

HELD = 0.25
"""The share of a device's free memory that one split of images may take."""

CENTRE = 224 / 256
"""Of images whose crops are resized, the share of the shorter side that is shown in a test."""


@dataclass(frozen=True)
class Geometry:
    """What a data set's own augmentation and its network need to know.

    Attributes:
        size: side in pixels of the square that the network sees.
        crop: `pad` shifts the image over a black border; `resized` cuts a part and resizes it.
        pad: width of the border in pixels.
        flips: the mirror images that are as good as the original.
        mean: mean of each channel, in 0..1.
        std: standard deviation of each channel, in 0..1.
    """

    size: int
    crop: Literal["pad", "resized"]
    pad: int
    flips: tuple[Flip, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Batch:
    """What augmentations take and return.

    Attributes:
        x: [B, C, H, W], uint8, or float32 in 0..255; [B, C, size, size] once augmented.
        boxes: int64 [B, 2] on the CPU, the height and width of each image, which lies at the top
            left of x with zeros around it; None where each fills x, as all do once augmented.
        geometry: what the data set says of its images.
        mix: how each image was mixed with another one; None where none was.
    """

    x: Tensor
    boxes: Tensor | None
    geometry: Geometry
    mix: Mix | None = None


@dataclass(frozen=True)
class Images:
    """One split of a data set.

    Attributes:
        x: uint8 [N, C, H, W], contiguous.
        y: int64 [N], class indices, on the device that batches are for.
        ids: one stable name per image, the same on every machine.
        classes: class names, in the order of their indices.
        boxes: int64 [N, 2], as in `Batch`. They stay on the CPU, where augmentations draw.
        streamed: whether x stays in host memory, and goes to the device batch by batch, through
            pinned memory.
    """

    x: Tensor
    y: Tensor
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    boxes: Tensor | None = None
    streamed: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """Where batches are, wherever x is."""
        return self.y.device

    def to(self, device: torch.device | str) -> Images:
        """The same images for another device: there as a whole, or streamed if it is too small."""
        whole = fits(self.x.nbytes, torch.device(device))
        x = self.x.to(device if whole else "cpu")
        return replace(self, x=x, y=self.y.to(device), streamed=not whole)

    def subset(self, positions: Sequence[int] | Tensor) -> Images:
        """Some of the images, in the order given."""
        where = torch.as_tensor(positions, dtype=torch.int64).cpu()
        return replace(
            self,
            x=self.x.index_select(0, where.to(self.x.device)),
            y=self.y.index_select(0, where.to(self.device)),
            ids=tuple(self.ids[i] for i in where.tolist()),
            boxes=None if self.boxes is None else self.boxes[where],
        )

    def batch(self, positions: Tensor, geometry: Geometry) -> Batch:
        """The images at `positions` (int64, on the CPU) on the device, ready to be augmented."""
        boxes = None if self.boxes is None else self.boxes[positions]
        return Batch(self._pixels(positions), boxes, geometry)

    def _pixels(self, positions: Tensor) -> Tensor:
        """uint8 [B, C, H, W] on the device, without waiting for it."""
        if not self.streamed:
            return self.x.index_select(0, positions.to(self.device, non_blocking=True))
        shape, pinned = (len(positions), *self.x.shape[1:]), self.device.type == "cuda"
        gathered = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        torch.index_select(self.x, 0, positions, out=gathered)
        return gathered.to(self.device, non_blocking=True)  # only pinned memory is copied so


@dataclass(frozen=True)
class Splits:
    """A data set as a run uses it, on the CPU.

    Attributes:
        train: the drawn training images, as stored for augmentation.
        val: the validation images, at the size the network sees; None for none.
        test: the test images, at the size the network sees.
        geometry: what augmentation and normalisation need.
        subset: the ids of train and val.
        warnings: what the user should know.
    """

    train: Images
    val: Images | None
    test: Images
    geometry: Geometry
    subset: Subset
    warnings: tuple[str, ...] = ()

    def to(self, device: torch.device | str) -> Splits:
        """The same data set for another device."""
        val = None if self.val is None else self.val.to(device)
        return replace(self, train=self.train.to(device), val=val, test=self.test.to(device))


def fits(size: int, device: torch.device) -> bool:
    """Whether images of `size` bytes leave enough of a device's memory to train with."""
    return device.type != "cuda" or size <= HELD * torch.cuda.mem_get_info(device)[0]


def normalise(x: Tensor, geometry: Geometry) -> Tensor:
    """(x / 255 - mean) / std: what the network sees.

    Args:
        x: [B, C, H, W] in 0..255, of any type.

    Returns:
        float32 [B, C, H, W] in channels_last memory.
    """
    shift, scale = _affine(geometry, x.device)
    x = x.to(torch.float32, copy=True).mul_(scale).add_(shift)
    return x.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=16)
def _affine(geometry: Geometry, device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):  # they are kept, and gradients may go through them later
        mean = torch.tensor(geometry.mean, dtype=torch.float64).view(1, -1, 1, 1)
        std = torch.tensor(geometry.std, dtype=torch.float64).view(1, -1, 1, 1)
        return (-mean / std).float().to(device), (1 / (255 * std)).float().to(device)
