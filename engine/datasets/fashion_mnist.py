"""Fashion-MNIST, 28x28 (Xiao et al. 2017), from the idx files, plain or gzipped.

Images are shifted by up to 4 pixels and mirrored, as in Zhong et al. 2020 (random erasing).
"""

from __future__ import annotations

from engine import dataspec
from engine.datasets import _idx
from engine.description import Description
from engine.images import Geometry, Splits

SOURCE = _idx.Source(
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    geometry=Geometry(
        size=28, crop="pad", pad=4, flips=("horizontal",), mean=(0.2860,), std=(0.3530,)
    ),
    names=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
    how="Download the four files of https://github.com/zalandoresearch/fashion-mnist, data/fashion"
    " (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,"
    " t10k-labels-idx1-ubyte.gz) into a folder fashion_mnist; data.root names it or the one above"
    "; or let `lthtui data get fashion_mnist` do that",
    md5={
        "train_x": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train_y": "9018921c3c673c538a1fc5bad174d6f9",
        "test_x": "8181f5470baa50b63fa0f6fddb340f0a",
        "test_y": "15d484375f8d13e6eb1aabb0c3f46965",
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
