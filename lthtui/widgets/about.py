"""About runs: what people noted of them, also in MLflow, and where and with what they trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lthtui.messages import Ask
from lthtui.runview import RunView
from lthtui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from lthtui.desk import Desk
    from lthtui.heat import Line


class About(Sheet):
    """Asks the desk whenever something was noted, and whenever a run begins or ends."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._about: object = None

    def about(self, runs: tuple[RunView, ...]) -> None:
        """Show what is known about these runs."""
        about = [
            (run.note, run.display_name, run.archived, {**run.tags}, run.status, run.run_id)
            for run in runs
        ]
        if about != self._about:
            self._about = about
            self.screen.post_message(
                Ask(
                    self.screen,
                    "about",
                    lambda desk: _lines(desk, runs),
                    self.show,
                    failed=partial(self._fail, about),
                )
            )

    def _fail(self, about: object, why: str) -> None:
        """Say so; ask again when the runs are shown the next time."""
        if about == self._about:
            self._about = None
            self.show_failure(f"what is noted of them cannot be read: {why}")


def _lines(desk: Desk, runs: tuple[RunView, ...]) -> Callable[[int], list[Line]]:
    """For the width that there is: what was noted, MLflow's pages, and how the runs came to be."""
    from lthtui import noteview, provenance, webpages

    changes, started = desk.notes.changes(runs), provenance.read(runs)
    pages = webpages.known(runs, desk.root, desk.store)

    def lines(width: int) -> list[Line]:
        parts = [webpages.lines(pages, width), provenance.lines(runs, started, width)]
        below = [line for part in parts if part for line in ((), *part)]
        return [*noteview.lines(runs, changes, width), *below]

    return lines
