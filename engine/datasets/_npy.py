"""Read numpy's npy and npz files: headers without arrays, arrays as long as their headers say.

Objects are never unpickled: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from engine.datasets import _memory
from engine.errors import DataError

if TYPE_CHECKING:
    import numpy as np

MAX_HEADER = 10_000
NUMBERS = re.compile("[<>|=]?[biuf][1248]")


@dataclass(frozen=True)
class Header:
    """What an array is.

    Attributes:
        shape: its dimensions.
        dtype: the type of its numbers in numpy's words, such as `|u1`.
        order: C if the last dimension is the fastest, F if the first is.
        start: byte of the file at which the numbers begin.
    """

    shape: tuple[int, ...]
    dtype: str
    order: Literal["C", "F"]
    start: int

    @property
    def kind(self) -> str:
        """b, i, u or f, and the bytes of a number."""
        return self.dtype.lstrip("<>|=")

    @property
    def bytes(self) -> int:
        """Memory of the numbers."""
        return math.prod(self.shape) * int(self.kind[1:])


class Archive:
    """An npz file: arrays by name, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def headers(self) -> dict[str, Header]:
        """What each array that holds numbers is; others are left out.

        Raises:
            DataError: the file is damaged, or no zip archive.
        """
        found = {}
        with _guarded(self.path), zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                if not member.filename.endswith(".npy"):
                    continue
                with archive.open(member) as stream:
                    head = header(stream)
                if head:
                    found[member.filename.removesuffix(".npy")] = head
        return found

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """One array.

        Raises:
            DataError: it is damaged, longer or shorter than its header says, or exceeds the memory.
        """
        with _guarded(self.path), zipfile.ZipFile(self.path) as archive:
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name} is packed in a way that numpy never writes")
            with archive.open(member) as stream:
                head = header(stream)
                if head is None or member.file_size != head.start + head.bytes:
                    raise ValueError(f"{name} is not as long as its header says")
                _memory.check(head.bytes, f"{name} of {self.path}", "save fewer images")
                return _array(stream.read(head.bytes), head)


def mapped(path: Path) -> np.ndarray[Any, Any]:
    """An npy file's array, read from the disk where it is looked at.

    Raises:
        DataError: the file is missing, damaged, or holds no numbers.
    """
    import numpy as np

    if not path.is_file():
        raise DataError(f"{path} is missing, or no file")
    with _guarded(path):
        with path.open("rb") as stream:
            head = header(stream)
        size = path.stat().st_size
        if head is None or size != head.start + head.bytes:
            raise ValueError(f"its {size} bytes are not as many as its header says")
        dtype: np.dtype[Any] = np.dtype(head.dtype)
        return np.memmap(path, dtype, "r", head.start, head.shape, head.order)


def header(stream: IO[bytes]) -> Header | None:
    """Read a header; None for an array of anything but numbers.

    Raises:
        ValueError: it is damaged.
    """
    begin = stream.read(8)
    if begin[:6] != b"\x93NUMPY" or begin[6:7] not in (b"\1", b"\2", b"\3"):
        raise ValueError("it is no npy file")
    width, code = (2, "<H") if begin[6] == 1 else (4, "<I")
    (length,) = struct.unpack(code, stream.read(width))
    if length > MAX_HEADER:
        raise ValueError(f"its header has {length} bytes")
    about = ast.literal_eval(stream.read(length).decode("latin1").strip())
    kind, shape = about["descr"], about["shape"]
    if not isinstance(kind, str) or not NUMBERS.fullmatch(kind):
        return None
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"its shape is {shape}")
    order: Literal["C", "F"] = "F" if about["fortran_order"] else "C"
    return Header(tuple(shape), kind, order, 8 + width + length)


def _array(content: bytes, head: Header) -> np.ndarray[Any, Any]:
    import numpy as np

    dtype: np.dtype[Any] = np.dtype(head.dtype)
    return np.frombuffer(content, dtype).reshape(head.shape, order=head.order)


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Damaged files raise nearly anything: turn it into a DataError."""
    try:
        yield
    except DataError:
        raise
    except (Exception, zlib.error) as error:
        raise DataError(
            f"{path} is damaged ({str(error)[:200]}); save or download it again"
        ) from None
