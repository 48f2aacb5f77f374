"""One level in one process: from its start, or its last checkpoint, to its saved ticket."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from engine import checkpoints, densities, evaluating, levels, masks, partials, seeds, tickets
from engine.checkpoints import Checkpoint
from engine.epochs import EpochResult, train_level
from engine.errors import Damaged, Stopped, some
from engine.evaluation import Score, score
from engine.events import EpochEnded, LevelEnded, LevelStarted, MaskChanged
from engine.levels import Carry, Finished
from engine.masks import Mask
from engine.metering import Meter, Taken
from engine.plan import Planned
from engine.setup import Setup
from engine.sparsifier import Sparsifier
from engine.tickets import State, Ticket
from engine.training import Training


@dataclass
class Best:
    """The best evaluated epoch of a level so far, with its weights and mask."""

    metric: float
    epoch: int
    state: State
    mask: Mask


class LevelRun:
    """The live state of one level and what happens around its steps."""

    def __init__(
        self,
        setup: Setup,
        planned: Planned,
        sparsifier: Sparsifier[Any],
        before: Finished | None,
    ) -> None:
        self.setup, self.spec, self.index = setup, setup.spec, planned.level.index
        self.sparsifier = sparsifier
        self.epochs, self.steps = (before.epochs, before.steps) if before else (0, 0)
        self.meter, self.saved_at = Meter(setup.device.type), time.monotonic()
        self.best: Best | None = None
        self.result: EpochResult | None = None
        net = setup.build()
        self.start = self._start(planned, net)
        net.load_state_dict(self.start)
        self.training = self._training(planned, net)
        self.mask = self.training.mask
        self.rewinds = self._rewinds()
        self._announce()

    def train(self, last: bool) -> Finished:
        """Train to the end, save the ticket, and return what was saved.

        Args:
            last: whether no level follows, so that one need be thought of only if the method is
                open-ended.
        """
        training, sparsifier = self.training, self.sparsifier
        train_level(training, sparsifier, self._tick, self._epoch_ended)
        training.take_average()
        onward = not last or sparsifier.open_ended
        mask = sparsifier.mask_after(training) if onward else training.mask
        self._report()
        keeps = onward and sparsifier.keeps_optimizer(self.index + 1)
        memory = {n: t.clone() for n, t in training.optimizer.state_dict().items()} if keeps else {}
        final = self._final() if onward else {}
        carry = Carry(mask, sparsifier.state_dict(), memory, final, onward)
        ended = self._ended()
        self.setup.sync()
        ticket = self._ticket(ended)
        return levels.save(self.setup.directory, ticket, carry, ended, self.epochs, self._steps())

    def _final(self) -> State:
        """The network's state, where the next level goes on from it and the ticket has another."""
        following = self.setup.plan.levels[self.index + 1 : self.index + 2]
        if following:
            start = following[0].level.start
        else:  # as after this one's own, if there is one before it to go by
            start = self.training.level.start if self.index else None
        if start is not None or self.best is None:
            return {}
        return {name: t.detach().clone() for name, t in self.training.net.state_dict().items()}

    def _report(self) -> None:
        """Keep what the sparsifier has to say of the level."""
        result = self.sparsifier.report(self.training)
        if result is not None:
            name = self.spec.sparsifier.name
            self.setup.emit(evaluating.keep(self.setup.directory, self.index, name, result))

    def _start(self, planned: Planned, net: nn.Module) -> State:
        """The state dict that the level starts from, before its mask."""
        rng = seeds.rng(self.spec.seed, "start", self.index)
        return self.sparsifier.weights_before(planned.level, self._planned_start(planned, net), rng)

    def _planned_start(self, planned: Planned, net: nn.Module) -> State:
        point = planned.level.start
        if point is None:
            return levels.final(self.setup.directory, self.index - 1)
        step = point.in_steps(self.setup.plan.steps_per_epoch)
        if step == 0 or self.index == 0:
            return {name: t.detach().clone() for name, t in net.state_dict().items()}
        try:
            return checkpoints.load(self._rewind(step)).tensors["net"]
        except Damaged as error:
            raise Damaged(
                f"level {self.index} starts from {point} of level 0, which is not there: {error};"
                " train the run again with --again"
            ) from None

    def _rewinds(self) -> dict[int, Path]:
        """Where the weights of this level go that later levels start from, by position.

        An epoch may have fewer steps here than planned, if the sparsifier uses fewer images.
        """
        if self.index:
            return {}
        here, planned = self.training.steps_per_epoch, self.setup.plan.steps_per_epoch
        points = self.setup.plan.rewinds
        return {p.in_steps(here): self._rewind(p.in_steps(planned)) for p in points}

    def _training(self, planned: Planned, net: nn.Module) -> Training:
        """The level at its start, or where its newest checkpoint left it."""
        setup, sparsifier = self.setup, self.sparsifier
        mask = masks.ones(setup.prunable(net))
        if self.index > 0:
            mask = levels.carry(setup.directory, self.index - 1).mask
        training = Training(setup.spec, planned.level, setup.data, net, mask, setup.device)
        saved = partials.newest(setup.directory, self.index, setup.warn)
        if saved is not None:
            sparsifier.load_state_dict(saved.tensors["sparsifier"])
        sparsifier.attach(training)
        if saved is None:
            mask = sparsifier.mask_before(training)
            net.load_state_dict(self.start)
            training.set_mask(mask)
            self._warn_of_empty_layers(mask)
            self._start_optimizer(training)
            self._take_over(training)
        else:
            self._resume(training, saved)
        return training

    def _warn_of_empty_layers(self, mask: masks.Mask) -> None:
        empty = [name for name, alive in mask.items() if not bool(alive.any())]
        if empty:
            self.setup.warn(
                f"level {self.index}: no weight is left in {len(empty)} of {len(mask)} layers"
                f" ({some(empty)}); a higher density, or one that is given layer by layer, keeps"
                " every layer alive"
            )

    def _resume(self, training: Training, saved: Checkpoint) -> None:
        meta = saved.meta
        self._start_optimizer(training)
        training.set_mask(tickets.unpack_mask(saved.tensors["mask"]))
        training.load_state(saved.tensors, meta["position"], meta["seen"], meta["epoch_seconds"])
        training.ended, training.spent = meta["ended"], meta["spent"]
        self.epochs = meta["epochs"]
        before = Taken(meta["seconds"], meta.get("device_seconds"), meta.get("joules"))
        self.meter = Meter(self.setup.device.type, before)
        if meta["best"]:
            mask = tickets.unpack_mask(saved.tensors["best_mask"])
            self.best = Best(meta["best"][0], meta["best"][1], saved.tensors["best"], mask)

    def _start_optimizer(self, training: Training) -> None:
        sparsifier = self.sparsifier
        training.use(sparsifier.examples(training), sparsifier.stretch(training))
        training.start_optimizer(sparsifier)

    def _take_over(self, training: Training) -> None:
        """Give a new level the memory of the optimizer before it, if it is to go on with that."""
        if self.index and self.sparsifier.keeps_optimizer(self.index):
            memory = levels.carry(self.setup.directory, self.index - 1).optimizer
            training.optimizer.load_state_dict(memory)
            training.set_mask(training.mask)

    def _save(self) -> None:
        """Write a checkpoint from which this very state can be taken up again."""
        training, best = self.training, self.best
        tensors = {
            **training.state(),
            "mask": tickets.pack_mask(training.mask),
            "sparsifier": self.sparsifier.state_dict(),
            "best": best.state if best else {},
            "best_mask": tickets.pack_mask(best.mask) if best else {},
        }
        meta = {
            "position": training.position,
            "ended": training.ended,
            "spent": training.spent,
            "seen": training.tally.seen,
            "epoch_seconds": training.tally.seconds,
            "epochs": self.epochs,
            **asdict(self.meter.taken()),
            "best": [best.metric, best.epoch] if best else None,
        }
        self.setup.sync()
        partials.save(self.setup.directory, self.index, training.position, tensors, meta)
        self.saved_at = time.monotonic()

    def _tick(self) -> None:
        """After every step: keep a rewind point, save now and then, stop when asked."""
        training = self.training
        self.meter.tick()
        if training.mask is not self.mask:
            self.mask = mask = training.mask
            here = {"level": self.index, "step": self._steps()}
            self.setup.emit(MaskChanged(density=mask.density, kept=mask.kept, **here))
        if training.position in self.rewinds:
            state = {name: t.detach() for name, t in training.net.state_dict().items()}
            checkpoints.save(self.rewinds[training.position], {"net": state}, {})
        stopping = self.setup.stopping()
        if stopping or time.monotonic() - self.saved_at > self.spec.checkpoint:
            self._save()
        if stopping:
            raise Stopped(
                f"stopped in level {self.index} before step {training.position} of"
                f" {training.planned.end}; a checkpoint was saved"
            )

    def _rewind(self, step: int) -> Path:
        return self.setup.directory.rewind / f"{step:09d}"

    def _epoch_ended(self, result: EpochResult) -> None:
        """Score what is due and report; at a level's end save first, so that nothing is lost."""
        if result.last:
            self._save()
        self.result = result
        self.epochs += 1
        training = self.training
        with training.averaged(), training.wearing(self.sparsifier.weights_during(training)):
            val, test = self._scores_due(result)
            self._remember_best(result, test if self.spec.select.split == "test" else val)
        self.setup.emit(
            EpochEnded(
                level=self.index,
                epoch=self.epochs,
                step=self._steps(),
                level_epoch=result.epoch,
                train_loss=result.loss,
                train_accuracy=result.accuracy,
                learning_rate=result.learning_rate,
                images_per_second=result.images_per_second,
                val_loss=val.loss if val else None,
                val_accuracy=val.accuracy if val else None,
                test_loss=test.loss if test else None,
                test_accuracy=test.accuracy if test else None,
                metrics=self.sparsifier.metrics(self.training),
            )
        )

    def _scores_due(self, result: EpochResult) -> tuple[Score | None, Score | None]:
        """Validation and test scores of an epoch, where the cadence asks for them."""
        cadence = self.spec.train.evaluate
        due = cadence.every > 0 and result.epoch % cadence.every == 0
        due = due or result.last or result.epoch > self._epochs_planned() - cadence.last
        if not due:
            return None, None
        return self._scores(with_test=self._tests_epochs())

    def _tests_epochs(self) -> bool:
        """Whether test images are scored along the way: on request, or to pick an epoch on them."""
        select = self.spec.select
        return self.spec.train.evaluate.test == "epoch" or (
            select.split == "test" and select.epoch == "best"
        )

    def _remember_best(self, result: EpochResult, decisive: Score | None) -> None:
        if self.spec.select.epoch != "best" or decisive is None:
            return
        balanced = self.spec.select.metric == "balanced_accuracy"
        metric = decisive.balanced if balanced else decisive.accuracy
        if self.best is not None and self.best.mask.kept > self._most_kept():
            self.best = None  # a denser network must not stand for a sparser one
        if self.best is None or metric > self.best.metric:
            state = {n: t.detach().clone() for n, t in self.training.net.state_dict().items()}
            self.best = Best(metric, result.epoch, state, self.training.mask)

    def _most_kept(self) -> int:
        """The weights that a ticket may have now: as many as the network, or as are asked for."""
        mask, density = self.training.mask, self.training.level.density
        asked = 0 if density is None else densities.count(mask.total, density)
        return max(mask.kept, asked)

    def _scores(self, with_test: bool) -> tuple[Score | None, Score | None]:
        """Of validation images where there are any, and of test images if asked for."""
        data, net, judge = self.setup.data, self.training.net, self.training.judge()
        val = None if data.val is None else score(net, data.val, data.geometry, judge)
        return val, score(net, data.test, data.geometry, judge) if with_test else None

    def _ended(self) -> LevelEnded:
        """Score the weights that the ticket keeps, which are loaded into the network."""
        assert self.result is not None
        if self.best is not None:
            self.training.net.load_state_dict(self.best.state)
            self.training.set_mask(self.best.mask)
        else:
            mask, weights = self.sparsifier.ticket(self.training)
            self.training.set_mask(mask)
            self.training.wear(weights)
        val, test = self._scores(with_test=True)
        mask, taken = self.training.mask, self.meter.taken()
        if self.meter.shared:
            self.setup.warn(
                f"level {self.index}: other programs used the GPU, and its energy is that of all"
            )
        return LevelEnded(
            level=self.index,
            epoch=self.epochs,
            step=self._steps(),
            density=mask.density,
            kept=mask.kept,
            total=mask.total,
            epochs=self.result.epoch,
            seconds=taken.seconds,
            train_loss=self.result.loss,
            train_accuracy=self.result.accuracy,
            scored_epoch=self.best.epoch if self.best else self.result.epoch,
            search=self.training.level.search,
            inference_flops=self.training.flops.sparse(mask),
            training_flops=self.training.spent,
            device_seconds=taken.device_seconds,
            joules=taken.joules,
            **_scores("val", val),
            **_scores("test", test),
        )

    def _ticket(self, ended: LevelEnded) -> Ticket:
        mask = self.training.mask.to("cpu")
        trained = {n: t.detach().cpu() for n, t in self.training.net.state_dict().items()}
        start = {name: t.cpu() for name, t in self.start.items()}
        card = {
            "level": self.index,
            "density": ended.density,
            "scale": self.sparsifier.scale,
            "digest": self.spec.digest,
            "seed": self.spec.seed,
            "spec": tickets.settings(self.spec),
            "subset": self.setup.data.subset.hash,
            "classes": list(self.setup.data.train.classes),
            "environment": self.setup.environment,
            "epoch": ended.scored_epoch,
            **{name: getattr(ended, name) for name in SCORES},
        }
        return Ticket(mask, tickets.masked(start, mask), tickets.masked(trained, mask), card)

    def _announce(self) -> None:
        mask, planned = self.training.mask, self.training.planned
        self.setup.emit(
            LevelStarted(
                level=self.index,
                density=mask.density,
                kept=mask.kept,
                total=mask.total,
                epochs=self._epochs_planned(),
                steps=planned.steps,
            )
        )

    def _epochs_planned(self) -> int:
        planned, per_epoch = self.training.planned, self.training.steps_per_epoch
        return -(-planned.end // per_epoch) - planned.first // per_epoch

    def _steps(self) -> int:
        """Optimizer steps of the whole run so far."""
        return self.steps + self.training.position - self.training.planned.first


SCORES = tuple(
    f"{split}_{field}"
    for split in ("val", "test")
    for field in ("accuracy", "balanced_accuracy", "loss", "correct", "total")
)


def _scores(split: str, found: Score | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        f"{split}_accuracy": found.accuracy,
        f"{split}_balanced_accuracy": found.balanced,
        f"{split}_loss": found.loss,
        f"{split}_correct": found.correct,
        f"{split}_total": found.total,
    }
