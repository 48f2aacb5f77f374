"""EuroSAT land cover in all 13 bands of Sentinel-2, 64x64 (Helber et al. 2019), in DEIC's split.

Pixels are reflectance x 10,000 in 16 bits, of which each band fills a range of its own: 0 to its
mean plus three deviations (as TorchGeo publishes them) becomes 0 to 255, and what is brighter 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from engine import dataspec, subsets
from engine.datasets import _decode, _lists, _splits, _tiff, eurosat
from engine.description import Description
from engine.images import Geometry, Splits

if TYPE_CHECKING:
    from torch import Tensor

BANDS, SIZE = 13, 64
GEOMETRY = Geometry(
    size=SIZE,
    crop="pad",
    pad=8,
    flips=("horizontal", "vertical"),
    mean=(0.5,) * BANDS,
    std=(0.5,) * BANDS,
)
# Means and deviations in the order of the files: B01 to B12, then B8A
# (torchgeo/datamodules/eurosat.py).
STATISTICS = (
    (1354.405, 245.718),
    (1118.244, 333.008),
    (1042.930, 395.092),
    (947.626, 593.751),
    (1199.473, 566.417),
    (1999.791, 861.184),
    (2369.223, 1086.631),
    (2296.826, 1117.982),
    (732.083, 404.920),
    (12.113, 4.776),
    (1819.010, 1002.588),
    (1118.924, 761.303),
    (2594.141, 1231.586),
)
SOURCE = _lists.Source(
    names=("eurosat_allband", "EuroSAT_MS", "EuroSATallBands"),
    classes=eurosat.SOURCE.classes,
    how="Download EuroSAT_MS.zip from https://zenodo.org/records/7711810 and put its class folders"
    " into eurosat_allband/imgs/ (imgs/AnnualCrop/AnnualCrop_1.tif ...), then put the four lists of"
    " https://github.com/cvjena/deic, datasets/eurosat (train, val, trainval and test .txt) into"
    " eurosat_allband/; data.root names that folder or the one above"
    "; or let `lthtui data get eurosat_allband` do that",
)


class Settings(dataspec.DataSettings):
    """Which reflectance is white."""

    full_scale: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="value of a pixel that becomes 255, in every band (10,000 is reflectance 1); if"
        " unset, each band's published mean plus three deviations",
    )


def describe(settings: Settings) -> Description:
    """Count the images by their lists, and read the first one's header."""
    listed = _lists.read(settings, SOURCE)
    subsets.check(listed.lists)
    _tiff.check(listed.paths[listed.lists.train.ids[0]], BANDS, SIZE)
    return subsets.describe(listed.lists, settings, BANDS, SIZE)


def load(settings: Settings) -> Splits:
    """Read the images."""
    import numpy as np

    listed = _lists.read(settings, SOURCE)
    white = [settings.full_scale or m + 3 * s for m, s in STATISTICS]
    scale = np.array([255 / value for value in white], np.float32).reshape(-1, 1, 1)

    def read(listing: subsets.Listing, positions: Sequence[int]) -> Tensor:
        paths = listed.files(listing, positions)
        out = _decode.empty(len(paths), BANDS, SIZE, SIZE)
        rows = out.numpy()

        def place(position: int) -> None:
            values = _tiff.read(paths[position], BANDS, SIZE) * scale
            rows[position] = np.minimum(values + 0.5, 255).astype(np.uint8)

        _decode.each(len(paths), place)
        return out

    return _splits.assemble(listed.lists, settings, GEOMETRY, read)
