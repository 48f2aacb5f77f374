"""Contact sheets: images of every class, or what an augmentation makes of some, as one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import DataError
from engine.opened import Opened, shown
from engine.registry import load
from engine.seeds import rng

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine.plugin import Settings

CELL, GAP, LABEL, ROWS = 64, 4, 130, 40  # pixels, and rows before another column begins
SMALL = 32  # side in pixels of a picture for a terminal
GROUND, INK = (24, 24, 28), (230, 230, 235)
AUGMENTED, DRAWS = 8, 8  # images whose augmentation is shown, and draws of each


@dataclass(frozen=True)
class Row:
    """Images side by side, and what they are called."""

    label: str
    images: tuple[Image, ...]


def by_class(opened: Opened, per_class: int | None = None) -> list[Row]:
    """Training images of each class, the first that can be read; classes without any are left out.

    Args:
        per_class: how many; by default 8, fewer where there are many classes.
    """
    count = len(opened.classes)
    most = per_class or (8 if count <= 20 else 4 if count <= 100 else 1)
    found: list[list[Image]] = [[] for _ in opened.classes]
    for position, label in enumerate(opened.splits["train"].labels):
        if len(found[label]) < most:
            try:
                found[label].append(opened.picture("train", position))
            except DataError:
                continue  # the report names it
    named = zip(opened.classes, found, strict=True)
    return [Row(name, tuple(images)) for name, images in named if images]


def augmented(opened: Opened, settings: Settings, seed: int) -> list[Row]:
    """Training images of different classes as they are stored, and draws of an augmentation.

    Raises:
        DataError: one of them cannot be read.
    """
    import torch

    positions = _spread(opened.splits["train"].labels, AUGMENTED)
    augment = load("augmentations", settings.name).augment
    draws = []
    for number in range(DRAWS):
        batch = augment(settings, opened.batch(positions), rng(seed, "sheet", number))
        draws.append(batch.x.round().clamp(0, 255).to(torch.uint8).numpy())
    labels = opened.splits["train"].labels
    return [
        Row(
            opened.classes[labels[position]],
            (opened.picture("train", position), *(shown(draw[row]) for draw in draws)),
        )
        for row, position in enumerate(positions)
    ]


def sheet(rows: Sequence[Row]) -> Image:
    """Rows as one picture with their labels, in several columns where there are many."""
    from PIL import Image, ImageDraw, ImageFont

    wide = LABEL + max(len(row.images) for row in rows) * (CELL + GAP) + GAP
    columns = -(-len(rows) // ROWS)
    high = -(-len(rows) // columns)
    whole = Image.new("RGB", (columns * wide, high * (CELL + GAP) + GAP), GROUND)
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default()
    for number, row in enumerate(rows):
        left, top = number // high * wide + GAP, number % high * (CELL + GAP) + GAP
        pen.text((left, top + CELL // 2 - 6), _label(row.label), INK, font)
        for place, image in enumerate(row.images):
            whole.paste(fitted(image, CELL), (left + LABEL + place * (CELL + GAP), top))
    return whole


def strip(rows: Sequence[Row]) -> Image:
    """All images of rows, small, side by side, row after row."""
    from PIL import Image

    images = [image for row in rows for image in row.images]
    whole = Image.new("RGB", (SMALL * len(images), SMALL), GROUND)
    for place, image in enumerate(images):
        whole.paste(fitted(image, SMALL), (place * SMALL, 0))
    return whole


def fitted(image: Image, side: int) -> Image:
    """An image in the middle of a square that it just fits into; small ones keep their pixels."""
    from PIL import Image, ImageOps

    enlarged = max(image.size) < side
    method = Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX
    return ImageOps.pad(image, (side, side), method, GROUND)


def _spread(labels: Sequence[int], most: int) -> list[int]:
    """Positions of some images, of as many classes as there are among them."""
    first: dict[int, list[int]] = {}
    for position, label in enumerate(labels):
        first.setdefault(label, []).append(position)
    turns: Callable[[int], list[int]] = lambda turn: [  # noqa: E731
        places[turn] for _, places in sorted(first.items()) if turn < len(places)
    ]
    found: list[int] = []
    for turn in range(most):
        found += turns(turn)
    return found[:most]


def _label(text: str) -> str:
    """What the font can write of a name, as far as there is room."""
    plain = "".join(one if one.isprintable() else "?" for one in text)
    return plain.encode("latin-1", "replace").decode("latin-1")[: LABEL // 6 - 1]
