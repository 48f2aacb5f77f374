"""How often things are styled and drawn: what does not change, once."""

from __future__ import annotations

import pytest
from rundirs import FakeRun
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from lthtui.app import LthApp
from lthtui.widgets.grid import Grid
from lthtui.widgets.log import LogView
from lthtui.widgets.topbar import TopBar
from lthtui.widgets.training import Training

from .conftest import screen


@pytest.fixture
def styled(monkeypatch):
    """All that was styled again since it was mounted, or since this was cleared."""
    found, update = [], Stylesheet.update_nodes

    def noted(self, nodes, animate=False):
        nodes = [*nodes]
        found.extend(nodes)
        update(self, nodes, animate)

    monkeypatch.setattr(Stylesheet, "update_nodes", noted)
    return found


async def test_what_does_not_change_is_styled_once(running, root, styled):
    FakeRun(root, "one").start().train(1)
    async with running(size=(120, 40)) as pilot:
        await pilot.settle()
        assert not any(isinstance(one, TopBar) for one in styled)
        styled.clear()
        log, curve = pilot.app.screen.query_one(LogView), pilot.app.screen.query_one("#curve")
        log.focus()
        await pilot.settle(lambda: log in styled)
        assert not any(isinstance(one, TopBar | Screen) for one in styled)
        assert log.styles.border_top != curve.styles.border_top


async def test_panes_keep_what_is_no_other_for_another_row(running, root, monkeypatch):
    for name, model in (("one", "resnet20"), ("two", "resnet44")):
        FakeRun(root, name, model=model).start().train(2).end()
    whole, refresh = [], Widget.refresh

    def noted(self, *regions, **how):
        if not regions:
            whole.append(self)
        return refresh(self, *regions, **how)

    async with running() as pilot:
        await pilot.settle(lambda: "two s0  log" in screen(pilot.app))
        with monkeypatch.context() as patch:
            patch.setattr(Widget, "refresh", noted)
            await pilot.press("j")
            await pilot.settle(lambda: "one s0  log" in screen(pilot.app))
    assert whole and not [one for one in whole if isinstance(one, Grid | LogView | Training)]


async def test_nothing_is_drawn_that_is_not_shown(running, root, monkeypatch):
    drawn, display = [], LthApp._display

    def noted(self, screen, renderable):
        drawn.append(self._batch_count)
        display(self, screen, renderable)

    monkeypatch.setattr(LthApp, "_display", noted)
    async with running(size=(120, 40)) as pilot:
        await pilot.settle()
    assert drawn and not any(drawn)


async def test_what_changes_on_a_hidden_screen_draws_nothing_until_that_is_seen(
    running, root, monkeypatch
):
    FakeRun(root, "one").start().train(1)
    async with running(size=(120, 40)) as pilot:
        await pilot.settle()
        below = pilot.app.screen
        await pilot.press("enter")
        await pilot.settle(lambda: pilot.app.screen is not below)
        await pilot.settle()
        drawn, display = [], LthApp._display
        monkeypatch.setattr(
            LthApp, "_display", lambda *parts: drawn.append(parts) or display(*parts)
        )
        below.query_one("#note", Static).update("changed below", layout=False)
        await pilot.settle()
        assert drawn == []
        await pilot.press("escape")
        await pilot.settle(lambda: "changed below" in screen(pilot.app))
        assert pilot.app.screen is below
        await pilot.press("question_mark")
        await pilot.settle(lambda: pilot.app.screen is not below)
        below.query_one("#note", Static).update("behind a dialog", layout=False)
        await pilot.settle(lambda: any(parts[1] is pilot.app.screen for parts in drawn))
