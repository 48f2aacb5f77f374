"""Reads ticket files without torch: their cards, and whether the tensors are those of the card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import Damaged

CARD = "lthtui-ticket/1"
MAX_HEADER = 100_000_000
_TYPES = {
    "F64": "torch.float64",
    "F32": "torch.float32",
    "F16": "torch.float16",
    "BF16": "torch.bfloat16",
    "I64": "torch.int64",
    "I32": "torch.int32",
    "I16": "torch.int16",
    "I8": "torch.int8",
    "U8": "torch.uint8",
    "BOOL": "torch.bool",
}


def read_card(path: Path) -> dict[str, Any]:
    """The card of a ticket file, without reading its tensors.

    Raises:
        Damaged: the file is missing, or no ticket.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file.read(8), file.read)
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}") from None
    return _card(header, path)


def verified_card(path: Path) -> dict[str, Any]:
    """The card of a ticket file whose tensors have the checksum on it; reads all of the file.

    Raises:
        Damaged: the file is missing, no ticket, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}") from None
    position = 8

    def take(count: int) -> bytes:
        return data[position : position + count]

    header = read_header(data[:8], take)
    card = _card(header, path)
    body = data[8 + int.from_bytes(data[:8], "little") :]
    if _digest(header, body) != card["sha256"]:
        raise Damaged(f"{path}: the tensors differ from the checksum on the card")
    return card


def read_header(first: bytes, take: Callable[[int], bytes]) -> dict[str, Any]:
    """The header of a safetensors file; empty if it is none.

    Args:
        first: the file's first 8 bytes; `take` reads on from there.
    """
    length = int.from_bytes(first, "little")
    if not 2 <= length <= MAX_HEADER:
        return {}
    try:
        header = json.loads(take(length))
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _card(header: dict[str, Any], path: Path) -> dict[str, Any]:
    try:
        card = json.loads(header["__metadata__"]["card"])
        known = card["format"], card["sha256"], card["shapes"], card["spec"]["model"]["name"]
    except (ValueError, KeyError, TypeError):
        raise Damaged(f"{path}: not a ticket file of this program") from None
    if known[0] != CARD:
        raise Damaged(f"{path}: ticket format '{known[0]}' is not {CARD}")
    return dict(card)


def _digest(header: dict[str, Any], body: bytes) -> str:
    """As `engine.tickets.digest`, from the bytes of a file."""
    sha = hashlib.sha256()
    try:
        for name in sorted(set(header) - {"__metadata__"}):
            about = header[name]
            begin, end = about["data_offsets"]
            sha.update(f"{name}\n{_TYPES[about['dtype']]}\n{about['shape']}\n".encode())
            sha.update(memoryview(body)[begin:end])
    except (KeyError, TypeError, ValueError):
        return ""
    return sha.hexdigest()
