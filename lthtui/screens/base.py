"""What screens about runs share: they show a board, and act on the runs that are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on
from textual.binding import Binding
from textual.screen import Screen

from lthtui import verdict
from lthtui.board import Board
from lthtui.messages import Act, Answer, Ask, CloneWanted, CopyWanted, LogGrew, LogWanted
from lthtui.screens.confirm import ConfirmScreen, listed
from lthtui.text import clean_line
from lthtui.widgets.log import LogView
from lthtui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lthtui.desk import Desk
    from lthtui.runview import RunView
    from lthtui.webpages import WebPage


class Asking(Screen[None]):
    """A screen that asks the desk, see `messages.Ask`."""

    _resumed = False

    def on_compose(self) -> None:
        """Be laid out for this terminal in the first frame, and not only from the second on."""
        at = self.app.size
        for points, room in (
            (self.HORIZONTAL_BREAKPOINTS, at.width),
            (self.VERTICAL_BREAKPOINTS, at.height),
        ):
            self.add_class(*[name for least, name in points or () if least <= room][-1:])

    @on(events.ScreenResume)
    def _keep_styles(self, event: events.ScreenResume) -> None:
        """Let styles be that were found a moment ago, as the screen was made."""
        event.refresh_styles = event.refresh_styles and self._resumed
        self._resumed = True

    def _compositor_refresh(self) -> None:
        """Draw nothing that would not be shown.

        Textual draws the first frame twice, and all of a screen whenever one that it hides changes.
        """
        hidden = self.app.screen is not self and not self.app.screen.is_modal
        if not self.app._batch_count and not hidden:
            super()._compositor_refresh()

    def on_answer(self, message: Answer) -> None:
        """Hand an answer to what wants it."""
        message.reply(message.value)


class Watching(Asking):
    """A screen that knows the runs.

    Attributes:
        board: what they are like.
        missed: what they came to be like while another screen hid this one.
    """

    ALLOW_IN_MAXIMIZED_VIEW = "KeyBar"
    BINDINGS = [Binding("z", "zoom", "Zoom pane", show=False, id="pane.zoom")]

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.missed: Board | None = None

    def on_screen_resume(self) -> None:
        """Show what was missed."""
        board, self.missed = self.missed, None
        if board is not None:
            self.show_board(board)

    def show_board(self, board: Board) -> None:
        """Take in the runs as they are now."""
        self.board = board
        for bar in self.query(TopBar):
            bar.since = board.since
        self.refresh_bindings()

    def action_zoom(self) -> None:
        """Give the pane in focus all the room, or no longer."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)

    @on(events.DescendantFocus)
    def _show_focus(self, event: events.DescendantFocus) -> None:
        """Let no pane hide what has the focus, such as a line that is typed in."""
        if self.maximized is not None and self.maximized not in event.widget.ancestors_with_self:
            self.minimize()

    def unsaved(self) -> list[str]:
        """What was typed here and would be lost by quitting."""
        return []


