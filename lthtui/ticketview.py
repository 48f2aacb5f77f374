"""How the place of tickets shows them: which, in what order and by what filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lthtui import state, views
from lthtui.fields import Misread
from lthtui.ticketindex import ORDERS, WHICH, Which
from lthtui.views import Order

SECTION = "tickets"  # of what is remembered


@dataclass(frozen=True)
class TicketView:
    """What is shown of all tickets.

    Attributes:
        filter: as it was typed, whether it can be read or not.
    """

    which: Which = WHICH[0]
    order: Order = ORDERS[0]
    filter: str = ""

    @classmethod
    def load(cls, dumped: object) -> TicketView:
        """A view from JSON; what of it is damaged, or of a newer version, is as by default."""
        found = dumped if isinstance(dumped, Mapping) else {}
        wanted = found.get("filter")
        return cls(
            which=next((one for one in WHICH if one == found.get("which")), WHICH[0]),
            order=_order(found.get("sort")),
            filter=wanted if isinstance(wanted, str) else "",
        )


def recall(about: str) -> TicketView:
    """The view of a root or a store as it was left."""
    return TicketView.load(state.get(SECTION, about))


def remember(about: str, view: TicketView, before: TicketView) -> None:
    """Keep a view for later sessions.

    Args:
        before: the view that it was changed from; the rest stays as another window left it.

    Raises:
        OSError: it cannot be written.
    """
    state.put(SECTION, about, _dumped(view), _dumped(before))


def _dumped(view: TicketView) -> dict[str, str]:
    return {"which": view.which, "sort": str(view.order), "filter": view.filter}


def _order(dumped: object) -> Order:
    """What to sort by: one of the fields that the keys offer."""
    try:
        (found,) = views.orders(dumped) if isinstance(dumped, str) else ()
    except (Misread, ValueError):
        return ORDERS[0]
    return found if any(found.field == one.field for one in ORDERS) else ORDERS[0]
