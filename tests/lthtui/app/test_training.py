"""Training curves: levels, spread over seeds, any metric, axes, what is remembered and written."""

from __future__ import annotations

from dataclasses import replace

import manyruns
import pytest
from rundirs import FakeRun
from textual import events
from textual.widgets import TabbedContent

from engine.errors import StoreError
from engine.events import Sampled
from lthtui import state
from lthtui.histories import Histories
from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.metrics import MetricsScreen
from lthtui.screens.run import RunScreen
from lthtui.widgets import training as module
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid
from lthtui.widgets.slider import Slider
from lthtui.widgets.training import Subject, Training

from .conftest import screen


@pytest.fixture(autouse=True)
def restless(monkeypatch):
    monkeypatch.setattr(module, "REST", 0.01)


def slide(app):
    """The line about the level, without what is around it."""
    return app.screen.query_one(Slider).render().plain.strip()


def charts(app):
    """The charts of the training curves that are in view."""
    return [one for one in app.screen.query_one(Training).query(ChartView) if one.display]


def heads(app):
    """The first line of each of them."""
    return [one.render_line(0).text.strip() for one in charts(app)]


def three_seeds(root):
    """Two whole runs and one that trains its fourth level, with a figure of the machine."""
    runs = [FakeRun(root, "imp", seed, dense=0.90 + 0.01 * seed) for seed in range(3)]
    for run in runs[:2]:
        run.start().train(6).end()
    runs[2].start(alive=True).train(3, 2)
    for tick in range(5):
        runs[0]._append(Sampled(tick=tick, metrics={"cpu": 10.0 * tick}))
    return runs


async def open_training(pilot):
    """Open the curves of what the cursor is on, and have all of them read."""
    await pilot.press("enter", "right_square_bracket")
    await read(pilot)


async def read(pilot, *metrics):
    """Wait until these metrics were read, or whatever is drawn."""

    def done():
        if isinstance(pilot.app.screen, MetricsScreen):
            return False
        known = pilot.app.screen.query_one(Training)._read
        return known and (not metrics or known.metrics == metrics)

    await pilot.settle(done)


def turn(app, kind):
    """Turn the wheel over the line."""
    slider = app.screen.query_one(Slider)
    slider.post_message(kind(slider, 3, 0, 0, 0, 0, False, False, False))


async def test_levels_are_chosen_by_key_and_mouse(running, root):
    three_seeds(root)
    async with running(size=(120, 40)) as pilot:
        await open_training(pilot)
        assert slide(pilot.app).startswith("level ◀ 5 ▶ of 5  33% kept  val 92.5±0.7 (2)")
        assert "2 of 3 seeds" in slide(pilot.app) and slide(pilot.app).endswith("━━━━━●")
        assert heads(pilot.app)[0] == "level 5  training loss  mean ± std  ━━ imp (n=2)"
        await pilot.press("comma", "comma")
        await pilot.settle()
        assert slide(pilot.app).startswith("level ◀ 3 ▶ of 5  51% kept")
        title = "level 3  training loss  mean ± std  dotted: fewer seeds  ━━ imp (n=3)"
        assert heads(pilot.app)[0] == title
        await pilot.press("end")  # the cross-hair, which both charts have
        assert all("n=2" in head for head in heads(pilot.app))
        slider = pilot.app.screen.query_one(Slider)
        await pilot.click(slider, offset=(slider.render().plain.index("▶"), 0))
        assert slide(pilot.app).startswith("level ◀ 4 ▶")
        await pilot.click(slider, offset=(slider.render().plain.index("━"), 0))
        assert slide(pilot.app).startswith("level ◀ 0 ▶ of 5  100% kept")
        turn(pilot.app, events.MouseScrollUp)
        await pilot.settle(lambda: slide(pilot.app).startswith("level ◀ 1 ▶"))
        turn(pilot.app, events.MouseScrollDown)
        await pilot.settle(lambda: slide(pilot.app).startswith("level ◀ 0 ▶"))


