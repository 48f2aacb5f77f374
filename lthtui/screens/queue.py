"""The queue: what runs, what waits and why, what failed of late, and how busy the devices are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from lthtui.board import Board
from lthtui.jobs import COLUMNS, rows
from lthtui.messages import Act, Ask, Highlighted, Opened, RunWanted
from lthtui.runview import RunView
from lthtui.screens.noting import NotingScreen
from lthtui.widgets.gauges import Gauges
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.log import LogView
from lthtui.widgets.titles import entitle
from lthtui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lthtui.desk import Queue
    from lthtui.jobs import Job

LOOK = 1.0  # seconds between two looks at the queue


class QueueScreen(NotingScreen):
    """A table of jobs, the devices, and the log of the job under the cursor."""

    LOG = "#tail"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [
        Binding("n", "app.new", "New", id="queue.new"),
        Binding("H", "hold", "Hold/release", id="queue.hold"),
        Binding("plus,equals_sign", "urge(1)", "Priority +", id="queue.more"),
        Binding("minus", "urge(-1)", "Priority −", id="queue.less"),
        Binding("K", "move(-1)", "Up", id="queue.up"),
        Binding("J", "move(1)", "Down", id="queue.down"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._jobs: dict[str, Job] = {}

    def compose(self) -> ComposeResult:
        """Header, jobs above devices and a log, keys."""
        yield TopBar(self._root, self._clock, "queue")
        with Vertical(classes="box") as box:
            box.border_title = "queue"
            yield Grid(COLUMNS, "reading the queue…", id="jobs")
            yield Static(id="why", markup=False)
        yield Gauges(id="gauges")
        yield LogView(id="tail")
        yield KeyBar()

    def on_mount(self) -> None:
        """Look at once, and again and again."""
        self.query_one("#gauges").border_title = "devices"
        self.query_one(Grid).focus()
        self.set_interval(LOOK, self._look)

    def on_screen_resume(self) -> None:
        """What was seen when this screen was last shown is old."""
        self._look()
        self.follow()

    def show_board(self, board: Board) -> None:
        """Runs have started or ended: so has the queue changed."""
        super().show_board(board)
        if self.is_mounted:
            self.query_one(TopBar).show(board.counts)
            self._look()

    def on_highlighted(self, message: Highlighted) -> None:
        """Follow another job's log."""
        self.follow()
        job = self._jobs.get(message.key or "")
        entitle(self.query_one("#tail"), f"{job.label}  log" if job else "log")
        self._explain()
        self.refresh_bindings()

    def on_opened(self, message: Opened) -> None:
        """Open the run under the cursor."""
        if self.chosen():
            self.post_message(RunWanted(message.key))

    def chosen(self) -> tuple[RunView, ...]:
        """The run under the cursor."""
        return self.board.members(self.query_one(Grid).cursor)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what waits can be held or moved; commands that wait can be cancelled."""
        job = self._job
        if action in ("hold", "urge"):
            return True if job and job.priority is not None else None
        if action == "move":
            return True if job and job.place is not None else None
        if action == "stop" and job and job.command:
            return True
        return super().check_action(action, parameters)

    def action_hold(self) -> None:
        """Hold what waits, or let it go."""
        if job := self._job:
            self.post_message(Act(lambda desk: desk.hold(job), then=self._look))

    def action_urge(self, by: int) -> None:
        """Change the priority of what waits."""
        if job := self._job:
            self.post_message(Act(lambda desk: desk.urge(job, by), then=self._look))

    def action_move(self, by: int) -> None:
        """Exchange turns with the run before or behind."""
        if job := self._job:
            self.post_message(Act(lambda desk: desk.move(job, by), then=self._look))

    def action_stop(self) -> None:
        """Cancel: a command is forgotten at once, a run is asked about."""
        job = self._job
        if job and job.command:
            self.post_message(Act(lambda desk: desk.forget(job)))
        else:
            super().action_stop()

    @property
    def _job(self) -> Job | None:
        return self._jobs.get(self.query_one(Grid).cursor or "")

    def _explain(self) -> None:
        """Say in full why the job under the cursor waits or failed, and what can be done."""
        job, shown = self._job, self.query_one("#why", Static)
        stands = job is not None and job.status not in ("running", "stalled")
        parts = [part for part in (job.why, job.hint) if part] if job and stands else []
        shown.set_class(bool(parts), "-shown")
        shown.update(Content("\n").join(map(Content, parts)))

    def _look(self) -> None:
        if self.is_current:
            self.post_message(
                Ask(self, "queue", lambda desk: desk.queue(self.board), self._show, patient=True)
            )

    def _show(self, queue: Queue) -> None:
        """Show the queue as it is now."""
        self._jobs = {job.key: job for job in queue.jobs}
        grid = self.query_one(Grid)
        grid.empty = "nothing runs or waits: press n to start something"
        grid.show(rows(queue.jobs, self._clock()))
        waiting = sum(job.status == "queued" for job in queue.jobs)
        running = sum(job.status in ("running", "stalled") for job in queue.jobs)
        entitle(self.query_one(".box"), f"queue  {running:,} running, {waiting:,} waiting")
        names = {job.key: job.label for job in queue.jobs}
        self.query_one(Gauges).show(queue.machine, names)
        self._explain()
        self.refresh_bindings()
