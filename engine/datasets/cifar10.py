"""CIFAR-10 (Krizhevsky 2009), from the official python or binary files."""

from __future__ import annotations

from engine import dataspec
from engine.datasets import _cifar
from engine.description import Description
from engine.images import Geometry, Splits

# The archives are known by MD5 per file in the python layout only. The binary files are judged by
# what both layouts share: the order of the labels, and the mean of each channel, which several
# projects publish to eight digits.
SOURCE = _cifar.Source(
    classes=tuple("airplane automobile bird cat deer dog frog horse ship truck".split()),
    geometry=Geometry(
        size=32,
        crop="pad",
        pad=4,
        flips=("horizontal",),
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2023, 0.1994, 0.2010),
    ),
    names=("cifar-10-batches-py", "cifar-10-batches-bin"),
    marks=("data_batch_1", "data_batch_1.bin"),
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    labels=1,
    key="labels",
    how="Download https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (or"
    " cifar-10-binary.tar.gz), unpack it there, and let data.root name the folder"
    " cifar-10-batches-py (or cifar-10-batches-bin) or the one above"
    "; or let `lthtui data get cifar10` do that",
    md5={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    sums={
        "training": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
    means={
        "training": (0.49139968, 0.48215841, 0.44653091),
        "test": (0.49421428, 0.48513139, 0.45040909),
    },
)


class Settings(dataspec.DataSettings):
    """Nothing of its own."""


def describe(settings: Settings) -> Description:
    """Count the images by their labels."""
    return _cifar.describe(settings, SOURCE)


def load(settings: Settings) -> Splits:
    """Read all batches and keep what is drawn."""
    return _cifar.load(settings, SOURCE)
