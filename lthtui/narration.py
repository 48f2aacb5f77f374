"""What `lthtui run` shows while runs go on: JSON lines, plain lines, or bars on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from engine.errors import FAILED, OK
from engine.events import Evaluated, Tail
from engine.rundir import Launch, Status, launched
from lthtui.board import duration
from lthtui.launch import aftermath, entries
from lthtui.launch.entries import Entry
from lthtui.monitor import Watched
from lthtui.progress import LevelProgress, RunProgress
from lthtui.text import clean_line

if TYPE_CHECKING:
    from rich.table import Table

    from lthtui.launch.queue import Submitted

QUIET = 10.0  # seconds between two lines about the progress of one run


class Plain:
    """One line for everything that matters: starts, levels, ends, and now and then where it is."""

    def __init__(
        self,
        names: Mapping[str, str],
        submitted: Iterable[Submitted] = (),
        write: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names, self._write, self._clock = names, write or _to_stderr, clock
        self._lines = Lines(names, submitted)
        self._shown: dict[str, float] = {}

    def update(self, changed: Sequence[Watched], runs: Mapping[str, Watched]) -> None:
        """Write what is new."""
        for watched in changed:
            new = [*self._lines.new(watched)]
            late = self._clock() - self._shown.get(watched.run_id, 0.0) > QUIET
            if not new and late and watched.status == Status.RUNNING and watched.progress.epoch:
                new = [_where(self._names[watched.run_id], watched)]
            if new:
                self._shown[watched.run_id] = self._clock()
            for line in new:
                self._write(line)

    def say(self, message: str) -> None:
        """Write a message."""
        self._write(message)

    def close(self) -> None:
        """There is nothing to take off the screen."""


class JsonLines:
    """The journals of runs as they grow, one event a line; messages go to stderr."""

    def __init__(self, submitted: Iterable[Submitted], out: TextIO) -> None:
        """From the submission on: what the journals held before is not repeated."""
        before = {one.directory.events_file: one.journal for one in submitted}
        self._tails = [Tail(path, offset) for path, offset in before.items()]
        self._out = out

    def update(self, changed: Sequence[Watched], runs: Mapping[str, Watched]) -> None:
        """Write the new events of all runs."""
        for tail in self._tails:
            for line in tail.lines():
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                print(json.dumps(event), file=self._out)
        self._out.flush()

    def say(self, message: str) -> None:
        """Write a message to stderr."""
        _to_stderr(message)

    def close(self) -> None:
        """There is nothing to take off the screen."""


class Bars:
    """A table of running runs that moves, below the same lines that `Plain` writes."""

    def __init__(self, names: Mapping[str, str], submitted: Iterable[Submitted] = ()) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._names, self._lines = names, Lines(names, submitted)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def update(self, changed: Sequence[Watched], runs: Mapping[str, Watched]) -> None:
        """Draw the table anew."""
        for watched in changed:
            for line in self._lines.new(watched):
                self._console.print(line, soft_wrap=True)
        if changed:
            self._live.update(self._table(runs), refresh=True)

    def say(self, message: str) -> None:
        """Write a message above the table."""
        self._console.print(message, soft_wrap=True)

    def close(self) -> None:
        """Take the table off the screen."""
        self._live.update("")
        self._live.stop()

    def _table(self, runs: Mapping[str, Watched]) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        width = self._console.width - len("^C")  # which the terminal writes after the last row
        table = Table(box=None, padding=(0, 1, 0, 0), width=width, header_style="dim")
        table.add_column("", no_wrap=True)
        table.add_column("", ratio=1)
        for title in ("level", "kept", "epoch", "loss", "val", "img/s", "left"):
            table.add_column(title, justify="right", no_wrap=True)
        running = [watched for watched in runs.values() if watched.status == Status.RUNNING]
        for watched in sorted(running, key=lambda one: one.run_id):
            progress = watched.progress
            bar = ProgressBar(total=max(progress.planned_epochs, 1), completed=progress.epoch)
            table.add_row(self._names[watched.run_id], bar, *_figures(watched))
        if len(runs) > 1:
            left = total_eta([*runs.values()])
            table.add_row("all", _counts(runs), *[""] * 6, duration(left), style="dim")
        return table


class Lines:
    """Tells of each start, level and end of a run once, since its submission.

    Of a run that somebody else queued, only what happens from now on is told.
    """

    def __init__(self, names: Mapping[str, str], submitted: Iterable[Submitted]) -> None:
        self._names = names
        self._own = {one.directory.run_id: one for one in submitted if one.queued}
        self._told: dict[str, _Told] = {}

    def new(self, watched: Watched) -> Iterator[str]:
        """The lines about what happened to a run since the last call."""
        name, progress = self._names[watched.run_id], watched.progress
        ended, own = progress.finished_levels, self._own.get(watched.run_id)
        made = {(key, one.time): one for key, one in progress.evaluations.items()}
        told = self._told.get(watched.run_id)
        if told is None:
            young = own is not None and own.action == "new"
            told = self._told[watched.run_id] = _Told(
                0 if young else len(ended),
                own.attempt if own else 0,
                set() if young else {*made},
            )
        if watched.status == Status.RUNNING or own:
            launch = watched.directory.launch()
            if launch and launch.attempt != told.attempt:
                told.attempt = launch.attempt
                yield _start(name, launch, progress)
        for level in ended[told.levels :]:
            yield _level(name, level)
        told.levels = len(ended)
        for new in [one for one in made if one not in told.evaluated]:
            told.evaluated.add(new)
            yield f"{name}  level {made[new].level} {_evaluated(made[new])}"
        failed = progress.unevaluated.items()
        for key, why in [one for one in failed if one not in told.unevaluated]:
            told.unevaluated.add((key, why))
            yield f"{name}  level {key[0]} not evaluated: {clean_line(f'{key[1]}: {why}', 1000)}"
        if progress.warning and progress.warning != told.warning:
            yield f"{name}  warning: {clean_line(progress.warning, 1000)}"
        told.warning = progress.warning
        entry = entries.find(watched.directory) if watched.status == Status.QUEUED else None
        if entry and entry.retries and (entry.order, entry.retries) != told.again:
            told.again = entry.order, entry.retries
            yield f"{name}  {_again(watched, entry)}"
        if watched.active:
            told.status = watched.status
        elif told.status != watched.status and watched.over:
            told.status = watched.status
            yield f"{name}  {_end(watched)}"


def _evaluated(event: Evaluated) -> str:
    if event.inapplicable:
        return clean_line(f"{event.name} does not apply: {event.inapplicable}", 1000)
    return f"evaluated: {clean_line(event.name)}"


@dataclass
class _Told:
    """What was said about a run."""

    levels: int
    attempt: int = 0
    evaluated: set[tuple[tuple[int, str], float]] = field(default_factory=set)  # and when
    unevaluated: set[tuple[tuple[int, str], str]] = field(default_factory=set)
    warning: str | None = None
    status: Status | None = None
    again: tuple[int, int] | None = None


def total_eta(runs: Sequence[Watched]) -> float | None:
    """Seconds until all runs have ended, at the pace of those that run now; None if unknown.

    A run that has not started counts as many epochs as the longest that has.
    """
    progress = [watched.progress for watched in runs if watched.active]
    most = max((watched.progress.planned_epochs for watched in runs), default=0)
    left = sum((one.planned_epochs or most) - one.epoch for one in progress)
    running = [watched.progress for watched in runs if watched.status == Status.RUNNING]
    pace = sum(1 / one.seconds_per_epoch for one in running if one.seconds_per_epoch)
    return left / pace if pace else None


def _start(name: str, launch: Launch, progress: RunProgress) -> str:
    again = f", attempt {launch.attempt}" if launch.attempt > 1 else ""
    at = f", goes on at level {progress.level}" if again and progress.level is not None else ""
    if progress.ended == Status.FINISHED and launch.attempt > progress.ended_attempt:
        at = ", evaluates its tickets"
    return f"{name}  started on {clean_line(launch.device)}{again}{at}"


def _level(name: str, level: LevelProgress) -> str:
    test = "" if level.test_accuracy is None else f"  test {level.test_accuracy:.2%}"
    val = "" if level.val_accuracy is None else f"  val {level.val_accuracy:.2%}"
    kept = f"{level.density:.2%} kept{val}{test}"
    return f"{name}  level {level.level} ended: {kept}  {level.seconds or 0:.1f} s"


def _where(name: str, watched: Watched) -> str:
    if watched.trained:
        return f"{name}  trained; MLflow is being brought up to date"
    if watched.progress.winning is not None:
        return f"{name}  evaluating {_next(watched)}".rstrip()
    level, kept, epoch, loss, val, pace, left = _figures(watched)
    return (
        f"{name}  level {level}  {kept} kept  epoch {epoch}  loss {loss}  val {val}"
        f"  {pace} img/s  {left} left"
    )


def _next(watched: Watched) -> str:
    """The evaluation that a worker makes, or is about to make; empty where nobody can tell."""
    from lthtui import evaluations

    try:
        left = evaluations.left(watched)
    except (OSError, ValueError):
        return ""
    begun = (task for task in left if task.key == watched.progress.evaluating)
    return f"{next(begun, left[0])}, {len(left)} left" if left else ""


def _figures(watched: Watched) -> tuple[str, str, str, str, str, str, str]:
    """Level, kept weights, epoch, loss, accuracy, speed and time left, as they are shown."""
    progress = watched.progress
    level = progress.levels.get(progress.level) if progress.level is not None else None
    pace, val = progress.images_per_second, progress.val_accuracy
    return (
        f"{level.level}/{max(progress.planned_levels - 1, 0)}" if level else "–",
        f"{level.density:.1%}" if level else "–",
        f"{level.epochs}/{level.planned}" if level else "–",
        "–" if progress.train_loss is None else f"{progress.train_loss:.4f}",
        "–" if val is None else f"{val:.1%}",
        "–" if pace is None else f"{pace:,.0f}",
        "MLflow" if watched.trained else duration(progress.eta),
    )


def _end(watched: Watched) -> str:
    error = watched.error()
    return f"{watched.status.value}: {error}" if error else watched.status.value


def _again(watched: Watched, entry: Entry) -> str:
    """That a run failed, or is evaluated no more, but is not at its end."""
    wait, finished = max(0.0, entry.not_before - time.time()), watched.progress.winning is not None
    left, newest = watched.directory.exit(), launched(watched.directory)
    if finished and left and left.attempt >= newest and left.code in (OK, FAILED):
        return aftermath.MEANWHILE
    what = "not evaluated" if finished else "failed"
    return f"{what}: {watched.trouble()}; tried again in {wait:.0f} s"


def _counts(runs: Mapping[str, Watched]) -> str:
    count = Counter(watched.status.value for watched in runs.values())
    return ", ".join(f"{number} {status}" for status, number in count.items())


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
