"""No pruning: the reference for every ticket; with `levels`, the null control of IMP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from engine import plugin, sparsifier
from engine.plan import Level
from engine.sparsifiers import imp


class Settings(plugin.ReturnSettings):
    """How often it is trained, and from where."""

    levels: int = Field(
        0,
        ge=0,
        le=1000,
        description="trainings after the first: as many returns, trainings and picks as imp's with"
        " the same settings, but nothing is pruned; what these gain is no gain of tickets",
    )


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """The levels of iterative magnitude pruning, all of them at density 1."""

    def levels(self) -> Sequence[Level]:
        s = self.settings
        returns = {name: getattr(s, name) for name in plugin.ReturnSettings.model_fields}
        pruned = imp.Sparsifier(imp.Settings(levels=s.levels, **returns)).levels()
        return [replace(level, density=1.0, rate=None, target=None) for level in pruned]
