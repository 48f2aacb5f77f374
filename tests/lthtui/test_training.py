"""Which training curves are drawn of runs, and what is said about their level."""

from __future__ import annotations

import pytest
from rundirs import FakeRun

from lthtui import training
from lthtui.charts import How, Trace
from lthtui.monitor import Watched
from lthtui.runview import view
from lthtui.sliding import slide
from lthtui.training import ACCURACY, LOSS, WHOLE, described, drawable, panel


def seen(run):
    watched = Watched(run.directory)
    watched.refresh()
    return view(watched)


def line(*y, **places):
    return Trace(y, places or {"epoch": range(1, len(y) + 1)})


@pytest.fixture
def seeds(tmp_path):
    """Two runs that ended their six levels, and one in its fourth."""
    runs = [FakeRun(tmp_path, "imp", seed) for seed in range(3)]
    for run in runs[:2]:
        run.start().train(6).end()
    runs[2].start().train(3, 2)
    return [seen(run) for run in runs]


def test_the_level_is_bright_with_its_seeds_over_the_others(seeds):
    found = [
        {0: line(3.0, 2.0), 1: line(5.0, 4.0, 3.0)},
        {0: line(1.0, 4.0), 1: line(7.0, 8.0)},
        {0: line(2.0, 3.0)},
    ]
    drawn = panel(LOSS, seeds, found, 1, "imp", "#ff0000")
    faint, bright = drawn.chart(How(band="range")).series
    assert (faint.faint, faint.label, list(faint.y), faint.low) == (True, "level 0", [2, 3], None)
    assert (bright.label, bright.count, bright.colour) == ("imp", 2, "#ff0000")
    assert list(bright.y) == [6, 6, 3] and list(bright.low[:2]) == [5, 4]
    assert drawn.title == "level 1" and drawn.y_scale == "log"
    newest = panel(LOSS, seeds, found, None, "imp", "#ff0000")
    assert newest.title == "level 1"
    gone = panel(LOSS, seeds, found, 4, "imp", "#ff0000")
    assert all(one.faint for one in gone.chart().series)


def test_a_run_alone_has_its_seed_for_a_name(seeds):
    (series,) = panel(LOSS, seeds[1:2], [{0: line(1.0)}], None, "imp", "#ff0000").chart().series
    assert (series.label, series.count) == ("s1", 1)


def test_what_belongs_to_no_level_is_drawn_whichever_is_chosen(seeds):
    traces = [{WHOLE: line(1.0, 2.0, step=[0, 1], wall=[5.0, 6.0])} for _ in seeds]
    drawn = panel("system/cpu", seeds, traces, 3, "imp", "#ff0000")
    (series,) = drawn.chart().series
    assert not series.faint and series.count == 3
    assert (drawn.title, drawn.xs, drawn.y_label) == ("", ("step", "wall"), "system/cpu")


def test_x_is_what_all_lines_have(seeds):
    found = [{0: line(1.0, epoch=[1], step=[50])}, {0: line(2.0, epoch=[1])}, {}]
    assert panel(LOSS, seeds, found, None, "imp", "#ff0000").xs == ("epoch",)
    assert panel(LOSS, seeds, found[:1] * 3, None, "imp", "#ff0000").xs == ("epoch", "step")


def test_what_is_not_read_yet_is_told_from_what_there_is_not(seeds):
    reading = panel(LOSS, seeds, [{}, None, {}], None, "imp", "#ff0000")
    nothing = panel(LOSS, seeds, [{}, {}, {}], None, "imp", "#ff0000")
    assert reading.empty == "reading…"
    assert nothing.empty == "no training loss of these runs yet"


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (LOSS, ("training loss", "number", "log")),
        (ACCURACY, ("validation accuracy", "percent", "linear")),
        ("level/test_balanced_accuracy", ("test balanced accuracy", "percent", "linear")),
        ("epoch/images_per_second", ("images per second", "number", "linear")),
        ("system/gpu_0_memory", ("system/gpu_0_memory", "number", "linear")),
        ("accuracy", ("accuracy", "number", "linear")),  # others' may be percentages
        ("a\x1b[31mb/loss", ("a\\x1b[31mb/loss", "number", "linear")),
    ],
)
def test_metrics_have_names_units_and_scales(metric, expected):
    assert described(metric) == expected


def test_runs_without_what_is_wanted_show_what_they_have(seeds):
    assert drawable((LOSS, "odd"), seeds) == (LOSS,)
    assert drawable(("odd",), seeds) == (LOSS,)  # the first loss
    assert drawable(("odd",), []) == ("odd",)


def test_views_have_losses_and_accuracies_at_once(seeds):
    assert [len(trace.y) for trace in training.viewed(seeds[2], LOSS).values()] == [4, 4, 4, 2]
    assert training.viewed(seeds[2], ACCURACY)[3].at["epoch"] == (1, 2)
    assert training.viewed(seeds[2], "epoch/learning_rate") is None


def facts(runs, level, more=()):
    return [fact.text for fact in slide(runs, more, level).facts]


def test_the_line_tells_what_a_level_came_to(seeds):
    assert facts(seeds[:1], 3) == ["51% kept", "val 93.6", "test 92.6", "◆"]
    assert facts(seeds, 3) == [
        "51% kept",
        "val 93.6±0.0 (2)",
        "test 92.6±0.0 (2)",
        "◆ ×2",
    ]
    assert facts(seeds, None)[-1] == "2 of 3 seeds"


def test_the_line_tells_of_trouble_first(tmp_path):
    odd = FakeRun(tmp_path, "odd", 0).start().train(1)
    odd.begin_level(1)
    odd.end_epoch(1, 1, loss=float("inf"))
    failed = FakeRun(tmp_path, "odd", 1).start().train(1, 1).end("failed", "no memory")
    assert facts([seen(odd)], 1)[0] == "✗ diverged in epoch 1"
    assert facts([seen(failed)], 1)[0] == "✗ failed here"
    assert facts([seen(failed), seen(odd)], 1)[0] == "✗ s1 failed here"
    assert facts([seen(failed)], 0)[0] == "100% kept"


def test_levels_in_their_row(seeds):
    three = slide(seeds[2:], (), None)
    assert (three.level, three.known, three.last, three.newest) == (3, (0, 1, 2, 3), 5, True)
    assert "".join(sign for sign, _ in three.track(20)) == "━━━●┄┄"
    assert [level for _, level in three.track(20)] == [0, 1, 2, 3, 4, 5]
    assert "".join(sign for sign, _ in three.track(3)) == "━●┄"
    assert three.track(1) == []
    assert three.beside(-1) == 2 and three.beside(1) is None
    assert three.nearest(1) == 1 and three.nearest(5) is None
    first = slide(seeds[2:], (), 0)
    assert first.beside(-1) == 0 and first.beside(1) == 1 and not first.newest
    assert slide(seeds[2:], (4,), None).level == 4  # of which only the store knows
    assert slide([], (), None) is None


def test_one_training_has_no_row(tmp_path):
    run = FakeRun(tmp_path, "dense", levels=0, sparsifier={"name": "dense"}).start().train(1)
    assert slide([seen(run)], (), None) is None
