"""The levels of a run and their tickets, and its spec, in the view of a run."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from maskfiles import NETWORK, draw, leave_masks, write_ticket
from rundirs import FakeRun

from lthtui.screens.overlap import OverlapScreen
from lthtui.screens.run import RunScreen
from lthtui.screens.specs import SpecsScreen
from lthtui.widgets.grid import Grid
from lthtui.widgets.levels import Levels

from .conftest import StubDesk, screen


@pytest.fixture
def pair(root):
    """Two seeds of one group, all levels of which kept a ticket."""
    runs = [FakeRun(root, "pair", seed, levels=3, top=2).start().train(4).end() for seed in (0, 1)]
    for run in runs:
        leave_masks(run, 4)
        spec = run.directory.spec().model_dump(mode="json")
        for level in range(4):
            ticket = run.directory.level(level) / "ticket.safetensors"
            write_ticket(
                ticket, draw(NETWORK, 0.8**level if level else 2.0), level=level, spec=spec
            )
    return runs


@pytest.fixture
def opened(running):
    """Opens the app on a tab of a run, or of the group of all runs."""

    @asynccontextmanager
    async def open_run(tab, key=None, size=(160, 48), desk=None):
        async with running(size=size, desk=desk) as pilot:
            board = pilot.app.board
            (group,) = board.groups
            await pilot.press("home")
            if key is not None:
                pilot.app.screen.query_one(Grid).select(key)
                await pilot.settle()
            from lthtui.messages import RunWanted

            pilot.app.post_message(RunWanted(key or group.key))
            await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
            pilot.app.screen.query_one("#tabs").active = f"tab-{tab}"
            await pilot.settle(lambda: tab == "spec" or pilot.app.screen.query_one(Levels).ticket)
            yield pilot

    return open_run


def rows(pilot):
    return [row.key for row in pilot.app.screen.query_one(Levels).grid.rows]


def said(pilot):
    return " ".join(one.message for one in pilot.app._notifications)


async def test_the_ticket_of_a_level_is_shown_beside_it(opened, pair):
    async with opened("levels", pair[0].run_id) as pilot:
        await pilot.settle(lambda: "pair s0:0  all weights" in screen(pilot.app))
        await pilot.press("down", "down")
        await pilot.settle(lambda: "◆ pair s0:2  winning ticket" in screen(pilot.app))
        text = screen(pilot.app)
        assert "64,000 of 100,000 weights" in text and "IoU .80 with level 1" in text
        assert "+1.6 over dense" in text and "layer1.0.conv1 █" in text
        assert rows(pilot) == ["0", "1", "2", "3"]


async def test_a_level_in_training_has_no_ticket_yet(opened, root):
    run = FakeRun(root, "one").start(alive=True).train(1, 2)
    async with opened("levels", run.run_id) as pilot:
        await pilot.press("down")
        await pilot.settle(lambda: "this level is still being trained" in screen(pilot.app))
        bindings = pilot.app.screen.active_bindings
        assert not bindings["v"].enabled and not bindings["E"].enabled
        await pilot.press("U")
        await pilot.settle(lambda: "level 1 has not ended yet" in said(pilot))
        assert isinstance(pilot.app.screen, RunScreen)


async def test_a_narrow_terminal_gives_a_ticket_all_the_room_by_enter(opened, pair):
    async with opened("levels", pair[0].run_id, size=(80, 24)) as pilot:
        await pilot.press("down", "enter")
        await pilot.settle(lambda: "made on" in screen(pilot.app))
        assert "epochs" not in screen(pilot.app)
        await pilot.press("escape")
        await pilot.settle(lambda: "epochs" in screen(pilot.app))
        assert isinstance(pilot.app.screen, RunScreen)


async def test_levels_of_several_seeds_unfold(opened, pair):
    first, second = (run.run_id for run in pair)
    async with opened("levels", size=(120, 40)) as pilot:
        await pilot.press("down", "right")
        await pilot.settle(lambda: len(rows(pilot)) == 6)
        assert rows(pilot)[1:5] == ["1", f"{first}:1", f"{second}:1", "2"]
        await pilot.press("down", "down")
        await pilot.settle(lambda: "pair s1:1" in screen(pilot.app))
        await pilot.press("left")
        await pilot.settle(lambda: len(rows(pilot)) == 4)
        assert pilot.app.screen.query_one(Levels).grid.cursor == "1"


async def test_the_seeds_of_a_level_are_compared_unless_some_are_marked(opened, pair):
    async with opened("levels") as pilot:
        await pilot.press("down", "o")
        await pilot.settle(lambda: isinstance(pilot.app.screen, OverlapScreen))
        await pilot.settle(lambda: "pair s1:1" in screen(pilot.app))
        assert "pair s0:1" in screen(pilot.app) and "pair s0:2" not in screen(pilot.app)
        await pilot.press("escape", "space", "space", "o")
        await pilot.settle(lambda: "pair s0:2" in screen(pilot.app))


class Noting(StubDesk):
    """Notes which controls it was asked for."""

    def control(self, run_id, level, kinds):
        self.asked.append((run_id, level, kinds))
        return "queued"


async def test_a_level_is_controlled_verified_and_exported(opened, pair, root, monkeypatch):
    from lthtui import ticketdesk

    asked = []

    def ask(words):
        asked.append(words[0])
        if "-o" in words:  # the worker program writes what it is asked for
            made = Path(words[words.index("-o") + 1])
            made.write_bytes(b"a ticket")
            made.with_suffix(".json").write_text("{}")
        return {"sha256": "e" * 64, "splits": {}, "verified": True, "same_images": True}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    desk = Noting(root)
    async with opened("levels", pair[0].run_id, desk=desk) as pilot:
        assert not pilot.app.screen.active_bindings["K"].enabled  # level 0 is no ticket
        await pilot.press("down", "down", "K")
        await pilot.settle(lambda: "Controls of pair s0:2" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: desk.asked)
        await pilot.press("v")
        await pilot.settle(lambda: "pair s0:2 is verified" in said(pilot))
        await pilot.press("E", "enter")
        await pilot.settle(lambda: "wrote" in said(pilot))
    assert desk.asked == [(pair[0].run_id, 2, ("same_layer",))]
    assert asked == ["verify", "export"]


async def test_a_spec_goes_on_from_a_level_of_one_seed_or_of_all(opened, pair):
    first, second = (run.run_id for run in pair)
    async with opened("levels") as pilot:
        await pilot.press("down", "U")
        await pilot.settle(lambda: "Train from ticket" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: "pair-level-1.yaml (modified)" in screen(pilot.app))
        assert isinstance(pilot.app.screen, SpecsScreen)
        text = pilot.app.screen.query_one("#editor").text
        assert "source: pair:1" in text and "seeds: [0, 1]" in text
        await pilot.settle(lambda: "2 runs" in screen(pilot.app))
        await pilot.press("escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        assert pilot.app.screen.query_one("#tabs").active == "tab-levels"
    async with opened("levels") as pilot:
        await pilot.press("down", "right")
        await pilot.settle(lambda: len(rows(pilot)) == 6)
        await pilot.press("down", "down", "U")
        await pilot.settle(lambda: f"Train from ticket {second}:1" in screen(pilot.app))


async def test_a_run_goes_on_from_the_ticket_that_it_picked(opened, pair):
    async with opened("curve", pair[1].run_id) as pilot:
        await pilot.press("U")
        await pilot.settle(lambda: f"Train from ticket {pair[1].run_id}:2" in screen(pilot.app))
    pair[1].keep(2, None)
    async with opened("curve", pair[1].run_id) as pilot:
        await pilot.press("U")
        await pilot.settle(lambda: "did not keep the weights of level 2" in said(pilot))


async def test_a_spec_is_shown_in_three_ways_searched_and_asked_for(opened, pair):
    async with opened("spec", pair[0].run_id) as pilot:
        await pilot.settle(lambda: "resolved  $ lthtui run mlruns/runs/" in screen(pilot.app))
        assert "random_labels" in screen(pilot.app)
        await pilot.press("equals_sign")
        await pilot.settle(lambda: "epochs: 4  # by default 200" in screen(pilot.app))
        assert "random_labels" not in screen(pilot.app)
        await pilot.press("slash", *"levels", "enter")
        await pilot.settle(lambda: "/levels  1/1" in screen(pilot.app))
        await pilot.press("equals_sign")
        await pilot.settle(lambda: "as written" in screen(pilot.app))
        await pilot.press("Y")
        await pilot.settle(lambda: "copied lthtui run mlruns/runs/" in said(pilot))
        assert pilot.app.clipboard.startswith("lthtui run mlruns/runs/")
