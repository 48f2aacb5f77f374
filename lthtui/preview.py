"""A look into a file, whatever it is: bounded, cleaned, and without following where it leads."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from lthtui import markup
from lthtui.aligned import aligned
from lthtui.heat import Line, Span, wrapped
from lthtui.picture import Picture, drawn, read
from lthtui.planning import size
from lthtui.text import clean, clean_line

LIMIT = 256 * 1024  # bytes that are read of a file
LINES, COLUMNS, CELL = 2000, 30, 40  # what is shown of a text, and of a table
HEX = 512  # bytes shown of what is no text


@dataclass(frozen=True)
class Preview:
    """What there is to see of a file; one of text, table, document and picture.

    Attributes:
        title: its name and its size.
        note: what is not shown and why, in one line.
        text: lines, cleaned.
        table: rows of cells, cleaned; the first is the header.
        document: Markdown, cleaned.
    """

    title: str
    note: str = ""
    text: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    document: str = ""
    picture: Picture | None = None


class Unshown(Exception):
    """Why a file's content is not shown."""


def look(base: Path, within: str) -> Preview:
    """What there is to see of a file below a folder."""
    name = clean_line(within)
    try:
        path = _inside(base, within)
        data, whole = _read(path)
    except (OSError, ValueError, RuntimeError) as error:  # the last: links that lead in a circle
        why = getattr(error, "strerror", None) or str(error)
        return Preview(name, clean_line(f"cannot be read: {why}", 500))
    except Unshown as error:
        return Preview(name, str(error))
    title = f"{name}  {size(whole)}"
    make = _KINDS.get(path.suffix.lower(), _plain)
    try:
        return make(title, data, whole)
    except Unshown as error:
        return Preview(title, str(error))


def lines(shown: Preview, width: int) -> list[Line]:
    """The preview as lines for a view of this width."""
    found: list[Line] = [*wrapped(shown.note, width, "queued"), ()] if shown.note else []
    found += [(Span(line),) for line in shown.text]
    if shown.table:
        head, *rest = aligned(shown.table[0], shown.table[1:])
        found += [(Span(head, bold=True),), *((Span(line),) for line in rest)]
    if shown.document:
        found += markup.lines(shown.document, width)
    return found + (drawn(shown.picture, width) if shown.picture else [])


def _inside(base: Path, within: str) -> Path:
    """The file, or what a link leads to in the same folder.

    Raises:
        Unshown: it leads out of the folder.
    """
    path, home = base / within, base.resolve()
    target = path.resolve()
    if not target.is_relative_to(home):
        raise Unshown(f"a link out of this folder, to {clean_line(str(target))}; not followed")
    return target


def _read(path: Path) -> tuple[bytes, int]:
    """The first bytes of a file, and how many it has.

    Raises:
        Unshown: it is no file.
        OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise Unshown("a folder" if stat.S_ISDIR(about.st_mode) else "not a file")
        return os.pread(file, LIMIT, 0), about.st_size
    finally:
        os.close(file)


def _text(data: bytes, whole: int) -> str:
    """Bytes as text; what a cut at the limit left of its last sign is dropped.

    Raises:
        Unshown: they are no text.
    """
    cut = len(data) < whole
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if not cut or error.start < len(data) - 4:
            raise Unshown("binary") from None
        text = data[: error.start].decode("utf-8")
    if "\0" in text:
        raise Unshown("binary")
    return text


def _plain(title: str, data: bytes, whole: int) -> Preview:
    """Text, or the first bytes of anything else."""
    try:
        text = _text(data, whole)
    except Unshown:
        dump = (data[at : at + 16] for at in range(0, min(len(data), HEX), 16))
        said = tuple(f"{16 * row:08x}  {_hex(one)}" for row, one in enumerate(dump))
        return Preview(title, "binary", said)
    return _lines(title, text, whole - len(data))


def _lines(title: str, text: str, left: int = 0) -> Preview:
    found = text.splitlines()
    note = f"the first {size(LIMIT)}" if left else ""
    if len(found) > LINES:
        note = f"the first {LINES:,} lines"
    shown = tuple(clean(line.expandtabs(4)) for line in found[:LINES])
    return Preview(title, note or ("" if text else "empty"), shown)


def _hex(data: bytes) -> str:
    signs = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{data.hex(' ', 2):<40} {signs}"


def _json(title: str, data: bytes, whole: int) -> Preview:
    text = _text(data, whole)
    try:
        return _lines(title, json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return _lines(title, text, whole - len(data))


def _csv(title: str, data: bytes, whole: int) -> Preview:
    text = _text(data, whole)
    cut = whole > len(data)
    if cut:
        text = text[: text.rfind("\n") + 1]
    try:
        found = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error:
        return _plain(title, data, whole)
    wide = min(max((len(row) for row in found), default=0), COLUMNS)
    cells = [[*row, *[""] * wide][:wide] for row in found[: LINES + 1]]
    table = tuple(tuple(_cell(cell) for cell in row) for row in cells)
    note = f"{'the first ' if cut or len(found) > LINES else ''}{max(len(table) - 1, 0):,} rows"
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
        raise Unshown(f"a picture of more than {size(LIMIT)}, too large to show here")
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
    return Preview(title, note, tuple(clean_line(one) for one in noted), table)


def _shape(shape: list[int]) -> str:
    return f"{' × '.join(str(int(side)) for side in shape) or 'scalar'} = {prod(shape):,}"


def _bytes(offsets: list[int]) -> str:
    return size(offsets[1] - offsets[0])


_KINDS: dict[str, Callable[[str, bytes, int], Preview]] = {
    ".json": _json,
    ".csv": _csv,
    ".md": _document,
    ".png": _picture,
    ".jpg": _picture,
    ".jpeg": _picture,
    ".safetensors": _tensors,
}
