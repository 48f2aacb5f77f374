"""The palette, jump keys, and the place that is remembered."""

from __future__ import annotations

import asyncio
from threading import Event
from types import SimpleNamespace

from rundirs import FakeRun, populate
from textual import events
from textual.command import CommandPalette
from textual.widgets import Label, OptionList
from waiting import PATIENCE

from lthtui import finding, state
from lthtui.app import build_app
from lthtui.screens import palette
from lthtui.screens.main import MainScreen
from lthtui.screens.palette import Palette
from lthtui.screens.run import RunScreen
from lthtui.screens.specs import SpecsScreen
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid

from .conftest import StubDesk, screen


async def offers(pilot, query):
    """What the palette offers for a query, the best first."""
    palette = Palette(pilot.app.screen)
    await palette.startup()
    hits = [hit async for hit in palette.search(query)]
    return [hit.text for hit in sorted(hits, key=lambda hit: -hit.score)]


async def choose(pilot, query):
    """Type into the palette and take its first offer."""
    await pilot.press("colon", *query)
    palette = pilot.app.screen
    assert isinstance(palette, CommandPalette)
    await pilot.settle(lambda: palette._list_visible and query[:4] in screen(pilot.app))
    await pilot.press("enter")
    await pilot.settle(lambda: not CommandPalette.is_open(pilot.app))


def double_click(pilot, x, y):
    """Two clicks that come at once, as a terminal that was busy sends them."""
    at = {"x": int(x), "y": int(y), "screen_x": int(x), "screen_y": int(y)}
    held = {"delta_x": 0, "delta_y": 0, "shift": False, "meta": False, "ctrl": False}
    for kind in 2 * (events.MouseDown, events.MouseUp):
        pilot.app.post_message(kind(None, button=1, **at, **held))


async def test_a_double_click_takes_one_offer_and_leaves_what_is_below(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("end", "enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("colon")
        await pilot.settle(lambda: "Follow" in screen(pilot.app))
        double_click(pilot, *(pilot.app.screen.query_one(OptionList).region.offset + (9, 2)))
        await pilot.settle(lambda: not CommandPalette.is_open(pilot.app))
        assert isinstance(pilot.app.screen, RunScreen)


async def test_runs_specs_places_and_themes_are_found(running, root, specs):
    populate(root)
    async with running() as pilot:
        run = next(key for key in pilot.app.board.runs if key.endswith("s1"))
        assert (await offers(pilot, run))[0] == run
        assert (await offers(pilot, "good"))[0] == "specs/good.yaml"
        assert (await offers(pilot, "tickets"))[0] == "Go to tickets"
        assert (await offers(pilot, "nord"))[0] == "Theme nord"
        await choose(pilot, run[:7] + " s1")
        assert isinstance(pilot.app.screen, RunScreen)
        assert run in screen(pilot.app)
        await choose(pilot, "wrong.yaml")
        await pilot.settle(lambda: isinstance(pilot.app.screen, SpecsScreen))
        await pilot.settle(lambda: pilot.app.screen.path == "specs/wrong.yaml")
        await choose(pilot, "theme nord")
        assert pilot.app.theme == "nord"


async def test_before_anything_is_typed_it_offers_what_the_key_bar_shows_first(running, root):
    populate(root)
    async with running() as pilot:
        palette = Palette(pilot.app.screen)
        names = [hit.text async for hit in palette.discover()]
        assert names[0] == "Open" and names.index("Filter") < names.index("Page down")


def test_whoever_quits_does_not_wait_for_what_the_palette_asks(root, capsys):
    asked, free, waited = Event(), Event(), []

    def hang():
        asked.set()
        waited.append(free.wait(PATIENCE))

    async def quit(pilot):
        await pilot.press("colon")
        while not asked.is_set():
            await pilot.pause(0.01)
        pilot.app.exit(0)

    desk = StubDesk(root)
    desk.specs = SimpleNamespace(paths=hang)
    app = build_app(root, desk=desk)
    try:
        assert app.run(headless=True, auto_pilot=quit) == 0
        app.finish()
        assert waited == [] and capsys.readouterr().err == ""
    finally:
        free.set()


async def test_letters_that_follow_one_another_are_looked_for_together(running, root, monkeypatch):
    asked, rested, match = set(), asyncio.Event(), finding.match

    async def rest(seconds):
        await (rested.wait() if seconds == palette.REST else asyncio.sleep(seconds))

    def noted(query, text):
        asked.add(query)
        return match(query, text)

    populate(root)
    own = SimpleNamespace(**{**vars(asyncio), "sleep": rest})
    async with running() as pilot:
        monkeypatch.setattr(palette, "asyncio", own)
        monkeypatch.setattr(finding, "match", noted)
        await pilot.press("colon", *"halted")
        rested.set()
        await pilot.settle(lambda: "-halted-" in screen(pilot.app))
    assert asked == {"halted"}


async def test_names_with_markup_are_text_in_the_palette(running, root):
    FakeRun(root, "x", 0, sparsifier={"name": "imp", "levels": 2})
    async with running() as pilot:
        pilot.app.desk.poll = lambda: None  # what follows stays
        (run,) = pilot.app.board.runs.values()
        object.__setattr__(run, "display_name", "[red]odd[/nope] [@click=quit]")
        await pilot.press("colon", *"odd")
        await pilot.settle(lambda: "[red]odd[/nope] [@click=quit]" in screen(pilot.app))
        await pilot.press("escape")


async def test_jump_keys_lead_to_what_has_the_focus(running, root):
    populate(root)
    async with running() as pilot:
        assert isinstance(pilot.app.focused, Grid)
        await pilot.press("apostrophe")
        await pilot.settle()
        letters = {str(label.content).strip(): label for label in pilot.app.screen.query(Label)}
        assert list(letters)[:3] == ["a", "s", "d"]
        await pilot.press("s")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))
        assert isinstance(pilot.app.focused, ChartView)
        for stay in ("escape", "9"):
            await pilot.press("apostrophe", stay)
            await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))
            assert isinstance(pilot.app.focused, ChartView)


