"""A random sparse network, trained as it is: the baseline of sparse training (Evci et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine import masks, sparsifier
from engine.plan import Level, Plan
from engine.sparsifiers import _topology
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training import Training


class Settings(_topology.TopologySettings):
    """How many weights live, and where. `random` is the same with other defaults."""


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """One training under the random mask that the dynamic methods begin with."""

    def levels(self) -> Sequence[Level]:
        return [Level(0, self.settings.density)]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        self.settings.check_sparse()

    def rests_on_shapes(self, spec: RunSpec) -> bool:
        return self.settings.structure == "channel" or super().rests_on_shapes(spec)

    def check_shapes(self, weights: Mapping[str, Tensor]) -> None:
        _topology.kept_units(weights, self.settings)

    def mask_before(self, training: Training) -> masks.Mask:
        return _topology.draw(training.prunable(), self.settings, training.rng("mask"))
