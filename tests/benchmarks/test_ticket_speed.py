"""How fast the tickets of 5,000 runs are listed, filtered, sorted and brought up to date.

Everything is measured against the table of these runs, which is made from nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import manyruns
import pytest

from lthtui import ticketindex
from lthtui.board import board
from lthtui.fields import names
from lthtui.filtering import Filter
from lthtui.tabling import Tabler
from lthtui.ticketindex import ORDERS, Index, Ticket, Which
from lthtui.views import View

pytestmark = pytest.mark.benchmark

COUNT = 5000


def median(work: Callable[[], object], times: int = 5) -> float:
    """Seconds that it takes."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def test_the_index_of_tickets():
    runs = manyruns.runs(COUNT)
    made = board(runs, {}, {})
    table = median(lambda: Tabler().table(made, View()), 3)
    print(f"\ntable of {COUNT:,} runs: {1000 * table:.0f} ms")
    index = Index()
    index.tickets(made)
    (first, *_) = runs.values()
    changed = {**runs, first.run_id: replace(first, epoch=first.epoch + 1)}
    boards = [made, board(changed, {}, {}, before=made.groups)]

    def turn() -> None:
        boards.reverse()
        index.tickets(boards[0])

    for name, seconds in {
        "index from nothing": median(lambda: Index().tickets(made)),
        "index after one run changed": median(turn),
    }.items():
        print(f"  {name}: {1000 * seconds:.1f} ms, {seconds / table:.3f} of the table")
    known = names(runs.values())
    cases: dict[str, tuple[Which, Filter, int]] = {
        "picked, by created": ("picked", Filter(), 0),
        "picked, by gain": ("picked", Filter(), 3),
        "all, by test": ("all", Filter(), 1),
        "all, density<55% method:imp": ("all", Filter.parse("density<55% method:imp", known), 1),
    }
    for name, (which, wanted, by) in cases.items():
        tickets = Index().tickets(made)

        def shown(
            found: list[Ticket] = tickets,
            which: Which = which,
            wanted: Filter = wanted,
            by: int = by,
        ) -> int:
            found = ticketindex.chosen(found, which, wanted)
            ordered = ticketindex.ordered(found, (ORDERS[by],))
            return len([ticketindex.row(one, "") for one in ordered])

        at_first, again, rows = median(shown, 1), median(shown, 3), shown()
        told = f"{at_first / table:.2f} of the table at first, {again / table:.2f} again"
        print(f"  {name}: {rows:,} rows, {1000 * at_first:.0f} and {1000 * again:.0f} ms, {told}")
        assert rows > 0
