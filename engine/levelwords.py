"""Words that name levels of a run, such as those whose weights stay: best, last, every 4."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from engine.errors import did_you_mean

EVERY = "every "
_EVERY_N = rf"{EVERY}[1-9]\d{{0,3}}"
_WORDS = ("best", "last", "dense", "all")


def step_of(word: str) -> int:
    """The N of `every N`."""
    return int(word.removeprefix(EVERY))


def _names_levels(word: str) -> str:
    if word not in _WORDS and not re.fullmatch(_EVERY_N, word):
        near = did_you_mean(word, [*_WORDS, f"{EVERY}N"])
        raise ValueError(f"'{word}' names no levels{near}")
    return word


def _names_a_level(word: Any) -> Any:
    return word if isinstance(word, int) else _names_levels(word)


_NAMES: dict[str, Any] = {
    "anyOf": [{"enum": [*_WORDS]}, {"type": "string", "pattern": f"^{_EVERY_N}$"}]
}

Kept = Annotated[str, AfterValidator(_names_levels), WithJsonSchema(_NAMES)]
"""best, last, dense, all, or every N."""

Named = Annotated[
    Annotated[int, Field(ge=0, le=10_000)] | str,
    AfterValidator(_names_a_level),
    WithJsonSchema({"anyOf": [*_NAMES["anyOf"], {"type": "integer", "minimum": 0}]}),
]
"""As `Kept`, or a level's number."""
