"""ImageNet (Deng et al. 2009) in class folders, or a part of it such as VIPriors' 50 per class.

The images of val/ are the test images, as is usual; validation images come from train/.
"""

from __future__ import annotations

from engine.datasets import _class_folders, _folders, _image_files
from engine.description import Description
from engine.images import Splits

HOW = (
    "Get ImageNet from https://www.image-net.org/download.php (or its part of 50 images per class"
    " with the tools of https://github.com/VIPriors/vipriors-challenges-toolkit) and lay it out as"
    " imagenet/train/n01440764/*.JPEG and imagenet/val/n01440764/*.JPEG, a folder for each class in"
    " both; data.root names the folder imagenet or the one above"
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown: resized crops, mirrored left to right."""

    aspect: _image_files.Aspect = 1.5


def describe(settings: Settings) -> Description:
    """Count the images by walking the folders."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Which image files there are, and their labels."""
    names = ("imagenet", "ImageNet", "imagenet_50", "imagenet50")
    folder = _folders.find(settings.root, names, ("train",), HOW)
    if not (folder / "val").is_dir():
        raise _folders.missing(settings.root, "val", [folder], HOW)
    train, val = _class_folders.walk(folder, "train"), _class_folders.walk(folder, "val")
    if not val.files:
        raise _folders.missing(settings.root, "images in class folders", [folder / "val"], HOW)
    return _class_folders.listed(folder, train, val)
