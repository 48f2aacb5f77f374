"""The place of the tickets: found, sorted, looked at, compared, exported and controlled."""

from __future__ import annotations

import pytest
from maskfiles import draw, leave_masks, write_mask
from rundirs import FakeRun

from lthtui import controls
from lthtui.screens.kinds import ABOUT
from lthtui.screens.overlap import OverlapScreen
from lthtui.screens.run import RunScreen
from lthtui.screens.tickets import TicketsScreen
from lthtui.widgets.grid import Grid
from lthtui.widgets.topbar import PLACES

from .conftest import StubDesk, screen

KEY = str(PLACES.index("tickets") + 1)


@pytest.fixture
def two(root):
    """A run that found a winning ticket, and one of another method that did not."""
    good = FakeRun(root, "good", levels=3, top=2).start().train(4).end()
    bad = FakeRun(
        root, "bad", levels=3, top=0, sparsifier={"name": "imp", "levels": 3, "rate": 0.5}
    )
    bad.start().train(4).end()
    for run in (good, bad):
        leave_masks(run, 4)
    return good, bad


@pytest.fixture
def opened(running):
    """Opens the app on its tickets."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open_tickets(size=(160, 48), desk=None):
        async with running(size=size, desk=desk) as pilot:
            await pilot.press(KEY)
            await pilot.settle(lambda: "by created" in screen(pilot.app))
            yield pilot

    return open_tickets


def rows(pilot):
    return [row.key.partition("-")[2] for row in pilot.app.screen.query_one(Grid).rows]


def said(pilot):
    return " ".join(one.message for one in pilot.app._notifications)


def named(run, level):
    return f"{run.run_id.partition('-')[2]}:{level}"


async def test_tickets_are_listed_sorted_and_narrowed(opened, two):
    good, bad = two
    async with opened() as pilot:
        assert isinstance(pilot.app.screen, TicketsScreen)
        assert rows(pilot) == [named(bad, 1), named(good, 2)]
        await pilot.press("s")
        await pilot.settle(lambda: "by test" in screen(pilot.app))
        assert rows(pilot)[0] == named(good, 2) and "test↓" in screen(pilot.app)
        await pilot.press("S")
        await pilot.settle(lambda: "test↑" in screen(pilot.app))
        assert rows(pilot)[0] == named(bad, 1)
        await pilot.press("a")
        await pilot.settle(lambda: "6 all" in screen(pilot.app))
        await pilot.press("a")
        await pilot.settle(lambda: "1 winning" in screen(pilot.app))
        assert rows(pilot) == [named(good, 2)]


async def test_a_filter_asks_the_tickets(opened, two):
    good, bad = two
    async with opened() as pilot:
        await pilot.press("a", "slash", *"density<60% name=bad")
        await pilot.settle(lambda: "1 all" in screen(pilot.app))
        assert rows(pilot) == [named(bad, 3)]  # 51.2 %
        await pilot.press(*" val>")
        await pilot.settle(lambda: "column" in screen(pilot.app) and "6 all" in screen(pilot.app))
        await pilot.press("escape")
        await pilot.settle(lambda: "column" not in screen(pilot.app))


async def test_the_ticket_under_the_cursor_is_looked_at(opened, two):
    async with opened(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.settle(lambda: "◆ good s0:2  winning ticket" in screen(pilot.app))
        text = screen(pilot.app)
        assert "64,000 of 100,000 weights" in text and "IoU .80 with level 1" in text
        assert "█" in text
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))


async def test_marked_tickets_are_compared(opened, two):
    good, _ = two
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("a", "slash", *"name=good", "enter", "space", "space")
        await pilot.settle(lambda: "2 marked" in screen(pilot.app))
        await pilot.press("o")
        await pilot.settle(lambda: "good s0:1" in screen(pilot.app))
        assert isinstance(pilot.app.screen, OverlapScreen)
        # level 2 keeps 0.8 of what level 1 keeps
        await pilot.settle(lambda: "[ .80]" in screen(pilot.app))
        assert "overlap   .80 of those in either are in both" in screen(pilot.app)
        await pilot.press("right")
        await pilot.settle(lambda: "[   1]" in screen(pilot.app))
        await pilot.press("right", "down", "escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, TicketsScreen))
        await pilot.press("escape", "escape")
        await pilot.settle(lambda: "marked" not in screen(pilot.app))


async def test_why_tickets_are_not_compared(opened, two):
    good, _ = two
    write_mask(good.directory.level(2), draw({"conv1.weight": (5, 5, 3, 3)}, 0.5))
    async with opened() as pilot:
        await pilot.press("o")
        await pilot.settle(lambda: "masks of different networks" in screen(pilot.app))
        await pilot.press("down", "escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, TicketsScreen))


class Noting(StubDesk):
    """Notes which controls it was asked for."""

    def control(self, run_id, level, kinds):
        self.asked.append((run_id, level, kinds))
        return "queued"


async def test_controls_of_a_ticket_are_queued(opened, two, root):
    good, _ = two
    desk = Noting(root)
    async with opened(desk=desk) as pilot:
        await pilot.press("end", "C")
        await pilot.settle(lambda: "Controls of good s0:2" in screen(pilot.app))
        await pilot.press("escape", "C")
        await pilot.settle(lambda: "Controls of" in screen(pilot.app))
        await pilot.press("down", "space", "end", "space", "enter")
        await pilot.settle(lambda: desk.asked)
    assert desk.asked == [(good.run_id, 2, ("random", "budget"))]
    assert [*ABOUT] == [*controls.KINDS]


async def test_a_ticket_is_exported_and_verified(opened, two, root, monkeypatch):
    from lthtui import ticketdesk

    asked = []

    def ask(words):
        asked.append(words)
        return {"sha256": "e" * 64, "splits": {}, "verified": True, "same_images": True}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    async with opened() as pilot:
        await pilot.press("end", "E")
        await pilot.settle(lambda: "good-s0-level-02.safetensors" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: "wrote" in said(pilot))
        await pilot.press("v")
        await pilot.settle(lambda: "good s0:2 is verified" in said(pilot))
    assert asked[0][-1] == str(root.parent / "good-s0-level-02.safetensors")
    assert asked[1][0] == "verify"


async def test_tickets_without_weights_are_neither_verified_nor_exported(opened, two):
    good, _ = two
    good.keep(2, None)
    async with opened() as pilot:
        await pilot.press("end")
        await pilot.settle(lambda: "mask only" in screen(pilot.app))
        bindings = pilot.app.screen.active_bindings
        assert not bindings["v"].enabled and not bindings["E"].enabled
        assert bindings["C"].enabled and "x" not in bindings


async def test_no_tickets(opened):
    async with opened(size=(80, 24)) as pilot:
        await pilot.settle(lambda: "no run has picked a ticket yet" in screen(pilot.app))
        await pilot.press("o", "v", "E", "C", "space", "enter", "s", "S", "a")
        await pilot.settle(lambda: "no pruned level has ended yet" in screen(pilot.app))