async def test_the_app_begins_where_it_was_left(running, root, specs):
    populate(root)
    async with running() as pilot:
        await pilot.press("5")
        await pilot.settle(lambda: isinstance(pilot.app.screen, SpecsScreen))
    assert state.get("places", str(root)) == "specs"
    async with running() as pilot:
        assert isinstance(pilot.app.screen, SpecsScreen)
        await pilot.press("1")
        await pilot.settle(lambda: "finished" in screen(pilot.app))
    async with running() as pilot:
        assert isinstance(pilot.app.screen, MainScreen)


async def test_a_state_that_cannot_be_written_is_said_once(running, root, monkeypatch):
    def full(section, key, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "put", full)
    async with running() as pilot:
        for key in ("2", "1", "2"):
            await pilot.press(key)
            await pilot.settle()
            await asyncio.sleep(0)
        await pilot.press("1", "equals_sign")  # which is remembered, too
        await pilot.settle()
        said = [one.message for one in pilot.app._notifications if "No space" in one.message]
        lost = "No space left on device; what is chosen here is not kept for the next session"
        assert said == [f"{state.file()}: {lost}"]


async def test_the_pane_in_focus_can_have_all_the_room(running, root):
    for number in range(20):
        FakeRun(root, f"run{number:02d}", train={"epochs": 4, "batch_size": 10 + number})
    async with running(size=(80, 24)) as pilot:
        assert screen(pilot.app).count("run") < 20
        await pilot.press("z")
        await pilot.settle(lambda: screen(pilot.app).count("run") >= 20)
        *rows, keys = screen(pilot.app).splitlines()
        assert "? Help" in keys and "run00" in "".join(rows)
        await pilot.press("end", "z")
        await pilot.settle(lambda: "run00" in screen(pilot.app))
        await pilot.settle(lambda: screen(pilot.app).count("run") < 20)
        assert isinstance(pilot.app.focused, Grid)


async def test_what_gets_the_focus_beside_a_pane_with_all_the_room_comes_into_view(running, root):
    populate(root)
    async with running() as pilot:
        keys = {"wide": ("slash", *"wide"), "accuracy by weights": ("right_square_bracket",)}
        for seen, typed in keys.items():
            await pilot.press("z")
            assert pilot.app.screen.maximized
            await pilot.press(*typed)
            await pilot.settle()
            assert pilot.app.screen.maximized is None and seen in screen(pilot.app)
            await pilot.press("escape")
