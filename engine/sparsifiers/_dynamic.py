"""Sparse training: drop the least weights of a sparse network and grow others in their place.

One engine for SET, SNFS and RigL, which differ in what they grow by. Where the published code of
RigL and of its reproduction (RR) differ, the settings say which is which. Unlike both, counts are
exact, ties go to the earlier position (RigL adds noise of 1e-5 to magnitudes), and layers that are
full exchange nothing (RR zeroes their least weights at every update).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from engine import masks, plugin, sparsifier
from engine.errors import SpecError
from engine.lazy import torch
from engine.plan import Level, Plan
from engine.sources import Source, check_shapes, may_differ
from engine.sparsifiers import _schedules, _shares, _topology, _updates
from engine.sparsifiers._churn import Churn
from engine.spec import RunSpec
from engine.trainspec import Sgd

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training import Training

    Tensors = Mapping[str, Tensor]


SPREAD = 0.05  # the density from which er and erk leave no layer of a network empty
_NO_BLOCKS = plugin.IdleWith("structure", "weight")
_NO_POWER = plugin.IdleWith("drop_schedule", "cosine", "linear", "constant", "learning_rate")


class DynamicSettings(_schedules.UpdateSettings, _topology.TopologySettings):
    """What is exchanged, how much of it, and when."""

    source: Source | None = Field(
        None,
        description="begin with the mask of an earlier run's ticket, as RUN or RUN:LEVEL, and with"
        " weights of this run's own (RigL re-init), in place of a random mask; leave density and"
        " allocation out, which follow from it",
    )
    alpha: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="share of each layer's live weights that an update at `start` would replace,"
        " from which drop_schedule falls",
    )
    drop_schedule: _schedules.DropSchedule = Field(
        "cosine",
        description="how that share falls from start to stop: as half a cosine (RigL), linearly, as"
        " a power of the time left (exponential in RigL's code), with the learning rate, or not",
    )
    drop_power: Annotated[float, _NO_POWER] = Field(
        3.0, gt=0, le=100, description="exponent of drop_schedule: power; 1 is linear"
    )
    redistribute: Literal["none", "gradient", "momentum"] = Field(
        "none",
        description="whether each layer grows what it drops (none), or layers share the growth by"
        " the mean magnitude of their live weights' gradients or momenta, the total being exact",
    )
    grow_init: _updates.GrowInit = Field(
        "zeros",
        description="what new connections start from: zeros (published), the layer's initial"
        " weights in random order, random numbers with the standard deviation (normal) or within"
        " the mean magnitude (uniform) of its live weights, their gradient, or its sign",
    )
    grow_divisor: Annotated[float, plugin.IdleWith("grow_init", "zeros")] = Field(
        1.0, gt=0, le=1e6, description="what grow_init's values are divided by"
    )
    regrown: Literal["keep", "zero"] = Field(
        "keep",
        description="a weight that one update drops and grows again keeps its value (keep, as in"
        " RigL's code), or starts from zero (zero, as in the reproduction's)",
    )
    memory: Literal["masked", "dense"] = Field(
        "masked",
        description="whether the optimizer forgets pruned weights, so that new connections start"
        " without momentum (masked, as published), or remembers their gradients too (dense), at the"
        " cost of computing them at every step",
    )
    drop_by: Annotated[Literal["mean", "max"], _NO_BLOCKS] = Field(
        "mean", description="with structure: channel, the magnitude of a block of weights"
    )
    grow_by: Annotated[Literal["mean", "min"], _NO_BLOCKS] = Field(
        "mean", description="with structure: channel, the gradient or momentum of a block"
    )

    @model_validator(mode="after")
    def _one_density(self) -> Self:
        if self.source is None:
            return self
        for name in ("density", "allocation", "power"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise plugin.impossible(
                    name, f"{name} follows from the source's mask; leave it out"
                )
        return self


S = TypeVar("S", bound=DynamicSettings)


class Dynamic(sparsifier.Sparsifier[S]):
    """One training whose mask is updated every so many steps, the number of live weights constant.

    Attributes:
        window: the steps that update the mask.
        budget: how many weights live after an update; whole blocks may leave a few of them out.
    """

    scores_gradients = False
    """Whether pruned weights grow by their gradients, which an update then needs."""

    window: _schedules.Window
    churn: Churn
    budget: int

    def __init__(self, settings: S) -> None:
        super().__init__(settings)
        self.dense_memory = settings.memory == "dense"
        self._loaded: dict[str, Tensor] = {}

    def levels(self) -> Sequence[Level]:
        s = self.settings
        return [Level(0, s.density if s.source is None else s.source.density)]

    @abstractmethod
    def grow_scores(self, training: Training, gradients: Tensors, rng: torch.Generator) -> Tensors:
        """By name, tensors whose magnitudes say which pruned weights grow.

        Args:
            gradients: of the step's batch, pruned weights' too.
            rng: of this update, on the CPU.
        """

    def check(self, spec: RunSpec, plan: Plan) -> None:
        s = self.settings
        if s.source is not None:
            _topology.check_source(s.source, s, spec)
        elif s.density == 1:
            raise SpecError(
                "at density 1 there is nothing to exchange; lower it, or use sparsifier: dense",
                "sparsifier.density",
            )
        s.check(spec, plan)
        optimizer = spec.train.optimizer
        if self.uses_momentum() and isinstance(optimizer, Sgd) and not optimizer.momentum:
            raise SpecError(
                f"{s.name} goes by the optimizer's momentum here, which is 0; raise it,"
                " or use adam",
                "train.optimizer.momentum",
            )

    def rests_on_shapes(self, spec: RunSpec) -> bool:
        s = self.settings
        if s.source is not None:
            return may_differ(s.source, spec) or super().rests_on_shapes(spec)
        # er and erk give a layer weights in proportion to the sum of its sides, so that each has
        # some at this density in all networks of 4 channels or more; uniform empties small layers
        spread = s.allocation != "uniform" and s.power == 1 and s.density >= SPREAD
        return not spread or s.structure == "channel" or super().rests_on_shapes(spec)

    def check_shapes(self, weights: Tensors) -> None:
        s = self.settings
        if s.source is None:
            _topology.check_alive(weights, s)
        else:
            check_shapes(s.source, masks.shapes(weights))

    def notes(self, spec: RunSpec, plan: Plan) -> list[str]:
        return [self.settings.note(spec, plan)]

    def uses_momentum(self) -> bool:
        """Whether updates go by what the optimizer remembers."""
        return self.settings.redistribute == "momentum"

    def weights_before(
        self, level: Level, weights: dict[str, Tensor], rng: torch.Generator
    ) -> dict[str, Tensor]:
        self._initial = weights
        return weights

    def attach(self, training: Training) -> None:
        s, weights = self.settings, training.prunable()
        multiplier = training.spec.train.multiplier
        self.window = s.window(training.planned, training.steps_per_epoch, multiplier)
        self._fixed = _topology.fixed(weights, s)
        self._block = _topology.blocks(weights, s)
        if self._loaded:
            self.budget = int(self._loaded.pop("budget"))
            self.churn = Churn.load(self._loaded, training.device)

    def mask_before(self, training: Training) -> masks.Mask:
        s, weights = self.settings, training.prunable()
        self.check_shapes(weights)
        if s.source is None:
            mask = _topology.draw(weights, s, training.rng("mask"))
        else:
            mask = _topology.taken(s.source, s, weights)
        mask = mask.to(training.device)
        self.budget, self.churn = mask.kept, Churn(mask)
        return mask

    def mask_during(self, training: Training) -> tuple[masks.Mask, bool] | None:
        if not self.window.due(_step(training)):
            return None
        gradients = {name: _gradient(p) for name, p in training.prunable().items()}
        if self.settings.at == "after":
            gradients = {name: gradient.clone() for name, gradient in gradients.items()}
            training.move()
        return self._update(training, gradients), True

    def dense_gradients(self, training: Training) -> bool:
        needed = self.scores_gradients or self.settings.grow_init in ("gradient", "sign")
        return self.dense_memory or (needed and self.window.due(_step(training)))

    def metrics(self, training: Training) -> dict[str, float]:
        return self.churn.metrics(training.mask)

    def state_dict(self) -> dict[str, Tensor]:
        return {**self.churn.state_dict(), "budget": torch.tensor(self.budget)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._loaded = dict(state)

    def _update(self, training: Training, gradients: Tensors) -> masks.Mask:
        """Exchange weights, give the new ones their values, and return the new mask."""
        s, before = self.settings, training.mask
        rng = training.rng("update", training.position)
        scores = self.grow_scores(training, gradients, rng)
        stayed, after = masks.Mask(before), masks.Mask(before)
        for name, (drop, grow) in self._counts(training, gradients).items():
            weight = training.prunable()[name]
            done = _updates.exchange(
                _updates.gathered(before[name], s.structure),
                _updates.reduced(weight, s.structure, s.drop_by),
                drop,
                _updates.reduced(scores[name], s.structure, s.grow_by),
                grow,
            )
            stayed[name] = _updates.spread(done.stayed, weight.shape)
            after[name] = _updates.spread(done.alive, weight.shape)
        assert after.kept == self.budget or s.structure == "channel"
        self._start(training, before, stayed, after, gradients, rng)
        self.churn.updated(before, stayed, after)
        return after

    def _counts(self, training: Training, gradients: Tensors) -> _shares.Counts:
        """By layer, how many units it drops and grows."""
        mask, s, alpha = training.mask, self.settings, self._alpha(training)
        layers = {  # in the network's order, which a mask from a checkpoint may not have
            name: _shares.Layer(int(mask[name].sum()), mask[name].numel(), block)
            for name, block in self._block.items()
            if name not in self._fixed
        }
        if s.redistribute == "none":
            return _shares.alike(layers, alpha)
        by = gradients if s.redistribute == "gradient" else momenta(training)
        shares = _shares.importance({name: by[name] for name in layers}, mask)
        if not any(shares.values()):
            return _shares.alike(layers, alpha)
        return _shares.shared(layers, alpha, shares, self.budget - mask.kept)

    def _alpha(self, training: Training) -> float:
        """The share that this update replaces."""
        s, progress = self.settings, self.window.progress(_step(training))
        rate = training.learning_rate(training.position) / training.spec.train.optimizer.lr
        return _schedules.drop_fraction(s.drop_schedule, s.alpha, progress, s.drop_power, rate)

    def _start(
        self,
        training: Training,
        before: masks.Mask,
        stayed: masks.Mask,
        after: masks.Mask,
        gradients: Tensors,
        rng: torch.Generator,
    ) -> None:
        """Give weights that grew their values; new ones are zero as it is."""
        s = self.settings
        for name, parameter in training.prunable().items():
            weight, old, new = parameter.detach(), before[name], after[name]
            if s.regrown == "zero":
                weight.masked_fill_(new & old & ~stayed[name], 0.0)
            if s.grow_init != "zeros":
                values = _updates.initial_values(
                    s.grow_init, weight, old, self._initial[name], gradients[name], rng
                )
                weight.copy_(torch.where(new & ~old, values / s.grow_divisor, weight))


def momenta(training: Training) -> dict[str, Tensor]:
    """What the optimizer remembers of gradients: SGD's momentum, or Adam's normalised mean."""
    found = {}
    for name in training.prunable():
        buffers = training.optimizer.buffers(name)
        if "momentum" in buffers:
            found[name] = buffers["momentum"]
        else:
            found[name] = buffers["exp_avg"] / (buffers["exp_avg_sq"].sqrt() + 1e-8)
    return found


def _step(training: Training) -> int:
    """Steps of this level before the one being taken."""
    return training.position - training.planned.first


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
