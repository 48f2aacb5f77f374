"""What a person prefers, in the app: keys, signs, themes, and what follows the end of a run."""

from __future__ import annotations

import re

import pytest
from rundirs import FakeRun, populate
from waiting import wait_for

from engine.errors import UsageError
from lthtui import state
from lthtui.preferences import Preferences
from lthtui.screens.confirm import ConfirmScreen

from .conftest import screen


def toasts(app):
    return "\n".join(notification.message for notification in app._notifications)


async def test_other_keys_do_the_same(running, root):
    populate(root)
    chosen = Preferences(keys={"run.stop": "D, f9", "app.help": "f1"})
    async with running(preferences=chosen) as pilot:
        await pilot.press("end", "x")
        await pilot.settle()
        assert not isinstance(pilot.app.screen, ConfirmScreen)
        await pilot.press("D")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("n", "f1")
        await pilot.settle(lambda: "D" in screen(pilot.app))
        assert re.search(r"D f9  Stop", screen(pilot.app))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Preferences(keys={"run.stpo": "D"}), "did you mean run.stop?"),
        (Preferences(keys={"run.stop": "q"}), "'q' would be both run.stop and app.quit"),
        (Preferences(theme="nrod"), "there is no theme 'nrod'; did you mean nord?"),
        (Preferences(theme="nrod", said_in=("a.toml", "B")), "^a.toml or B: there is no theme"),
    ],
)
async def test_what_cannot_be_is_said_before_the_app_starts(running, wrong, words):
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        async with running(preferences=wrong):
            pass


async def test_a_theme_is_remembered(running, root):
    async with running() as pilot:
        assert pilot.app.theme == "lthtui"
        pilot.app.theme = "nord"
        await pilot.settle()
    assert state.get("app", "theme") == "nord"
    async with running() as pilot:
        assert pilot.app.theme == "nord"
    async with running(preferences=Preferences(theme="dracula")) as pilot:
        assert pilot.app.theme == "dracula"


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_all_of_it_is_ascii_where_that_is_wanted(running, root, size):
    populate(root)
    async with running(size=size, preferences=Preferences(ascii=True)) as pilot:
        assert "enter Open" in screen(pilot.app)
        assert "94.1+-0.7" in screen(pilot.app)
        for keys in ("end", "2", "1", "question_mark"):
            await pilot.press(keys)
            await pilot.settle()
            strips = pilot.app.screen._compositor.render_strips()
            assert screen(pilot.app).isascii()
            assert {strip.cell_length for strip in strips} == {size[0]}


async def test_the_end_of_a_run_is_told_and_calls_a_command(running, root, tmp_path):
    run = FakeRun(root, "short").start(alive=True).train(2)
    told = tmp_path / "told"
    command = f'echo "$LTHTUI_RUN_ID $LTHTUI_STATUS $LTHTUI_ERROR" >> {told}'
    async with running(preferences=Preferences(on_end=command)) as pilot:
        assert pilot.app.board.counts["running"] == 1
        run.directory.launch_file.unlink()
        run.end("failed", "the disk is full")
        await pilot.settle(lambda: "short s0 failed: the disk is full" in toasts(pilot.app))
        wait_for(told.exists)
        await pilot.settle()
    assert told.read_text() == f"{run.run_id} failed the disk is full\n"


async def test_a_command_that_fails_says_so(running, root):
    run = FakeRun(root, "short").start(alive=True).train(6)
    async with running(preferences=Preferences(on_end="echo no bell here >&2; exit 3")) as pilot:
        run.directory.launch_file.unlink()
        run.end()
        await pilot.settle(lambda: "on_end ended with 3: no bell here" in toasts(pilot.app))
        assert "short s0 finished: val 93.6 with 51% of the weights" in toasts(pilot.app)
