"""CLaMM medieval scripts, gray (Cloppet et al. 2016), in the split of Brigato et al. 2022.

The lists have 1,000 test images, 68 to 90 per class: compare balanced accuracy too. Images are not
mirrored: a mirrored hand is none that anyone wrote (DataEfficientLTH mirrors them left to right,
which is `flips: [horizontal]` here).
"""

from __future__ import annotations

from engine.datasets import _image_files, _lists
from engine.description import Description
from engine.images import Splits

SOURCE = _lists.Source(
    names=("clamm", "CLaMM"),
    classes=(
        "Caroline",
        "Cursiva",
        "Half-uncial",
        "Humanistic",
        "Humanistic Cursive",
        "Hybrida",
        "Praegothica",
        "Semihybrida",
        "Semitextualis",
        "Southern Textualis",
        "Textualis",
        "Uncial",
    ),
    how="Download ICFHR2016_CLaMM_Training.zip and ICFHR2016_CLaMM_task1.zip from"
    " https://clamm.irht.cnrs.fr/icfhr2016-clamm/data-set/ and put their images into clamm/imgs/"
    " (imgs/IRHT_P_001951.tif ...), then put the four lists of https://github.com/cvjena/deic,"
    " datasets/clamm (train, val, trainval and test .txt) into clamm/; data.root names that folder"
    " or the one above",
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown: gray, resized crops, not mirrored."""

    channels: _image_files.Channels = 1
    flips: _image_files.Flips = ()
    normalise: _image_files.Normalise = "half"


def describe(settings: Settings) -> Description:
    """Count the images by their lists."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Which image files there are, and their labels."""
    return _lists.read(settings, SOURCE)
