"""Beside the tabs of a run, where there is room: what there is to know of it at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from lthtui.board import Group
from lthtui.heat import Line
from lthtui.loglines import LogLine
from lthtui.runview import RunView
from lthtui.widgets.sheet import Sheet


class Overview(Sheet, can_focus=False):
    """Shows runs of a group, and the settings of theirs that it is told of."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: tuple[RunView, ...] = ()
        self._group: Group | None = None
        self._settings: Sequence[LogLine] = ()

    def about(self, runs: tuple[RunView, ...], group: Group) -> None:
        """Show these runs as they are now."""
        self._runs, self._group = runs, group
        self.show(self._told)

    def settle(self, settings: Sequence[LogLine]) -> None:
        """Show other settings."""
        self._settings = settings
        self.show(self._told)

    def _told(self, width: int) -> Sequence[Line]:
        from lthtui import overview

        if self._group is None:
            return ()
        return overview.lines(self._runs, self._group, self._settings, width)
