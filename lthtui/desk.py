"""What the app does outside of the screen: read runs, logs and specs; queue, stop and resume runs.

Every method may take long and is called in a thread; whatever takes long to import is imported
there. Nothing here knows of screens.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lthtui.counting import counted
from lthtui.once import Once
from lthtui.text import clean_line

if TYPE_CHECKING:
    from engine.rundir import RunDirectory
    from lthtui.board import Board
    from lthtui.drawer import Drawer
    from lthtui.evaluationdesk import EvaluationDesk
    from lthtui.filedesk import FileDesk
    from lthtui.gauges import Machine, Watch
    from lthtui.histories import Histories
    from lthtui.jobs import Job
    from lthtui.launch.later import Later
    from lthtui.launch.queue import Submitted
    from lthtui.logtail import LogTail
    from lthtui.lookout import Lookout
    from lthtui.memory import Memory
    from lthtui.notedesk import NoteDesk
    from lthtui.ticketdesk import TicketDesk
    from lthtui.trashdesk import TrashDesk

ROUSE = 10.0  # seconds between looks at whether somebody starts what waits
CALM = 2.0  # seconds from the first look to the first of these: charts are read meanwhile

CLUSTER, GONE = "waits with the cluster, whose own tools change that", "waits no more"


class Wish(NamedTuple):
    """When runs are to have their turn: as `lthtui run` has it; `after` are ids of runs."""

    priority: int = 0
    hold: bool = False
    after: tuple[str, ...] = ()


NO_WISH = Wish()


class Queue(NamedTuple):
    """What runs and waits, and how busy the machine is."""

    jobs: tuple[Job, ...]
    machine: Machine


class Desk:
    """Works on one root and one folder of specs.

    Args:
        store: the address of a store that is browsed instead of the root's own; see `tracking`.
    """

    def __init__(self, root: Path, specs: Path, store: str | None = None) -> None:
        self.root, self._specs = root.absolute(), specs
        self.store = store
        self._lookout: Lookout | None = None
        self._wanted: frozenset[str] = frozenset()
        self._rouse_at = 0.0

    def poll(self) -> Board | None:
        """Look at all runs; None if nothing has changed since the last call."""
        from lthtui.lookout import Lookout

        if self._lookout is None:
            self._lookout = Lookout(self.root, self.store, hasty=True)
            self._rouse_at = time.monotonic() + CALM
        else:  # the first board does not wait for the queue
            self._rouse()
        self._lookout.want(self._wanted)
        return self._lookout.look()

    def want(self, metrics: frozenset[str]) -> None:
        """From the next look on, know the extremes of these metrics of stored runs, too."""
        self._wanted = metrics

    def follow(self, run_id: str | None) -> LogTail | None:
        """A run's log from the beginning, for whoever asks. This reads nothing yet."""
        if run_id is None or Path(run_id).name != run_id:  # an id from a store may be a path
            return None
        from lthtui.logtail import LogTail

        return LogTail(self.root / "runs" / run_id / "log.txt")

    @Once
    def specs(self) -> Drawer:
        """What is done with spec files."""
        from lthtui.drawer import Drawer

        return Drawer(self.root, self._specs)

    def submit(self, path: str, wish: Wish = NO_WISH) -> str:
        """Queue all runs of a spec, some until their tickets are there; say what became of them."""
        from lthtui import layouts, specfiles
        from lthtui.commands import awaiting
        from lthtui.launch import queue
        from lthtui.sources import Patience
        from lthtui.verbs import ask

        expansion = specfiles.without_search(specfiles.expand(path, patience=Patience()))
        layouts.check([expansion], ask, lambda message: None)
        turn = queue.Turn(wish.priority, tuple(map(self._open, wish.after)), wish.hold)
        submitted = queue.submit(self.root, [run.spec for run in expansion.runs], turn=turn)
        left = awaiting.leave_runs(self.root, expansion.later, turn)
        left += awaiting.leave_listed(self.root, [expansion], submitted, turn)
        return _became(submitted, len(left))

    @Once
    def notes(self) -> NoteDesk:
        """What is done about what people note of runs."""
        from lthtui.notedesk import NoteDesk

        return NoteDesk(self.root, self.store)

    @Once
    def trash(self) -> TrashDesk:
        """What is done about the trash."""
        from lthtui.trashdesk import TrashDesk

        return TrashDesk(self.root)

    @Once
    def histories(self) -> Histories:
        """Metrics of runs, point by point."""
        from lthtui.histories import Histories
        from lthtui.store import Store

        return Histories(Store(self.store or self.root))

    @Once
    def tickets(self) -> TicketDesk:
        """What is done about tickets."""
        from lthtui.ticketdesk import TicketDesk

        return TicketDesk(self.root, self.files)

    @Once
    def evaluations(self) -> EvaluationDesk:
        """What is done about evaluations of tickets."""
        from lthtui.evaluationdesk import EvaluationDesk

        return EvaluationDesk(self.root)

    @Once
    def memory(self) -> Memory:
        """What is remembered for later sessions."""
        from lthtui.memory import Memory

        return Memory(self.store or self.root)

    @Once
    def files(self) -> FileDesk:
        """What is done about the files of runs."""
        from lthtui.filedesk import FileDesk

        return FileDesk(self.root, self.store)

    def control(self, run_id: str, level: int, kinds: Sequence[str]) -> str:
        """Queue controls of a ticket; say what became of them."""
        from lthtui import controls, layouts
        from lthtui.commands import awaiting
        from lthtui.launch import queue
        from lthtui.verbs import ask

        found = controls.originals(self.root, [run_id], level)
        waiting = partial(awaiting.patience, self.root, again=False)
        expansions = [one for _, one in controls.derive(kinds, found, ask, waiting)]
        layouts.check(expansions, ask, lambda message: None)
        submitted = queue.submit(self.root, [run.spec for one in expansions for run in one.runs])
        later = [one for expansion in expansions for one in expansion.later]
        return _became(submitted, len(awaiting.leave_runs(self.root, later, queue.NOW)))

    def stop(self, run_ids: Sequence[str]) -> str:
        """Stop runs; return once they have ended, with what to say about it."""
        from lthtui.launch import stopping

        runs = [self._open(run) for run in run_ids]
        stopping.cancel(runs)
        return _left("stopped", runs)

    def pause(self, run_ids: Sequence[str]) -> str:
        """Have runs save a checkpoint and leave; return once they have, with what to say."""
        from lthtui.launch import stopping

        runs = [self._open(run) for run in run_ids]
        stopping.pause(runs)
        return _left("paused", runs)

    def resume(self, run_ids: Sequence[str]) -> str:
        """Queue runs again; say what became of them."""
        from lthtui.launch import queue

        return _became(queue.resume([self._open(run) for run in run_ids]))

    def hold(self, job: Job) -> str:
        """Have what waits wait until it is released, or release it."""
        from lthtui.launch import later, queue

        of_runs = queue.release if job.held else queue.hold
        of_commands = later.release if job.held else later.hold
        return self._change(job, of_runs, of_commands)

    def urge(self, job: Job, by: int) -> str:
        """Change the priority of what waits, from what it is by now."""
        from lthtui.launch import entries, later, queue

        commands = {one.name: one.priority for one in later.read(self.root)}
        runs = {one.run_id: one.priority for one in entries.read(self.root)}
        level = (commands if job.command else runs).get(job.key, 0) + by
        of_runs = partial(queue.prioritise, priority=level)
        of_commands = partial(later.prioritise, priority=level)
        return self._change(job, of_runs, of_commands)

    def move(self, job: Job, by: int) -> str:
        """Exchange a waiting run's turn with the one that is so many places behind it by now."""
        from lthtui.launch import entries, queue, turns

        order = [entry.run_id for entry in turns.in_order(entries.read(self.root))]
        if job.key not in order:
            return f"{job.label}: {GONE}"
        place = order.index(job.key) + by
        if 0 <= place < len(order) and not queue.exchange(
            self._open(job.key), self._open(order[place])
        ):
            return f"{job.label}: {CLUSTER}"
        return ""

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
    ) -> str:
        """Change how something waits; say only what the queue's table does not show."""
        from lthtui.launch import later

        if job.command:
            named = [one for one in later.read(self.root) if one.name == job.key]
            changed = of_commands(self.root, named)
        else:
            changed = of_runs([self._open(job.key)])
        became = changed.get(job.key)
        if became in ("changed", "same"):
            return ""
        return f"{job.label}: {CLUSTER if became == 'elsewhere' else GONE}"

    def queue(self, board: Board) -> Queue:
        """Look at the queue and at the devices."""
        from lthtui import jobs

        return Queue(jobs.look(self.root, board), self.machine())

    def machine(self) -> Machine:
        """Look at the devices."""
        return self._watch.read()

    @Once
    def _watch(self) -> Watch:
        from lthtui.gauges import Watch

        return Watch(self.root)

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
        if "histories" in self.__dict__:
            self.histories.close()

    def _rouse(self) -> None:
        """Now and then make sure that what waits is looked after, also after a restart."""
        now = time.monotonic()
        if now >= self._rouse_at:
            from lthtui.launch import queue  # its import, too, would keep charts waiting

            self._rouse_at = now + ROUSE
            queue.rouse(self.root)

    def _open(self, run_id: str) -> RunDirectory:
        from engine.rundir import RunDirectory

        return RunDirectory.open(self.root / "runs" / run_id)


def _left(done: str, runs: Sequence[RunDirectory]) -> str:
    """What to say of runs that were told to end; some may have come to their end before."""
    from engine.rundir import Status, status
    from lthtui import evaluations

    finished = [run for run in runs if status(run) == Status.FINISHED]
    cut = sum(evaluations.missed(run) > 0 for run in finished)
    others, before = len(runs) - len(finished), len(finished) - cut
    said = [f"{done} {counted(others, 'run')}; R resumes"] if others else []
    said += [f"{done} the evaluations of {counted(cut, 'run')}; R resumes"] if cut else []
    said += [f"{counted(before, 'run')} finished before that"] if before else []
    return "; ".join(said)


def _became(submitted: Sequence[Submitted], left: int = 0) -> str:
    """Say what became of submitted runs, and that some were left for later."""
    words = {
        "new": "queued",
        "resumed": "queued again",
        "active": "already under way",
        "finished": "already finished",
    }
    counts: Counter[str] = Counter(one.action for one in submitted)
    said = [
        f"{counted(counts[action], 'run')} {word}"
        for action, word in words.items()
        if counts[action]
    ]
    said += [f"{counted(left, 'run')} to be queued once other runs have finished"] if left else []
    return ", ".join(said) or "nothing to do"
