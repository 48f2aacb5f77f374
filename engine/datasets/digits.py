"""Handwritten digits, 8x8 (Alpaydin & Kaynak 1998), as scikit-learn packages them: no download.

The first 1,000 of the 1,797 images in file order are the training set, the others the test set.
"""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from functools import cache
from pathlib import Path

from engine import dataspec, subsets
from engine.datasets import _splits
from engine.description import Description
from engine.errors import DataError
from engine.images import Geometry, Splits
from engine.lazy import torch

IMAGES, TRAIN, SIDE, INK = 1797, 1000, 8, 16
GEOMETRY = Geometry(
    size=SIDE,
    crop="pad",
    pad=1,
    flips=(),
    mean=(0.30701875,),
    std=(0.37623340,),
)


class Settings(dataspec.DataSettings):
    """Nothing of its own; `root` is not used."""


def describe(settings: Settings) -> Description:
    """Count the images, without torch or scikit-learn.

    Raises:
        DataError: scikit-learn is not installed or its copy of the images is damaged.
    """
    return subsets.describe(_lists(), settings, channels=1, size=SIDE)


def load(settings: Settings) -> Splits:
    """Read the images. Stored ink of 0 to 16 becomes 0 to 255, rounded to the nearest.

    Raises:
        DataError: as in `describe`.
    """
    lists = _lists()
    rows = torch.tensor(_rows())
    x = ((rows[:, :-1] * 255 + INK // 2) // INK).to(torch.uint8).view(-1, 1, SIDE, SIDE)
    pixels = {lists.train.source: x[:TRAIN].numpy(), lists.test.source: x[TRAIN:].numpy()}
    return _splits.assemble(lists, settings, GEOMETRY, _splits.of_arrays(pixels))


def _lists() -> subsets.Lists:
    path, rows = _file(), _rows()
    ids = [f"{position:04d}" for position in range(IMAGES)]
    labels = [row[-1] for row in rows]
    return subsets.Lists(
        classes=tuple("0123456789"),
        train=subsets.Listing(f"{path.name}, first part", ids[:TRAIN], labels[:TRAIN]),
        test=subsets.Listing(f"{path.name}, last part", ids[TRAIN:], labels[TRAIN:]),
    )


@cache
def _rows() -> list[list[int]]:
    """64 pixels in 0..16 and the digit, for each image."""
    path = _file()
    try:
        text = gzip.decompress(path.read_bytes()).decode("ascii")
        rows = [[int(value) for value in line.split(",")] for line in text.split()]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path, str(error)) from None
    if len(rows) != IMAGES or any(len(row) != SIDE * SIDE + 1 for row in rows):
        raise _damaged(path, f"expected {IMAGES} lines of {SIDE * SIDE + 1} numbers")
    return rows


def _file() -> Path:
    spec = importlib.util.find_spec("sklearn")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "datasets" / "data" / "digits.csv.gz" if folders else None
    if path is None or not path.is_file():
        raise DataError(
            "the digits come with scikit-learn, which is not here; run pip install scikit-learn"
        )
    return path


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is damaged ({why}); run pip install --force-reinstall scikit-learn")
