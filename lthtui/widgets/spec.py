"""The spec of a run: every setting, only what is not by default, or as it was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.binding import Binding

from lthtui.loglines import LogLine
from lthtui.messages import Ask, CopyWanted
from lthtui.runview import RunView
from lthtui.widgets.log import LogView

if TYPE_CHECKING:
    from lthtui.runspec import RunTexts

UNKNOWN = "nothing is known of the spec of this run"


class SpecView(LogView):
    """Asks the desk for the spec of the first of some runs, once; it is searched as a log is."""

    BINDINGS = [
        Binding("equals_sign", "way", "All/not by default/as written", id="spec.way"),
        Binding("Y", "command", "Copy command", id="spec.command"),
    ]

    def __init__(
        self, id: str | None = None, heard: Callable[[Sequence[LogLine]], object] | None = None
    ) -> None:
        """Make one; `heard` is told the lines of what is not by default once they are known."""
        super().__init__(file=False, id=id)
        self._heard = heard
        self._of: str | None = None
        self._texts: RunTexts | None = None
        self._way = 0

    def about(self, runs: tuple[RunView, ...]) -> None:
        """Show the spec of these runs, which differ in their seed only."""
        if not runs or runs[0].run_id == self._of:
            return
        run = runs[0]
        self._of = run.run_id
        self.screen.post_message(
            Ask(
                self.screen,
                "spec",
                lambda desk: desk.specs.of_run(run),
                self._take,
                failed=partial(self._fail, run.run_id),
            )
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There may be one way only to show it, and no command."""
        found = self._texts
        if action == "way":
            return True if found and len(found.texts) > 1 else None
        if action == "command":
            return True if found and found.command else None
        return super().check_action(action, parameters)

    def action_way(self) -> None:
        """Show it in the next way; a search goes on in there."""
        self._way += 1
        self._put()

    def action_command(self) -> None:
        """Copy the command line that asks for the run."""
        if self._texts:
            self.post_message(CopyWanted(self._texts.command))

    def _take(self, found: RunTexts) -> None:
        from lthtui.runspec import CHANGED, lines

        self._texts = found
        self._put()
        if self._heard:
            self._heard(lines(found.texts.get(CHANGED, "")))
        self.screen.refresh_bindings()

    def _fail(self, run_id: str, why: str) -> None:
        """Say so; ask again when the runs are shown the next time."""
        if run_id == self._of:
            self._of, self._texts = None, None
            self.whose("")
            self.show_text([LogLine(0, f"the spec cannot be read: {why}")])
            self.screen.refresh_bindings()

    def _put(self) -> None:
        from lthtui.runspec import lines

        found = self._texts
        if found is None or not found.texts:
            self.show_text([LogLine(0, UNKNOWN)])
            return
        ways = [*found.texts]
        way = ways[self._way % len(ways)]
        command = f"  $ {found.command}" if found.command else ""
        self.whose(f"{way}{command}")
        self.show_text(lines(found.texts[way]))
