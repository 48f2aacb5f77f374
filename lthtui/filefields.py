"""What a spec file may say besides the fields of a run: seeds, what varies, what is searched."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from engine.plugin import Frozen
from lthtui.search import Dotted, Search
from lthtui.text import clean_line

MAX_RUNS = 10_000


def _seeds(value: Any) -> Any:
    """Read `3`, `[0, 1, 2]` or `0..4`, which includes both ends."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,10})\.\.(\d{1,10})", value)
        if match is None or not 0 <= int(match[2]) - int(match[1]) < MAX_RUNS:
            why = f"expected seeds such as 3, [0, 1, 2] or 0..4, found '{clean_line(value, 60)}'"
            raise PydanticCustomError("seeds", "{why}", {"why": why})
        return tuple(range(int(match[1]), int(match[2]) + 1))
    return value


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if not seeds:
        raise PydanticCustomError("seeds", "give at least one seed")
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        raise PydanticCustomError("seeds", "{why}", {"why": f"seed {twice} is listed twice"})
    return seeds


def _kinds(value: Any) -> Any:
    """Read one kind or a list; among others YAML's null is the kind of this name."""
    if isinstance(value, list | tuple):
        return tuple("null" if one is None else one for one in value)
    return () if value is None else (value,)


_Seed = Annotated[int, Field(ge=0, lt=2**32)]
_Seeds = Annotated[
    tuple[_Seed, ...],
    Field(max_length=MAX_RUNS),
    BeforeValidator(_seeds),
    AfterValidator(_distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                {"type": "string", "pattern": r"^\d+\.\.\d+$"},
            ]
        }
    ),
]
_Control = Literal[
    "same_layer",
    "random",
    "uniform",
    "erk",
    "reinit",
    "shuffle",
    "labels",
    "small_dense",
    "null",
    "budget",
    "all",
    "split",
    "sanity",
]
_Controls = Annotated[
    tuple[_Control, ...],
    Field(max_length=20),
    BeforeValidator(_kinds),
    WithJsonSchema({"type": "array", "items": {"enum": [*get_args(_Control), None]}}),
]
_Values = Annotated[list[Any], Field(min_length=1, max_length=1000)]
_Grid = dict[Dotted, _Values]


class SpecFile(Frozen):
    """What a spec file may say besides the fields of a run: which runs to make of it."""

    seeds: _Seeds = Field((0,), description="one run per seed: a number, a list, or 0..4")
    vary: _Grid | Annotated[tuple[_Grid, ...], Field(min_length=1, max_length=1000)] = Field(
        {},
        description="runs with every combination of these values, by dotted field:"
        " {sparsifier.rate: [0.1, 0.2]}; whole blocks may vary too. Of a list of such mappings, the"
        " runs of each: [{}, {loss: [cosine, tvmf]}, {model: [vgg16]}]",
    )
    search: Search | None = Field(
        None, description="a search over settings: {over: {sparsifier.rate: [0.1, 0.4]}, trials: 9}"
    )

    control: _Controls = Field(
        (),
        description="controls of each run's picked ticket that are run when it has finished, as"
        " `lthtui control --kind` names them: [same_layer, null]",
    )

    @property
    def grids(self) -> tuple[dict[str, list[Any]], ...]:
        """The mappings of `vary`: each makes the runs of its own combinations."""
        return (self.vary,) if isinstance(self.vary, dict) else self.vary
