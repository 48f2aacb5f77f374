"""Decode image files once, at load time, into one uint8 tensor."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DataError
from engine.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    Fit = Callable[["Image.Image"], "Image.Image"]
    Size = tuple[int, int]

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm")
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "PPM")
MAX_PIXELS = 80_000_000
MAX_ASPECT = 8
DEPTH_8 = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


def squares(paths: Sequence[Path], channels: int, shorter: int, size: int) -> Tensor:
    """Images as they are tested: the shorter side resized, the central square cut out.

    Returns:
        uint8 [N, channels, size, size].

    Raises:
        DataError: an image cannot be decoded; the message names it.
    """

    def fit(image: Image.Image) -> Image.Image:
        width, height = scaled(image.size, shorter)
        left, top = round((width - size) / 2), round((height - size) / 2)
        return _resize(image, (width, height)).crop((left, top, left + size, top + size))

    out = torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    _decode(paths, channels, fit, out)
    return out


def whole(
    paths: Sequence[Path], channels: int, shorter: int, enlarge: bool
) -> tuple[Tensor, Tensor | None]:
    """Images as they are stored for augmentation: the shorter side resized, nothing cut off.

    Args:
        enlarge: whether an image that is smaller is enlarged; otherwise it stays as it is.

    Returns:
        uint8 [N, channels, H, W], and int64 [N, 2]: the height and width of each image, which lies
        at the top left with zeros around it; None if all fill the tensor.

    Raises:
        DataError: an image cannot be decoded; the message names it.
    """

    def target(size: Size) -> Size:
        return size if min(size) < shorter and not enlarge else scaled(size, shorter)

    with ThreadPoolExecutor(_threads()) as pool:
        sizes = [target(size) for size in pool.map(header, paths)]
    boxes = torch.tensor([(height, width) for width, height in sizes])
    height, width = boxes.amax(dim=0).tolist()
    out = torch.zeros(len(paths), channels, height, width, dtype=torch.uint8)
    _decode(paths, channels, lambda image: _resize(image, target(image.size)), out)
    return out, None if (boxes == boxes[0]).all() else boxes


def scaled(size: Size, shorter: int) -> Size:
    """Width and height once the shorter side measures `shorter`, as torchvision rounds them."""
    width, height = size
    longer = max(1, shorter * max(size) // min(size))
    return (shorter, longer) if width <= height else (longer, shorter)


def header(path: Path) -> Size:
    """Width and height of an image, without decoding it."""
    size: Size = _guarded(path, lambda image: image.size)
    return size


def _decode(paths: Sequence[Path], channels: int, fit: Fit, out: Tensor) -> None:
    """Decode each image into its own area of `out`, at the top left."""
    import numpy as np

    mode, rows = "RGB" if channels == 3 else "L", out.numpy()

    def one(image: Image.Image) -> np.ndarray[Any, Any]:
        if image.mode not in DEPTH_8:
            raise ValueError(f"{image.mode} pixels have more than 8 bits; convert it to 8 bits")
        pixels = np.asarray(fit(image.convert(mode)))
        return pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1)

    def place(position: int) -> None:
        pixels = _guarded(paths[position], one)
        rows[position, :, : pixels.shape[1], : pixels.shape[2]] = pixels

    with ThreadPoolExecutor(_threads()) as pool:
        try:
            for _ in pool.map(place, range(len(paths))):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _guarded(path: Path, use: Callable[[Image.Image], Any]) -> Any:
    """Open an image of a known format and a sane size, and turn every failure into a DataError."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ValueError(f"{width} x {height} pixels are more than {MAX_PIXELS:,}")
            if max(image.size) > MAX_ASPECT * min(image.size):
                raise ValueError(f"{width} x {height}: one side is over {MAX_ASPECT} x the other")
            return use(image)
    except Exception as error:  # damaged files raise nearly anything
        raise DataError(
            f"{path}: cannot be read as an image ({error}); replace it or take it off the lists"
        ) from None


def _resize(image: Image.Image, size: Size) -> Image.Image:
    from PIL import Image

    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def _threads() -> int:
    return min(8, len(os.sched_getaffinity(0)))
