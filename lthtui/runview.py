"""A run as the screens show it: values that never change, made in a thread and read in another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.repetition import Repetition
from lthtui import measured
from lthtui.measured import Measured
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.identity import Control
    from lthtui.monitor import Watched
    from lthtui.notebook import Notes
    from lthtui.progress import LevelProgress

PLAIN, BALANCED = "accuracy", "balanced_accuracy"  # what runs pick levels by, as in a spec
SENSELESS = "1.0"  # share of random labels that leaves nothing to learn, as a setting
NEAR = 1.12  # times the weights asked for; levels pruned by 20% are at most 1.118 away


@dataclass(frozen=True)
class LevelView:
    """One level. Accuracies are fractions of 1.

    Attributes:
        ticket: where its weights are within the run's folder, or the name of its model in MLflow;
            None where they were not kept.
        inference_flops: operations for one image through its ticket.
        training_flops: operations of its training.
        device_seconds: of a GPU that it held, or of all threads on CPUs.
        joules: that its device drew meanwhile, whatever else ran there.
        val_balanced, test_balanced: mean accuracies of the classes.
        bytes: size of the file with its weights; None where that is not known.
        losses: training loss of each of its epochs.
        validations: (epoch, validation accuracy) where it was measured; epochs count from 1.
    """

    index: int
    density: float
    kept: int
    total: int
    planned: int
    epochs: int
    ended: bool
    val: float | None
    test: float | None
    seconds: float | None
    ticket: str | None
    inference_flops: float | None = None
    training_flops: float | None = None
    device_seconds: float | None = None
    joules: float | None = None
    search: bool = False
    bytes: int | None = None
    val_balanced: float | None = None
    test_balanced: float | None = None
    losses: tuple[float, ...] = ()
    validations: tuple[tuple[int, float], ...] = ()

    @property
    def sparse(self) -> bool:
        """Whether weights were pruned: what is not sparse is no ticket."""
        return self.kept < self.total

    def scored(self, split: str, metric: str = PLAIN) -> float | None:
        """Its accuracy on the images that select, or what else is compared there."""
        if metric == BALANCED:
            return self.test_balanced if split == "test" else self.val_balanced
        return self.test if split == "test" else self.val


@dataclass(frozen=True)
class RunView:
    """One run.

    Attributes:
        created: when it was queued (seconds since 1970).
        planned_levels: levels of the whole run; 0 before it started.
        eta: seconds that it will still take; None while nobody can tell.
        flops: operations for one image through the network without a mask.
        split: the images that select the winning ticket.
        picks: the level that is to be picked, as `select.level` has it: best, last or a number.
        controls: what it is a control of.
        extends: the run that it takes levels over from; empty for most.
        winner: index of the winning level, or of the best one so far.
        final: whether the run has named its winner.
        beats_dense: whether the winner is better than dense on `split`; None where unknown.
        directory: its folder; empty for a run that only the store knows.
        stored: MLflow's id of a run that only the store knows; its levels have no curves.
        foreign: whether it is none of ours: plain MLflow code wrote it.
        parent: MLflow's id of the run that it is nested under.
        asked: what its spec asks for besides defaults, as JSON; of a run that only the store knows.
        user: who queued it; empty where nothing says so.
        duration: seconds from its first start to its newest sign of life.
        params: every setting, defaults too, by dotted name, as MLflow has them.
        note, display_name, archived, tags: what people noted of it; note, tags and params are not
            cleaned.
        measured: what evaluations measured of its tickets; of a run without a folder, nothing.
        metrics: the newest value of each, by MLflow's names.
        extremes: the smallest and the largest value of metrics; of a run that only the store knows
            only for those that somebody asked for.
    """

    run_id: str
    name: str
    experiment: str
    group: str
    family: str
    seed: int
    sparsifier: str
    dataset: str
    model: str
    status: str
    stalled: bool = False
    created: float = 0.0
    levels: tuple[LevelView, ...] = ()
    planned_levels: int = 0
    level: int | None = None
    epoch: int = 0
    planned_epochs: int = 0
    pace: float | None = None
    eta: float | None = None
    flops: float | None = None
    split: str = "val"
    picks: str = "best"
    controls: Control | None = None
    extends: str = ""
    winner: int | None = None
    final: bool = False
    beats_dense: bool | None = None
    error: str = ""
    warning: str = ""
    directory: str = ""
    stored: str = ""
    foreign: bool = False
    parent: str = ""
    asked: str = ""
    user: str = ""
    device: str = ""
    duration: float | None = None
    note: str = ""
    display_name: str = ""
    archived: bool = False
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    measured: tuple[Measured, ...] = field(default=(), hash=False)
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    extremes: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ("queued", "running")

    @property
    def done(self) -> bool:
        """Whether all its levels are trained; more may yet be evaluated of them."""
        return self.status == "finished" or (self.final and self.active)

    @property
    def called(self) -> str:
        """The name that people or others gave it; empty where its id tells as much."""
        return self.display_name or (self.name if self.foreign else "")

    @property
    def seeded(self) -> bool:
        """Whether its seed is known, which is not said of all runs of others."""
        return not self.foreign or self.group != self.stored

    @cached_property
    def repetition(self) -> Repetition:
        """Which one of its group it is; what others call folds and draws is not known."""
        return Repetition.of({} if self.foreign else self.params, self.seed)

    @property
    def current(self) -> LevelView | None:
        """The level that it trains, or trained last."""
        return self.levels[-1] if self.levels else None

    @property
    def winning(self) -> LevelView | None:
        """The winning level, or the best so far."""
        return next((level for level in self.levels if level.index == self.winner), None)

    @property
    def dense(self) -> LevelView | None:
        """The ended level that had all weights, unless it is a control's of another network.

        A search that stopped early is none either.
        """
        if self.controls is not None and self.controls.sets:
            return None
        whole = (one for one in self.ended_levels if not one.sparse and not one.search)
        return next(whole, None)

    @property
    def ended_levels(self) -> list[LevelView]:
        """Levels that are trained and scored."""
        return [level for level in self.levels if level.ended]

    @property
    def metric(self) -> str:
        """What it picks a level by: `PLAIN` or `BALANCED`."""
        return self.params.get("select.metric", PLAIN)

    @property
    def won(self) -> bool | None:
        """Whether its pick is better than dense; None where nobody can tell, or all is chance."""
        return None if self.params.get("data.random_labels") == SENSELESS else self.beats_dense

    def picked(self, split: str) -> int | None:
        """The level that the images of a split pick; the winning one where no images are asked."""
        if self.split == split or self.picks != "best":
            return self.winner
        return best(self.levels, split, self.metric)

    def meant(self, kept: float | None) -> LevelView | None:
        """The ended level that keeps about a share of all weights; the winning one where None.

        Of several it is the nearest in ratio; None where none is within `NEAR`. Searches are none.
        """
        if kept is None:
            return self.winning
        found = (one for one in self.ended_levels if not one.search and one.density > 0)
        away = {one.index: max(one.density / kept, kept / one.density) for one in found}
        nearest = min(away, key=lambda index: (away[index], -index), default=None)
        if nearest is None or away[nearest] > NEAR:
            return None
        return next(one for one in self.levels if one.index == nearest)

    def beyond(self, kept: float) -> bool:
        """Whether it trains what is too sparse to be meant by a share of weights.

        As it prunes on, what it has there stays.
        """
        return self.current is not None and self.current.density < kept / NEAR


def candidates(levels: Sequence[LevelView], split: str, metric: str = PLAIN) -> list[LevelView]:
    """The levels that could be picked now, as `engine.selection.winner` does."""
    ended = [level for level in levels if level.ended and level.scored(split, metric) is not None]
    found = [level for level in ended if not level.search] or ended
    return [level for level in found if level.sparse] or found[1:] or found


def best(levels: Sequence[LevelView], split: str, metric: str = PLAIN) -> int | None:
    """The level that would be picked now; ties go to the sparser, and then to the later."""
    found = candidates(levels, split, metric)
    if not found:
        return None
    scores = {one.index: one.scored(split, metric) or 0.0 for one in found}
    return max(found, key=lambda one: (scores[one.index], -one.kept, one.index)).index


def view(watched: Watched, before: RunView | None = None, notes: Notes | None = None) -> RunView:
    """Take a picture of a run; ended levels of the picture before need not be copied again.

    Args:
        notes: what people noted of it.

    Raises:
        OSError, ValueError: its spec can't be read.
    """
    from lthtui import people  # not before the first frame

    facts, progress = watched.identity, watched.progress
    known = {level.index: level for level in before.ended_levels} if before else {}
    folder = str(watched.directory.path)
    levels = tuple(
        _level(progress.levels[index], folder, known.get(index))
        for index in sorted(progress.levels)
    )
    named, launch = progress.winning, watched.directory.launch()
    metric = facts.params.get("select.metric", PLAIN)
    return RunView(
        run_id=clean_line(watched.run_id),
        name=clean_line(facts.name),
        experiment=clean_line(facts.experiment),
        group=facts.group,
        family=facts.family,
        seed=facts.seed,
        sparsifier=facts.sparsifier,
        dataset=facts.dataset,
        model=facts.model,
        status=watched.status.value,
        stalled=watched.stalled,
        created=watched.directory.spec_file.stat().st_mtime,
        levels=levels,
        planned_levels=progress.planned_levels,
        level=progress.level,
        epoch=progress.epoch,
        planned_epochs=progress.planned_epochs,
        pace=progress.images_per_second,
        eta=progress.eta if watched.status == "running" and named is None else None,
        flops=progress.flops,
        split=facts.split,
        picks=str(facts.asked.get("select", {}).get("level", "best")),
        controls=facts.controls,
        extends=clean_line(facts.extends or ""),
        winner=named.level if named else best(levels, facts.split, metric),
        final=named is not None,
        beats_dense=named.beats_dense if named else None,
        error=clean_line(watched.error() or "", 500),
        warning=clean_line(progress.warning or "", 500),
        directory=folder,
        user=clean_line(people.of(watched.directory, facts)),
        device=clean_line(launch.device) if launch else "",
        duration=progress.time - progress.started if progress.started else None,
        params=facts.params,
        measured=measured.told(progress),
        metrics=progress.metrics,
        extremes=progress.extremes,
        **noted(notes, clean_line(facts.name)),
    )


def noted(notes: Notes | None, name: str) -> dict[str, Any]:
    """What a run called so shows of what people noted of it."""
    if notes is None:
        return {}
    called = clean_line(notes.name)
    return {
        "note": notes.note,
        "display_name": "" if called == name else called,
        "archived": notes.archived,
        "tags": notes.tags,
    }


def _level(level: LevelProgress, folder: str, known: LevelView | None) -> LevelView:
    """A level of a run; what its journal says was saved may have been dropped again."""
    kept = level.ticket and os.path.isfile(os.path.join(folder, level.ticket))
    ticket = level.ticket if kept else None
    if known is not None and (known.ticket, known.seconds) == (ticket, level.seconds):
        return known
    measured = enumerate(level.val_accuracies, start=1)
    return LevelView(
        index=level.level,
        density=level.density,
        kept=level.kept,
        total=level.total,
        planned=level.planned,
        epochs=level.epochs,
        ended=level.ended,
        search=level.search,
        val=level.val_accuracy,
        test=level.test_accuracy,
        seconds=level.seconds,
        ticket=ticket,
        bytes=level.bytes,
        inference_flops=level.inference_flops,
        training_flops=level.training_flops,
        device_seconds=level.device_seconds,
        joules=level.joules,
        losses=tuple(level.train_losses),
        validations=tuple((epoch, value) for epoch, value in measured if value is not None),
        val_balanced=level.val_balanced_accuracy,
        test_balanced=level.test_balanced_accuracy,
    )
