"""A look into a file, whatever it is: bounded, cleaned, and without following where it leads."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import PurePosixPath

from rich.cells import cell_len

from engine.errors import StoreError
from lthtui import markup
from lthtui.aligned import aligned
from lthtui.counting import counted
from lthtui.densitymap import short
from lthtui.heat import Line, Span, wrapped
from lthtui.matrices import parted
from lthtui.picture import Picture, drawn, read
from lthtui.places import Place, Unshown
from lthtui.planning import size
from lthtui.text import clean, clean_line

LIMIT, PICTURE = 256 * 1024, 4 * 1024 * 1024  # bytes that are read of a file, and of a picture
LINES, COLUMNS, CELL = 2000, 30, 40  # what is shown of a text, and of a table
NAME = 10  # cells that the first column of a table keeps
HEX = 512  # bytes shown of what is no text
DAMAGE = 0.25  # of a text's signs that may be none of UTF-8, as in other alphabets' old encodings


class _NoText(Exception):
    """A file's bytes are no text."""


@dataclass(frozen=True)
class Preview:
    """What there is to see of a file; one of text, table, document and picture.

    Attributes:
        title: its name and its size.
        note: what is not shown and why, in one line.
        text: lines, cleaned.
        notes: what a file says of itself, cleaned; such a line goes on below where it is long.
        table: rows of cells, cleaned; the first is the header.
        document: Markdown, cleaned.
        maps: matrices that are left out of the text, and their names, cleaned.
    """

    title: str
    note: str = ""
    text: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    document: str = ""
    picture: Picture | None = None
    maps: tuple[tuple[str, Picture], ...] = ()


def look(place: Place, within: str) -> Preview:
    """What there is to see of a file in a place."""
    name, kind = clean_line(within), PurePosixPath(within).suffix.lower()
    make = _KINDS.get(kind, _plain)
    try:
        data, whole = place.head(within, PICTURE if make is _picture else LIMIT)
    except (OSError, ValueError, RuntimeError) as error:  # the last: links that lead in a circle
        why = getattr(error, "strerror", None) or str(error)
        return Preview(name, clean_line(f"cannot be read: {why}", 500))
    except (Unshown, StoreError) as error:
        return Preview(name, clean_line(str(error), 500))
    title = f"{name}  {size(whole)}"
    if not whole:
        return Preview(title, "empty")
    try:
        return make(title, data, whole)
    except Unshown as error:
        return Preview(title, str(error))
    except _NoText:
        return _dump(title, data)


def lines(shown: Preview, width: int) -> list[Line]:
    """The preview as lines for a view of this width."""
    found: list[Line] = [*wrapped(shown.note, width, "queued"), ()] if shown.note else []
    found += [(Span(line),) for line in shown.text]
    for note in shown.notes:
        found += [*wrapped(note, width, ""), ()]
    if shown.table:
        head, *rest = aligned(*_fitted(shown.table, width))
        found += [(Span(head, bold=True),), *((Span(line),) for line in rest)]
    if shown.document:
        found += markup.lines(shown.document, width)
    for name, picture in shown.maps:
        found += [(), (Span(name, bold=True),), *drawn(picture, width)]
    return found + (drawn(shown.picture, width) if shown.picture else [])


def _fitted(table: Sequence[tuple[str, ...]], width: int) -> tuple[Sequence[str], list[list[str]]]:
    """Header and rows; names in the first column are shortened if all has its place then."""
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    room = width - sum(2 + one for one in widths[1:])
    least = min(widths[0], NAME)
    if not least <= room < widths[0]:
        return table[0], [[*row] for row in table[1:]]
    return table[0], [[short(name, room), *rest] for name, *rest in table[1:]]


def _text(data: bytes, whole: int) -> str:
    """Bytes as text, without what a cut at the limit left of the last sign.

    Raises:
        _NoText: they are none.
    """
    text = data.decode("utf-8-sig", "replace")
    if len(data) < whole:
        text = text.rstrip("\ufffd")
    if "\0" in text or text.count("\ufffd") > DAMAGE * len(text):
        raise _NoText
    return text


def _dump(title: str, data: bytes) -> Preview:
    """The first bytes of what is no text."""
    rows = (data[at : at + 16] for at in range(0, min(len(data), HEX), 16))
    said = tuple(f"{16 * row:08x}  {_hex(one)}" for row, one in enumerate(rows))
    return Preview(title, "binary", said)


def _plain(title: str, data: bytes, whole: int) -> Preview:
    return _lines(title, _text(data, whole), whole - len(data))


