"""Where, when and with what runs were trained, as lines: what a reviewer of their numbers asks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine import events
from engine.events import RunStarted
from engine.rundir import RunDirectory
from lthtui.board import duration, operations
from lthtui.counting import counted
from lthtui.heat import Line, Span, fact
from lthtui.runview import RunView
from lthtui.text import clean_line

STARTED = b'{"kind":"run_started"'  # how the lines begin that tell of attempts

Started = Mapping[str, Sequence[RunStarted]]  # by run id, its attempts, the newest last


def read(runs: Sequence[RunView]) -> Started:
    """Read from their journals what attempts found when they began.

    Raises:
        OSError: a journal can't be read.
    """
    return {run.run_id: [*_attempts(Path(run.directory))] for run in runs if run.directory}


def lines(runs: Sequence[RunView], started: Started, width: int) -> list[Line]:
    """Facts of runs; once of those of which the same is known."""
    alike: dict[tuple[tuple[str, str], ...], list[RunView]] = {}
    for run in runs:
        if attempts := started.get(run.run_id):
            alike.setdefault(tuple(_facts(attempts[-1])), []).append(run)
    found: list[Line] = []
    for facts, some in alike.items():
        if len(alike) > 1:
            found.append((Span(", ".join(str(run.repetition) for run in some), "name", bold=True),))
        for label, text in (("began", _began(some, started)), *facts):
            found += fact(label, clean_line(text, 500), width)
        found.append(())
    return found[:-1]


def _attempts(directory: Path) -> list[RunStarted]:
    journal = RunDirectory(directory).events_file
    if not journal.exists():  # it waits
        return []
    with journal.open("rb") as file:
        found = [events.parse(line) for line in file if line.startswith(STARTED)]
    return [one for one in found if isinstance(one, RunStarted)]


def _began(runs: Sequence[RunView], started: Started) -> str:
    """When the first of runs began, and the last, and how often they had to."""
    times = sorted(started[run.run_id][0].time for run in runs)
    ends = dict.fromkeys(
        time.strftime("%Y-%m-%d %H:%M", time.localtime(one)) for one in (times[0], times[-1])
    )
    most = max(started[run.run_id][-1].attempt for run in runs)
    attempts = f", {'up to ' if len(runs) > 1 else ''}{most} attempts" if most > 1 else ""
    longest = max((run.duration or 0.0 for run in runs), default=0.0)
    took = f", {duration(longest)}{' at most' if len(runs) > 1 else ''}" if longest else ""
    return " to ".join(ends) + took + attempts


def _facts(attempt: RunStarted) -> list[tuple[str, str]]:
    about = attempt.environment
    where = [str(about[name]) for name in ("host", "device") if about.get(name)]
    several = about.get("threads")
    threads = [counted(several, "thread")] if isinstance(several, int) else []
    versions = [f"{name} {about[name]}" for name in ("torch", "python") if about.get(name)]
    commit = str(about.get("git_commit") or "")[:12]
    changed = " with changes" if about.get("git_dirty") else ""
    cost = f", {operations(attempt.flops)} FLOPs an image" if attempt.flops else ""
    found = (
        ("machine", ", ".join([*where, *threads])),
        ("program", ", ".join([*versions, *([f"lthtui {commit}{changed}"] if commit else [])])),
        ("images", ", ".join(f"{count:,} {split}" for split, count in attempt.images.items())),
        ("weights", f"{attempt.parameters:,}, {attempt.prunable:,} of them prunable{cost}"),
    )
    return [(label, text) for label, text in found if text]
