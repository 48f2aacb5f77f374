"""PrAC lottery tickets (Zhang et al. 2021): as IMP, but each search on the critical images only.

A level trains until the mask that pruning would give has settled. Which images the next level
trains on is then known: those that were forgotten while training, and those that the pruned network
classifies in another way than the dense one; both networks have the weights that their trainings
ended with. The final ticket is trained on all images again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from engine import examples, plugin
from engine.context import Result
from engine.durations import Duration
from engine.errors import SpecError
from engine.forgetting import Memory
from engine.lazy import torch
from engine.masks import Mask
from engine.plan import Level, Plan, Planned, in_steps, steps_per_epoch
from engine.sparsifiers import _critical, imp
from engine.sparsifiers._critical import CriticalSet
from engine.sparsifiers._early_bird import EarlyBird
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training import Training


class Settings(imp.Settings):
    """How IMP prunes, which images each search trains on, and when it stops."""

    levels: int | None = Field(
        None, ge=1, le=1000, description=f"searches, one pruning each; {imp.LEVELS} if unset"
    )
    select: Literal["zero_out", "constant"] = Field(
        "zero_out",
        description="images that are hard to memorise: those forgotten more than `threshold` times"
        " (zero_out), or the share (1 - data_rate)^level that was forgotten most (constant)",
    )
    threshold: Annotated[int, plugin.IdleWith("select", "constant")] = Field(
        0, ge=0, le=100_000, description="forgetting events an image may have and still be left out"
    )
    data_rate: Annotated[float, plugin.IdleWith("select", "zero_out")] = Field(
        0.2, gt=0, lt=1, description="with select: constant, share of the images left out per level"
    )
    min_per_class: int = Field(
        5, ge=2, le=100_000, description="images that each class keeps at least, if it has as many"
    )
    mask_distance: float = Field(
        0.08,
        ge=0,
        le=2,
        description="a search ends when the mask that pruning would give has moved by less than"
        " this over `window` epochs: weights that differ from the epoch before's, relative to those"
        " kept (at most twice `rate`); 0 to never stop early",
    )
    wake: Annotated[float | None, plugin.IdleWith("mask_distance", 0)] = Field(
        None,
        ge=0,
        le=2,
        description="a distance that must be exceeded once before any counts, so that a network"
        " that has not begun to learn is not taken for settled; `mask_distance` if unset, as in the"
        " original code; lower it where masks move little from the start and no search ends early",
    )
    window: Annotated[int, plugin.IdleWith("mask_distance", 0)] = Field(
        5, ge=1, le=1000, description="epochs that have to agree"
    )
    iterations: Literal["linear", "quadratic"] = Field(
        "linear",
        description="a set of a share r of the images is trained on for as many epochs, so r times"
        " the steps (linear), or for r times the epochs and schedule too, so r^2 times the steps"
        " (quadratic, as the original code does)",
    )
    schedule: Literal["rewind", "restart"] = Field(
        "rewind",
        description="after rewinding, go on with the learning rate of the rewind point as imp does,"
        " or begin its schedule anew (restart, as the original code does)",
    )
    retrain: Literal["full", "critical", "none"] = Field(
        "full",
        description="how the last level trains the final ticket: on all images, or on the last"
        " critical set, either to the end; or none, as another search that may stop early",
    )

    @model_validator(mode="after")
    def _reaches_its_last_level(self) -> Self:
        if self.stop_below is not None:
            raise ValueError(
                "stop_below compares levels that train on the same images; prac's do not, and only"
                " its last level is the final ticket: leave it out"
            )
        return self


class Sparsifier(imp.Sparsifier):
    """IMP whose levels but the last train on critical sets until the mask settles.

    Attributes:
        chosen: indices of the images to train on; None for all.
        dense: classes int32 [N] that the first level's network predicts; None before its end.
        memory: what is remembered of the images in a search.
        bird: watches the mask of a search.
        found: the set that a search ended with.
        steps: optimizer steps of the levels that are done.
    """

    labelled = True
    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.chosen: Tensor | None = None
        self.dense: Tensor | None = None
        self.memory: Memory | None = None
        self.bird = self._bird()
        self.found: CriticalSet | None = None
        self.steps = 0

    planned = frozenset(("rate", "levels", "density"))
    open_ended = False

    def levels(self) -> Sequence[Level]:
        *before, last = map(self._scheduled, super().levels())
        last = replace(last, rate=None)
        if self.settings.retrain == "none":  # it watches the mask of a pruning that never comes
            assert last.density is not None and before[-1].density is not None
            last = replace(last, rate=1 - last.density / before[-1].density)
        stops = self.settings.mask_distance > 0
        return [*(replace(one, search=stops or one.index > 0) for one in before), last]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        super().check(spec, plan)
        s, farthest = self.settings, 2 * max(map(_pruned, plan.levels)) - 1e-9
        why = f"masks differ by at most twice the share that is pruned, {farthest:.4g}, so that"
        if s.wake is not None and s.wake >= farthest:
            raise SpecError(
                f"{why} none wakes a search at wake {s.wake:g}; lower it", "sparsifier.wake"
            )
        if s.mask_distance >= farthest:
            what = (
                "no search would end early" if s.wake is None else "every search would end at once"
            )
            raise SpecError(
                f"{why} {what} with mask_distance {s.mask_distance:g}; lower it, or write 0 to"
                " never stop early",
                "sparsifier.mask_distance",
            )

    def notes(self, spec: RunSpec, plan: Plan) -> list[str]:
        s, compared = self.settings, _distances(plan, spec)
        found = ["prac: the steps are upper bounds; critical sets and early stops take fewer"]
        if s.mask_distance and compared < s.window:
            found.append(
                f"prac: no search can stop early: {s.window} epochs have to agree, and the longest"
                f" has {compared} to compare; lower sparsifier.window, or train longer"
            )
        return found

    def attach(self, training: Training) -> None:
        super().attach(training)
        if self.memory is None:
            self.memory = Memory.empty(len(training.data.train), training.device)
        self.memory = self.memory.to(training.device)

    def examples(self, training: Training) -> Tensor | None:
        if self._is_last(training) and self.settings.retrain == "full":
            return None
        return self.chosen

    def stretch(self, training: Training) -> float:
        chosen = self.examples(training)
        if chosen is None:
            return 1.0
        share = len(chosen) / len(training.data.train)
        wanted = share if self.settings.iterations == "quadratic" else 1.0
        return max(wanted, _shortest(training, len(chosen)))

    def mask_during(self, training: Training) -> tuple[Mask, bool] | None:
        if self._searches(training):
            assert self.memory is not None
            shown = training.shown
            ids = shown.ids.to(training.device, non_blocking=True)
            self.memory.record(ids, shown.logits.argmax(1) == shown.targets)
        return super().mask_during(training)

    def stop(self, training: Training) -> bool:
        if not self._searches(training):
            return False
        per_epoch = training.steps_per_epoch
        warmup = training.schedule.warmup.in_steps(per_epoch)
        pruned = super().mask_after(training)
        # both masks must lie beyond the warm-up
        counts = training.position - per_epoch > warmup
        self.bird.look(pruned, training.mask.kept, counts)
        return self.bird.settled and training.position >= self._needed(training)

    def metrics(self, training: Training) -> dict[str, float]:
        used = training.examples
        found = {"examples": float(len(training.data.train) if used is None else len(used))}
        if self._searches(training):
            found["mask_distance_max"] = self.bird.farthest
            if self.bird.distance is not None:
                found["mask_distance"] = self.bird.distance
        return super().metrics(training) | found

    def mask_after(self, training: Training) -> Mask:
        assert self.bird.mask is not None
        mask = self.bird.mask.to(training.device)
        self.found = self._critical(training)
        self.chosen, self.memory, self.bird = self.found.ids, None, self._bird()
        return mask

    def report(self, training: Training) -> Result:
        self.steps += training.position - training.planned.first
        metrics = {
            "examples": self.metrics(training)["examples"],
            "iterations_saved": 1 - self.steps / _nominal(training, self.levels()),
        }
        if self.found is None:
            return Result(metrics, {})
        images, spec = training.data.train, training.spec
        about = {
            "dataset": spec.data.name,
            "seed": spec.data.seed,
            "validation": spec.data.validated,
            "run": {"name": spec.name, "digest": spec.digest, "seed": spec.seed},
            "model": spec.model.name,
            "level": training.level.index,
        }
        document = self.found.document(images, about)
        return Result(metrics | self.found.metrics(images), {examples.FILE: document})

    def state_dict(self) -> dict[str, Tensor]:
        tensors = {"chosen": self.chosen, "dense": self.dense, "steps": torch.tensor(self.steps)}
        if self.memory is not None:
            tensors |= {"last": self.memory.last, "events": self.memory.events}
        tensors |= {f"bird/{name}": t for name, t in self.bird.state_dict().items()}
        own = {f"prac/{name}": t for name, t in tensors.items() if t is not None}
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict({n: t for n, t in state.items() if not n.startswith("prac/")})
        own = {n.removeprefix("prac/"): t for n, t in state.items() if n.startswith("prac/")}
        self.chosen, self.dense = own.get("chosen"), own.get("dense")
        self.steps = int(own["steps"])
        if "last" in own:
            self.memory = Memory(own["last"], own["events"])
        bird = {n.removeprefix("bird/"): t for n, t in own.items() if n.startswith("bird/")}
        self.bird.load_state_dict(bird)

    def _bird(self) -> EarlyBird:
        s = self.settings
        return EarlyBird(s.mask_distance, s.window, s.wake)

    def _is_last(self, training: Training) -> bool:
        return training.level.index == self.settings.prunings

    def _searches(self, training: Training) -> bool:
        return self.settings.retrain == "none" or not self._is_last(training)

    def _scheduled(self, level: Level) -> Level:
        """A level as `schedule` wants it."""
        if self.settings.schedule == "rewind" or level.lasts not in ("rest", "whole"):
            return level
        return replace(level, at=Duration(), lasts="whole")

    def _needed(self, training: Training) -> int:
        """The step that the first level has to reach: where later levels start from."""
        if training.level.index:
            return 0
        starts = [level.start or Duration() for level in self.levels()[1:]]
        return max(start.in_steps(training.steps_per_epoch) for start in starts)

    def _critical(self, training: Training) -> CriticalSet:
        """The set for the next level, from what a search saw and what its network predicts."""
        s, images, rng = self.settings, training.data.train, training.rng("critical")
        assert self.memory is not None
        counts = self.memory.counts()
        if s.select == "zero_out":
            hard = _critical.forgotten(counts, s.threshold)
        else:
            size = int(len(images) * (1 - s.data_rate) ** (training.level.index + 1))
            hard = _critical.most_forgotten(counts, size, rng)
        predicted = training.predictions().to(torch.int32)
        if self.dense is None:
            self.dense = predicted
        pie = predicted != self.dense
        added = _critical.fill_up(hard | pie, counts, images, s.min_per_class, rng)
        return CriticalSet(hard, pie, added, counts)


def _shortest(training: Training, count: int) -> float:
    """The factor on epochs that leaves a level on `count` images an epoch beyond where it begins.

    A rewind point in steps lies the more epochs into the schedule, the fewer steps these have.
    """
    level, train = training.level, training.spec.train
    if level.lasts != "rest":
        return 0.0
    per_epoch = steps_per_epoch(count, train.batch_size)
    return (level.at.in_steps(per_epoch) // per_epoch + 1) / train.whole.epochs


def _distances(plan: Plan, spec: RunSpec) -> int:
    """After how many epochs of the first level, the longest, masks are compared.

    Not after its first, nor after one whose mask before lies in the warm-up.
    """
    train = spec.train.whole
    warmup = train.warmup.in_steps(plan.steps_per_epoch)
    return sum(epoch * plan.steps_per_epoch > warmup for epoch in range(1, train.epochs))


def _pruned(planned: Planned) -> float:
    """The nominal share of its weights that is pruned after a level."""
    level = planned.level
    if level.rate is not None or level.target is None or level.density is None:
        return level.rate or 0.0
    return 1 - level.target / level.density


def _nominal(training: Training, levels: Sequence[Level]) -> int:
    """Steps of the levels up to this one, if all were trained on all images to their ends."""
    train = training.spec.train
    per_epoch = steps_per_epoch(len(training.data.train), train.batch_size)
    done = levels[: training.level.index + 1]
    return sum(in_steps(level, per_epoch, train.whole.epochs).steps for level in done)
