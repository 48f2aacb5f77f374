"""The app on a folder of hand-made runs, with a clock and a machine that stand still."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from rundirs import BEGAN
from textual import _wait
from textual._context import visible_screen_stack
from textual.worker import WorkerCancelled, WorkerFailed
from waiting import PATIENCE

from lthtui import app as module
from lthtui import gauges
from lthtui.desk import Desk
from lthtui.gauges import Gauge, Machine
from lthtui.screens import main

SPEC = "data: {name: digits, per_class: 20, validation: 300}\nmodel: resnet20\nseeds: [0, 1, 2]\n"


MACHINE = Machine((Gauge("CPU", "2 cores", 0.28, 3 * 2**30, 24 * 2**30),), 2**36, 2**38)


class StubDesk(Desk):
    """Reads as a desk does; instead of queueing and stopping runs it notes what it was asked."""

    def __init__(self, root, store=None):
        super().__init__(root, Path("specs"), store)
        self.asked = []

    def submit(self, path, wish):
        self.asked.append(("submit", path, wish))
        return "3 runs queued"

    def stop(self, run_ids):
        self.asked.append(("stop", list(run_ids)))
        return "stopped"

    def pause(self, run_ids):
        self.asked.append(("pause", list(run_ids)))
        return "paused"

    def resume(self, run_ids):
        self.asked.append(("resume", list(run_ids)))
        return "resumed"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty root in an empty current folder; the app looks at it often."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", 0.001)
    for name, value in {
        "TZ": "UTC",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(gauges.Watch, "read", lambda watch: MACHINE)
    monkeypatch.setattr(main, "LOOK", 3600.0)
    for name in ("NO_COLOR", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    return tmp_path / "mlruns"


@pytest.fixture
def specs(root):
    folder = root.parent / "specs"
    folder.mkdir()
    (folder / "good.yaml").write_text(SPEC)
    (folder / "wrong.yaml").write_text(SPEC.replace("model: resnet20", "model: resnet2O"))
    return folder


@pytest.fixture
def running(root):
    """Opens the app; `settle()` waits until all that is under way has been shown."""

    @asynccontextmanager
    async def open_app(size=(160, 48), desk=None, preferences=None, toasts=False):
        made = module.build_app(
            root,
            Path("specs"),
            desk=desk or StubDesk(root),
            clock=lambda: BEGAN,
            preferences=preferences,
        )
        made.animation_level = "none"
        async with made.run_test(size=size, notifications=toasts) as pilot:

            async def settle(condition=lambda: True):
                deadline = time.monotonic() + PATIENCE
                before = None
                while before != screen(made) or not condition():
                    assert made._exception is None, made._exception
                    assert time.monotonic() < deadline, screen(made)
                    before = screen(made)
                    await _answered(made)
                    made._errands.look()  # sooner than it would by itself
                    await _answered(made)
                    await pilot.pause(0.02)

            pilot.settle = settle
            await settle(lambda: "Help" in screen(made) and _has_looked(made))
            yield pilot
        made.finish()

    return open_app


async def _answered(app):
    """Wait for keys and threads, and for all that widgets do with what those find out."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if following := app._typeahead._following:
            await following
        with suppress(WorkerFailed, WorkerCancelled):  # as what is superseded is
            await app.workers.wait_for_complete()
        await app._typeahead.rounds.settle(PATIENCE)
        if not app._typeahead._following and all(one.is_finished for one in app.workers):
            break


def _has_looked(app):
    return "reading runs" not in screen(app) or list(app._notifications)


def screen(app):
    """What is on the screen, as text."""
    visible_screen_stack.set(app._background_screens)  # or a dialog would be drawn on nothing
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)
