"""How unstable a ticket's training is to the noise of SGD (Frankle et al. 2020).

From the weights that the ticket starts from, or from where some further training brings them, two
copies are trained on under its mask, with other orders and augmentations each, and the error along
the straight line between them is compared with that of its ends
(https://arxiv.org/abs/1912.05671, section 2). Where it hardly rises, the two found the same valley:
the paper calls a network stable whose barrier is below 2 %. The mask stays as it is, whatever the
method does to it while it trains, and each training begins with an empty memory of its optimizer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from engine import seeds
from engine.context import Context, Result
from engine.durations import Duration
from engine.errors import SpecError
from engine.evaluations import _lines
from engine.evaluationspec import EvaluationSettings
from engine.plan import Level, Planned

if TYPE_CHECKING:
    from torch import nn

    from engine.spec import RunSpec
    from engine.tickets import State

STABLE = 0.02


class Settings(EvaluationSettings):
    """From where two copies part, and how closely the line between them is looked at."""

    shares: ClassVar[str] = "(.*/)?(barrier|error).*"

    after: tuple[Duration, ...] = Field(
        (Duration(),),
        min_length=1,
        max_length=10,
        description="how long the ticket is trained before two copies of it part: init (at once),"
        " 1ep, 500it; several are looked at one after another",
    )
    points: int = Field(
        11, ge=3, le=101, description="networks on the line between the copies, ends included"
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Barriers after each parting: fractions of the test images."""
    metrics: dict[str, float] = {}
    documents: dict[str, Any] = {}
    for after in settings.after:
        line = _parted(settings, context, after)
        prefix = f"{after}/" if len(settings.after) > 1 else ""
        metrics |= {f"{prefix}{name}": value for name, value in line.metrics().items()}
        metrics[f"{prefix}stable"] = float(_lines.barrier(line.anew) < STABLE)
        documents[str(after)] = line.document()
    return Result(metrics, {"instability.json": documents})


def _parted(settings: Settings, context: Context, after: Duration) -> _lines.Line:
    level, state = _planned(context).level, context.subject.ticket.rewind
    if after != Duration():
        rest = _rest(context, after)
        state = dict(_trained(context, replace(level, lasts=after), state, "before").state_dict())
        level = rest
    first, second = (_trained(context, level, state, f"copy {n}") for n in (1, 2))
    return _lines.walk(context, first, second, settings.points)


def _trained(context: Context, level: Level, state: State, noise: str) -> nn.Module:
    spec: RunSpec = context.subject.spec
    seed = seeds.number(spec.seed, "instability", noise, context.level) % 2**32
    noisy = spec.model_copy(update={"seed": seed})
    return context.around.train(noisy, level, context.splits, state, context.mask)


def _rest(context: Context, after: Duration) -> Level:
    """What is left of a level's training after a while.

    Raises:
        SpecError: nothing.
    """
    planned, per_epoch = _planned(context), context.around.plan.steps_per_epoch
    left = planned.steps - after.in_steps(per_epoch)
    if left <= 0:
        raise SpecError(
            f"instability.after: {after} is not before the end of level {context.level}, which was"
            f" trained for {planned.steps} steps ({per_epoch} make an epoch)"
        )
    at = Duration(0, planned.first + after.in_steps(per_epoch))
    return replace(planned.level, at=at, lasts=Duration(0, left))


def _planned(context: Context) -> Planned:
    return context.around.plan.levels[context.level]
