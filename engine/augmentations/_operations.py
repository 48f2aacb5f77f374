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
NAMES = frozenset({"identity", *_tables.TABLES, *_moves.MATRICES, *OTHERS})


def apply(x: Tensor, names: Sequence[str], chosen: Tensor, values: Tensor, fill: int = 0) -> Tensor:
    """Change each image by one operation.

    Args:
        x: uint8 [B, C, size, size]; changed in place.
        names: operations, of `NAMES`.
        chosen: int64 [B], on the CPU: the position in `names` of each image's operation, -1 for
            none.
        values: float64 [B], on the CPU: how strong it is, in its own units.
        fill: level beyond the edges of what is moved.

    Returns:
        x
    """
    rows = {name: (chosen == i).nonzero().flatten() for i, name in enumerate(names)}
    rows = {name: where for name, where in rows.items() if len(where)}
    tables = {name: where for name, where in rows.items() if name in _tables.TABLES}
    moves = {name: where for name, where in rows.items() if name in _moves.MATRICES}
    if tables:
        _recolour(x, tables, values)
    if moves:
        _move(x, moves, values, fill)
    for name in rows.keys() & OTHERS.keys():
        there = rows[name].to(x.device)
        x[there] = OTHERS[name](x[there], values[rows[name]].to(x.device))
    return x


def _recolour(x: Tensor, rows: dict[str, Tensor], values: Tensor) -> None:
    tables = []
    for name, where in rows.items():
        images = x[where.to(x.device)]
        table = _tables.TABLES[name](images, values[where].to(x.device))
        tables.append(table.expand(len(where), x.shape[1], 256))
    there = torch.cat(list(rows.values())).to(x.device)
    x[there] = _tables.look_up(x[there], torch.cat(tables))


def _move(x: Tensor, rows: dict[str, Tensor], values: Tensor, fill: int) -> None:
    matrices = [_moves.MATRICES[name](values[where], x.shape[3]) for name, where in rows.items()]
    there = torch.cat(list(rows.values())).to(x.device)
    x[there] = _moves.moved(x[there], torch.cat(matrices), fill)
