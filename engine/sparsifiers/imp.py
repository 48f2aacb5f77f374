"""Iterative magnitude pruning with rewinding (Frankle & Carbin 2019; Frankle et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from engine import densities, masks, plugin, sparsifier
from engine.durations import Duration
from engine.errors import SpecError
from engine.events import LevelEnded
from engine.plan import Level, Plan
from engine.sparsifiers._scores import Scores
from engine.spec import RunSpec

if TYPE_CHECKING:
    import torch

    from engine.training import Training

RATE, LEVELS = 0.2, 15


class Settings(plugin.RewindSettings):
    """How much is pruned, how often, and what follows a pruning."""

    rate: float | None = Field(
        None, gt=0, lt=1, description=f"share of the kept weights pruned per level; {RATE} if unset"
    )
    levels: int | None = Field(
        None, ge=0, le=1000, description=f"prunings after the first training; {LEVELS} if unset"
    )
    density: float | None = Field(
        None, gt=0, lt=1, description="kept fraction of the last level; solves rate or levels"
    )
    density_schedule: Literal["geometric", "linear", "one_shot"] = Field(
        "geometric",
        description="how densities fall to the last level's: by the same share of what is kept"
        " (geometric), by the same number of weights (linear), or all in one pruning (one_shot)",
    )
    score: Literal["magnitude", "movement", "taylor", "random"] = Field(
        "magnitude",
        description="which weights are kept: the largest (magnitude), those that training moved"
        " away from zero (movement, Sanh 2020), those that the loss depends on at first order all"
        " through the level (taylor, Molchanov 2019), or any (random)",
    )
    min_layer_density: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of its weights, rounded down, that every layer keeps, at the cost of"
        " others: the whole network's density stays exact",
    )
    stop_below: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="end the run after a level that falls this far below the best level so far, in"
        " select's metric: 0.05 is five points; never if unset",
    )

    @model_validator(mode="after")
    def _solvable(self) -> Self:
        if self.min_layer_density > self.final:
            raise ValueError(
                f"min_layer_density {self.min_layer_density:g} is above the last level's density"
                f" {self.final:.4g}; lower it, or prune less"
            )
        if self.density is None:
            return self
        if self.rate is not None and self.levels is not None:
            raise ValueError("density follows from rate and levels; give two of the three")
        if self.levels == 0:
            raise ValueError("density below 1 needs at least one level")
        if self.density_schedule == "one_shot" and (self.rate, self.levels) != (None, None):
            raise ValueError("one_shot prunes to density at once; leave out rate and levels")
        return self

    @property
    def by_rate(self) -> bool:
        """Whether each pruning takes a share of what the one before it left."""
        return self.density is None and self.density_schedule == "geometric"

    @property
    def final(self) -> float:
        """The nominal density of the last level."""
        if self.density is not None:
            return self.density
        levels = LEVELS if self.levels is None else self.levels
        return float((1 - (self.rate or RATE)) ** levels)

    @property
    def prunings(self) -> int:
        """How many prunings there are."""
        if self.density_schedule == "one_shot":
            return min(1, LEVELS if self.levels is None else self.levels)
        if self.density is not None and self.levels is None:
            return math.ceil(math.log(self.density) / math.log(1 - (self.rate or RATE)) - 1e-9)
        return LEVELS if self.levels is None else self.levels

    def density_of(self, level: int) -> float:
        """The nominal density that level `level` trains at."""
        if self.density_schedule == "linear" and self.prunings:
            return 1 - (1 - self.final) * level / self.prunings
        if self.density_schedule == "one_shot":
            return self.final if level else 1.0
        if self.density is None:
            return float((1 - (self.rate or RATE)) ** level)
        if self.levels is None:
            return float(max(self.density, (1 - (self.rate or RATE)) ** level))
        return float(self.density ** (level / self.levels))


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """Train, prune the weights that score lowest, go back, train again."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.scores = Scores(settings.score)

    planned = frozenset(
        ("rate", "levels", "density", "density_schedule", "stop_below")
        + tuple(name for name in plugin.ReturnSettings.model_fields if name != "prunable")
    )

    @property
    def open_ended(self) -> bool:
        return self.settings.by_rate

    def levels(self) -> Sequence[Level]:
        s = self.settings
        return [self._level(index, last=index == s.prunings) for index in range(s.prunings + 1)]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        self.settings.check_rewind()
        if self.settings.stop_below is not None and isinstance(spec.select.level, int):
            raise SpecError(
                f"stop_below may end the run before level {spec.select.level} is there to be"
                " picked; set select.level to best or last, or leave stop_below out",
                "sparsifier.stop_below",
            )

    def notes(self, spec: RunSpec, plan: Plan) -> list[str]:
        fall = self.settings.stop_below
        return [] if fall is None else [f"the run ends early at a level {fall:g} below the best"]

    def proceed(
        self, history: Sequence[LevelEnded], level: Level, metric: Callable[[LevelEnded], float]
    ) -> bool:
        fall = max(map(metric, history)) - metric(history[-1])
        return self.settings.stop_below is None or fall < self.settings.stop_below

    def attach(self, training: Training) -> None:
        self.scores.load(self.scores.sums, training)

    def mask_before(self, training: Training) -> masks.Mask:
        self.scores.sums = {}  # each level counts its own
        return training.mask

    def mask_during(self, training: Training) -> tuple[masks.Mask, bool] | None:
        if _prunes(training.level):
            self.scores.add(training)
        return None

    def mask_after(self, training: Training) -> masks.Mask:
        level, mask = training.level, training.mask
        if not _prunes(level):
            return mask
        kept = mask.kept
        if level.target is None:
            kept -= round((level.rate or 0.0) * kept)
        else:
            kept = min(kept, densities.count(mask.total, level.target))
        scores = self._protected(self.scores.of(training), mask, kept)
        return masks.keep_top(scores, kept, within=mask, scope=self.settings.scope)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.scores.sums

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.scores.sums = dict(state)

    def _protected(
        self, scores: dict[str, torch.Tensor], mask: masks.Mask, kept: int
    ) -> dict[str, torch.Tensor]:
        """The scores, with the best of each layer out of reach as far as it must keep them."""
        share = min(self.settings.min_layer_density, kept / mask.total)
        floors = {name: int(share * score.numel()) for name, score in scores.items()}
        best = masks.keep_top_per_layer(scores, floors, mask)
        return {name: s.masked_fill(best[name], float("inf")) for name, s in scores.items()}

    def _level(self, index: int, last: bool) -> Level:
        s = self.settings
        rate = s.rate or RATE if s.by_rate else None
        target = None if s.by_rate or last else s.density_of(index + 1)
        density = s.density_of(index)
        if index == 0:
            return Level(0, density, rate=rate, target=target)
        start, at, lasts, learning_rate = self._return()
        draws = 0 if s.order == "replay" else None
        return Level(index, density, start, at, lasts, learning_rate, rate, target, draws=draws)

    def _return(
        self,
    ) -> tuple[
        Duration | None,
        Duration,
        Duration | Literal["rest", "whole"],
        Literal["schedule", "last"],
    ]:
        """Where a level after a pruning starts, and how it trains."""
        s = self.settings
        lasts: Literal["rest", "whole"] = "rest" if s.length == "exact" else "whole"
        if s.after == "rewind":
            return s.rewind, s.rewind, lasts, "schedule"
        if s.after == "lr_rewind":
            return None, s.rewind, lasts, "schedule"
        if s.after == "finetune":
            return None, Duration(), s.finetune, "last"
        return None, Duration(), "whole", "schedule"


def _prunes(level: Level) -> bool:
    return level.rate is not None or level.target is not None