class RunsScreen(Watching):
    """A screen about runs, which acts on those that are chosen."""

    BINDINGS = [
        Binding("x", "stop", "Stop", id="run.stop"),
        Binding("p", "pause", "Pause", show=False, id="run.pause"),
        Binding("R", "resume", "Resume", id="run.resume"),
        Binding("y", "copy", "Copy id", show=False, id="run.copy"),
        Binding("M", "page", "MLflow's page", show=False, id="run.page"),
        Binding("C", "clone", "Clone", show=False, id="run.clone"),
        Binding("U", "go_on", "Train from ticket", show=False, id="run.go_on"),
    ]
    LOG = "#log"  # the view that shows a run's log
    _turned_to: str | None = None

    def chosen(self) -> tuple[RunView, ...]:
        """The runs that actions apply to."""
        return ()

    def meant(self) -> tuple[RunView, ...]:
        """The runs that are changed; those that are chosen, unless others are marked."""
        return self.chosen()

    @property
    def origin(self) -> tuple[tuple[RunView, ...], int | None]:
        """The runs, and the level of theirs, to go on from; None for what each picked."""
        return self.chosen(), None

    def follow(self) -> None:
        """Ask for the log of the chosen run; of a group's for the one that was turned to."""
        if not self.is_current:
            return
        runs, run = self.chosen(), self._logged()
        self.post_message(LogWanted(self, run.run_id if run else None))
        several = f"{run.repetition}, {runs.index(run) + 1} of {len(runs)} (< >)" if run else ""
        self.query_one(self.LOG, LogView).whose(several if len(runs) > 1 else "")

    def on_log_grew(self, message: LogGrew) -> None:
        """Show more of the log that is followed."""
        self.query_one(self.LOG, LogView).show(message.chunk)

    def action_turn(self, by: int) -> None:
        """Follow the log of another run of the group."""
        runs, run = self.chosen(), self._logged()
        if run is not None:
            self._turned_to = runs[(runs.index(run) + by) % len(runs)].run_id
            self.follow()

    def _logged(self) -> RunView | None:
        """The run whose log is shown: the one that was turned to, or the first that runs."""
        runs = self.chosen()
        turned = [run for run in runs if run.run_id == self._turned_to]
        running = [run for run in runs if run.status == "running"]
        return next(iter([*turned, *running, *runs]), None)

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing: of the screen's own, or of those that need a run's folder."""
        active, runs = self.active_bindings.get(event.key), self.chosen()
        if active is None or active.enabled:
            return
        if (runs and not any(run.directory for run in runs)) or active.node is self:
            self.notify(f"{active.binding.description}: {self._why_not(runs)}", markup=False)

    def _why_not(self, runs: tuple[RunView, ...]) -> str:
        """Why nothing can be done with runs."""
        if not runs:
            return "no run is chosen"
        group = self.board.group_of(runs[0].run_id)
        name = verdict.name(group, runs) if group else runs[0].name
        if not any(run.directory for run in runs):
            return (
                f"{name} has no folder here; do that where it runs. MLflow knows only its figures"
            )
        return f"{name} is {', '.join(dict.fromkeys(run.status for run in runs))}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the keys of actions that none of the runs can take as disabled."""
        if action in ("stop", "pause"):
            return True if _active(self.meant()) else None
        if action == "resume":
            return True if _resumable(self.meant()) else None
        if action == "copy":
            return True if self.meant() else None
        if action == "page":
            return True if self.chosen() else None
        if action == "clone":
            return True if any(run.directory for run in self.chosen()) else None
        return True

    def action_stop(self) -> None:
        """Stop runs after asking once."""
        runs = _active(self.meant())
        victims = [run.run_id for run in runs]
        question = f"Stop {listed(victims)}?"
        detail = "Training ends at a checkpoint within seconds. R resumes it from there."
        if not any(run.status == "running" for run in runs):
            detail = "It has not begun, and leaves the queue. R queues it again."

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_message(Act(lambda desk: desk.stop(victims), lasting=True))

        self.app.push_screen(ConfirmScreen(question, detail, "Stop"), answered)

    def action_pause(self) -> None:
        """Have runs save a checkpoint and leave their devices; R goes on."""
        runs = [run.run_id for run in _active(self.meant())]
        self.post_message(Act(lambda desk: desk.pause(runs), lasting=True))

    def action_resume(self) -> None:
        """Queue runs again."""
        runs = [run.run_id for run in _resumable(self.meant())]
        self.post_message(Act(lambda desk: desk.resume(runs)))

    def action_copy(self) -> None:
        """Copy the ids of runs."""
        if runs := self.meant():
            self.post_message(CopyWanted(" ".join(run.run_id for run in runs)))

    def action_page(self) -> None:
        """Copy the address of the page that MLflow's own UI has of a run."""
        if (run := self._logged()) is not None:
            self.post_message(Ask(self, "page", lambda desk: _page(desk, run), self._copy_page))

    def _copy_page(self, page: WebPage) -> None:
        self.post_message(CopyWanted(page.address))
        if page.served:
            said = f"the page is there while `{page.served}` runs, which says if its port differs"
            self.notify(clean_line(said, 1000), markup=False)

    def action_clone(self) -> None:
        """Begin a spec like that of the chosen runs, to be changed and run."""
        if runs := [run.run_id for run in self.chosen() if run.directory]:
            self.post_message(CloneWanted(runs))

    def action_go_on(self) -> None:
        """Begin a spec that trains from the ticket in view, or from those that the runs picked."""
        runs, level = self.origin
        if why := verdict.without_ticket(runs, level):
            self.notify(why, severity="warning", markup=False)
            return
        if level is None and not runs[1:]:
            level = runs[0].winner
        ids = [run.run_id for run in runs]
        self.post_message(CloneWanted(ids, "best" if level is None else level))


def _page(desk: Desk, run: RunView) -> WebPage:
    """Where MLflow shows a run; imported in the thread that asks."""
    from lthtui import webpages

    return webpages.of_run(run, desk.root, desk.store)


def _active(runs: tuple[RunView, ...]) -> list[RunView]:
    return [run for run in runs if run.active and run.directory]


def _resumable(runs: tuple[RunView, ...]) -> list[RunView]:
    return [run for run in runs if not run.active and run.status != "finished" and run.directory]
