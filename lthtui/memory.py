"""What is remembered for later sessions: which views and which experiment, and what else is put."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lthtui import state, views
from lthtui.text import clean_line
from lthtui.views import View

if TYPE_CHECKING:
    from lthtui.compared import Compared
    from lthtui.ticketview import TicketView

SECTION = "experiments"  # of what is remembered: the one chosen last, by what is looked at


class Memory:
    """Reads and writes it; a place that cannot be written to is said once.

    Args:
        about: the root or the store that is looked at; each has views of its own.
    """

    def __init__(self, about: Path | str) -> None:
        self._about = str(about)
        self._said = False
        self._views: dict[str, View] = {}  # as this session knows them, by key
        self._ticket_view: TicketView | None = None

    def last(self) -> tuple[str, View]:
        """The experiment that was chosen last here, empty for all, and its view."""
        found = state.get(SECTION, self._about)
        experiment = found if isinstance(found, str) else ""
        return experiment, self.view(experiment)

    def view(self, experiment: str) -> View:
        """The view of an experiment as it was left here."""
        key = self._key(experiment)
        found = self._views[key] = views.recall(key)
        return found

    def ticket_view(self) -> TicketView:
        """How tickets were shown here last."""
        from lthtui import ticketview

        self._ticket_view = ticketview.recall(self._about)
        return self._ticket_view

    def compared(self) -> Compared:
        """What was compared here last."""
        from lthtui import compared

        return compared.recall(self._about)

    def put(self, section: str, key: str, value: Any) -> str:
        """Remember a value, see `state.put`; what to say about it."""
        return self._try(lambda: state.put(section, key, value))

    def choose(self, experiment: str) -> str:
        """Remember which experiment was chosen; what to say about it."""
        return self._try(lambda: state.put(SECTION, self._about, experiment or None))

    def keep(self, experiment: str, view: View) -> str:
        """Remember what was changed of a view since it was read here; what to say about it."""
        key = self._key(experiment)
        before, self._views[key] = self._views.get(key, View()), view
        return self._try(lambda: views.remember(key, view, before))

    def tickets(self, view: TicketView) -> str:
        """Remember what was changed in how tickets are shown; what to say about it."""
        from lthtui import ticketview

        before, self._ticket_view = self._ticket_view or ticketview.TicketView(), view
        return self._try(lambda: ticketview.remember(self._about, view, before))

    def compare(self, chosen: Compared) -> str:
        """Remember what is compared; what to say about it."""
        from lthtui import compared

        return self._try(lambda: compared.remember(self._about, chosen))

    def _key(self, experiment: str) -> str:
        return f"{self._about}\n{experiment}"

    def _try(self, write: Callable[[], None]) -> str:
        try:
            write()
        except OSError as error:
            said, self._said = self._said, True
            why = clean_line(error.strerror or str(error))
            lost = "what is chosen here is not kept for the next session"
            return "" if said else f"{clean_line(str(state.file()))}: {why}; {lost}"
        return ""
