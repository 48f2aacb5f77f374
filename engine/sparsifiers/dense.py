"""No pruning: the reference that every ticket is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from engine import plugin, sparsifier
from engine.plan import Level


class Settings(plugin.Settings):
    """Nothing to set."""


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """One training at density 1."""

    def levels(self) -> Sequence[Level]:
        return [Level(0, 1.0)]
