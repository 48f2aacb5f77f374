"""What choice files build on: frozen settings that know their own name, with shared knobs by kind.

Every field has bounds and a description; the description is the user's documentation in forms,
`lthtui new`, `lthtui schema` and error messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

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

    @property
    def name(self) -> str:
        """The choice's name in a spec."""
        return type(self).__module__.rpartition(".")[2]

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}


class LongTail(Frozen):
    """How the sizes of the classes fall, in label order; see `engine.classcounts.tailed`."""

    kind: Literal["exponential", "step"] = Field(
        description="exponential: from class to class by the same factor; step: the first half of"
        " the classes keeps its images, the others get factor times as many"
    )
    factor: float = Field(
        0.01, gt=0, lt=1, description="size of the smallest class, as a share of the largest"
    )


class DataSettings(Settings):
    """What every set of images can be told."""

    root: str = Field(
        "data",
        min_length=1,
        max_length=4096,
        description="the set's folder or its parent, relative to the current folder",
    )
    fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the official training images to train on, class by class",
    )
    per_class: int | None = Field(
        None, ge=1, description="training images per class, instead of a fraction"
    )
    long_tail: LongTail | None = Field(
        None,
        description="training images of classes that get smaller and smaller, instead of a"
        " fraction; sizes are relative to what validation leaves",
    )
    examples: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="train on these images only: the critical set that a PrAC run found last (RUN)"
        " or in a level (RUN:LEVEL), or a file that lists images (.json as PrAC exports it, or .txt"
        " with one id per line)",
    )
    examples_sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="which images examples lists; filled in when a run is submitted",
    )
    validation: Literal["official", "none"] | int | float = Field(
        0.1,
        description="validation images, drawn before the training images from the official"
        " training set: a number, a share below 1, none, or official (the set's own list)",
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=1000,
        description="cross-validation instead of a validation set: so many equal parts, class by"
        " class, of the official training images; vary fold from 0 to folds - 1 to use them all",
    )
    fold: int = Field(0, ge=0, description="the part, counted from 0, that is validated on")
    random_labels: float = Field(
        0.0,
        ge=0,
        le=1,
        description="chance of each training image to get the label of a class drawn at random,"
        " which may be its own (Zhang et al. 2017); fixed by data.seed",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**32,
        description="fixes which images are drawn, whatever the run's own seed; vary it to repeat"
        " the draw",
    )

    @field_validator("validation")
    @classmethod
    def _some_images(cls, value: str | int | float) -> str | int | float:
        if isinstance(value, float) and not 0 < value < 1:
            raise ValueError(f"{value} is no share between 0 and 1; write none for no images")
        if isinstance(value, int) and value < 1:
            raise ValueError("validation takes at least 1 image; write none for no images")
        return value

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.per_class is not None and self.fraction != 1.0:
            raise ValueError("give fraction or per_class, not both")
        if self.examples is not None and (self.per_class is not None or self.fraction != 1.0):
            raise ValueError("examples lists the training images; leave out fraction and per_class")
        if self.examples is None and self.examples_sha256 is not None:
            raise ValueError("examples_sha256 belongs to examples, which is not given")
        for field in ("fraction", "per_class", "examples"):
            if self.long_tail and self._given(field):
                raise impossible(
                    "long_tail",
                    f"long_tail and {field} both say which images to train on; leave one out",
                )
        return self

    @model_validator(mode="after")
    def _one_validation(self) -> Self:
        if self.folds is None and self.fold:
            raise impossible("fold", "fold is one of data.folds, which is not given; give both")
        if self.folds is not None and self.fold >= self.folds:
            raise impossible("fold", f"the {self.folds} folds are 0 to {self.folds - 1}")
        if self.folds is not None and self._given("validation"):
            raise impossible(
                "validation", "with folds, one of them is validated on; leave validation out"
            )
        return self

    @property
    def validated(self) -> str | int | float:
        """What is held out, as messages say it."""
        return self.validation if self.folds is None else f"fold {self.fold} of {self.folds}"

    def _given(self, field: str) -> bool:
        """Whether a field is not at its default."""
        return bool(getattr(self, field) != type(self).model_fields[field].default)


class ModelSettings(Settings):
    """What is known of every network before it is built.

    Attributes:
        presets: the words for `prunable` that name some of its weights, the usual one first.
    """

    presets: ClassVar[tuple[str, ...]] = ("conv", "conv+linear", "conv-no-first")

    def check_size(self, size: int) -> None:
        """Refuse images of `size` by `size` pixels that there is no such network for.

        Raises:
            SpecError: `at` names the field to change.
        """

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
                f"{self.name} has no weights that prunable: {which} names; write prunable:"
                f" {usual}{besides}",
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
