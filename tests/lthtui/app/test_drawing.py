"""How often things are styled and drawn: what does not change, once."""

from __future__ import annotations

import pytest
from rundirs import FakeRun
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen

from lthtui.app import LthApp
from lthtui.widgets.log import LogView
from lthtui.widgets.topbar import TopBar


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


async def test_nothing_is_drawn_that_is_not_shown(running, root, monkeypatch):
    drawn, display = [], LthApp._display

    def noted(self, screen, renderable):
        drawn.append(self._batch_count)
        display(self, screen, renderable)

    monkeypatch.setattr(LthApp, "_display", noted)
    async with running(size=(120, 40)) as pilot:
        await pilot.settle()
    assert drawn and not any(drawn)
