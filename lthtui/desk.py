"""What the app does outside of the screen: read runs, logs and specs; queue, stop and resume runs.

Every method may take long and is called in a thread; whatever takes long to import is imported
there. Nothing here knows of screens.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lthtui.logtail import LogTail
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from engine.rundir import RunDirectory
    from lthtui.board import Board
    from lthtui.launch.queue import Submitted
    from lthtui.lookout import Lookout
    from lthtui.specfiles import Expansion

ROUSE = 10.0  # seconds between looks at whether somebody starts what waits


@dataclass(frozen=True)
class Checked:
    """A spec file after reading: what it would do, or what is wrong with it, as text to show."""

    text: str
    runs: int = 0


class Desk:
    """Works on one root and one folder of specs."""

    def __init__(self, root: Path, specs: Path) -> None:
        self.root, self._specs = root.absolute(), specs
        self._lookout: Lookout | None = None
        self._chosen: str | None = None
        self._rouse_at = 0.0

    def poll(self) -> Board | None:
        """Look at all runs; None if nothing has changed since the last call."""
        from lthtui.lookout import Lookout

        self._lookout = self._lookout or Lookout(self.root)
        board = self._lookout.look(self._chosen)
        self._rouse()
        return board

    def follow(self, run_id: str | None) -> LogTail | None:
        """Choose a run; its log from the beginning, for whoever asks. This reads nothing yet."""
        self._chosen = run_id
        if run_id is None or Path(run_id).name != run_id:  # an id from a store may be a path
            return None
        return LogTail(self.root / "runs" / run_id / "log.txt")

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
        from lthtui.sources import Patience

        try:
            expansion = specfiles.expand(path, patience=Patience())
        except LthError as error:
            return Checked(clean(str(error)))
        return Checked(clean(_plan(expansion)), len(expansion.runs) + len(expansion.later))

    def submit(self, path: str) -> str:
        """Queue all runs of a spec, some until their tickets are there; say what became of them."""
        from lthtui import layouts, specfiles
        from lthtui.commands import awaiting
        from lthtui.commands.tickets import ask
        from lthtui.launch import queue
        from lthtui.sources import Patience

        expansion = specfiles.without_search(specfiles.expand(path, patience=Patience()))
        layouts.check([expansion], ask, lambda message: None)
        submitted = queue.submit(self.root, [run.spec for run in expansion.runs])
        left = awaiting.leave_runs(self.root, expansion.later, queue.NOW)
        return _became(submitted, len(left))

    def stop(self, run_ids: Sequence[str]) -> str:
        """Stop runs; return once they have ended, with what to say about it."""
        from lthtui.launch import stopping

        stopping.cancel([self._open(run) for run in run_ids])
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

    def close(self) -> None:
        """Let go of the store."""
        if self._lookout is not None:
            self._lookout.close()

    def _rouse(self) -> None:
        """Now and then make sure that what waits is looked after, also after a restart."""
        from lthtui.launch import queue

        now = time.monotonic()
        if now >= self._rouse_at:
            self._rouse_at = now + ROUSE
            queue.rouse(self.root)

    def _open(self, run_id: str) -> RunDirectory:
        from engine.rundir import RunDirectory

        return RunDirectory.open(self.root / "runs" / run_id)


def _plan(expansion: Expansion) -> str:
    """What the runs of a spec will do, a few lines for each group of seeds."""
    from lthtui.planning import groups

    lines = [f"{expansion.source}: {_runs(len(expansion.runs) + len(expansion.later))}", ""]
    for group in groups(expansion.runs):
        spec, plan, images = group.first.spec, group.first.plan, group.first.images
        lines += [
            f"{spec.sparsifier.name} on {spec.data.name} with {spec.model.name}",
            *(f"  {field} {value}" for field, value in group.differs.items()),
            f"  {_levels([planned.level.density for planned in plan.levels])}",
            f"  {plan.epochs:g} epochs, {plan.steps:,} steps of {spec.train.batch_size} images",
            f"  {images.train:,} training, {images.val:,} validation, {images.test:,} test images",
            f"  seeds {', '.join(str(run.spec.seed) for run in group.runs)}",
            "",
        ]
    lines += [
        f"{one.spec.name}-s{one.spec.seed} starts after {', '.join(one.after)}"
        for one in expansion.later
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in expansion.notes)]).rstrip()


def _levels(densities: Sequence[float | None]) -> str:
    """How many levels there are, and how dense the first and the last are, as far as is known."""
    from lthtui.board import percent

    count = f"{len(densities)} level{'' if len(densities) == 1 else 's'}"
    first, last = densities[0], densities[-1]
    if last is None:
        return f"{count}, as sparse as training makes them"
    if first is None:
        return f"{count}, the last with {percent(last)} of the weights"
    if len(densities) == 1:
        return f"{count} with {percent(last)} of the weights"
    return f"{count}, {percent(first)} to {percent(last)} of the weights"


def _became(submitted: Sequence[Submitted], left: int = 0) -> str:
    """Say what became of submitted runs, and that some were left for later."""
    words = {
        "new": "queued",
        "resumed": "queued again",
        "active": "already under way",
        "finished": "already finished",
    }
    counts: Counter[str] = Counter(one.action for one in submitted)
    said = [f"{_runs(counts[action])} {word}" for action, word in words.items() if counts[action]]
    said += [f"{_runs(left)} to be queued once other runs have finished"] if left else []
    return ", ".join(said) or "nothing to do"


def _runs(number: int) -> str:
    return f"{number:,} run{'' if number == 1 else 's'}"