async def test_what_could_not_be_read_is_read_when_something_happens(running, root, monkeypatch):
    run, reads = FakeRun(root, "live").start(alive=True).train(1, 1), []

    def fails_once(self, runs, metrics):
        if len(metrics) == 1:  # the main screen asks, too
            return known(self, runs, metrics)
        reads.append(metrics)
        if len(reads) == 1:
            raise StoreError("out of reach")
        return known(self, runs, metrics)

    known = Histories.read
    monkeypatch.setattr(Histories, "read", fails_once)
    async with running(size=(120, 40)) as pilot:
        await pilot.press("enter", "right_square_bracket")
        await pilot.settle(lambda: pilot.app._notifications)
        assert [one.message for one in pilot.app._notifications] == ["out of reach"]
        assert len(reads) == 1 and pilot.app.screen.query_one(Training)._read is None
        run.end_epoch(1, 2)
        await read(pilot)


async def test_the_newest_level_is_followed_until_another_is_chosen(running, root):
    run = FakeRun(root, "live").start(alive=True).train(1, 1)
    async with running(size=(120, 40)) as pilot:
        await pilot.settle(lambda: slide(pilot.app).startswith("level ◀ 1 ▶ of 5  80% kept"))
        assert "newest" in slide(pilot.app)
        await open_training(pilot)
        for epoch in (2, 3, 4):
            run.end_epoch(1, epoch)
        run.end_level(1)
        run.begin_level(2)
        run.end_epoch(2, 1)
        await pilot.settle(lambda: heads(pilot.app)[0].startswith("level 2  training loss"))
        assert "newest" in slide(pilot.app)
        await pilot.press("comma")
        run.end_epoch(2, 2)
        run.end_epoch(2, 3)
        await pilot.settle(lambda: pilot.app.screen.chosen()[0].epoch == 11)
        assert heads(pilot.app)[0].startswith("level 1  ") and "newest" not in slide(pilot.app)
        await pilot.press("full_stop")
        await pilot.settle(lambda: "newest" in slide(pilot.app))
        chart = charts(pilot.app)[0]
        await pilot.press("end")
        assert "epoch 3" in chart.render_line(0).text  # what came meanwhile was read


