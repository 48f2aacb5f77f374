"""One operation on each image of a batch, another one on each: images of one kind go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.augmentations import _colours, _filters, _moves, _tables
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

OTHERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _colours.color,
    "cubic_shear_x": _moves.cubic_shear_x,
    "cubic_shear_y": _moves.cubic_shear_y,
    "grayscale": _colours.grayscale,
    "hue": _colours.hue,
    "sharpness": _filters.sharpness,
}
NAMES = (*_tables.TABLES, *_moves.MATRICES, *OTHERS, "identity")


def apply(x: Tensor, names: Sequence[str], chosen: Tensor, values: Tensor, fill: int = 0) -> Tensor:
    """Change each image by one operation.

    Args:
        x: uint8 [B, C, size, size].
        names: operations, of `NAMES`.
        chosen: int64 [B], on the CPU: the position in `names` of each image's operation, -1 for
            none.
        values: float64 [B], on the CPU: how strong it is, in its own units.
        fill: level beyond the edges of what is moved.

    Returns:
        uint8 [B, C, size, size]
    """
    kinds = torch.tensor([NAMES.index(name) for name in (*names, "identity")])[chosen]
    order, counts = kinds.argsort(stable=True), kinds.bincount(minlength=len(NAMES)).tolist()
    images = dict(zip(NAMES, torch.split(_taken(x, order), counts), strict=True))
    strengths = dict(zip(NAMES, torch.split(values[order], counts), strict=True))
    made = [*_recoloured(images, strengths), *_moved(images, strengths, fill)]
    for name, operate in OTHERS.items():
        if len(images[name]):
            made.append(operate(images[name], strengths[name].to(x.device, non_blocking=True)))
    return _taken(torch.cat([*made, images["identity"]]), order.argsort())


def _taken(x: Tensor, order: Tensor) -> Tensor:
    return x.index_select(0, order.to(x.device, non_blocking=True))


def _recoloured(images: dict[str, Tensor], strengths: dict[str, Tensor]) -> list[Tensor]:
    """What tables make of their images: one look at all, if there are any."""
    names = [name for name in _tables.TABLES if len(images[name])]
    if not names:
        return []
    x = torch.cat([images[name] for name in names])
    tables = x.new_empty(len(x), x.shape[1], 256)
    parts = torch.split(tables, [len(images[name]) for name in names])
    for name, part in zip(names, parts, strict=True):
        part[:] = _tables.TABLES[name](
            images[name], strengths[name].to(x.device, non_blocking=True)
        )
    return [_tables.look_up(x, tables)]


def _moved(images: dict[str, Tensor], strengths: dict[str, Tensor], fill: int) -> list[Tensor]:
    """What matrices make of their images: one look at all, if there are any."""
    names = [name for name in _moves.MATRICES if len(images[name])]
    if not names:
        return []
    x = torch.cat([images[name] for name in names])
    matrices = [_moves.MATRICES[name](strengths[name], x.shape[3]) for name in names]
    return [_moves.moved(x, torch.cat(matrices), fill)]
