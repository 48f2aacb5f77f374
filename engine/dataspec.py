"""What every set of images can be told: which of its images a run trains and validates on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from engine.plugin import Frozen, Settings, impossible


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
