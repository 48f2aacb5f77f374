"""What the app does outside of the screen: read runs, logs and specs; queue, stop and resume runs.

Every method may take long and is called in a thread; whatever takes long to import is imported
there. Nothing here knows of screens.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from engine.rundir import RunDirectory
    from lthtui.board import Board
    from lthtui.launch.queue import Submitted
    from lthtui.logtail import Chunk, LogTail
    from lthtui.monitor import Monitor
    from lthtui.runview import RunView
    from lthtui.specfiles import Expansion


@dataclass(frozen=True)
class Checked:
    """A spec file after reading: what it would do, or what is wrong with it, as text to show."""

    text: str
    runs: int = 0


class Desk:
    """Works on one root and one folder of specs."""

    def __init__(self, root: Path, specs: Path) -> None:
        self.root, self._specs = root.absolute(), specs
        self._monitor: Monitor | None = None
        self._views: dict[str, RunView] = {}
        self._unreadable: set[str] = set()
        self._labels: dict[tuple[str, ...], dict[str, str]] = {}
        self._tail: LogTail | None = None
        self._followed: str | None = None

    def poll(self) -> Board | None:
        """Look at all runs; None if nothing has changed since the last call."""
        from lthtui.monitor import Monitor
        from lthtui.runview import view

        first = self._monitor is None
        monitor = self._monitor = self._monitor or Monitor(self.root)
        known, unreadable = dict(self._views), set(self._unreadable)
        for watched in monitor.poll():
            try:
                known[watched.run_id] = view(watched, known.get(watched.run_id))
                unreadable.discard(watched.run_id)
            except Exception:  # whatever is wrong with one folder, the others are shown
                known.pop(watched.run_id, None)
                unreadable.add(watched.run_id)
        known = {run: known[run] for run in known if run in monitor.runs}
        unreadable &= monitor.runs.keys()
        if (known, unreadable) == (self._views, self._unreadable) and not first:
            return None
        self._views, self._unreadable = known, unreadable
        return self._board()

    def follow(self, run_id: str | None) -> None:
        """Begin with a run's log from its beginning; this reads nothing yet."""
        self._tail = None
        self._followed = run_id

    def log(self, run_id: str) -> Chunk | None:
        """What is new in the log that is followed; None if nothing is, or it is another run's."""
        from lthtui.logtail import LogTail

        if run_id != self._followed:
            return None
        tail = self._tail = self._tail or LogTail(self.root / "runs" / run_id / "log.txt")
        return tail.read()

    def spec(self, run_id: str) -> str:
        """The spec of a run, as it is in its folder."""
        return clean(self._open(run_id).spec_file.read_text(errors="replace"))

    def specs(self) -> list[str]:
        """Paths of the spec files that there are."""
        found = (*self._specs.glob("*.yaml"), *self._specs.glob("*.yml"))
        return sorted(str(path) for path in found)

    def check(self, path: str) -> Checked:
        """Read and plan a spec."""
        from engine.errors import LthError
        from lthtui import specfiles

        try:
            expansion = specfiles.expand(path)
        except LthError as error:
            return Checked(clean(str(error)))
        return Checked(clean(_plan(expansion)), len(expansion.runs))

    def submit(self, path: str) -> str:
        """Queue all runs of a spec; say what became of them."""
        from lthtui import specfiles
        from lthtui.launch import queue

        return _became(queue.submit(self.root, specfiles.load(path)))

    def stop(self, run_ids: Sequence[str]) -> str:
        """Stop runs; return once they have ended, with what to say about it."""
        from lthtui.launch import queue

        queue.cancel([self._open(run) for run in run_ids])
        return f"stopped {_runs(len(run_ids))}; R resumes"

    def resume(self, run_ids: Sequence[str]) -> str:
        """Queue runs again; say what became of them."""
        from lthtui.launch import queue

        return _became(queue.resume([self._open(run) for run in run_ids]))

    def keep_clip(self, text: str) -> str:
        """Write what was copied to a file, for terminals without a clipboard; say where."""
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        file = Path(home) / "lthtui" / "clip.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
        return f"copied {clean_line(text)}\n(also in {file})"

    def _open(self, run_id: str) -> RunDirectory:
        from engine.rundir import RunDirectory

        return RunDirectory.open(self.root / "runs" / run_id)

    def _board(self) -> Board:
        from lthtui.board import board
        from lthtui.charts.colours import colours

        oldest = sorted(self._views.values(), key=lambda run: (run.created, run.run_id))
        given = colours(run.group for run in oldest)
        return board(self._views, self._name(), given, len(self._unreadable))

    def _name(self) -> dict[str, str]:
        """Labels for groups that share their name; specs are read once per set of groups."""
        named: dict[str, dict[str, str]] = {}
        for run in self._views.values():
            named.setdefault(run.name, {}).setdefault(run.group, run.run_id)
        labels = {}
        for name, groups in named.items():
            if len(groups) > 1:
                key = tuple(groups)
                if key not in self._labels:
                    self._labels[key] = self._differences(groups)
                for group, difference in self._labels[key].items():
                    labels[group] = f"{name} {difference or group[:6]}"
        return labels

    def _differences(self, groups: dict[str, str]) -> dict[str, str]:
        from lthtui.labels import distinguish

        specs = {}
        for group, run in groups.items():
            try:
                specs[group] = self._open(run).spec().model_dump(mode="json")
            except (OSError, ValueError):
                continue
        return distinguish(specs)


def _plan(expansion: Expansion) -> str:
    """What the runs of a spec will do, in a few lines."""
    from lthtui.board import percent

    lines = [f"{expansion.source}: {_runs(len(expansion.runs))}", ""]
    plans: dict[tuple[str, str, str, str], list[int]] = {}
    for run in expansion.runs:
        levels = [planned.level.density for planned in run.plan.levels]
        images = run.images
        what = (
            f"{run.spec.sparsifier.name} on {run.spec.data.name} with {run.spec.model.name}",
            f"{len(levels)} levels, {percent(levels[0])} to {percent(levels[-1])} of the weights",
            f"{run.plan.epochs:g} epochs, {run.plan.steps:,} steps of"
            f" {run.spec.train.batch_size} images",
            f"{images.train:,} training, {images.val:,} validation, {images.test:,} test images",
        )
        plans.setdefault(what, []).append(run.spec.seed)
    for what, seeds in plans.items():
        named = ", ".join(map(str, dict.fromkeys(seeds)))
        lines += [what[0], *(f"  {line}" for line in what[1:]), f"  seeds {named}", ""]
    return "\n".join([*lines, *(f"note: {note}" for note in expansion.notes)]).rstrip()


def _became(submitted: Sequence[Submitted]) -> str:
    """Say what became of submitted runs."""
    words = {
        "new": "queued",
        "resumed": "queued again",
        "active": "already under way",
        "finished": "already finished",
    }
    counts: Counter[str] = Counter(one.action for one in submitted)
    said = [f"{_runs(counts[action])} {word}" for action, word in words.items() if counts[action]]
    return ", ".join(said) or "nothing to do"


def _runs(number: int) -> str:
    return f"{number:,} run{'' if number == 1 else 's'}"