def _lines(title: str, text: str, left: int = 0) -> Preview:
    found = text.splitlines()
    note = f"the first {size(LIMIT)}" if left else ""
    if len(found) > LINES:
        note = f"the first {LINES:,} lines"
    shown = tuple(clean(line.expandtabs(4)) for line in found[:LINES])
    return Preview(title, note, shown)


def _hex(data: bytes) -> str:
    signs = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{data.hex(' ', 2):<40} {signs}"


def _json(title: str, data: bytes, whole: int) -> Preview:
    text = _text(data, whole)
    try:
        document, maps = parted(json.loads(text))
        shown = _lines(title, json.dumps(document, indent=2, ensure_ascii=False))
        return replace(shown, maps=tuple((clean_line(at), one) for at, one in maps.items()))
    except (ValueError, RecursionError) as error:
        shown = _lines(title, text, whole - len(data))
        broken = "" if whole > len(data) else f"JSON that cannot be read: {error}"
        return replace(shown, note=clean_line(shown.note or broken))


def _csv(title: str, data: bytes, whole: int, sign: str = ",") -> Preview:
    text = _text(data, whole)
    cut = whole > len(data)
    if cut:
        text = text[: text.rfind("\n") + 1]
    head = text.partition("\n")[0]
    if sign not in head and ";" in head:  # as where the comma is that of numbers
        sign = ";"
    try:
        found = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign) if row]
    except csv.Error:
        return _plain(title, data, whole)
    columns = max((len(row) for row in found), default=0)
    wide = min(columns, COLUMNS)
    cells = [[*row, *[""] * wide][:wide] for row in found[: LINES + 1]]
    table = tuple(tuple(_cell(cell) for cell in row) for row in cells)
    first = "the first " if cut or len(found) > LINES else ""
    note = first + counted(max(len(table) - 1, 0), "row")
    if columns > wide:
        note += f", the first {wide} of {columns:,} columns"
    return Preview(title, note if table else "empty", table=table)


def _cell(text: str) -> str:
    found = clean_line(text, CELL + 1)
    return found if len(found) <= CELL else f"{found[: CELL - 1]}…"


def _document(title: str, data: bytes, whole: int) -> Preview:
    text = _text(data, whole)
    if len(text) > markup.MOST:
        return Preview(
            title, f"the first {markup.MOST:,} signs", document=clean(text[: markup.MOST])
        )
    return Preview(title, document=clean(text))


def _picture(title: str, data: bytes, whole: int) -> Preview:
    if whole > len(data):
        raise Unshown(f"a picture of more than {size(PICTURE)}, too large to show here")
    try:
        found = read(data)
    except ValueError as error:
        raise Unshown(str(error)) from None
    return Preview(title, f"{found.width} × {found.height} pixels", picture=found)


def _tensors(title: str, data: bytes, whole: int) -> Preview:
    """The header of a safetensors file: its tensors, and what is noted beside them."""
    try:
        (length,) = struct.unpack("<Q", data[:8])
        if length > LIMIT - 8:
            raise Unshown(f"tensors, with a header of {size(length)}, too long to show")
        header = json.loads(data[8 : 8 + length])
        notes = header.pop("__metadata__", {})
        rows = [
            (name, str(about["dtype"]), _shape(about["shape"]), _bytes(about["data_offsets"]))
            for name, about in header.items()
        ]
        noted = [f"{key}: {value}" for key, value in notes.items()]
        last = max((about["data_offsets"][1] for about in header.values()), default=0)
    except (struct.error, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Unshown("no safetensors file, or cut off in its header") from None
    note = f"{len(rows):,} tensors"
    if 8 + length + last > whole:
        note += "; cut off: it should have " + size(8 + length + last)
    cells = (tuple(_cell(one) for one in row) for row in rows[:LINES])
    table = (("tensor", "type", "shape", "bytes"), *cells)
    return Preview(title, note, notes=tuple(clean_line(one) for one in noted), table=table)


def _shape(shape: list[int]) -> str:
    return f"{' × '.join(str(int(side)) for side in shape) or 'scalar'} = {prod(shape):,}"


def _bytes(offsets: list[int]) -> str:
    return size(offsets[1] - offsets[0])


_KINDS: dict[str, Callable[[str, bytes, int], Preview]] = {
    ".json": _json,
    ".csv": _csv,
    ".tsv": partial(_csv, sign="\t"),
    ".md": _document,
    ".png": _picture,
    ".jpg": _picture,
    ".jpeg": _picture,
    ".safetensors": _tensors,
}
