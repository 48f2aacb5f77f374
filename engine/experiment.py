"""A whole run: its levels one after another, resumed where an earlier attempt left off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch

from engine import (
    evaluating,
    filesystems,
    growth,
    levels,
    outstanding,
    partials,
    retention,
    selection,
    starts,
)
from engine.checkpoints import clean
from engine.errors import DataError, some
from engine.events import Event, RunStarted, Warned, Winning
from engine.flops import count
from engine.footprint import peak_bytes, used_bytes
from engine.images import HELD, Splits
from engine.launchspec import show_size
from engine.levelrun import LevelRun
from engine.levels import Finished
from engine.masks import ones
from engine.plan import plan
from engine.registry import load
from engine.rundir import RunDirectory, write_json
from engine.setup import Setup, build
from engine.spec import RunSpec
from engine.takeover import take_over

Environment = Mapping[str, str | int | float | bool | None]
ON_A_CARD = ("torch", "device", "threads", "capability")


class Experiment:
    """One run in one process.

    Args:
        directory: the run's folder.
        device: where it trains.
        emit: writes an event to the journal.
        sync: puts the journal on the disk.
        stopping: asked after every step; True to save a checkpoint and stop.
        environment: what the run should remember about the machine.
    """

    def __init__(
        self,
        directory: RunDirectory,
        spec: RunSpec,
        device: torch.device,
        emit: Callable[[Event], object],
        sync: Callable[[], None],
        stopping: Callable[[], bool],
        environment: Environment,
    ) -> None:
        self.directory, self.spec, self.emit = directory, spec, emit
        self.done: list[Finished] = []
        for folder in (directory.path, directory.levels, directory.rewind, directory.partial):
            clean(folder)
        for folder in directory.evaluations.glob("**/"):
            clean(folder)
        self._environment = environment
        data = self._load()
        self.setup = Setup(
            directory,
            spec,
            data.to(device),
            plan(spec, len(data.train)),
            device,
            emit,
            sync,
            stopping,
            {key: environment[key] for key in ON_A_CARD if key in environment},
        )
        self._evaluations = evaluating.Evaluations(self.setup)

    def run(self) -> Winning | None:
        """Train every level that is not done, and pick the winning one.

        Raises:
            Stopped: `stopping` said so; a checkpoint was saved.
            Diverged: a loss became NaN or infinite.
        """
        self._announce()
        take_over(self.setup)
        self.done = levels.finished(self.directory, self.setup.warn)
        for finished in self.done:
            self._report(finished)
        if self.done and partials.exist(self.directory, len(self.done) - 1):
            self._wrap_up()  # an attempt ended before it could
        metric = partial(selection.metric, self.spec.select)
        for planned in self.setup.plan.levels[len(self.done) :]:
            sparsifier = self.setup.sparsifier(planned.level.index)
            history = [finished.ended for finished in self.done]
            if history and not sparsifier.proceed(history, planned.level, metric):
                break
            before = self.done[-1] if self.done else None
            self._train(LevelRun(self.setup, planned, sparsifier, before))
        self._evaluate(over=True)
        self._retain(over=True)
        return self._winning()

    def evaluate(self) -> bool:
        """Make what is still to be evaluated of a run that has finished; False if some failed.

        Raises:
            Stopped: `stopping` said so; what was made is kept.
        """
        told = outstanding.told(self.directory)  # whatever has happened to the files since
        self._evaluations.make(told.history, over=True)
        return not self._evaluations.failed

    def _load(self) -> Splits:
        data: Splits = load("datasets", self.spec.data.name).load(self.spec.data)
        self._check_images(data.subset.hash)
        for warning in data.warnings:
            self.emit(Warned(message=warning))
        write_json(self.directory.subset_file, data.subset.document())
        return data

    def _check_images(self, drawn: str) -> None:
        """Refuse to go on from checkpoints that were trained on other images."""
        begun = any(folder.is_dir() for folder in (self.directory.rewind, self.directory.partial))
        before = self.directory.subset()
        if before and before != drawn and (begun or self.directory.levels.is_dir()):
            raise DataError(
                f"{self.spec.data.root} now gives other training or validation images than this"
                f" run began with (they are listed in {self.directory.subset_file}); put those"
                " back, or begin a new run with `lthtui run SPEC --again`"
            )

    def _announce(self) -> None:
        data, plan = self.setup.data, self.setup.plan
        net = build(self.spec, data, self.setup.device)
        self._say_what_is_drawn(starts.load(net, self.spec))
        flops = count(net, data.train.x.shape[1], data.geometry.size)
        splits = {"train": data.train, "val": data.val, "test": data.test}
        tensors = sum(t.numel() * t.element_size() for t in net.state_dict().values())
        prunable = ones(self.setup.prunable(net)).total
        peak = peak_bytes(self.spec, len(plan.levels), tensors, prunable)
        self.emit(
            RunStarted(
                levels=len(plan.levels),
                epochs=round(plan.epochs),
                steps_per_epoch=plan.steps_per_epoch,
                images={name: len(split.y) for name, split in splits.items() if split is not None},
                subset=data.subset.hash,
                parameters=sum(p.numel() for p in net.parameters()),
                prunable=prunable,
                flops=flops.dense,
                peak_bytes=peak,
                environment=dict(self._environment),
            )
        )
        self._check_room(peak)
        self._say_what_is_streamed(
            [name for name, split in splits.items() if split and split.streamed]
        )

    def _say_what_is_streamed(self, splits: Iterable[str]) -> None:
        """Say which images the device has too little memory for, as each epoch then copies them."""
        if named := " and ".join(splits):
            self.setup.warn(
                f"{named} images stay in the host's memory and go to the device batch by batch, as"
                f" a split may take {HELD:.0%} of the memory that is free there"
            )

    def _say_what_is_drawn(self, names: tuple[str, ...]) -> None:
        """Say which first weights are not from where the others are."""
        if names:
            self.setup.warn(f"first weights drawn anew: {some(names)}; the others are from start")

    def _check_room(self, peak: int) -> None:
        """Warn where the disk may get full; the queue would have waited for room."""
        free, used = filesystems.of(self.directory.path).free, used_bytes(self.directory.path)
        if free + used < peak:
            self.setup.warn(
                f"the run may take {show_size(peak - used)} more of the disk, which has"
                f" {show_size(free)} left; free some space, or keep fewer levels"
            )

    def _train(self, level: LevelRun) -> None:
        finished = level.train(last=level.index + 1 == len(self.setup.plan.levels))
        self.done.append(finished)
        self._report(finished)
        self._wrap_up()

    def _wrap_up(self) -> None:
        """Evaluate a finished level's ticket; its checkpoints stay until that is done.

        The last one stays where more epochs could be trained from it.
        """
        self._evaluate(over=False)
        self._retain()
        partials.clear(self.directory, but_last=not growth.fixed(self.spec, self.setup.plan))

    def _evaluate(self, over: bool) -> None:
        self._evaluations.make([finished.ended for finished in self.done], over=over)

    def _report(self, finished: Finished) -> None:
        self.emit(finished.ended)
        self.emit(finished.saved)

    def _retain(self, over: bool = False) -> None:
        """Drop the weights of the levels that `keep` does not name."""
        history = [finished.ended for finished in self.done]
        keep = retention.kept(self.spec.keep, self.spec.select, history, over)
        levels.retain(self.directory, range(len(history)), keep)

    def _winning(self) -> Winning | None:
        history = [finished.ended for finished in self.done]
        kept = {
            index: finished.saved.path
            for index, finished in enumerate(self.done)
            if levels.ticket_path(self.directory, index)
        }
        return selection.winning(self.spec.select, history, kept)
