"""Decode image files once, at load time, into one uint8 tensor."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.datasets import _memory
from engine.errors import DataError
from engine.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    Fit = Callable[["Image.Image"], "Image.Image"]
    Size = tuple[int, int]

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
        return _centre(_resize(image, scaled(image.size, shorter)), (size, size))

    out = empty(len(paths), channels, size, size)
    _decode(paths, channels, fit, out)
    return out


def whole(
    paths: Sequence[Path], channels: int, shorter: int, enlarge: bool, aspect: float
) -> tuple[Tensor, Tensor | None]:
    """Images as they are stored for augmentation: the shorter side resized.

    Args:
        enlarge: whether an image that is smaller is enlarged; otherwise it stays as it is.
        aspect: the longest side that is kept, in shorter ones.

    Returns:
        uint8 [N, channels, H, W], and int64 [N, 2]: the height and width of each image, which lies
        at the top left with zeros around it; None if all fill the tensor.

    Raises:
        DataError: an image cannot be decoded; the message names it.
    """

    def target(size: Size) -> Size:
        return size if min(size) < shorter and not enlarge else scaled(size, shorter)

    with ThreadPoolExecutor(_threads()) as pool:
        sizes = [trimmed(target(size), aspect) for size in pool.map(header, paths)]
    boxes = torch.tensor([(height, width) for width, height in sizes])
    height, width = boxes.amax(dim=0).tolist()
    out = empty(len(paths), channels, height, width)

    def fit(image: Image.Image) -> Image.Image:
        size = target(image.size)
        return _centre(_resize(image, size), trimmed(size, aspect))

    _decode(paths, channels, fit, out)
    return out, None if (boxes == boxes[0]).all() else boxes


def scaled(size: Size, shorter: int) -> Size:
    """Width and height once the shorter side measures `shorter`, as torchvision rounds them."""
    width, height = size
    longer = max(1, shorter * max(size) // min(size))
    return (shorter, longer) if width <= height else (longer, shorter)


def trimmed(size: Size, aspect: float) -> Size:
    """Width and height of which the longer is at most `aspect` times the shorter."""
    longest = max(1, int(min(size) * aspect))
    return min(size[0], longest), min(size[1], longest)


def header(path: Path) -> Size:
    """Width and height of an image, without decoding it."""
    size: Size = _guarded(path, lambda image: image.size)
    return size


def picture(path: Path) -> tuple[Image.Image, str]:
    """An image in colour, decoded as a whole, and the mode of its file.

    Raises:
        DataError: it cannot be decoded; the message names it.
    """
    found: tuple[Image.Image, str] = _guarded(path, lambda one: (_converted(one, "RGB"), one.mode))
    return found


def _decode(paths: Sequence[Path], channels: int, fit: Fit, out: Tensor) -> None:
    """Decode each image into its own area of `out`, at the top left."""
    import numpy as np

    mode, rows = "RGB" if channels == 3 else "L", out.numpy()

    def one(image: Image.Image) -> np.ndarray[Any, Any]:
        pixels = np.asarray(fit(_converted(image, mode)))
        return pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1)

    def place(position: int) -> None:
        pixels = _guarded(paths[position], one)
        rows[position, :, : pixels.shape[1], : pixels.shape[2]] = pixels

    each(len(paths), place)


def each(count: int, place: Callable[[int], None]) -> None:
    """Do something for the positions 0 to count - 1, several at once, up to the first failure."""
    with ThreadPoolExecutor(_threads()) as pool:
        try:
            for _ in pool.map(place, range(count)):
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
            if image.format == "TIFF" and (pages := getattr(image, "n_frames", 1)) > 1:
                raise ValueError(f"it has {pages} pages, of which only one would be seen")
            return use(image)
    except Exception as error:  # damaged files raise nearly anything
        raise DataError(
            f"{path}: cannot be read as an image ({error}); replace it or take it out of the set"
        ) from None


def empty(count: int, channels: int, height: int, width: int) -> Tensor:
    """Room for images, black until they are there."""
    _memory.check(
        count * channels * height * width,
        f"{count:,} images at {height} x {width} pixels",
        "draw fewer (data.per_class, data.fraction), or store them smaller (data.store,"
        " data.aspect, data.size)",
    )
    return torch.zeros(count, channels, height, width, dtype=torch.uint8)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if image.mode not in DEPTH_8:
        raise ValueError(
            f"{image.mode} pixels have more than 8 bits; scale all images alike to 8 bits, such"
            " as by mogrify -depth 8"
        )
    return image.convert(mode)


def _centre(image: Image.Image, size: Size) -> Image.Image:
    if image.size == size:
        return image
    left, top = (round((whole - part) / 2) for whole, part in zip(image.size, size, strict=True))
    return image.crop((left, top, left + size[0], top + size[1]))


def _resize(image: Image.Image, size: Size) -> Image.Image:
    from PIL import Image

    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def _threads() -> int:
    return min(8, len(os.sched_getaffinity(0)))
