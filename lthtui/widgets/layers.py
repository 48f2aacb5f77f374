"""The map of densities by layer and level, of runs that differ in their seed.

Questions are posted by the screen: what a widget posts while the screen has it do something would
not get beyond the screen.
"""

from __future__ import annotations

from functools import partial

from lthtui.densitymap import DensityMap, lines
from lthtui.heat import wrapped
from lthtui.messages import Ask
from lthtui.runview import RunView
from lthtui.widgets.sheet import Sheet


class Layers(Sheet):
    """Asks the desk for the masks of levels that have ended since it was last asked."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._about: object = None

    def about(self, runs: tuple[RunView, ...]) -> None:
        """Show the map of these runs."""
        about = [(run.run_id, len(run.ended_levels)) for run in runs]
        if about == self._about:
            return
        if self._about is None:
            self.show(lambda width: wrapped("reading masks…", width))
        self._about = about
        self.screen.post_message(
            Ask(
                self.screen,
                "layers",
                lambda desk: desk.tickets.densities(runs),
                self._take,
                failed=partial(self._fail, about),
            )
        )

    def _fail(self, about: object, why: str) -> None:
        """Say so; ask again when the runs are shown the next time."""
        if about == self._about:
            self._about = ()
            self.show_failure(f"the masks cannot be read: {why}")

    def _take(self, found: DensityMap) -> None:
        """Show the map; what could not be read is read again when something has changed."""
        if found.trouble:
            self._about = ()
        self.show(lambda width: lines(found, width))
