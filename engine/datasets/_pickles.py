"""Read arrays of numbers from a pickle without running anything that the pickle names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DataError

if TYPE_CHECKING:
    import numpy as np


def read(path: Path) -> Any:
    """Load a pickle of dicts, lists, numbers, text and numpy arrays (as `Array`).

    Raises:
        DataError: the file cannot be read, is damaged, or names anything else to construct.
    """
    try:
        with path.open("rb") as file:
            return _Plain(file, encoding="bytes").load()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:  # damaged pickles raise nearly anything
        raise DataError(
            f"{path} is damaged, or no pickle of plain arrays ({error}); unpack the archive again"
        ) from None


class Array:
    """What stands in for a numpy array in a pickle; `values` is the array."""

    values: np.ndarray[Any, Any]

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Type, bool, bytes]) -> None:
        _, shape, kind, fortran, data = state
        self._fill(data, kind, shape, "F" if fortran else "C")

    def _fill(self, data: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> Array:
        import numpy as np

        flat = np.frombuffer(data, dtype=kind.order + kind.code)
        self.values = flat.reshape(shape, order="F" if order == "F" else "C")
        return self


class _Type:
    """What stands in for a numpy dtype."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else code
        self.order = "="
        if self.code[0] not in "uif" or not self.code[1:].isdecimal():
            raise pickle.UnpicklingError(f"an array of type {self.code} holds no numbers")

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        self.order = order if order in ("<", ">") else "="


def _encode(text: str, codec: str | bytes) -> bytes:
    """How Python 3 writes bytes in old protocols."""
    if codec not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it asks for the codec {codec!r}")
    return text.encode("latin1")


_NAMES = {
    "_reconstruct": lambda *_: Array(),
    "_frombuffer": lambda data, kind, shape, order: Array()._fill(data, kind, shape, order),
    "dtype": _Type,
    "encode": _encode,
    "ndarray": object(),
}


class _Plain(pickle.Unpickler):
    """Knows only the names that numpy arrays are made of, by stand-ins of its own."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in ("numpy", "_codecs") or name not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return _NAMES[name]
