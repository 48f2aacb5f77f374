"""What choice files build on: frozen settings that know their own name, with shared knobs by kind.

Every field has bounds and a description; the description is the user's documentation in forms,
`lthtui new`, `lthtui schema` and error messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from engine.durations import Duration
from engine.errors import SpecError


def impossible(at: str, why: str) -> PydanticCustomError:
    """An error about the field `at` (dotted) that only shows when fields are seen together."""
    return PydanticCustomError("impossible", "{why}", {"why": why, "at": at})


@dataclass(frozen=True, init=False)
class IdleWith:
    """Marks a field, as `Annotated[int, IdleWith("other", "value")]`, that has nothing to do.

    Such a field must stay at its default: two runs that differ only in it would be the same run.

    Attributes:
        field: the other field of the same settings that makes it idle.
        values: by having one of these.
    """

    field: str
    values: tuple[Any, ...]

    def __init__(self, field: str, *values: Any) -> None:
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "values", values)


class Frozen(BaseModel):
    """Settings that cannot change, refuse unknown fields and never guess a type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_as_tuples(cls, data: Any) -> Any:
        """Files hold lists; settings hold tuples, which cannot change either."""
        if not isinstance(data, dict):
            return data
        return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        for name, field in type(self).model_fields.items():
            for mark in (m for m in field.metadata if isinstance(m, IdleWith)):
                other = getattr(self, mark.field)
                if other in mark.values and getattr(self, name) != field.default:
                    raise impossible(
                        name, f"{name} has no effect with {mark.field}: {other}; leave it out"
                    )
        return self


class Settings(Frozen):
    """The knobs of one choice. Its name is the name of the file it stands in."""

    @model_validator(mode="before")
    @classmethod
    def _one_as_a_list(cls, data: Any) -> Any:
        """Where a list of any length is wanted, one word or number is a list of it."""
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields.items()
        lists = {name for name, field in fields if _any_length(field.annotation)}
        return {
            k: (v,) if k in lists and isinstance(v, str | int | float) else v
            for k, v in data.items()
        }

    @property
    def name(self) -> str:
        """The choice's name in a spec."""
        return type(self).__module__.rpartition(".")[2]

    def check_size(self, size: int) -> None:
        """Refuse images that the network sees at `size` by `size` pixels, if they don't do.

        Raises:
            SpecError: `at` names the field to change.
        """

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}


class ModelSettings(Settings):
    """What is known of every network before it is built.

    Attributes:
        presets: the words for `prunable` that name some of its weights, the usual one first.
        batch_norm: whether it normalises batches.
    """

    presets: ClassVar[tuple[str, ...]] = ("conv", "conv+linear", "conv-no-first")
    batch_norm: ClassVar[bool] = True

    def check_prunable(self, which: str) -> None:
        """Refuse, while a spec is validated, a word for `prunable` that names none of its weights.

        Raises:
            PydanticCustomError: which words do.
        """
        if which in PRUNABLE_PRESETS and which not in self.presets:
            usual, *others = self.presets
            besides = f" (or {', '.join(others)})" if others else ""
            raise impossible(
                "sparsifier.prunable",
                f"{self.name} has no weights of the kind {which} to prune; write"
                f" sparsifier.prunable: {usual}{besides}",
            )


class PrunableSettings(Settings):
    """What every method that prunes can be told."""

    prunable: str = Field(
        "conv",
        max_length=200,
        description="which weights may be pruned: conv (of all convolutions), conv-no-first,"
        " conv+linear, linear (of all linear maps but the last), of those a transformer's attention"
        " or mlp, or a regular expression over parameter names such as re:layer[34]",
    )

    @field_validator("prunable")
    @classmethod
    def _known_form(cls, value: str) -> str:
        return _one_of_or_regex(value, PRUNABLE_PRESETS)


class DensitySettings(PrunableSettings):
    """What every method that can be told its final density can be told."""

    density: float = Field(0.2, gt=0, le=1, description="kept fraction of the prunable weights")

    def check_sparse(self) -> None:
        """Refuse what would prune nothing.

        Raises:
            SpecError: the density is 1.
        """
        if self.density == 1:
            raise SpecError(
                "at density 1 there is nothing to prune; lower it, or use sparsifier: dense",
                "sparsifier.density",
            )


