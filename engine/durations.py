"""How long something lasts in training: `2ep`, `500it`, `1ep30it` or `init`, as in open_lth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_FORM = re.compile(r"(?:([0-9]{1,7})ep)?(?:([0-9]{1,9})it)?")


@dataclass(frozen=True)
class Duration:
    """A number of whole epochs plus a number of steps (iterations)."""

    epochs: int = 0
    steps: int = 0

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `2ep`, `500it`, `1ep30it` or `init` (nothing at all).

        Raises:
            ValueError: the text has another form.
        """
        if text == "init":
            return cls()
        match = _FORM.fullmatch(text)
        if not text or match is None:
            raise ValueError(f"'{text}' is no duration; write 2ep, 500it, 1ep30it or init")
        return cls(int(match[1] or 0), int(match[2] or 0))

    def in_steps(self, steps_per_epoch: int) -> int:
        """The number of optimizer steps this lasts."""
        return self.epochs * steps_per_epoch + self.steps

    def stretched(self, factor: float) -> Duration:
        """This times `factor`, epochs and steps rounded down each, as PrAC does."""
        return Duration(int(self.epochs * factor + 1e-9), int(self.steps * factor + 1e-9))

    def __str__(self) -> str:
        if not self.epochs and not self.steps:
            return "init"
        return (f"{self.epochs}ep" if self.epochs else "") + (
            f"{self.steps}it" if self.steps else ""
        )

    @classmethod
    def _validate(cls, value: Any) -> Duration:
        if isinstance(value, Duration):
            return value
        try:
            return cls.parse(str(value))
        except ValueError as error:
            raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^(init|(\d+ep)?(\d+it)?)$", "examples": ["2ep"]}
