"""What a user sees of a store that is browsed instead of the root's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import manyruns
import pytest
from rundirs import BEGAN, FakeRun
from servers import Answer, proxy

from lthtui.desk import Desk
from lthtui.screens import bindings
from lthtui.screens.base import RunsScreen
from lthtui.screens.noting import NotingScreen

from .conftest import screen


@pytest.fixture
def theirs(tmp_path, template):
    """A store with five runs, and a desk that browses it."""
    manyruns.store(template, tmp_path / "theirs", 5)
    return lambda root: Desk(root, Path("specs"), f"sqlite:///{tmp_path / 'theirs' / 'mlflow.db'}")


async def test_the_store_is_named_and_its_runs_are_shown(running, root, theirs):
    FakeRun(root, "finished-here").start().train(1).end()
    async with running(desk=theirs(root)) as pilot:
        await pilot.settle(lambda: "1 group, 5 runs" in screen(pilot.app))
        text = screen(pilot.app)
        assert "theirs/mlflow.db" in text.splitlines()[0] and "finished-here" not in text


async def test_a_key_that_needs_a_folder_says_why_it_does_nothing(running, root, theirs):
    async with running(desk=theirs(root)) as pilot:
        await pilot.settle(lambda: "5 runs" in screen(pilot.app))
        await pilot.press("x")
        await pilot.pause()
        said = [one.message for one in pilot.app._notifications]
        assert len(said) == 1 and said[0].startswith("Stop: spec0 has no folder here")


async def test_how_old_it_is_is_said_while_it_cannot_be_read(running, root, theirs):
    async with running(desk=theirs(root)) as pilot:
        await pilot.settle(lambda: "5 runs" in screen(pilot.app))
        pilot.app.screen.show_board(replace(pilot.app.board, since=BEGAN - 200))
        await pilot.settle(lambda: "3:20 old" in screen(pilot.app))
        pilot.app.screen.show_board(pilot.app.board)
        await pilot.settle(lambda: " old" not in screen(pilot.app).splitlines()[0])


async def test_what_a_server_calls_its_runs_is_shown_as_text(running, root):
    name = "[bold]x\x1b[2J\ud800[/]"
    info = {"run_id": "a" * 32, "experiment_id": "1", "run_name": name, "status": "FINISHED"}
    params = [{"key": "[red]k\x1b", "value": "v[/]" * 1000}, {"key": "n", "value": 5}]
    data = {"params": params, "tags": [{"key": "why"}], "metrics": [{"key": "m", "value": 1e999}]}
    said = {
        "experiments": [{"experiment_id": "1", "name": "[b]e[/]\x1b]0;"}],
        "runs": [{"info": info, "data": data}],
    }
    with proxy() as server:
        server.fault = lambda asked: Answer(200, json.dumps(said).encode())
        async with running(desk=Desk(root, Path("specs"), server.address)) as pilot:
            await pilot.settle(lambda: "1 run" in screen(pilot.app))
            assert r"[bold]x\x1b[2J\ud800[/]" in screen(pilot.app)
            await pilot.press("enter")
            await pilot.settle(lambda: len(pilot.app.screen_stack) > 1)
            named = rf" ✓ finished  [bold]x\x1b[2J\ud800[/]  {'a' * 32}"  # and of no known method
            assert screen(pilot.app).splitlines()[0] == named
            await pilot.press("colon", *"bold")
            await pilot.settle(
                lambda: "a" * 32 in screen(pilot.app) and "run ✓" in screen(pilot.app)
            )
            await pilot.press("escape")
            for tab in "123456":
                await pilot.press(tab)
                await pilot.settle()
            assert "\x1b" not in screen(pilot.app)


ACTING = {one.id: one.key for node in (RunsScreen, NotingScreen) for one in bindings.own(node)}


async def test_every_key_that_acts_on_runs_does_something_or_says_why_not(running, root, theirs):
    async with running(desk=theirs(root)) as pilot:
        await pilot.settle(lambda: "5 runs" in screen(pilot.app))
        before = pilot.app.screen
        for key in ACTING.values():
            await pilot.press(key)
            await pilot.settle(lambda: pilot.app._notifications or pilot.app.screen is not before)
            if pilot.app.screen is not before:
                await pilot.press("escape")
            pilot.app.clear_notifications()
            await pilot.settle(lambda: pilot.app.screen is before)


async def test_keys_that_act_on_runs_say_where_there_is_none(running, root):
    async with running() as pilot:
        for id, key in ACTING.items():
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app._notifications, id
            pilot.app.clear_notifications()
