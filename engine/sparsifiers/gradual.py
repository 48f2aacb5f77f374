"""Gradual magnitude pruning during one training (Zhu & Gupta 2018).

Pruned weights never return, so that their gradients are neither computed nor counted: the cost is
that of RigL's reproduction (0.41 of dense training at density 0.2), not of RigL's paper, which has
dense gradients throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine import densities, masks, plugin, sparsifier
from engine.plan import Level, Plan
from engine.sparsifiers import _schedules
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training import Training


class Settings(_schedules.UpdateSettings, plugin.AllocationSettings):
    """How much is pruned, where and when.

    RigL's reproduction leaves the first layer out of it: `prunable: conv-no-first`.
    """

    allocation: Literal["global", "uniform", "er", "erk"] = Field(
        "global",
        description="which weights are pruned: the least of the whole network (global), or of each"
        " layer, which then goes down to the same density (uniform) or to one of its own (er, erk)"
        " by the same schedule; counts are exact with each",
    )


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """One training from a dense to a sparse network."""

    window: _schedules.Window

    def levels(self) -> Sequence[Level]:
        return [Level(0, self.settings.density)]

    def check_shapes(self, weights: Mapping[str, Tensor]) -> None:
        masks.allotted(weights, self.settings, self.settings.density)

    def check(self, spec: RunSpec, plan: Plan) -> None:
        self.settings.check_sparse()
        self.settings.check(spec, plan)

    def notes(self, spec: RunSpec, plan: Plan) -> list[str]:
        return [self.settings.note(spec, plan)]

    def attach(self, training: Training) -> None:
        multiplier = training.spec.train.multiplier
        self.window = self.settings.window(training.planned, training.steps_per_epoch, multiplier)

    def mask_before(self, training: Training) -> masks.Mask:
        self.check_shapes(training.prunable())  # so that the end is not the first to tell
        return training.mask

    def mask_during(self, training: Training) -> tuple[masks.Mask, bool] | None:
        step = training.position - training.planned.first
        if not self.window.due(step):
            return None
        if self.settings.at == "after":
            training.move()
        done = _schedules.pruned_share(self.window.progress(step))
        share = 1.0 if step == self.window.last else done
        scores = {
            name: p.detach().abs().masked_fill(~training.mask[name], -1.0)
            for name, p in training.prunable().items()
        }
        return self._pruned(scores, training.mask, share), True

    def metrics(self, training: Training) -> dict[str, float]:
        return {"mask_density": training.mask.density}

    def _pruned(self, scores: Mapping[str, Tensor], mask: masks.Mask, share: float) -> masks.Mask:
        """The mask after `share` of all prunings, within `mask`."""
        s = self.settings
        if s.allocation == "global":
            return masks.allocate(scores, s, 1 - (1 - s.density) * share)
        shapes = {name: tuple(score.shape) for name, score in scores.items()}
        dense = densities.named(shapes, s.keep_dense)
        final = densities.counts(shapes, s.density, s.allocation, s.power, dense)
        pruned = {name: mask[name].numel() - final[name] for name in mask}
        counts = {name: mask[name].numel() - round(pruned[name] * share) for name in mask}
        return masks.keep_top_per_layer(scores, counts, within=mask)
