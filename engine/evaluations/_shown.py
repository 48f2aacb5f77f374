"""Where corrupted test images come from: CIFAR-10-C, or made while they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.context import Context
from engine.errors import DataError
from engine.evaluations import _corrupting
from engine.images import Images
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    Batches = Iterator[tuple[Tensor, Tensor]]

VALUES = 2**20  # of a batch

Source = Literal["auto", "published", "made"]


@dataclass(frozen=True)
class Shown:
    """Corrupted images.

    Attributes:
        published: whether they are those of CIFAR-10-C.
        why: why not; empty if they are, or were not asked for.
        batches: of a corruption and a severity, gives images [B, C, size, size] in 0..255 and their
            classes, on the device.
    """

    published: bool
    why: str
    batches: Callable[[str, int], Batches]


def shown(source: Source, context: Context, images: Images, corruption: str) -> Shown:
    """Find CIFAR-10-C if it is wanted and fits, or make the images.

    Args:
        corruption: one that is tried.

    Raises:
        DataError: it was asked for but is not there, is broken, or is of other images.
    """

    def read(name: str, severity: int) -> Batches:
        return plain(context, _published(context, images, name, severity))

    def made(name: str, severity: int) -> Batches:
        for at, (x, y) in zip(_positions(images), plain(context, images), strict=True):
            ids = [images.ids[position] for position in at.tolist()]
            yield _corrupting.corrupted(x, name, severity, ids), y

    if source == "made":
        return Shown(False, "", made)
    try:
        _published(context, images, corruption, 1)
    except DataError as error:
        if source == "published":
            raise
        return Shown(False, str(error), made)
    return Shown(True, "", read)


def plain(context: Context, images: Images) -> Batches:
    """Images as they are."""
    for at in _positions(images):
        yield images.batch(at, context.splits.geometry).x, images.y[at.to(images.device)]


def _positions(images: Images) -> tuple[Tensor, ...]:
    at_once = max(1, VALUES // images.x[0].numel())
    return torch.split(torch.arange(len(images)), at_once)


def _published(context: Context, images: Images, corruption: str, severity: int) -> Images:
    """The same test images, as CIFAR-10-C has them, for the device."""
    settings = context.subject.spec.data
    if settings.name != "cifar10":
        raise DataError(f"CIFAR-10-C is of CIFAR-10's test images; this run is on {settings.name}")
    whole = context.around.shifted("cifar10_c", settings.root, corruption, severity)
    same = whole.subset([int(name.rpartition("/")[2]) for name in images.ids])
    if not torch.equal(same.y, images.y.cpu()):
        raise DataError("the labels of CIFAR-10-C are not those of the run's test images")
    return same.to(images.device)
