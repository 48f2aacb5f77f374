"""The lines of the queue: what runs, what waits and why, and what failed of late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.rundir import RunDirectory
from lthtui import hints
from lthtui.board import GLYPHS, Board, duration, percent
from lthtui.launch import devices, entries, later, turns, waits
from lthtui.runview import RunView
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.text import clean_line

PAUSED = "R goes on from its checkpoint"
STOPPED = "R resumes it"
LATELY = 20  # stopped and as many failed runs that are listed
SIGNS = {**GLYPHS, "stalled": GLYPHS["running"]}
COLUMNS = (
    Column("job", rank=0),
    Column("status", rank=2),
    Column("prio", rank=4, right=True),
    Column("user", rank=6),
    Column("where", rank=5),
    Column("for", rank=3, right=True),
    Column("why", rank=1),
)


@dataclass(frozen=True)
class Job:
    """A run, or a command that waits for runs.

    Attributes:
        key: the run's id, or the command's name.
        command: whether it is a command.
        status: of the run; `queued`, or `failed` with what it said, for a command.
        priority, user: of what waits; of runs that run their user only.
        device: where it runs, as `GPU 0`.
        since: when it was queued or started (seconds since 1970).
        why: what it waits for, how far it is, or what made it fail.
        hint: what can be done about its failure.
        place: how many are before it among those that wait; None for others.
    """

    key: str
    label: str
    status: str
    command: bool = False
    priority: int | None = None
    user: str = ""
    device: str = ""
    since: float | None = None
    why: str = ""
    hint: str = ""
    held: bool = False
    place: int | None = None


def look(root: Path, board: Board) -> tuple[Job, ...]:
    """Read what runs and what waits; the board tells what the runs are called and which failed."""
    waiting = [*_waiting(root, board)]
    listed = {job.key for job in waiting}
    others = [run for run in board.runs.values() if run.directory and run.run_id not in listed]
    running = [_running(run, board) for run in others if run.status == "running"]
    unread = [run for run in others if run.status == "queued"]
    paused = [run for run in others if run.status == "paused"]
    stopped = [run for run in others if run.status == "stopped"]
    failed = [run for run in others if run.status in ("failed", "lost")]
    return (
        *sorted(running, key=lambda job: job.since or 0.0),
        *waiting,
        *(_unread(run, board) for run in unread),
        *_commands(root),
        *(Job(one.run_id, _label(one.run_id, board), "paused", why=PAUSED) for one in paused),
        *(_failed(run, board) for run in _newest(failed)),
        *(Job(one.run_id, _label(one.run_id, board), "stopped", why=STOPPED)
          for one in _newest(stopped)),
    )  # fmt: skip


def rows(jobs: Iterable[Job], now: float) -> list[Row]:
    """The table; users are shown where there are several."""
    jobs = tuple(jobs)
    several = len({job.user for job in jobs if job.user}) > 1
    return [_row(job, now, several) for job in jobs]


def _waiting(root: Path, board: Board) -> Iterator[Job]:
    ordered = turns.in_order(entries.read(root))
    reasons = waits.reasons(root, ordered)
    for place, entry in enumerate(ordered):
        yield Job(
            key=entry.run_id,
            label=_label(entry.run_id, board),
            status="queued",
            priority=entry.priority,
            user=clean_line(entry.user),
            device="Slurm" if entry.launch.slurm else "",
            since=entry.order / 1e9,
            why=_by_keys(reasons[entry.run_id]),
            held=entry.hold,
            place=place,
        )


def _by_keys(reason: str) -> str:
    """Why something waits, with the app's key instead of the command that lets it go."""
    return clean_line(re.sub("`lthtui release[^`]*`(?= lets)", "H", reason), 1000)


def _newest(runs: Iterable[RunView]) -> list[RunView]:
    return sorted(runs, key=lambda run: -run.created)[:LATELY]


def _unread(run: RunView, board: Board) -> Job:
    why = "its entry in the queue is of another version of lthtui, or damaged"
    return Job(run.run_id, _label(run.run_id, board), "queued", why=why)


def _commands(root: Path) -> Iterator[Job]:
    waiting = later.read(root)
    until = waits.until(root, waiting)
    for one in waiting:
        yield Job(
            key=one.name,
            label=clean_line(f"{one.verb} {one.name}"),
            status="failed" if one.error else "queued",
            command=True,
            priority=one.priority,
            user=clean_line(one.user),
            since=one.order / 1e9,
            why=_by_keys(until[one.name]),
            held=one.hold,
        )


def _running(run: RunView, board: Board) -> Job:
    launch = RunDirectory(run.directory).launch()
    return Job(
        key=run.run_id,
        label=_label(run.run_id, board),
        status="stalled" if run.stalled else "running",
        user=clean_line(launch.user) if launch else "",
        device=_device(launch.device) if launch else "",
        since=launch.time if launch else None,
        why=_doing(run),
    )


def _doing(run: RunView) -> str:
    """How far a running run is."""
    if run.final:
        return "trained, evaluates its tickets"
    if run.current is None:
        return "starting"
    left = f", {duration(run.eta)} left" if run.eta is not None else ""
    kept = percent(run.current.density)
    return f"level {run.level}/{run.planned_levels - 1}, {kept} kept{left}"


def _failed(run: RunView, board: Board) -> Job:
    hint = hints.hint(RunDirectory(run.directory))
    return Job(run.run_id, _label(run.run_id, board), run.status, why=run.error, hint=hint)


def _device(name: str) -> str:
    """What a device is called that a run was placed on."""
    if name == devices.CPU:
        return "CPU"
    known = next((one.title for one in devices.gpus() if one.name == name), name)
    return clean_line(known, 40)


def _label(run_id: str, board: Board) -> str:
    group, run = board.group_of(run_id), board.runs.get(run_id)
    return f"{group.label} {run.repetition}" if group and run else clean_line(run_id)


def _row(job: Job, now: float, several: bool) -> Row:
    status = "held" if job.held else job.status
    tone = {"stalled": "lost", "held": "paused"}.get(status, job.status)
    why = "; ".join(filter(None, (job.why, job.hint)))
    span = max(0.0, now - job.since) if job.since is not None else None
    cells = (
        Cell(job.label),
        Cell(f"{SIGNS[job.status]} {status}", tone),
        NOTHING if job.priority is None else Cell(str(job.priority)),
        Cell(job.user) if several and job.user else NOTHING,
        Cell(job.device) if job.device else NOTHING,
        NOTHING if span is None else Cell(duration(span)),
        Cell(why) if why else NOTHING,
    )
    return Row(job.key, cells)
