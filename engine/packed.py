"""Masks as they lie on disk, one bit a weight: counts and overlaps, a piece of a file at a time.

A level's `mask.safetensors` holds `<p>` (as `engine.tickets.pack_bits` packs it) and `<p>#shape`; a
ticket file holds `mask/<p>`, with the shapes on its card. No tensor library is needed to count.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

from engine.cards import read_card, read_header
from engine.errors import Damaged, UsageError

MASK, MANIFEST = "mask.safetensors", "manifest.json"
AT_ONCE = 1 << 20  # bytes of each mask that are in memory at a time
MOST = 100  # masks that are compared with one another


@dataclass(frozen=True)
class Layer:
    """Where the bits of one parameter's mask are in a file.

    Attributes:
        begin: the first byte; there are as many as 8 weights a byte take.
    """

    shape: tuple[int, ...]
    begin: int

    @property
    def total(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return (self.total + 7) // 8


@dataclass(frozen=True)
class Packed:
    """A mask on disk; `layers` by the names of their parameters, in the order of the file."""

    path: Path
    layers: Mapping[str, Layer]


def of_level(folder: Path) -> Packed:
    """The mask of a finished level, whose folder this is; kept when its weights are dropped.

    Raises:
        Damaged: it is not there, or differs from its checksum.
    """
    path = folder / MASK
    try:
        noted = json.loads((folder / MANIFEST).read_bytes())["body"]["files"][MASK]
        with path.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == noted
            header, body = _header(file)
            if not intact or not header:
                raise Damaged(f"{path} differs from its checksum")
            names = [name for name in header if name != "__metadata__" and "#" not in name]
            shapes = {name: _shape(file, header[f"{name}#shape"], body) for name in names}
    except (OSError, ValueError, LookupError, TypeError):
        raise Damaged(f"{folder} has no mask that can be read") from None
    return _packed(path, header, body, shapes, "")


def of_ticket(path: Path) -> Packed:
    """The mask of a ticket file.

    Raises:
        Damaged: the file is missing, or no ticket.
    """
    card = read_card(path)
    with path.open("rb") as file:
        header, body = _header(file)
    try:
        shapes = {str(name): tuple(map(int, shape)) for name, shape in card["shapes"].items()}
    except (ValueError, TypeError, AttributeError):
        raise Damaged(f"{path}: the shapes on its card cannot be read") from None
    return _packed(path, header, body, shapes, "mask/")


def kept(mask: Packed) -> dict[str, int]:
    """How many weights of each layer live."""
    return {name: counts[0][0] for name, counts in common([mask]).items()}


def common(masks: Sequence[Packed]) -> dict[str, list[list[int]]]:
    """By layer, for each two masks how many weights live in both; of one and itself, in it.

    Raises:
        UsageError: the masks are of different networks, or too many.
        Damaged: a file ends too early.
    """
    if len(masks) > MOST:
        raise UsageError(f"{len(masks)} masks are too many to compare; at most {MOST}")
    for mask in masks[1:]:
        _check_alike(masks[0], mask)
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(mask.path.open("rb")) for mask in masks]
        layers = masks[0].layers if masks else {}
        return {name: _common(masks, files, name) for name in layers}


def _common(masks: Sequence[Packed], files: Sequence[IO[bytes]], name: str) -> list[list[int]]:
    """The counts of one layer."""
    counts = [[0] * len(masks) for _ in masks]
    size, spare = masks[0].layers[name].size, -masks[0].layers[name].total % 8
    for done in range(0, size, AT_ONCE):
        length = min(AT_ONCE, size - done)
        unused = spare if done + length == size else 0  # the last bits, which are no weights
        bits = [
            _bits(file, mask, mask.layers[name].begin + done, length) >> unused
            for mask, file in zip(masks, files, strict=True)
        ]
        for row, ours in enumerate(bits):
            for column, theirs in enumerate(bits[: row + 1]):
                counts[row][column] += (ours & theirs).bit_count()
    for row in range(len(masks)):
        for column in range(row):
            counts[column][row] = counts[row][column]
    return counts


def _bits(file: IO[bytes], mask: Packed, begin: int, length: int) -> int:
    file.seek(begin)
    data = file.read(length)
    if len(data) < length:
        raise Damaged(f"{mask.path} ends too early")
    return int.from_bytes(data, "big")


def _check_alike(one: Packed, other: Packed) -> None:
    """Refuse masks of different networks, and say where they differ first."""
    for name in [*one.layers, *other.layers]:
        ours, theirs = one.layers.get(name), other.layers.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            said = [
                f"{layer.shape} in {mask.path}" if layer else f"not masked in {mask.path}"
                for layer, mask in ((ours, one), (theirs, other))
            ]
            raise UsageError(
                f"masks of different networks do not overlap: {name} is {' and '.join(said)};"
                " compare tickets of one model, with the same prunable weights"
            )


def _header(file: IO[bytes]) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its tensors begin."""
    file.seek(0)
    first = file.read(8)
    return read_header(first, file.read), 8 + int.from_bytes(first, "little")


def _shape(file: IO[bytes], about: Mapping[str, Any], body: int) -> tuple[int, ...]:
    """The shape that is stored as a small int64 tensor."""
    begin, end = about["data_offsets"]
    if not 0 <= end - begin <= 64:
        raise ValueError("no shape")
    file.seek(body + begin)
    data = file.read(end - begin)
    return tuple(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))


def _packed(
    path: Path,
    header: Mapping[str, Any],
    body: int,
    shapes: Mapping[str, tuple[int, ...]],
    prefix: str,
) -> Packed:
    layers = {}
    for name, shape in shapes.items():
        try:
            begin, end = header[prefix + name]["data_offsets"]
            layers[name] = Layer(shape, body + int(begin))
            fits = end - begin == layers[name].size and begin >= 0
        except (KeyError, ValueError, TypeError):
            fits = False
        if not fits:
            raise Damaged(f"{path}: the mask of {name} does not fit its shape")
    return Packed(path, layers)
