"""Files that list images to train on, such as PrAC's critical sets: how they are written and read.

A file is JSON with the ids under `images.id`, beside what else is known of each; or plain text with
one id per line. SHA-256 over the sorted ids names the set, wherever the file lies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import DataError

FILE = "critical_set.json"
LARGEST = 512 * 2**20


@dataclass(frozen=True)
class Examples:
    """A list of images.

    Attributes:
        source: the file, for messages.
        ids: one stable name per image, each once.
        about: what the file says of its making, such as the data set and the validation images
            that were held out; empty for plain text.
    """

    source: str
    ids: tuple[str, ...]
    about: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Names the set (hex)."""
        return digest(self.ids)


def digest(ids: Sequence[str]) -> str:
    """SHA-256 (hex) of a set of ids, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(ids), separators=(",", ":")).encode()).hexdigest()


def document(
    ids: Sequence[str], about: dict[str, Any], columns: dict[str, list[Any]]
) -> dict[str, Any]:
    """What such a file holds, as JSON.

    Args:
        about: facts about the set as a whole.
        columns: facts about each image, in the order of `ids`.
    """
    return {**about, "sha256": digest(ids), "images": {"id": list(ids), **columns}}


def read(path: str | Path) -> Examples:
    """Read a file of either form.

    Raises:
        DataError: there is no such file, it is neither form, it lists nothing or an image twice,
            or its ids are not those that it was written with.
    """
    text = _text(Path(path))
    if not text.lstrip().startswith("{"):
        ids = tuple(line.strip() for line in text.splitlines() if line.strip())
        return _checked(Examples(str(path), ids, {}))
    try:
        found = json.loads(text)
        ids, wanted = found["images"]["id"], found["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            f"{path} is no list of images: expected JSON as PrAC's {FILE} has it, or plain text"
            " with one id per line"
        ) from None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise DataError(f"{path}: images.id is no list of ids")
    about = {name: value for name, value in found.items() if name not in ("sha256", "images")}
    examples = _checked(Examples(str(path), tuple(ids), about))
    if examples.sha256 != wanted:
        raise DataError(
            f"{path}: the ids are not those that the file was written with; export the set again,"
            " or list your own images one per line in a text file"
        )
    return examples


def _text(path: Path) -> str:
    if not path.is_file():  # a pipe would block for ever
        raise DataError(f"{path}: there is no such list of images")
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is too large for a list of images")
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None


def _checked(examples: Examples) -> Examples:
    if not examples.ids:
        raise DataError(f"{examples.source} lists no image")
    if len(set(examples.ids)) < len(examples.ids):
        twice = next(one for one in examples.ids if examples.ids.count(one) > 1)
        raise DataError(f"{examples.source} lists image '{twice}' twice")
    return examples
