"""Continuous Sparsification (Savarese, Silva & Maire 2020): gates that harden while they train.

In a search round every prunable weight w has a gate s and counts as w * sigmoid(beta * s) /
sigmoid(s0), beta rising epoch by epoch. The network's parameters hold w / sigmoid(s0), with the
learning rate and weight decay that make this the same training; so rewind points and tickets are
plain weights that need no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from engine import gates, masks, plugin, sparsifier
from engine.context import Result
from engine.durations import Duration
from engine.errors import LthError, SpecError
from engine.lazy import torch
from engine.plan import Level, Plan
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from engine.training import Training

BINS = 40
FAR = 2.0  # times the density asked for, or as small a part of it


class Settings(plugin.PrunableSettings):
    """How gates are searched, and how the ticket that they leave is trained."""

    rounds: int = Field(3, ge=1, le=100, description="trainings of weights and gates together")
    strength: float = Field(
        1e-8, ge=0, le=1, description="penalty on the sum of all gates; higher is sparser"
    )
    initial: float = Field(
        0.0,
        ge=-3,
        le=3,
        description="where gates start, and open ones start again in each round; lower is sparser,"
        " such as -0.1",
    )
    final_temperature: float = Field(
        200.0,
        ge=1,
        le=1e6,
        description="hardness of the gates in a round's last epoch, to which it rises"
        " exponentially from 1 in the first",
    )
    density: float | None = Field(
        None,
        gt=0,
        le=1,
        description="kept fraction of the ticket: exactly so many of the largest gates stay open;"
        " unset, those above zero",
    )
    rewind: Duration = Field(
        Duration(epochs=2),
        description="the point of the first round whose weights the ticket starts from: init, 2ep,"
        " 500it",
    )
    length: Literal["full", "exact"] = Field(
        "full",
        description="train the ticket for the whole schedule from its start (full, as published),"
        " or for what remains of it after the rewind point (exact, as imp does)",
    )
    gate_lr: float = Field(
        1.0, gt=0, le=1000, description="learning rate of the gates, as a multiple of the weights'"
    )
    gate_decay: float = Field(0.0, ge=0, le=1, description="weight decay of the gates")


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """Rounds that train weights and gates, then the weights behind open gates from an early point.

    Until a round ends its mask keeps everything; its own ticket has only the open gates' weights.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.scale = gates.scale(settings.initial)
        self.gates: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}  # of a finished round, behind closed gates too
        self._open: Tensor | None = None

    planned = frozenset(("rounds",))

    def levels(self) -> Sequence[Level]:
        s = self.settings
        starts = [None if i else Duration() for i in range(s.rounds)]
        search = [Level(i, None, start, search=True) for i, start in enumerate(starts)]
        if s.length == "full":
            return [*search, Level(s.rounds, s.density, s.rewind)]
        return [*search, Level(s.rounds, s.density, s.rewind, s.rewind, "rest")]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        if spec.select.epoch == "best":
            raise SpecError(
                "the gates of continuous are hard only when a round is over: an earlier epoch"
                " leaves no ticket; set select.epoch: last",
                "select.epoch",
            )
        if self.settings.density == 1:
            raise SpecError(
                "at density 1 all gates stay open, whatever is searched; lower it, leave it out, or"
                " use sparsifier: dense",
                "sparsifier.density",
            )

    def notes(self, spec: RunSpec, plan: Plan) -> list[str]:
        return ["continuous: how many gates a round leaves open only training will tell"]

    def attach(self, training: Training) -> None:
        self.weights = {}  # the network has them now
        if not self._searches(training):
            return
        saved, self.gates = self.gates, {}  # in the network's order, which files don't keep
        for name, weight in training.prunable().items():
            # in the weight's own precision and memory format
            gate = torch.full_like(weight, self.settings.initial, requires_grad=False)
            if name in saved:
                gate.copy_(saved[name].detach())
            self.gates[name] = gate.requires_grad_()

    def parameter_groups(self, training: Training) -> list[dict[str, Any]]:
        s = self.settings
        weights = scaled_group(training, self.scale)
        if not self._searches(training):
            return [weights]
        named = {f"gate/{name}": gate for name, gate in self.gates.items()}
        return [weights, {"params": named, "lr_factor": s.gate_lr, "weight_decay": s.gate_decay}]

    def mask_before(self, training: Training) -> masks.Mask:
        s = self.settings
        if self._searches(training):
            if training.level.index:
                gates.restart_(self.gates, s.final_temperature, s.initial)
            return training.mask
        found = {name: self.gates[name] for name in training.prunable()}
        natural, self.gates = gates.opened(found), {}
        if s.density is not None:
            self._compare(natural.density, s.density)
            return gates.opened(found, s.density)
        if not natural.kept:
            raise LthError(
                f"no gate is open after {s.rounds} round(s): nothing is left to train; raise"
                " sparsifier.initial, lower sparsifier.strength, or set sparsifier.density"
            )
        return natural

    def weights_before(
        self, level: Level, weights: dict[str, Tensor], rng: Generator
    ) -> dict[str, Tensor]:
        if level.start is None:
            return {**weights, **self.weights}
        if level.start.in_steps(1):
            return weights  # trained ones, which have their scale
        found = masks.matching(weights, self.settings.prunable)
        return {**weights, **{name: weight * self.scale for name, weight in found.items()}}

    def weights_during(self, training: Training) -> dict[str, Tensor]:
        if not self._searches(training):
            return {}
        gated, self._open = gates.apply(training.prunable(), self.gates, self._beta(training))
        return gated

    def penalty(self, training: Training) -> Tensor | None:
        if self._open is None or not self._searches(training):
            return None
        return self.settings.strength * self.scale * self._open

    def keeps_optimizer(self, level: int) -> bool:
        return level < self.settings.rounds

    def ticket(self, training: Training) -> tuple[masks.Mask, dict[str, Tensor]]:
        if not self._searches(training):
            return training.mask, {}
        return gates.opened(self.gates), {}

    def mask_after(self, training: Training) -> masks.Mask:
        self.weights = {name: p.detach().clone() for name, p in training.prunable().items()}
        return training.mask

    def metrics(self, training: Training) -> dict[str, float]:
        """Temperature, share of gates above zero, and the mean share of a weight that passes."""
        if not self._searches(training):
            return {}
        beta = self._beta(training)
        found = gates.summary(self.gates, beta)
        return {"temperature": beta, "open_gates": found.opened, "mean_gate": found.mean}

    def report(self, training: Training) -> Result | None:
        """What a round found: its density, how soft its gates still are, and where they lie."""
        if not self._searches(training):
            return None
        found = gates.summary(self.gates, self.settings.final_temperature)
        metrics = {"density": found.opened, "softness": found.softness}
        return Result(metrics, {"gates.json": gates.histograms(self.gates, BINS)})

    def state_dict(self) -> dict[str, Tensor]:
        weights = {f"weight/{name}": weight for name, weight in self.weights.items()}
        return weights | {f"gate/{name}": gate for name, gate in self.gates.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.weights, self.gates = {}, {}
        for key, tensor in state.items():
            kind, _, name = key.partition("/")
            (self.gates if kind == "gate" else self.weights)[name] = tensor

    def _searches(self, training: Training) -> bool:
        return training.level.index < self.settings.rounds

    def _compare(self, found: float, wanted: float) -> None:
        """Say so where the gates that are kept are hardly those that the search left open."""
        if not wanted / FAR <= found <= wanted * FAR:
            self.host.warn(
                f"the search left {found:.2%} of the gates open, and density keeps {wanted:.2%};"
                f" {'lower' if found > wanted else 'raise'} sparsifier.initial (now"
                f" {self.settings.initial:g}) until they are near each other"
            )

    def _beta(self, training: Training) -> float:
        epochs = training.schedule.epochs
        return gates.temperature(self.settings.final_temperature, training.epoch, epochs)


def scaled_group(training: Training, scale: float) -> dict[str, Any]:
    """The prunable weights, which are `scale` times w, for the optimizer.

    With these settings w itself moves as it would with the spec's.
    """
    optimizer = training.spec.train.optimizer
    return {
        "params": training.prunable(),
        "lr_factor": scale**2 if optimizer.name == "sgd" else scale,
        "weight_decay": optimizer.weight_decay / scale**2,
    }
