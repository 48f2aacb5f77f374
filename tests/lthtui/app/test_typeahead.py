"""Keys that arrive together, as over a slow line, do what they would do one by one."""

from __future__ import annotations

import asyncio
import threading
import time
from random import Random
from types import SimpleNamespace

import pytest
from rundirs import populate
from textual import events
from textual.app import App, ScreenStackError
from textual.containers import Vertical
from textual.keys import _character_to_key
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widgets import Input, Static
from waiting import PATIENCE

from lthtui import typeahead
from lthtui.app import LthApp
from lthtui.drawer import Drawer
from lthtui.memory import Memory
from lthtui.screens.main import MainScreen
from lthtui.screens.palette import Palette
from lthtui.settling import Rounds
from lthtui.widgets.grid import Grid

from .conftest import screen

NAMED = {"enter": "\r", "escape": "\x1b"}


def send(pilot, *keys):
    """Send keys to the app, all at once."""
    for key in keys:
        sign = NAMED.get(key, key)
        name = key if key in NAMED else _character_to_key(key)
        pilot.app._driver.send_message(events.Key(name, sign))


async def until(condition):
    """Wait without looking at the runs all the time, which would be work to wait for."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


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


async def test_a_key_that_comes_while_the_last_screen_closes_does_nothing(running, root):
    async with running() as pilot:
        pilot.app.exit(0)
    assert pilot.app.screen_stack == []
    key = events.Key("j", "j")
    key._set_forwarded()  # by a widget that has been closed since
    await pilot.app.on_event(key)


async def test_what_is_pasted_comes_after_what_was_typed_before(running, root):
    populate(root)
    async with running() as pilot:
        send(pilot, "/", "a")
        pilot.app._driver.send_message(events.Paste("bc"))
        send(pilot, "d")
        await pilot.settle(lambda: "/abcd" in screen(pilot.app))


async def test_a_key_that_cannot_be_followed_holds_up_none_after_it(running, root, monkeypatch):
    class Gone(Rounds):
        async def settle(self, longest):
            raise ScreenStackError  # as while no screen is there

    populate(root)
    async with running() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        with monkeypatch.context() as patch:
            patch.setattr(pilot.app._typeahead, "rounds", Gone(pilot.app))
            send(pilot, *"jjj")
            await until(lambda: grid.cursor_index == 3)
        send(pilot, "/", *"imp")
        await pilot.settle(lambda: "/imp" in screen(pilot.app))


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(30))
async def test_they_do_so_however_long_widgets_take(running, root, monkeypatch, seed):
    chance, receive = Random(seed), MessagePump._get_message

    async def late(node):
        if chance.random() < 0.3:
            await asyncio.sleep(0.02 * chance.random())
        return await receive(node)

    populate(root)
    async with running(size=(120, 40)) as pilot:
        monkeypatch.setattr(MessagePump, "_get_message", late)
        send(pilot, "e", *"sweep", "enter", "/", *"0.3", "enter", "enter", *"]]")
        await until(lambda: "2 ◆" in screen(pilot.app))
        send(pilot, "escape")
        await until(lambda: "1 group, 1 of 8 runs  /0.3" in screen(pilot.app))


class Told(Message):
    """Goes to and fro between widgets."""

    def __init__(self, rest):
        super().__init__()
        self.rest = rest


class Teller(Static, can_focus=True):
    """Opens a line to type into, after it has been told of a key from elsewhere many times."""

    def key_o(self):
        self.post_message(Told(20))

    async def on_told(self, message):
        message.stop()
        await asyncio.sleep(0.002)
        if message.rest:
            other = next(one for one in self.screen.query(Teller) if one is not self)
            other.post_message(Told(message.rest - 1))
        else:
            self.screen.query_one(Input).focus()


class Tellers(App):
    """Two of them in places of their own."""

    AUTO_FOCUS = "Teller"

    def __init__(self):
        super().__init__()
        self.typeahead = typeahead.TypeAhead(self)

    def compose(self):
        yield Vertical(Teller())
        yield Vertical(Vertical(Teller()))
        yield Input()

    async def on_event(self, event):
        if not self.typeahead.holds(event):
            await super().on_event(event)


async def test_they_wait_for_widgets_that_tell_one_another(root):
    async with Tellers().run_test() as pilot:
        send(pilot, *"oxo")
        await until(lambda: "o" in pilot.app.query_one(Input).value)
        assert pilot.app.query_one(Input).value == "xo"


async def test_enter_takes_what_answers_to_all_that_was_typed(running, root, monkeypatch):
    search = Palette.search

    async def late(palette, query):
        await asyncio.sleep(0.2)
        async for hit in search(palette, query):
            yield hit

    monkeypatch.setattr(Palette, "search", late)
    populate(root)
    async with running() as pilot:
        send(pilot, ":", *"go to tickets", "enter")
        await pilot.settle(lambda: pilot.app.current_mode == "tickets")


async def test_the_palette_finds_something_although_its_specs_are_still_being_read(
    running, root, monkeypatch
):
    answer = LthApp.answer

    async def late(app, question):
        await asyncio.sleep(0.3)
        return await answer(app, question)

    monkeypatch.setattr(LthApp, "answer", late)
    populate(root)
    async with running() as pilot:
        send(pilot, ":", *"go to tickets", "enter")
        await pilot.settle(lambda: pilot.app.current_mode == "tickets")


async def test_only_one_of_them_waits_for_a_thread_that_takes_too_long(root, monkeypatch):
    looks, never = [], asyncio.Event()

    def clock():  # on which a second passes between two looks
        looks.append(None)
        return float(len(looks))

    async with Tellers().run_test() as pilot:
        pilot.app.run_worker(never.wait(), typeahead.LEADS)
        pilot.app.query_one(Input).focus()
        monkeypatch.setattr(typeahead, "time", SimpleNamespace(monotonic=clock))
        send(pilot, *"typed anyway")
        await until(lambda: pilot.app.query_one(Input).value == "typed anyway")
    assert typeahead.LONGEST < len(looks) < 5 * typeahead.LONGEST


async def test_they_wait_for_the_filter_of_an_experiment(running, root, monkeypatch):
    begun, go, view = threading.Event(), threading.Event(), Memory.view

    def waiting(memory, experiment):
        if experiment == "sweep":
            begun.set()
            assert go.wait(PATIENCE)
        return view(memory, experiment)

    monkeypatch.setattr(Memory, "view", waiting)
    populate(root)
    async with running() as pilot:
        send(pilot, "e", *"sweep", "enter", "/", *"0.3")
        wait = asyncio.get_running_loop().run_in_executor
        assert await wait(None, begun.wait, PATIENCE)
        await pilot.pause()
        go.set()
        await pilot.settle(lambda: "runs of sweep  1 group, 1 of 8 runs  /0.3" in screen(pilot.app))


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