async def test_any_metrics_are_drawn_together_and_remembered(running, root):
    three_seeds(root)
    async with running(size=(120, 40)) as pilot:
        await open_training(pilot)
        await pilot.press("m")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MetricsScreen))
        keys = [row.key for row in pilot.app.screen.query_one(Grid).rows]
        assert keys[0] == "group epoch/" and keys[-1] == "group system/"
        assert keys.index("level/kept") > keys.index("epoch/val_accuracy")
        assert not [key for key in keys if key.startswith("system/")]  # of which there are many
        await pilot.press(*"cpu")
        await pilot.settle()
        assert [row.key for row in pilot.app.screen.query_one(Grid).rows] == ["system/cpu"]
        await pilot.press("space", *["backspace"] * 3, *"kept", "space", "enter")
        await read(pilot, "system/cpu", "level/kept")
        assert [head.split("  ")[0] for head in heads(pilot.app)] == ["system/cpu", "kept"]
        assert "weights kept" in screen(pilot.app) and "step" in screen(pilot.app)
        await pilot.press("m", "escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        assert len(charts(pilot.app)) == 2
        await pilot.settle(lambda: state.get("metrics", "run") == ["system/cpu", "level/kept"])
    async with running(size=(120, 40)) as pilot:
        await open_training(pilot)
        assert [head.split("  ")[0] for head in heads(pilot.app)] == ["system/cpu", "kept"]
        await pilot.press("m", *"train_loss", "enter")
        await read(pilot, "epoch/train_loss")
        assert len(charts(pilot.app)) == 1


async def test_charts_share_their_looks_which_are_remembered(running, root):
    three_seeds(root)
    async with running(size=(120, 40)) as pilot:
        await open_training(pilot)
        await pilot.press("comma", "comma", "a", "b", "L")
        await pilot.settle()
        for chart in charts(pilot.app):
            assert "95 % CI" in chart.render_line(0).text
            assert "time since start" in chart.render_line(chart.size.height - 1).text
        assert [one.viewer.chart.y_scale for one in charts(pilot.app)] == ["symlog", "linear"]
        kept = {"x": "relative", "band": "ci", "scales": {"training loss": "symlog"}}
        await pilot.settle(lambda: kept.items() <= (state.get("charts", "training") or {}).items())
    async with running(size=(120, 40)) as pilot:
        await open_training(pilot)
        how = charts(pilot.app)[1].viewer.how
        assert (how.x, how.band, how.scales) == ("relative", "ci", {"training loss": "symlog"})
        assert pilot.app.screen.query_one("#curve", ChartView).viewer.how.band == "std"


async def test_curves_are_read_even_if_nobody_is_told_that_they_are_shown(running, root):
    """Textual sends no Show to what is in the layout already when it is refreshed."""
    three_seeds(root)
    async with running(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await pilot.settle()
        run = pilot.app.screen
        run.query_one(TabbedContent).active = "tab-training"
        run._compositor._full_map_invalidated = True
        assert run.query_one(Training).is_on_screen
        await read(pilot)


async def test_losses_that_are_no_numbers_are_named(running, root):
    run = FakeRun(root, "odd", epochs=6).start().train(1)
    run.begin_level(1)
    for epoch, loss in enumerate([1.0, float("nan"), float("inf"), 0.5], start=1):
        run.end_epoch(1, epoch, loss=loss)
    run.end("failed", "the loss became NaN")
    async with running(size=(160, 48)) as pilot:
        await read(pilot)
        assert "✗ diverged in epoch 2" in slide(pilot.app)
        head = heads(pilot.app)[0]
        assert "✗ NaN" in head and "▲ inf" in head and "level 1" in head


async def test_the_level_is_chosen_from_the_table_too(running, root):
    three_seeds(root)
    async with running(size=(160, 48)) as pilot:
        await pilot.press("comma", "comma", "comma")
        await pilot.settle(lambda: slide(pilot.app).startswith("level ◀ 2 ▶ of 5"))
        assert isinstance(pilot.app.focused, Grid)
        await read(pilot)
        assert heads(pilot.app) == ["level 2  training loss  mean ± std  ━━ imp (n=3)"]
        await pilot.press("right_square_bracket")
        assert isinstance(pilot.app.focused, ChartView)


async def test_stored_runs_are_read_at_once_but_for_those_that_somebody_moves_on_to(
    running, root, monkeypatch
):
    monkeypatch.setattr(module, "REST", 3600.0)
    monkeypatch.setattr(Histories, "read", lambda self, runs, metrics: {})
    views = [replace(run, stored=run.run_id) for run in manyruns.runs(2).values()]
    async with running(size=(120, 40)) as pilot:
        training = pilot.app.screen.query_one(Training)
        training.about(Subject((views[0],), "first", "#56b4e9"))
        await read(pilot)
        training.about(Subject((views[1],), "next", "#56b4e9"))
        await pilot.settle()
        assert training._asked is None


async def test_what_nobody_sees_is_not_read(running, root):
    three_seeds(root)
    async with running(size=(80, 24)) as pilot:
        training = pilot.app.screen.query_one(Training)
        await pilot.pause(0.3)
        await pilot.settle()
        assert training._read is None and not training.is_on_screen
        await pilot.press("right_square_bracket")
        await read(pilot)
        assert "training loss" in heads(pilot.app)[0]


async def test_a_chart_is_written_to_a_file_that_may_not_be_lost(running, root, tmp_path):
    three_seeds(root)
    async with running(size=(120, 40)) as pilot:
        await open_training(pilot)
        await pilot.press("w")
        await pilot.settle(lambda: "Export to" in screen(pilot.app))
        assert "imp-level-5-training-loss.png" in screen(pilot.app)
        await pilot.press("end", "ctrl+u", *"a.gif", "enter")
        await pilot.settle(
            lambda: "give it one of the endings .png, .svg, .pdf, .csv" in screen(pilot.app)
        )
        await pilot.press("end", "ctrl+u", *"a.csv", "enter")
        written = tmp_path / "a.csv"
        await pilot.settle(lambda: any("wrote" in one.message for one in pilot.app._notifications))
        assert written.read_text().splitlines()[0] == "line,behind,epoch,training loss,low,high,n"
        written.write_text("mine")
        for answer, shown in (("n", "mine"), ("y", "line,behind")):
            await pilot.press("w")
            await pilot.settle(lambda: "Export to" in screen(pilot.app))
            await pilot.press("end", "ctrl+u", *"a.csv", "enter")
            await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
            await pilot.press(answer)
            await pilot.settle(lambda shown=shown: written.read_text().startswith(shown))
        await pilot.press("w")
        await pilot.settle(lambda: "Export to" in screen(pilot.app))
        await pilot.press("end", "ctrl+u", *"b.svg", "enter")
        await pilot.settle(lambda: (tmp_path / "b.svg").exists())
        assert "training loss (mean ± std)" in (tmp_path / "b.svg").read_text()
