"""Sets of image files: how they are stored and shown, whatever says which file is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from engine import dataspec, subsets
from engine.datasets import _decode, _splits
from engine.description import Description
from engine.images import CENTRE, Flip, Geometry, Splits

if TYPE_CHECKING:
    from torch import Tensor

NORMALISE = {
    ("imagenet", 3): ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ("imagenet", 1): ((0.449,), (0.226,)),
    ("tiny_imagenet", 3): ((0.4802, 0.4481, 0.3975), (0.2302, 0.2265, 0.2262)),
    ("tiny_imagenet", 1): ((0.4419,), (0.2276,)),
    ("half", 3): ((0.5,) * 3, (0.5,) * 3),
    ("half", 1): ((0.5,), (0.5,)),
}

Size = Annotated[
    int, Field(ge=8, le=1024, description="side in pixels of the square that the network sees")
]
Channels = Annotated[Literal[3, 1], Field(description="3 for colour, 1 for gray")]
Crop = Annotated[
    Literal["resized", "pad"],
    Field(
        description="training crops: resized parts of the image (tests show the central 7/8), or"
        " shifts over a black border"
    ),
]
Pad = Annotated[
    int | None,
    Field(ge=0, le=256, description="largest shift in pixels, with crop pad; size / 8 if unset"),
]
Flips = Annotated[
    tuple[Flip, ...],
    Field(max_length=2, description="mirror images that are as good: horizontal, vertical"),
]
Aspect = Annotated[
    float,
    Field(
        ge=1,
        le=_decode.MAX_ASPECT,
        description="longest side of a stored training image in shorter ones; what is longer loses"
        " both ends, so that a few panoramas do not cost the memory of all",
    ),
]
Normalise = Annotated[
    Literal["imagenet", "tiny_imagenet", "half"],
    Field(description="mean and deviation: of ImageNet, of Tiny-ImageNet, or 0.5 and 0.5"),
]


class FileSettings(dataspec.DataSettings):
    """How images are stored and shown."""

    size: Size = 224
    store: int | None = Field(
        None,
        ge=8,
        le=4096,
        description="training images are reduced once so that their shorter side has so many"
        " pixels (with crop pad also enlarged); if unset, size x 8/7, with crop pad size",
    )
    aspect: Aspect = float(_decode.MAX_ASPECT)
    channels: Channels = 3
    crop: Crop = "resized"
    pad: Pad = None
    flips: Flips = ("horizontal",)
    normalise: Normalise = "imagenet"

    @model_validator(mode="after")
    def _consistent_shape(self) -> Self:
        if self.store is not None and self.store < self.size:
            raise ValueError(f"store {self.store} is smaller than size {self.size}")
        if self.pad is not None and self.crop == "resized":
            raise ValueError("pad has no meaning with crop resized; leave it out, or set crop pad")
        return self

    @property
    def stored(self) -> int:
        """Pixels of the shorter side of stored training images."""
        return self.store or self.tested

    @property
    def tested(self) -> int:
        """Pixels of the shorter side of test images, before their centre is cut out."""
        if self.crop == "pad":
            return self.store or self.size
        return round(self.size / CENTRE)

    @property
    def geometry(self) -> Geometry:
        """What augmentation and normalisation need."""
        mean, std = NORMALISE[self.normalise, self.channels]
        pad = self.size // 8 if self.pad is None else self.pad
        return Geometry(self.size, self.crop, pad, self.flips, mean, std)


@dataclass(frozen=True)
class Listed:
    """A set of image files.

    Attributes:
        lists: which images there are, and their labels.
        paths: the file of each id.
        warnings: what the user should know of the layout.
    """

    lists: subsets.Lists
    paths: Mapping[str, Path]
    warnings: tuple[str, ...] = ()

    def files(self, listing: subsets.Listing, positions: Sequence[int]) -> list[Path]:
        """The files of some images of a list."""
        return [self.paths[listing.ids[position]] for position in positions]


def describe(settings: FileSettings, listed: Listed) -> Description:
    """Count the images by their lists, and judge their shape by the first one.

    Raises:
        DataError: the lists contradict themselves, or the first image is damaged.
    """
    lists = listed.lists
    subsets.check(lists)  # before the first image is asked for: there may be none
    size = _decode.header(listed.paths[lists.train.ids[0]])
    if settings.crop == "pad" or min(size) > settings.stored:
        size = _decode.scaled(size, settings.stored)
    width, height = _decode.trimmed(size, settings.aspect)
    about = subsets.describe(
        lists, settings, settings.channels, settings.size, stored=(height, width)
    )
    return _splits.warned(about, listed.warnings)


def load(settings: FileSettings, listed: Listed) -> Splits:
    """Decode the drawn training images, all validation images and all test images.

    Raises:
        DataError: as in `describe`, an image is damaged, or they take more memory than is free.
    """

    def read(listing: subsets.Listing, positions: Sequence[int]) -> Tensor:
        paths = listed.files(listing, positions)
        return _decode.squares(paths, settings.channels, settings.tested, settings.size)

    def store(listing: subsets.Listing, positions: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        paths = listed.files(listing, positions)
        larger = settings.crop == "pad"
        return _decode.whole(paths, settings.channels, settings.stored, larger, settings.aspect)

    return _splits.assemble(listed.lists, settings, settings.geometry, read, store, listed.warnings)
