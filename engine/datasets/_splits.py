"""Draw a run's images and put them together, however a data set reads its pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine import subsets
from engine.dataspec import DataSettings
from engine.description import Description
from engine.images import Geometry, Images, Splits
from engine.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]
    Read = Callable[[subsets.Listing, Sequence[int]], Tensor]
    Store = Callable[[subsets.Listing, Sequence[int]], tuple[Tensor, Tensor | None]]


def assemble(
    lists: subsets.Lists,
    settings: DataSettings,
    geometry: Geometry,
    read: Read,
    store: Store | None = None,
    warnings: Sequence[str] = (),
) -> Splits:
    """Draw the images, then read them.

    Args:
        read: takes a list and positions in it and gives uint8 [N, C, size, size].
        store: the same for training images where they are kept otherwise: uint8 [N, C, H, W] and
            their boxes, as in `Images`.
        warnings: what the user should know beside what the draw says.

    Raises:
        DataError: as `subsets.draw`, or what `read` raises.
    """
    drawn = subsets.draw(lists, settings)

    def images(
        listing: subsets.Listing,
        positions: Sequence[int],
        labels: Sequence[int],
        x: Tensor,
        boxes: Tensor | None = None,
    ) -> Images:
        ids = tuple(listing.ids[position] for position in positions)
        return Images(x, torch.tensor(labels), ids, lists.classes, boxes)

    def tested(listing: subsets.Listing, positions: Sequence[int]) -> Images:
        labels = [listing.labels[position] for position in positions]
        return images(listing, positions, labels, read(listing, positions))

    stored = store(lists.train, drawn.train) if store else (read(lists.train, drawn.train),)
    return Splits(
        train=images(lists.train, drawn.train, drawn.labels, *stored),
        val=tested(drawn.held, drawn.val) if drawn.val else None,
        test=tested(lists.test, range(len(lists.test.ids))),
        geometry=geometry,
        subset=subsets.subset(lists, drawn),
        warnings=(*drawn.warnings, *warnings),
    )


def of_arrays(pixels: Mapping[str, Pixels]) -> Read:
    """Read from arrays [N, C, H, W], each known by the `source` of its list."""

    def read(listing: subsets.Listing, positions: Sequence[int]) -> Tensor:
        drawn = pixels[listing.source][list(positions)]
        return torch.from_numpy(drawn).contiguous()

    return read


def warned(about: Description, warnings: Sequence[str]) -> Description:
    """The description with what the user should know beside what the draw says."""
    return replace(about, warnings=(*about.warnings, *warnings))
