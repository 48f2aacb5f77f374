"""MNIST handwritten digits, 28x28 (LeCun et al. 1998), from the idx files, plain or gzipped.

Images are neither shifted nor mirrored, as in GraNet's reference; `augmentation: {name: basic,
pad: 2}` shifts them.
"""

from __future__ import annotations

from engine import dataspec
from engine.datasets import _idx
from engine.description import Description
from engine.images import Geometry, Splits

SOURCE = _idx.Source(
    classes=tuple("0123456789"),
    geometry=Geometry(size=28, crop="pad", pad=0, flips=(), mean=(0.1307,), std=(0.3081,)),
    names=("mnist", "MNIST/raw", "MNIST"),
    how="Download the four files such as"
    " https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz (train-images-idx3,"
    " train-labels-idx1, t10k-images-idx3, t10k-labels-idx1) into a folder mnist; data.root names"
    " it or the one above"
    "; or let `lthtui data get mnist` do that",
    md5={
        "train_x": "6bbc9ace898e44ae57da46a324031adb",
        "train_y": "a25bea736e30d166cdddb491f175f624",
        "test_x": "2646ac647ad5339dbf082846283269ea",
        "test_y": "27ae3e4e09519cfbb04c329615203637",
    },
)


class Settings(dataspec.DataSettings):
    """Nothing of its own."""


def describe(settings: Settings) -> Description:
    """Count the images by their labels."""
    return _idx.describe(settings, SOURCE)


def load(settings: Settings) -> Splits:
    """Read the images and keep what is drawn."""
    return _idx.load(settings, SOURCE)
