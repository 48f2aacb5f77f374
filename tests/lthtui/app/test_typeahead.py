"""Keys that arrive together, as over a slow line, do what they would do one by one."""

from __future__ import annotations

import asyncio
import threading

import pytest
from rundirs import populate
from textual import events
from textual.app import ScreenStackError
from textual.keys import _character_to_key
from waiting import PATIENCE

from lthtui import typeahead
from lthtui.drawer import Drawer
from lthtui.screens.main import MainScreen
from lthtui.widgets.grid import Grid

from .conftest import screen

NAMED = {"enter": "\r", "escape": "\x1b"}


def send(pilot, *keys):
    """Send keys to the app, all at once."""
    for key in keys:
        sign = NAMED.get(key, key)
        name = key if key in NAMED else _character_to_key(key)
        pilot.app._driver.send_message(events.Key(name, sign))


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["/", *"imp"], "8 runs  /imp"),
        (["/", *"nothing", "escape", "/", *"xpq"], "0 of 8 runs  /xpq"),
        (["s", *"kept", "enter"], "by density"),
        (["e", *"sweep", "enter", "/", *"0.3"], "runs of sweep  1 group, 1 of 8 runs  /0.3"),
        ([":", *"go to tickets", "enter"], "tickets  6 picked"),
        (["4", "/", *"method:imp"], "picked, by created  /method:imp"),
        (["5", "n", *"quickly", "escape", "1", "?"], "esc closes"),
    ],
)
async def test_they_go_where_the_first_of_them_leads(running, root, keys, shown):
    populate(root)
    async with running() as pilot:
        send(pilot, *keys)
        await pilot.settle(lambda: shown in screen(pilot.app))
        assert pilot.app.desk.asked == []


async def test_none_is_lost_or_changes_places(running, root):
    populate(root)
    async with running() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        send(pilot, *"jjjjjkkjj")
        await pilot.settle(lambda: grid.cursor_index == 5)
        typed = "letters in their order 0123456789 and nothing else"
        send(pilot, "/", *typed)
        await pilot.settle(lambda: f"/{typed}" in screen(pilot.app))
        assert isinstance(pilot.app.screen, MainScreen)


async def test_what_is_pasted_comes_after_what_was_typed_before(running, root):
    populate(root)
    async with running() as pilot:
        send(pilot, "/", "a")
        pilot.app._driver.send_message(events.Paste("bc"))
        send(pilot, "d")
        await pilot.settle(lambda: "/abcd" in screen(pilot.app))


async def test_a_key_that_cannot_be_followed_holds_up_none_after_it(running, root, monkeypatch):
    async def gone(node):
        raise ScreenStackError  # as while no screen is there

    populate(root)
    async with running() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        with monkeypatch.context() as patch:
            patch.setattr(typeahead, "_idle", gone)
            send(pilot, *"jjj")
            await pilot.settle(lambda: grid.cursor_index == 3)
        send(pilot, "/", *"imp")
        await pilot.settle(lambda: "/imp" in screen(pilot.app))


async def test_they_wait_for_what_a_thread_finds_out(running, specs, root, monkeypatch):
    begun, go, clone = threading.Event(), threading.Event(), Drawer.clone

    def waiting(*arguments):
        begun.set()
        assert go.wait(PATIENCE)
        return clone(*arguments)

    monkeypatch.setattr(Drawer, "clone", waiting)
    populate(root)
    async with running() as pilot:
        send(pilot, "C", *"1xp", "enter")
        wait = asyncio.get_running_loop().run_in_executor
        assert await wait(None, begun.wait, PATIENCE)
        await pilot.pause()
        go.set()
        await pilot.settle(lambda: "specs/1xp.yaml (modified)" in screen(pilot.app))
        assert pilot.app.desk.asked == []
