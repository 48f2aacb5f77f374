"""What a set of images holds, read from lists and headers without loading a pixel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """A data set as some settings draw from it.

    Attributes:
        classes: class names, in label order.
        channels: channels of an image.
        size: side in pixels of the square that the network sees.
        train: training images that are drawn.
        val: validation images that are drawn; 0 for none.
        test: test images.
        available: images of the official training set.
        bytes: memory the images take as uint8.
        subset: hash of the ids of the training and validation images, as a run keeps it.
        warnings: what the user should know, such as a subset that was capped.
    """

    classes: tuple[str, ...]
    channels: int
    size: int
    train: int
    val: int
    test: int
    available: int
    bytes: int
    subset: str
    warnings: tuple[str, ...] = ()
