"""Evaluations of tickets, asked for from any screen about runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.binding import Binding

from lthtui.messages import Act, Ask
from lthtui.screens.noting import NotingScreen

if TYPE_CHECKING:
    from lthtui.evaluationdesk import Choice
    from lthtui.runview import RunView


class EvaluatingScreen(NotingScreen):
    """A screen about runs that has evaluations of their tickets queued."""

    BINDINGS = [Binding("V", "evaluate", "Evaluate", show=False, id="run.evaluate")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only runs with a folder are evaluated."""
        if action == "evaluate":
            return True if any(run.directory for run in self.meant()) else None
        return super().check_action(action, parameters)

    def action_evaluate(self) -> None:
        """Ask which evaluations are to be made of the tickets of runs, and queue them."""
        runs, level = self.origin
        runs = runs if level is not None else self.meant()
        here = tuple(run for run in runs if run.directory)

        def ask(choices: tuple[Choice, ...]) -> None:
            from lthtui.screens.evaluate import EvaluateScreen

            screen = EvaluateScreen(self._words(here), level, choices)
            self.app.push_screen(screen, answered)

        def answered(answer: tuple[tuple[str, ...], str] | None) -> None:
            if answer is not None:
                ids, (names, levels) = [run.run_id for run in here], answer
                self.post_message(
                    Act(lambda desk: desk.evaluations.ask(ids, names, levels), lasting=True)
                )

        if here:
            self.post_message(
                Ask(self, "choices", lambda desk: desk.evaluations.choices(), ask, leads=True)
            )

    def _words(self, runs: Sequence[RunView]) -> str:
        """What names these runs on a command line: their group, if they are all of it."""
        group = self.board.group_of(runs[0].run_id)
        if group and len(runs) > 1 and {*runs} == {*group.runs}:
            return group.id[:6]
        return " ".join(run.run_id for run in runs)
