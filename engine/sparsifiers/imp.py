"""Iterative magnitude pruning with rewinding (Frankle & Carbin 2019; Frankle et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from engine import masks, plugin, sparsifier
from engine.durations import Duration
from engine.plan import Level

if TYPE_CHECKING:
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

    @model_validator(mode="after")
    def _solvable(self) -> Self:
        if self.density is None:
            return self
        if self.rate is not None and self.levels is not None:
            raise ValueError("density follows from rate and levels; give two of the three")
        if self.levels == 0:
            raise ValueError("density below 1 needs at least one level")
        return self

    @property
    def prunings(self) -> int:
        """How many prunings there are."""
        if self.density is not None and self.levels is None:
            return math.ceil(math.log(self.density) / math.log(1 - (self.rate or RATE)) - 1e-9)
        return LEVELS if self.levels is None else self.levels

    def density_of(self, level: int) -> float:
        """The nominal density that level `level` trains at."""
        if self.density is None:
            return float((1 - (self.rate or RATE)) ** level)
        if self.levels is None:
            return float(max(self.density, (1 - (self.rate or RATE)) ** level))
        return float(self.density ** (level / self.levels))


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """Train, prune the smallest weights, go back, train again."""

    def levels(self) -> Sequence[Level]:
        s = self.settings
        return [self._level(index, last=index == s.prunings) for index in range(s.prunings + 1)]

    def mask_after(self, training: Training) -> masks.Mask:
        level = training.level
        if level.rate is None and level.target is None:
            return training.mask
        kept = training.mask.kept
        if level.target is None:
            kept -= round((level.rate or 0.0) * kept)
        else:
            kept = min(kept, max(1, round(level.target * training.mask.total)))
        scores = {name: p.detach().abs() for name, p in training.prunable().items()}
        return masks.keep_top(scores, kept, within=training.mask, scope=self.settings.scope)

    def _level(self, index: int, last: bool) -> Level:
        s = self.settings
        rate = None if last or s.density is not None else s.rate or RATE
        target = None if last or s.density is None else s.density_of(index + 1)
        density = s.density_of(index)
        if index == 0:
            return Level(0, density, rate=rate, target=target)
        start, at, lasts, learning_rate = self._return()
        return Level(index, density, start, at, lasts, learning_rate, rate, target)

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
