"""CIFAR-100 with its 100 fine labels (Krizhevsky 2009), from the python or binary files."""

from __future__ import annotations

from engine import dataspec
from engine.datasets import _cifar
from engine.description import Description
from engine.images import Geometry, Splits

CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
SOURCE = _cifar.Source(
    classes=tuple(CLASSES.split()),
    geometry=Geometry(
        size=32,
        crop="pad",
        pad=4,
        flips=("horizontal",),
        mean=(0.5071, 0.4867, 0.4408),
        std=(0.2675, 0.2565, 0.2761),
    ),
    names=("cifar-100-python", "cifar-100-binary"),
    marks=("meta", "train.bin"),
    train=("train",),
    test="test",
    labels=2,
    key="fine_labels",
    how="Download https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz (or"
    " cifar-100-binary.tar.gz), unpack it there, and let data.root name the folder"
    " cifar-100-python (or cifar-100-binary) or the one above"
    "; or let `lthtui data get cifar100` do that",
    md5={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    sums={},
    means={
        "training": (0.50707516, 0.48654887, 0.44091784),
        "test": (0.50889641, 0.48739301, 0.44194221),
    },
)


class Settings(dataspec.DataSettings):
    """Nothing of its own."""


def describe(settings: Settings) -> Description:
    """Count the images by their labels."""
    return _cifar.describe(settings, SOURCE)


def load(settings: Settings) -> Splits:
    """Read both files and keep what is drawn."""
    return _cifar.load(settings, SOURCE)
