"""When a mask changes during training, and by how much: numbers of steps and shares of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from engine import plugin
from engine.durations import Duration
from engine.errors import SpecError
from engine.plan import Plan, Planned
from engine.spec import RunSpec

DropSchedule = Literal["cosine", "linear", "power", "constant", "learning_rate"]


def _one_error(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """One message for what is neither a duration nor a share."""
    try:
        return handler(value)
    except ValidationError:
        raise PydanticCustomError(
            "moment",
            "{why}",
            {"why": f"'{value}' is no moment; write 2ep, 500it, or a share of training, as 0.75"},
        ) from None


# a share is tried first, since anything can be written as a duration's text
Moment = Annotated[Annotated[float, Field(ge=0, le=1)] | Duration, WrapValidator(_one_error)]


@dataclass(frozen=True)
class Window:
    """The steps of a level, from 0, that update its mask: each `interval`-th within two bounds.

    Attributes:
        start: the first step that may be one.
        stop: the first step that may no longer be one.
    """

    start: int
    stop: int
    interval: int

    @property
    def updates(self) -> int:
        """How many steps update the mask."""
        return max(0, self.stop // self.interval - self.start // self.interval)

    @property
    def last(self) -> int:
        """The last step that updates the mask, if any does."""
        return self.stop // self.interval * self.interval - 1

    def due(self, step: int) -> bool:
        """Whether a step updates the mask: never the first one, unless all of them do."""
        return self.start <= step < self.stop and (step + 1) % self.interval == 0

    def progress(self, step: int) -> float:
        """How far a step is between the bounds, from 0 to 1."""
        return min(1.0, max(0.0, (step - self.start) / (self.stop - self.start)))


class UpdateSettings(plugin.Settings):
    """When a method that changes its mask during training does so."""

    interval: Duration = Field(
        Duration(steps=100),
        description="time between mask updates, such as 100it or 1ep; the same however long"
        " train.multiplier makes the training",
    )
    start: Moment = Field(
        Duration(),
        description="no update before this: 2ep, 700it, or a share of training such as 0.1;"
        " train.multiplier stretches it",
    )
    stop: Moment = Field(
        0.75,
        description="no update from here on: 160ep, 65918it, or a share of training;"
        " train.multiplier stretches it",
    )
    at: Literal["instead", "after"] = Field(
        "instead",
        description="an update takes the place of the optimizer's step (instead), as RigL"
        " published, or follows it (after), as SET did",
    )

    def window(self, planned: Planned, per_epoch: int, multiplier: float) -> Window:
        """The updates of a level.

        Args:
            per_epoch: steps per epoch.
            multiplier: of the training's length; shares and steps stretch, the interval does not.
        """

        def step(moment: Duration | float) -> int:
            if isinstance(moment, Duration):
                return int(moment.in_steps(per_epoch) * multiplier + 1e-9)
            return int(moment * planned.steps + 1e-9)

        return Window(step(self.start), step(self.stop), self.interval.in_steps(per_epoch))

    def check(self, spec: RunSpec, plan: Plan) -> None:
        """Refuse updates that cannot be.

        Raises:
            SpecError: `at` names the field.
        """
        planned = plan.levels[0]
        window = self.window(planned, plan.steps_per_epoch, spec.train.multiplier)
        self._check_bounds(window, planned.steps)
        if self.at == "instead" and window.interval == 1:
            raise SpecError(
                "with interval 1it a mask update would take the place of every step; give a longer"
                " interval, or at: after",
                "sparsifier.interval",
            )
        if not window.updates:
            raise SpecError(
                f"no step from {window.start} to {window.stop} is a multiple of the interval,"
                f" {self.interval} ({window.interval} steps), so that the mask would never change;"
                " shorten the interval, or move start and stop apart",
                self._written("interval", "start", "stop"),
            )

    def note(self, spec: RunSpec, plan: Plan) -> str:
        """How often the mask changes."""
        planned = plan.levels[0]
        window = self.window(planned, plan.steps_per_epoch, spec.train.multiplier)
        return (
            f"{self.name}: {window.updates} mask update(s), {window.interval} steps apart, the last"
            f" in step {window.last + 1} of {planned.steps}"
        )

    def _check_bounds(self, window: Window, steps: int) -> None:
        if window.interval == 0:
            raise SpecError("interval must last at least one step", "sparsifier.interval")
        if window.interval >= steps:
            raise SpecError(
                f"interval {self.interval} ({window.interval} steps) takes the whole training of"
                f" {steps} steps; shorten it, or train longer",
                "sparsifier.interval",
            )
        if window.stop > steps:
            raise SpecError(
                f"stop {self.stop} (step {window.stop}) lies beyond the end of training, {steps}"
                " steps; give an earlier one, or a share of training such as 0.75",
                "sparsifier.stop",
            )
        if window.start >= steps:
            raise SpecError(
                f"start {self.start} (step {window.start}) lies at or beyond the end of training,"
                f" {steps} steps; give an earlier one, or a share of training such as 0.1",
                "sparsifier.start",
            )
        if window.stop <= window.start:
            raise SpecError(
                f"stop {self.stop} (step {window.stop}) does not come after start {self.start}"
                f" (step {window.start})",
                self._written("stop", "start"),
            )

    def _written(self, *fields: str) -> str:
        """The first of these fields that is not left at its default, which is not to blame."""
        chosen = [field for field in fields if field in self.model_fields_set]
        return f"sparsifier.{[*chosen, *fields][0]}"


def drop_fraction(
    schedule: DropSchedule, alpha: float, progress: float, power: float, rate: float
) -> float:
    """The share of a layer's weights that an update replaces.

    Args:
        alpha: the share at the start.
        progress: 0 at the start of the updates, 1 at their end.
        power: exponent of the `power` schedule; `linear` has 1 (RigL's code, `exponential_k`).
        rate: the learning rate as a share of its peak, for `learning_rate`.
    """
    match schedule:
        case "cosine":
            return alpha / 2 * (1 + math.cos(math.pi * progress))
        case "linear":
            return alpha * (1 - progress)
        case "power":
            return float(alpha * (1 - progress) ** power)
        case "learning_rate":
            return alpha * rate
        case "constant":
            return alpha


def pruned_share(progress: float) -> float:
    """The share of all prunings that is done at `progress`: 1 - (1 - progress)^3.

    Source: Zhu & Gupta 2018, equation 1, with an initial density of 1.
    """
    return 1 - (1 - progress) ** 3
