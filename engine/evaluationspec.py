"""What every evaluation can be told: which tickets it looks at, besides its own settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from engine.levelwords import Named
from engine.plugin import Settings


class EvaluationSettings(Settings):
    """The knobs of one evaluation. Two that differ in more than `levels` are two evaluations.

    Attributes:
        shares: a regular expression of the whole names of those of its metrics that are fractions
            of 1, which tables show in percent; all others are shown as they are.
    """

    shares: ClassVar[str] = ""

    levels: tuple[Named, ...] = Field(
        ("dense", "best"),
        min_length=1,
        max_length=100,
        description="tickets that it is made of: best, last, dense, all, every N, or numbers of"
        " levels",
    )

    @property
    def label(self) -> str:
        """Its name with what is not at its default, such as `fgsm epsilon:4`.

        It is in names of metrics, for which MLflow takes letters, digits, blanks and _-.: only.
        """
        given = self.model_dump(
            mode="json", exclude={"levels"}, exclude_defaults=True, context={"purpose": "label"}
        )
        name = given.pop("name")
        return " ".join([name, *(f"{field}:{_word(value)}" for field, value in given.items())])


class CheapSettings(EvaluationSettings):
    """The same of an evaluation that costs next to nothing, and so is made of all tickets."""

    levels: tuple[Named, ...] = Field(
        ("all",),
        min_length=1,
        max_length=100,
        description=EvaluationSettings.model_fields["levels"].description,
    )


def _word(value: Any) -> str:
    if isinstance(value, dict):
        parts = {key: part for key, part in value.items() if key != "root"}  # wherever they lie
        text = ".".join(_word(v) if k == "name" else f"{k}-{_word(v)}" for k, v in parts.items())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        text = "-".join(map(_word, value))
    else:
        text = str(value)
    return re.sub(r"[^\w.:-]+", "-", text)[:80]
