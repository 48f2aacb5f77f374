"""Small pictures in a terminal: two pixels in each cell, one above the other."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lthtui.heat import Line, Span

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS = 8_000_000  # of a picture that is decoded
SIDE = 240  # pixels that are kept along each side


@dataclass(frozen=True)
class Picture:
    """A picture, made smaller.

    Attributes:
        width, height: pixels of the whole picture.
        size: columns and rows of `pixels`, which are red, green and blue, row by row.
    """

    width: int
    height: int
    size: tuple[int, int]
    pixels: bytes

    def at(self, column: int, row: int) -> str:
        """The colour of a pixel, `#rrggbb`."""
        begin = 3 * (row * self.size[0] + column)
        return f"#{self.pixels[begin : begin + 3].hex()}"


def read(data: bytes) -> Picture:
    """A PNG or JPEG picture.

    Raises:
        ValueError: it is none, is broken, or has too many pixels.
    """
    from PIL import Image, ImageFile

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as found:
            width, height = found.size
            if width * height > PIXELS:
                raise ValueError(f"a picture of {width} × {height} pixels, too large to show here")
            assert isinstance(found, ImageFile.ImageFile)
            found.load()
            ground = Image.new("RGBA", found.size, "white")
            whole = Image.alpha_composite(ground, _shallow(found).convert("RGBA")).convert("RGB")
    except ValueError:
        raise
    except Exception:  # whatever a broken picture makes of the decoder
        raise ValueError("a broken picture, or none") from None
    whole.thumbnail((SIDE, SIDE))
    return Picture(width, height, whole.size, whole.tobytes())


def _shallow(image: Image) -> Image:
    """Greys of 16 bits as those of 8, where a conversion would make nearly all of them white."""
    if not image.mode.startswith("I"):
        return image
    return image.point(lambda value: value * (1 / 256)).convert("L")


def drawn(picture: Picture, width: int) -> list[Line]:
    """The picture as lines of half blocks, at most `width` cells wide."""
    columns, rows = picture.size
    wide = max(min(columns, width), 1)
    high = max(round(rows * wide / columns), 1)

    def pixel(x: int, y: int) -> str:
        return picture.at(x * columns // wide, y * rows // high)

    def cell(x: int, y: int) -> Span:
        return Span("▀", pixel(x, y), pixel(x, y + 1) if y + 1 < high else "", exact=True)

    return [tuple(cell(x, y) for x in range(wide)) for y in range(0, high, 2)]
