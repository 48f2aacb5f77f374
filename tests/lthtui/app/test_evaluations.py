"""Evaluations in the app: a table of them that is live, a look behind it, and asking for more."""

from __future__ import annotations

import pytest
from rundirs import FakeRun, populate

from engine.errors import UsageError
from lthtui.evaluationdesk import EvaluationDesk
from lthtui.screens.run import TABS
from lthtui.widgets.chart import ChartView
from lthtui.widgets.evaluations import Evaluations
from lthtui.widgets.grid import Grid
from lthtui.widgets.sheet import Sheet

from .conftest import screen

BINS = [{"images": 3, "confidence": 0.1 * at, "accuracy": 0.09 * at} for at in range(1, 10)]
CALIBRATION = {"nll": 0.25, "brier": 0.1, "ece": 0.05, "temperature": 1.5}


async def go(pilot, tab):
    """Open a tab of the run under the cursor."""
    await pilot.press("enter", *["right_square_bracket"] * TABS.index(tab))


def evaluated(run):
    """What two evaluations found of the dense level and of the ticket."""
    for level, ece in ((0, 0.08), (3, 0.05)):
        metrics = {**CALIBRATION, "ece": ece}
        run.evaluate(level, "calibration", metrics, calibration={"test": {"bins": BINS}})
        run.evaluate(level, "fgsm epsilon:4", {"accuracy at 4": 0.5})
    return run


async def test_a_run_without_evaluations_says_how_to_get_some(running, root):
    run = FakeRun(root, "one", levels=1).start().train(2).end()
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "evaluations")
        await pilot.settle(lambda: "nothing was evaluated yet. V asks" in screen(pilot.app))
        assert f"lthtui evaluate {run.run_id}" in " ".join(screen(pilot.app).split())


async def test_the_table_can_be_drawn_before_it_is_filled(running, root):
    async with running() as pilot:
        await pilot.app.screen.mount(Evaluations())
        await pilot.settle()


async def test_metrics_unfold_and_what_is_behind_them_is_drawn(running, root):
    evaluated(FakeRun(root, "one", levels=4).start().train(5).end())
    async with running() as pilot:
        await go(pilot, "evaluations")
        await pilot.settle(lambda: "▸ calibration  nll" in screen(pilot.app))
        await pilot.settle(lambda: "images by confidence" in screen(pilot.app))
        assert "━━ dense  ━━ ticket" in screen(pilot.app) and "scaled" not in screen(pilot.app)
        await pilot.press("right")
        await pilot.settle(lambda: "8.00%" in screen(pilot.app))
        assert "temperature" in screen(pilot.app)
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, ChartView)
        pilot.app.screen.query_one("#metrics", Grid).focus()
        await pilot.press("end")
        await pilot.settle(lambda: "it left no files" in screen(pilot.app))
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, Sheet)


async def test_another_evaluation_is_there_at_once_and_one_that_failed_says_why(running, root):
    run = FakeRun(root, "one", levels=4).start(alive=True).train(4)
    async with running() as pilot:
        await go(pilot, "evaluations")
        await pilot.settle(lambda: "nothing was evaluated" in screen(pilot.app))
        run.evaluate(0, "cka", {"within": 0.75})
        await pilot.settle(lambda: "0.75" in screen(pilot.app))
        run.fail(3, "corruptions", "no [red]images\x1b[2J here")
        await pilot.settle(lambda: "✗ failed" in screen(pilot.app))
        await pilot.press("end")
        await pilot.settle(lambda: "V tries again" in screen(pilot.app))
        assert "level 3: no [red]images\\x1b[2J here" in screen(pilot.app)
        run.evaluate(3, "corruptions", {"mean": 0.5})
        await pilot.settle(lambda: "50.00%" in screen(pilot.app))
        assert "failed" not in screen(pilot.app)


async def test_what_is_asked_for_and_not_made_is_listed(running, root):
    run = FakeRun(root, "one", levels=2, evaluate=["layer_density"]).start().train(3)
    run.end()
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "evaluations")
        await pilot.settle(lambda: "not made" in screen(pilot.app))
        assert "layer_density" in screen(pilot.app)


async def test_seeds_are_means_in_the_table_and_looked_at_one_by_one(running, root):
    for seed in range(2):
        evaluated(FakeRun(root, "one", seed, levels=4).start().train(5).end())
    async with running() as pilot:
        await go(pilot, "evaluations")
        await pilot.settle(lambda: "calibration  s0 (< > others)" in screen(pilot.app))
        assert "50.00 ± 0.00%" in screen(pilot.app)
        await pilot.press("greater_than_sign")
        await pilot.settle(lambda: "calibration  s1 (< > others)" in screen(pilot.app))


class Asked:
    """Notes what is asked for instead of queueing it."""

    def __init__(self, monkeypatch):
        self.found = []
        monkeypatch.setattr(EvaluationDesk, "ask", self._ask)

    def _ask(self, run_ids, names, levels):
        self.found.append((list(run_ids), names, levels))
        return "evaluations queued"


async def test_evaluations_of_a_group_are_chosen_and_queued(running, root, monkeypatch):
    asked, known = Asked(monkeypatch), populate(root)
    runs = [known[name] for name in known if known[name].directory.spec().name == "digits-imp"]
    group = runs[0].directory.spec().group
    async with running(size=(80, 24)) as pilot:
        await pilot.press("end", "h")
        await pilot.press("V")
        await pilot.settle(lambda: "Evaluate tickets" in screen(pilot.app))
        await pilot.press(*"fast gradient")
        await pilot.settle(lambda: f"lthtui evaluate {group[:6]} --with fgsm" in screen(pilot.app))
        await pilot.press("space", *["backspace"] * 13, *"calib", "tab")
        await pilot.settle(lambda: "--with fgsm --level best" in screen(pilot.app))
        await pilot.press("space", "enter")
        await pilot.settle(lambda: asked.found)
    assert asked.found == [([run.run_id for run in runs], ("fgsm", "calibration"), "best")]


async def test_in_the_place_of_the_tickets_the_one_under_the_cursor_is_meant(
    running, root, monkeypatch
):
    asked = Asked(monkeypatch)
    run = FakeRun(root, "one", levels=3, top=2).start().train(4).end()
    async with running() as pilot:
        await pilot.press("4")
        await pilot.settle(lambda: "tickets  " in screen(pilot.app))
        await pilot.press("V")
        await pilot.settle(lambda: "tickets: level 2 (tab)" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: asked.found)
    assert asked.found == [([run.run_id], ("accuracy",), "2")]


def test_what_cannot_be_evaluated_is_refused_in_words(root):
    stopped = FakeRun(root, "one", levels=1).start().train(1).end("stopped")
    with pytest.raises(UsageError, match=f"is stopped, .* lthtui resume {stopped.run_id}"):
        EvaluationDesk(root).ask([stopped.run_id], ["fgsm"], "")
    done = FakeRun(root, "two", levels=1).start().train(2).end()
    with pytest.raises(UsageError, match="has no level 7, only 0 to 1"):
        EvaluationDesk(root).ask([done.run_id], ["fgsm"], "7")
    with pytest.raises(UsageError, match="did you mean fgsm"):
        EvaluationDesk(root).ask([done.run_id], ["fgsn"], "")
