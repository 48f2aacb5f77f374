"""What a spec file may say of a search: which fields take which values, how many trials, for what.

A search proposes settings from the results so far and nothing else: begun again, it proposes the
same ones, finds their runs finished, and goes on.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from engine.plugin import Frozen, Settings, impossible

Number = int | float
Scalar = bool | int | float | str


_LIST = {"type": "array", "minItems": 2, "items": {"type": ["number", "string", "boolean"]}}


class Span(Frozen):
    """The values that a search may give a field."""

    low: Number | None = Field(None, description="the smallest value")
    high: Number | None = Field(
        None,
        description="the largest value; whole numbers are drawn where both ends and the step are"
        " whole and the field does not take fractions",
    )
    step: Number | None = Field(
        None, gt=0, description="only low, low + step, low + 2 step and so on"
    )
    log: bool = Field(False, description="even over the logarithm, for learning rates and such")
    unit: Literal["ep", "it"] | None = Field(
        None, description="for durations: the values are epochs (ep) or steps (it)"
    )
    choices: tuple[Scalar, ...] | None = Field(
        None, min_length=2, max_length=1000, description="one of these instead of a range"
    )

    @model_validator(mode="after")
    def _range_or_choices(self) -> Self:
        if (self.choices is None) == (self.low is None) or (self.low is None) != (
            self.high is None
        ):
            raise ValueError("give [low, high], or low and high, or choices")
        if self.choices and (self.step or self.log or self.unit):
            raise ValueError("step, log and unit are for ranges; choices are taken as they are")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must be below high, found {self.low} and {self.high}")
        if self.log and (self.step is not None or not self.low or self.low < 0):
            raise ValueError("log needs low above 0 and no step")
        if self.unit and not self.whole:
            raise ValueError("a unit needs whole numbers")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        numbers = (self.low, self.high, 1 if self.step is None else self.step)
        return all(isinstance(number, int) for number in numbers)

    @property
    def plain(self) -> bool:
        """Whether it is a range and nothing more."""
        return not (self.choices or self.step or self.log or self.unit)

    @property
    def ends(self) -> tuple[Number, Number]:
        """Both ends; of choices there are none."""
        assert self.low is not None and self.high is not None
        return self.low, self.high

    def in_fractions(self) -> Span:
        """The same range for a field that takes fractions: [0, 1] holds 0.5."""
        if self.choices or self.unit:
            return self
        low, high = self.ends
        return self.model_copy(update={"low": float(low), "high": float(high)})

    def written(self, value: Scalar) -> Scalar:
        """A value as it is written in a spec: with its unit, fractions with six digits."""
        if self.choices:
            return value
        if self.whole:
            return f"{value}{self.unit}" if self.unit else value
        low, high = self.ends
        return min(max(float(f"{value:.6g}"), low), high)

    def extremes(self, as_list: bool) -> list[tuple[tuple[str | int, ...], Scalar]]:
        """Its ends, or all choices, each with where it stands within the block, or in a list."""
        places: list[tuple[str | int, ...]] = [("low",), ("high",)]
        if self.choices:
            places = [("choices", index) for index in range(len(self.choices))]
        values = self.choices or self.ends
        return [
            ((index,) if as_list else place, self.written(value))
            for index, (place, value) in enumerate(zip(places, values, strict=True))
        ]

    def listed(self) -> list[Scalar]:
        """All choices, or all values of a range with a step."""
        if self.choices:
            return [*self.choices]
        (low, high), step = self.ends, self.step or 1
        count = int((high - low) / step + 1e-9) + 1
        return [self.written(low + index * step) for index in range(count)]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [_LIST, handler(schema)]}


def _span(value: Any) -> Any:
    """Read `[low, high]`, two numbers, and any other list as choices of text."""
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) == 2 and all(type(one) in (int, float) for one in value):
        return {"low": value[0], "high": value[1]}
    if any(type(one) in (int, float) for one in value):
        raise ValueError("write two numbers, [low, high], or {choices: [...]}")
    return {"choices": value}


Dotted = Annotated[str, Field(pattern=r"^[A-Za-z_][\w-]*(\.[\w-]+)*$")]


class Density(Frozen):
    """A density that the last level is to have."""

    density: float = Field(gt=0, lt=1, description="kept fraction that the last level is to have")
    tolerance: float = Field(
        0.05, gt=0, lt=1, description="how far off it may be, as a share of the density"
    )


class Search(Frozen):
    """A search over settings; each trial is an ordinary run of every seed."""

    over: dict[Dotted, Annotated[Span, BeforeValidator(_span)]] = Field(
        min_length=1,
        max_length=20,
        description="what is searched, by dotted field: [low, high], a list of words,"
        " {low, high, step, log, unit} or {choices}",
    )
    trials: int | None = Field(
        None, ge=1, le=10_000, description="most trials; 15 unless given, and a grid's all"
    )
    at_once: int = Field(
        3, ge=1, le=1000, description="trials that are proposed, and may run, at the same time"
    )
    sampler: Literal["tpe", "random", "grid"] | None = Field(
        None, description="tpe (Optuna's, the first 10 trials at random; default), random or grid"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of the sampler")
    goal: Literal["val_accuracy", "val_balanced_accuracy"] | Density = Field(
        "val_accuracy",
        description="raised: validation accuracy of the level that select picks, a mean over the"
        " seeds; or {density: 0.1, tolerance: 0.05}: met, by the last level, over one range on"
        " which the density rises or falls",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        spans = self.over.values()
        if isinstance(self.goal, Density):
            if len(self.over) > 1 or not all(span.plain for span in spans):
                raise impossible("over", "a density is searched over one field: [low, high]")
            if self.sampler:
                raise impossible("sampler", "a density is searched by dividing the range")
        elif self.sampler == "grid":
            if any(not span.choices and span.step is None for span in spans):
                raise impossible("over", "a grid needs a step or choices for each field")
        return self

    def beside_goal(self, sparsifier: Settings) -> str:
        """Why a method that is told its density meets no other; empty if it can meet the goal."""
        density, field = getattr(sparsifier, "density", None), "sparsifier.density"
        if not isinstance(self.goal, Density) or density is None or field in self.over:
            return ""
        optional = type(sparsifier).model_fields["density"].default is None
        instead = f"leave out {field}" if optional else f"search over {field}"
        return f"every trial has the density {density:g} of {field}; {instead}, or drop the goal"

    @property
    def most(self) -> int:
        """The number of trials at which it ends."""
        if self.sampler != "grid":
            return self.trials or 15
        points = prod(len(span.listed()) for span in self.over.values())
        return min(points, self.trials or points)
