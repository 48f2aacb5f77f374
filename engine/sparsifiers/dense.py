"""No pruning: the reference for every ticket; with `levels`, the null control of other methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from engine import plugin, registry, sparsifier
from engine.durations import Duration
from engine.errors import SpecError
from engine.plan import Level, Plan
from engine.sparsifiers import imp
from engine.spec import RunSpec


class Settings(plugin.ReturnSettings):
    """How often it is trained, and from where."""

    levels: int = Field(
        0,
        ge=0,
        le=1000,
        description="trainings after the first: as many returns, trainings and picks as imp's with"
        " the same settings, but nothing is pruned; what these gain is no gain of tickets",
    )
    rounds: int = Field(
        1,
        ge=1,
        le=1001,
        description="trainings before the first return, each the whole schedule with the weights"
        " that the one before left, as continuous's",
    )
    schedule: Annotated[
        Literal["rewind", "restart"], plugin.IdleWith("after", "finetune", "continue")
    ] = Field(
        "rewind",
        description="after a return, go on with the learning rate of the rewind point as imp does,"
        " or begin the whole schedule anew, as prac and continuous can",
    )

    @model_validator(mode="after")
    def _all_have_an_effect(self) -> Self:
        if self.rounds > self.levels + 1:
            raise plugin.impossible(
                "rounds", f"{self.rounds} rounds are more than the {self.levels + 1} trainings"
            )
        if self.schedule == "restart" and self.length == "full":
            raise plugin.impossible(
                "length", "length has no effect with schedule: restart; leave it out"
            )
        return self


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """The levels of iterative magnitude pruning, all of them at density 1."""

    planned = frozenset(Settings.model_fields) - {"prunable"}
    open_ended = True

    def levels(self) -> Sequence[Level]:
        s = self.settings
        returns = {name: getattr(s, name) for name in plugin.ReturnSettings.model_fields}
        pruned = imp.Sparsifier(imp.Settings(levels=s.levels, **returns)).levels()
        return [self._level(_unpruned(level)) for level in pruned]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        self.settings.check_rewind()
        if self.settings.levels:
            return
        for name in (*plugin.ReturnSettings.model_fields, "schedule"):
            default = Settings.model_fields[name].default
            if name != "prunable" and getattr(self.settings, name) != default:
                raise SpecError(
                    f"{name} has no effect without levels, since there is one training; leave it"
                    " out, or set levels",
                    f"sparsifier.{name}",
                )

    def _level(self, level: Level) -> Level:
        if not level.index:
            return level
        if level.index < self.settings.rounds:
            return Level(level.index, 1.0, start=None, draws=level.draws)
        if self.settings.schedule == "restart":
            return replace(level, at=Duration(), lasts="whole")
        return level


def null(settings: plugin.Settings, trainings: int) -> Settings:
    """The null control of a method: its first `trainings` levels, with nothing pruned.

    Each level starts from the same point and trains the same part of the schedule.

    Raises:
        SpecError: the method trains in a way that is not known here.
    """
    method = registry.load("sparsifiers", settings.name).Sparsifier(settings)
    levels: list[Level] = [_unpruned(level) for level in method.levels()[:trainings]]
    for made in _alike(settings, levels):
        if Sparsifier(made).levels() == levels:
            return made
    raise SpecError(
        f"{settings.name} starts its trainings at points of the learning-rate schedule where dense"
        " starts none",
        "sparsifier",
    )


def _alike(settings: plugin.Settings, levels: Sequence[Level]) -> Iterator[Settings]:
    """Settings that may have these levels, the plainest first."""
    returns = getattr(settings, "returns", True)
    known = [n for n in plugin.ReturnSettings.model_fields if n != "rewind" or returns]
    if len(levels) == 1:
        known = ["prunable"]
    own: dict[str, Any] = {n: getattr(settings, n) for n in known if hasattr(settings, n)}
    own["levels"] = len(levels) - 1
    anew = {**own, "length": "exact", "schedule": "restart"}
    going_on = takewhile(lambda level: level.start is None and level.lasts == "whole", levels[1:])
    rounds = 1 + len(list(going_on))
    yield from (Settings(**own), Settings(**own, rounds=rounds))
    if returns:
        yield from (Settings(**anew), Settings(**anew, rounds=rounds))


def _unpruned(level: Level) -> Level:
    """A training that starts and lasts as another, and neither prunes nor searches."""
    draws = level.draws if level.index else None  # a ticket's training draws what its level drew
    return replace(level, density=1.0, rate=None, target=None, search=False, draws=draws)
