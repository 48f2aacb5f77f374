"""Read 16-bit images of many bands from GeoTIFF files, which Pillow cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DataError

if TYPE_CHECKING:
    import numpy as np

UNPACKED = {1: "none", 8: "deflate", 32946: "deflate"}
SPARE = 2**16  # bytes of tags and projection that a file may have beside its pixels


def check(path: Path, bands: int, size: int) -> None:
    """Read the header alone.

    Raises:
        DataError: see `read`.
    """
    _page(path, bands, size, lambda page: None)


def read(path: Path, bands: int, size: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """uint16 [bands, size, size].

    Raises:
        DataError: the file is damaged, packed in a way that cannot be read, or of another shape.
    """
    import numpy as np

    def pixels(page: Any) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = page.asarray()
        contiguous = page.shape[-1] == bands
        return np.ascontiguousarray(array.transpose(2, 0, 1) if contiguous else array)

    found: np.ndarray[Any, np.dtype[np.uint16]] = _page(path, bands, size, pixels)
    return found


def _page(path: Path, bands: int, size: int, use: Callable[[Any], Any]) -> Any:
    """Open the first image of a file once its header is as it should be."""
    import tifffile

    logging.getLogger("tifffile").disabled = True  # every failure is told in our error
    try:
        raw = 2 * bands * size * size
        if path.stat().st_size > raw + SPARE:  # so that little can unfold to gigabytes
            raise ValueError(f"it has more than {raw + SPARE:,} bytes")
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            _check(page, bands, size)
            return use(page)
    except Exception as error:  # damaged files raise nearly anything
        raise DataError(
            f"{path}: cannot be read as {bands} bands of {size} x {size} pixels ({error}); replace"
            " it or take it out of the set"
        ) from None


def _check(page: Any, bands: int, size: int) -> None:
    if page.shape not in ((size, size, bands), (bands, size, size)):
        raise ValueError(f"its shape is {page.shape}")
    if str(page.dtype) != "uint16":
        raise ValueError(f"its numbers are {page.dtype}, not 16-bit ones")
    if int(page.compression) not in UNPACKED:
        raise ValueError(
            f"it is packed by {page.compression.name}; unpack all images, such as by"
            " gdal_translate -co COMPRESS=NONE IN.tif OUT.tif"
        )
