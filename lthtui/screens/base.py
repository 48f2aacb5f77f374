"""What screens about runs share: they show a board, and act on the runs that are chosen."""

from __future__ import annotations

from textual.binding import Binding
from textual.screen import Screen

from lthtui.board import Board
from lthtui.messages import Act, Answer, CloneWanted, CopyWanted, LogWanted
from lthtui.runview import RunView
from lthtui.screens.confirm import ConfirmScreen

NAMED = 6  # runs that a question names one by one


class Asking(Screen[None]):
    """A screen that asks the desk, see `messages.Ask`."""

    def on_answer(self, message: Answer) -> None:
        """Hand an answer to what wants it."""
        message.reply(message.value)


class Watching(Asking):
    """A screen that knows the runs; `board` is what they are like."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()

    def show_board(self, board: Board) -> None:
        """Take in the runs as they are now."""
        self.board = board
        self.refresh_bindings()


class RunsScreen(Watching):
    """A screen about runs, which acts on those that are chosen."""

    BINDINGS = [
        Binding("x", "stop", "Stop", id="run.stop"),
        Binding("p", "pause", "Pause", show=False, id="run.pause"),
        Binding("R", "resume", "Resume", id="run.resume"),
        Binding("y", "copy", "Copy id", show=False, id="run.copy"),
        Binding("C", "clone", "Clone", show=False, id="run.clone"),
    ]

    def chosen(self) -> tuple[RunView, ...]:
        """The runs that actions apply to."""
        return ()

    def follow(self) -> None:
        """Ask for the log of the chosen run, or of the first running one of a group."""
        if not self.is_current:
            return
        runs = self.chosen()
        active = [run for run in runs if run.status == "running"]
        self.post_message(LogWanted(self, (active or runs)[0].run_id if runs else None))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the keys of actions that no chosen run can take as disabled."""
        if action in ("stop", "pause"):
            return True if _active(self.chosen()) else None
        if action == "resume":
            return True if _resumable(self.chosen()) else None
        if action == "clone":
            return True if any(run.directory for run in self.chosen()) else None
        return True

    def action_stop(self) -> None:
        """Stop the chosen runs after asking once."""
        victims = [run.run_id for run in _active(self.chosen())]
        question = f"Stop {_named(victims)}?"
        detail = "Training ends at a checkpoint within seconds. R resumes it from there."

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_message(Act(lambda desk: desk.stop(victims), lasting=True))

        self.app.push_screen(ConfirmScreen(question, detail, "Stop"), answered)

    def action_pause(self) -> None:
        """Have the chosen runs save a checkpoint and leave their devices; R goes on."""
        runs = [run.run_id for run in _active(self.chosen())]
        self.post_message(Act(lambda desk: desk.pause(runs), lasting=True))

    def action_resume(self) -> None:
        """Queue the chosen runs again."""
        runs = [run.run_id for run in _resumable(self.chosen())]
        self.post_message(Act(lambda desk: desk.resume(runs)))

    def action_copy(self) -> None:
        """Copy the ids of the chosen runs."""
        if runs := self.chosen():
            self.post_message(CopyWanted(" ".join(run.run_id for run in runs)))

    def action_clone(self) -> None:
        """Begin a spec like that of the chosen runs, to be changed and run."""
        if runs := [run.run_id for run in self.chosen() if run.directory]:
            self.post_message(CloneWanted(runs))


def _active(runs: tuple[RunView, ...]) -> list[RunView]:
    return [run for run in runs if run.active and run.directory]


def _resumable(runs: tuple[RunView, ...]) -> list[RunView]:
    return [run for run in runs if not run.active and run.status != "finished" and run.directory]


def _named(run_ids: list[str]) -> str:
    if len(run_ids) == 1:
        return run_ids[0]
    shown = "\n".join(f"  {run}" for run in run_ids[:NAMED])
    more = f"\n  and {len(run_ids) - NAMED} more" if len(run_ids) > NAMED else ""
    return f"these {len(run_ids)} runs\n{shown}{more}"
