"""What the app does outside of the screen: read runs, logs and specs; queue, stop and resume runs.

Every method may take long and is called in a thread; whatever takes long to import is imported
there. Nothing here knows of screens.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from lthtui.logtail import LogTail
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from engine.rundir import RunDirectory
    from lthtui.board import Board
    from lthtui.drawer import Drawer
    from lthtui.gauges import Machine
    from lthtui.jobs import Job
    from lthtui.launch.later import Later
    from lthtui.launch.queue import Submitted
    from lthtui.lookout import Lookout
    from lthtui.preview import Preview
    from lthtui.runview import RunView
    from lthtui.table import Row
    from lthtui.ticketdesk import TicketDesk

ROUSE = 10.0  # seconds between looks at whether somebody starts what waits


@dataclass(frozen=True)
class Wish:
    """When runs are to have their turn: as `lthtui run` has it; `after` are ids of runs."""

    priority: int = 0
    hold: bool = False
    after: tuple[str, ...] = ()


NO_WISH = Wish()


@dataclass(frozen=True)
class Queue:
    """What runs and waits, and how busy the machine is."""

    jobs: tuple[Job, ...]
    machine: Machine


class Desk:
    """Works on one root and one folder of specs."""

    def __init__(self, root: Path, specs: Path) -> None:
        self.root, self._specs = root.absolute(), specs
        self._lookout: Lookout | None = None
        self._chosen: str | None = None
        self._wanted: frozenset[str] = frozenset()
        self._rouse_at = 0.0

    def poll(self) -> Board | None:
        """Look at all runs; None if nothing has changed since the last call."""
        from lthtui.lookout import Lookout

        self._lookout = self._lookout or Lookout(self.root)
        self._lookout.want(self._wanted)
        board = self._lookout.look(self._chosen)
        self._rouse()
        return board

    def want(self, metrics: frozenset[str]) -> None:
        """From the next look on, know the extremes of these metrics of stored runs, too."""
        self._wanted = metrics

    def follow(self, run_id: str | None) -> LogTail | None:
        """Choose a run; its log from the beginning, for whoever asks. This reads nothing yet."""
        self._chosen = run_id
        if run_id is None or Path(run_id).name != run_id:  # an id from a store may be a path
            return None
        return LogTail(self.root / "runs" / run_id / "log.txt")

    def spec(self, run_id: str) -> str:
        """The spec of a run, as it is in its folder."""
        return clean(self._open(run_id).spec_file.read_text(errors="replace"))

    @cached_property
    def specs(self) -> Drawer:
        """What is done with spec files."""
        from lthtui.drawer import Drawer

        return Drawer(self.root, self._specs)

    def submit(self, path: str, wish: Wish = NO_WISH) -> str:
        """Queue all runs of a spec, some until their tickets are there; say what became of them."""
        from lthtui import layouts, specfiles
        from lthtui.commands import awaiting
        from lthtui.commands.tickets import ask
        from lthtui.launch import queue
        from lthtui.sources import Patience

        expansion = specfiles.without_search(specfiles.expand(path, patience=Patience()))
        layouts.check([expansion], ask, lambda message: None)
        turn = queue.Turn(wish.priority, tuple(map(self._open, wish.after)), wish.hold)
        submitted = queue.submit(self.root, [run.spec for run in expansion.runs], turn=turn)
        left = awaiting.leave_runs(self.root, expansion.later, turn)
        return _became(submitted, len(left))

    @cached_property
    def tickets(self) -> TicketDesk:
        """What is done about tickets."""
        from lthtui.ticketdesk import TicketDesk

        return TicketDesk(self.root)

    def files(self, runs: Sequence[RunView], opened: Collection[str]) -> list[Row]:
        """The files of runs as rows of a tree; those of `opened` folders, too."""
        from lthtui import filetree

        return filetree.rows(filetree.places(self.root, runs), opened)

    def preview(self, runs: Sequence[RunView], key: str) -> tuple[str, Preview]:
        """The key of a row of that tree, and what there is to see of its file."""
        from lthtui import filetree, preview

        found = filetree.place(filetree.places(self.root, runs), key)
        folder = found is None or found[1].endswith("/") or not found[1]
        return key, preview.Preview("") if folder or not found else preview.look(*found)

    def control(self, run_id: str, level: int, kinds: Sequence[str]) -> str:
        """Queue controls of a ticket; say what became of them."""
        from lthtui import controls, layouts
        from lthtui.commands.tickets import ask
        from lthtui.launch import queue

        found = controls.originals(self.root, [run_id], level)
        expansions = [one for _, one in controls.derive(kinds, found, ask)]
        layouts.check(expansions, ask, lambda message: None)
        specs = [run.spec for expansion in expansions for run in expansion.runs]
        return _became(queue.submit(self.root, specs))

    def stop(self, run_ids: Sequence[str]) -> str:
        """Stop runs; return once they have ended, with what to say about it."""
        from lthtui.launch import stopping

        stopping.cancel([self._open(run) for run in run_ids])
        return f"stopped {_runs(len(run_ids))}; R resumes"

    def pause(self, run_ids: Sequence[str]) -> str:
        """Have runs save a checkpoint and leave; return once they have, with what to say."""
        from lthtui.launch import stopping

        stopping.pause([self._open(run) for run in run_ids])
        return f"paused {_runs(len(run_ids))}; R resumes"

    def resume(self, run_ids: Sequence[str]) -> str:
        """Queue runs again; say what became of them."""
        from lthtui.launch import queue

        return _became(queue.resume([self._open(run) for run in run_ids]))

    def hold(self, job: Job) -> str:
        """Have what waits wait until it is released, or release it."""
        from lthtui.launch import later, queue

        of_runs = queue.release if job.held else queue.hold
        of_commands = later.release if job.held else later.hold
        return self._change(job, of_runs, of_commands, "released" if job.held else "held")

    def prioritise(self, job: Job, level: int) -> str:
        """Change the priority of what waits."""
        from lthtui.launch import later, queue

        of_runs = partial(queue.prioritise, priority=level)
        of_commands = partial(later.prioritise, priority=level)
        return self._change(job, of_runs, of_commands, f"has priority {level}")

    def exchange(self, one: Job, other: Job) -> str:
        """Give two waiting runs each other's turn."""
        from lthtui.launch import queue

        if not queue.exchange(self._open(one.key), self._open(other.key)):
            return f"{one.label} or {other.label} waits here no more"
        return f"{one.label} and {other.label} exchanged turns"

    def forget(self, job: Job) -> str:
        """Forget a command that waits for runs."""
        from lthtui.launch import later

        later.drop(self.root, [one for one in later.read(self.root) if one.name == job.key])
        return f"{job.label} dropped"

    def _change(
        self,
        job: Job,
        of_runs: Callable[[Sequence[RunDirectory]], Mapping[str, str]],
        of_commands: Callable[[Path, Sequence[Later]], Mapping[str, str]],
        said: str,
    ) -> str:
        """Change how something waits; say what came of it."""
        from lthtui.launch import later

        if job.command:
            named = [one for one in later.read(self.root) if one.name == job.key]
            changed = of_commands(self.root, named)
        else:
            changed = of_runs([self._open(job.key)])
        words = {
            "changed": said,
            "same": f"{said} already",
            "elsewhere": "waits with the cluster, whose own tools change that",
        }
        return f"{job.label}: {words.get(changed.get(job.key, ''), 'waits no more')}"

    def queue(self, board: Board) -> Queue:
        """Look at the queue and at the devices."""
        from lthtui import gauges, jobs

        return Queue(jobs.look(self.root, board), gauges.read(self.root))

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