class AllocationSettings(DensitySettings):
    """What every method that spreads its density over the layers can be told."""

    allocation: Literal["global", "uniform", "er", "erk"] = Field(
        "global",
        description="where the weights are kept: wherever the network as a whole says (global), in"
        " each layer alike (uniform), or more in layers with few inputs and outputs (er) and small"
        " kernels (erk, as RigL); the density of the whole is exact with each",
    )
    power: Annotated[float, IdleWith("allocation", "global", "uniform")] = Field(
        1.0,
        ge=0,
        le=10,
        description="exponent of er's and erk's differences between layers; 0 is uniform",
    )
    keep_dense: str = Field(
        "none",
        max_length=200,
        description="layers that are not pruned but count, so that the others are the sparser for"
        " it: none, first, last, first+last, or a regular expression over parameter names such as"
        " re:downsample; to keep layers out of the count, leave them out of prunable",
    )

    @field_validator("keep_dense")
    @classmethod
    def _known_layers(cls, value: str) -> str:
        return _one_of_or_regex(value, DENSE_PRESETS)


class ReturnSettings(PrunableSettings):
    """What every method that trains several times can be told."""

    rewind: Duration = Field(
        Duration(epochs=2),
        description="the point of the first training that later levels return to: init, 2ep, 500it",
    )
    after: Literal["rewind", "lr_rewind", "finetune", "continue"] = Field(
        "rewind",
        description="what follows a pruning: rewind weights and learning rate (Frankle 2020),"
        " rewind the learning rate only (Renda 2020), fine-tune at the last learning rate,"
        " or continue with the whole schedule",
    )
    length: Annotated[Literal["exact", "full"], IdleWith("after", "finetune", "continue")] = Field(
        "exact",
        description="after rewinding, train the remaining steps (exact), or the whole number of"
        " epochs with the schedule running past its end (full, as DataEfficientLTH does)",
    )
    finetune: Annotated[Duration, IdleWith("after", "rewind", "lr_rewind", "continue")] = Field(
        Duration(epochs=10), description="how long to fine-tune, with after: finetune"
    )
    order: Literal["fresh", "replay"] = Field(
        "fresh",
        description="whether a level draws an order, augmentation and dropout of its own (fresh),"
        " or those of the first training again, from where in the schedule it begins (replay, as"
        " open_lth with a seed for the order)",
    )

    @property
    def returns(self) -> bool:
        """Whether what follows a pruning goes back to the rewind point in any way."""
        return self.after in ("rewind", "lr_rewind")

    def check_rewind(self) -> None:
        """Refuse a rewind point that nothing goes back to.

        Raises:
            SpecError: there is one.
        """
        if not self.returns and self.rewind != type(self).model_fields["rewind"].default:
            raise SpecError(
                f"rewind has no effect with after: {self.after}; leave it out", "sparsifier.rewind"
            )


class RewindSettings(ReturnSettings):
    """What every method that trains again after pruning can be told."""

    scope: Literal["global", "layer"] = Field(
        "global", description="rank weights over the whole network, or within each layer"
    )


def _any_length(annotation: Any) -> bool:
    """Whether a type is that of lists of any length."""
    return get_origin(annotation) is tuple and get_args(annotation)[-1] is ...


def _one_of_or_regex(value: str, presets: tuple[str, ...]) -> str:
    if value.startswith("re:"):
        try:
            re.compile(value[3:])
        except re.error as error:
            raise ValueError(f"'{value[3:]}' is no regular expression: {error}") from None
    elif value not in presets:
        raise ValueError(f"'{value}' is none of {', '.join(presets)} and does not begin with re:")
    return value


DENSE_PRESETS = ("none", "first", "last", "first+last")
PRUNABLE_PRESETS = ("conv", "conv+linear", "conv-no-first", "linear", "attention", "mlp")
