"""The line below a table that its filter is typed into; it is open only while there is one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from textual.widgets import Input, Static

from lthtui import fields
from lthtui.fields import Misread
from lthtui.filtering import Filter
from lthtui.messages import Filtered
from lthtui.text import clean_line
from lthtui.widgets.grid import Grid

if TYPE_CHECKING:
    from lthtui.runview import RunView


class Trouble(Static):
    """What is wrong with what is typed above; without anything it has no room."""

    def __init__(self) -> None:
        super().__init__(markup=False, classes="trouble")
        self._said = ""

    def say(self, trouble: str) -> None:
        """Say it, or nothing any more; what is said already would lay out the screen anew."""
        if trouble != self._said:
            self._said = trouble
            self.update(trouble)
            self.set_class(bool(trouble), "-open")


class FilterLine(Input):
    """Says on the line below what cannot be read of a filter yet; that hides nothing.

    Args:
        example: shown while nothing is typed.

    Attributes:
        filter: what is typed; any run will do while that cannot be read.
    """

    def __init__(self, example: str) -> None:
        super().__init__(placeholder=example, id="filter", compact=True)
        self.filter = Filter()
        self._text = ""  # what was read last
        self._misread = self._unsure = False
        self._runs: Collection[RunView] = ()
        self._names: list[str] = []  # of what these have, once it is needed

    @property
    def typed(self) -> str:
        """What is typed, whether it can be read or not."""
        return self.value.strip()

    @property
    def wanted(self) -> str:
        """What is typed if that can be read, or else nothing."""
        return "" if self._misread else self._text.strip()

    @property
    def said(self) -> str:
        """What is wanted, for a title."""
        return f"/{clean_line(self.wanted)}" if self.wanted else ""

    def about(self, runs: Collection[RunView]) -> None:
        """Ask these runs from now on; what they have may make what is typed readable."""
        self._runs, self._names = runs, []
        if self._unsure:
            self._read()

    def open(self) -> None:
        """Begin to type."""
        self.add_class("-open")
        self.focus()

    def close(self) -> None:
        """Filter nothing any more, and go back to the table."""
        self.take("")
        self.post_message(Filtered(typing=False))
        self._leave()

    def take(self, text: str) -> None:
        """Filter by this text, as if it had been typed."""
        self.value = text
        self.set_class(bool(self.typed), "-open")
        self._read()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        event.stop()
        if self.value != self._text:
            self._read()
            self.post_message(Filtered(typing=True))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the table; what cannot be read is to be mended first."""
        event.stop()
        if not self._misread:
            self.set_class(bool(self.typed), "-open")
            self._leave()

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Say that the filter is typed now."""
        event.stop()
        self.post_message(Filtered(typing=False))

    def _read(self) -> None:
        """Take what is typed as filter, or say what is wrong with it."""
        self._text, self.filter, trouble = self.value, Filter(), ""
        try:
            self.filter = Filter.parse(self._text, self._known() if self._runs else None)
        except Misread as error:
            trouble = str(error)
        self._misread = bool(trouble)
        self._unsure = self._misread or not self._runs
        next(one for one in self.siblings if isinstance(one, Trouble)).say(trouble)

    def _known(self) -> list[str]:
        """The names of what can be asked of the runs, found once for all that is typed."""
        self._names = self._names or fields.names(self._runs)
        return self._names

    def _leave(self) -> None:
        next(one for one in self.siblings if isinstance(one, Grid)).focus()
