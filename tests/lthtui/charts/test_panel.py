"""From measurements of several runs to the lines of a chart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lthtui.charts import PLAIN, How, Line, Mark, Panel, Trace, render, to_text
from lthtui.charts.smoothing import smoothed

NAN = float("nan")
RED = "#ff0000"


def line(*ys, label="imp", **options):
    """Runs over steps 0, 10, 20 ..."""
    traces = [Trace(y, {"step": [10 * index for index in range(len(y))]}) for y in ys]
    return Line(label, traces, RED, **options)


def drawn(panel, **how):
    """(faint, x, y) of each series."""
    chart = panel.chart(How(**how))
    return [(one.faint, list(one.x), list(one.y)) for one in chart.series]


def test_a_lone_run_is_drawn_as_it_is():
    panel = Panel(lines=[line([3.0, 1.0, 2.0])])
    assert drawn(panel) == [(False, [0, 10, 20], [3, 1, 2])]
    (series,) = panel.chart().series
    assert series.low is None and series.count == 1 and panel.chart().notes == []


def test_runs_meet_where_both_have_points():
    panel = Panel(lines=[line([1.0, 2.0, 6.0], [3.0, 4.0])])
    assert drawn(panel) == [(False, [0, 10, 20], [2, 3, 6])]
    (series,) = panel.chart(How(band="range")).series
    np.testing.assert_array_equal(series.low, [1, 2, np.nan])  # one run has no spread
    np.testing.assert_array_equal(series.high, [3, 4, np.nan])
    assert list(series.counts) == [2, 2, 1] and series.count == 2


def test_a_faint_line_of_several_runs_is_their_mean_and_nothing_else():
    one = replace(line([1.0, 2.0], [3.0, 5.0]), faint=True)
    (series,) = Panel(lines=[one]).chart(How(traces=True)).series
    assert series.faint and series.low is None and list(series.y) == [2, 3.5]


def test_it_is_said_where_a_mean_is_of_fewer_runs():
    whole = Panel(lines=[line([1.0, 2.0], [3.0, 4.0])]).chart()
    fewer = Panel(lines=[line([1.0, 2.0, 6.0], [3.0, 4.0])]).chart()
    assert whole.notes == ["mean ± std"]
    assert fewer.notes == ["mean ± std", "dotted: fewer seeds"]
    assert fewer.series[0].tally.y.tolist() == [2, 2, 1] and whole.series[0].tally is None


def test_it_is_said_what_x_is_if_it_is_not_the_first_choice():
    trace = Trace([1.0], {"epoch": [1], "wall": [5.0]})
    panel = Panel(lines=[Line("a", [trace])], xs=("epoch", "wall"))
    assert panel.chart().notes == [] and panel.chart(How(x="epoch")).notes == []
    assert panel.chart(How(x="wall")).notes == ["over time of day"]


def test_each_quantity_has_a_scale_of_its_own():
    loss, accuracy = Panel(y_label="loss", y_scale="log"), Panel(y_label="accuracy")
    how = How(scales={"accuracy": "symlog"})
    assert (loss.chart(how).y_scale, accuracy.chart(how).y_scale) == ("log", "symlog")


def test_the_mean_stands_at_the_mean_density_of_a_level():
    seeds = [
        Trace([0.9, 0.8], {"density": [1.0, 0.4], "level": [0, 1]}),
        Trace([0.7, 0.6], {"density": [0.6, 0.2], "level": [1, 2]}),
    ]
    panel = Panel(lines=[Line("cs", seeds)], xs=("density", "level"))
    (by_density,) = panel.chart().series
    np.testing.assert_allclose(by_density.x, [1.0, 0.5, 0.2])
    np.testing.assert_allclose(by_density.y, [0.9, 0.75, 0.6])
    (by_level,) = panel.chart(How(x="level")).series
    np.testing.assert_allclose(by_level.x, [0, 1, 2])


def test_times_are_met_between_points_and_not_beyond_them():
    seeds = [
        Trace([0.0, 10.0], {"relative": [0.0, 10.0]}),
        Trace([0.0, 4.0], {"relative": [5.0, 9.0]}),
    ]
    (series,) = Panel(lines=[Line("a", seeds)], xs=("relative",)).chart().series
    np.testing.assert_allclose(series.x, [0, 5, 9, 10])
    np.testing.assert_allclose(series.y, [0, 2.5, 6.5, 10])


def test_times_that_are_shared_by_chance_are_met_between_points_too():
    seeds = [
        Trace([0.0, 10.0], {"relative": [0.0, 10.0]}),
        Trace([0.0, 10.0, 20.0], {"relative": [0.0, 5.0, 10.0]}),
    ]
    (series,) = Panel(lines=[Line("a", seeds)], xs=("relative",)).chart().series
    np.testing.assert_allclose(series.y, [0, 7.5, 15])


def test_steps_that_nobody_shares_are_interpolated():
    seeds = [
        Trace([0.0, 4.0, 8.0], {"step": [0, 4, 8]}),
        Trace([2.0, 6.0, 8.0], {"step": [1, 5, 7]}),
    ]
    (series,) = Panel(lines=[Line("a", seeds)]).chart().series
    at = dict(zip(series.x, series.y, strict=True))
    assert at[0] == 0 and at[8] == 8 and at[4] == pytest.approx((4 + 5) / 2)


def test_means_do_not_depend_on_other_groups():
    alone = drawn(Panel(lines=[line([1.0, 2.0], [3.0, 5.0])]))
    among = drawn(Panel(lines=[line([1.0, 2.0], [3.0, 5.0]), line([9.0, 9.0], label="b")]))
    assert among[0] == alone[0]


def test_a_moving_average_is_drawn_over_the_faint_raw_line():
    y = [4.0, 1.0, 1.0, 7.0]
    panel = Panel(title="loss", lines=[line(y)])
    (faint, _, raw), (bright, _, averaged) = drawn(panel, half_life=1)
    assert faint and raw == y and not bright
    np.testing.assert_allclose(averaged, smoothed(np.array(y), 1))
    assert panel.chart(How(half_life=1)).notes == ["EMA half-life 1"]


def test_groups_average_each_run_and_then_over_runs():
    first, second = [4.0, 1.0, 1.0], [0.0, 3.0, 2.0]
    panel = Panel(lines=[line(first, second)])
    raw, averaged = panel.chart(How(half_life=2, band="range")).series
    assert raw.faint and list(raw.y) == [2, 2, 1.5] and raw.low is None
    both = [smoothed(np.array(y), 2) for y in (first, second)]
    np.testing.assert_allclose(averaged.y, np.mean(both, 0))
    np.testing.assert_allclose(averaged.high, np.max(both, 0))


def test_traces_show_the_runs_behind_a_mean():
    series = drawn(Panel(lines=[line([1.0, 2.0], [3.0, 4.0])]), traces=True, band="none")
    assert series == [
        (True, [0, 10], [1, 2]),
        (True, [0, 10], [3, 4]),
        (False, [0, 10], [2, 3]),
    ]


def test_a_run_that_became_nan_is_marked_though_the_mean_goes_on():
    panel = Panel(lines=[line([1.0, NAN, NAN], [3.0, 4.0, 5.0])])
    lost, mean = panel.chart().series
    assert lost.faint and list(lost.x) == [10, 20] and list(mean.y) == [2, 4, 5]
    assert "✗" in to_text(render(panel.chart(), 40, 10, PLAIN))


def test_notes_say_what_the_band_is():
    panel = Panel(lines=[line([1.0], [2.0])])
    notes = {band: panel.chart(How(band=band)).notes for band in ("std", "ci", "range", "none")}
    assert notes == {
        "std": ["mean ± std"],
        "ci": ["mean, 95 % CI (t)"],
        "range": ["mean, min–max"],
        "none": ["mean"],
    }
    assert panel.chart(How(band="none")).series[0].low is None


def test_scales_of_y_other_than_the_panels_own_are_named():
    panel = Panel(lines=[line([1.0])], y_scale="log")
    assert panel.chart(How(scales={"": "symlog"})).notes == ["symlog"]
    assert panel.chart(How(scales={"": "log"})).notes == []
    assert panel.chart().y_scale == "log"


def test_an_x_that_the_panel_does_not_know_is_its_first():
    panel = Panel(lines=[line([1.0])])
    assert panel.over(How(x="wall")) == "step"
    assert panel.chart(How(x="wall")).x_label == "step"


def test_marks_stand_where_x_has_a_place_for_them():
    mark = Mark({"density": 0.1, "level": 4}, 0.8, "◆")
    seed = Trace([0.8], {"density": [0.1], "level": [4]})
    panel = Panel(lines=[Line("a", [seed], marks=[mark])], xs=("density", "level", "wall"))
    assert panel.chart().series[0].marks == [(0.1, 0.8, "◆")]
    assert panel.chart(How(x="level")).series[0].marks == [(4, 0.8, "◆")]


@pytest.mark.parametrize("how", [How(), How(half_life=5, traces=True)])
def test_lines_without_points_are_drawn_as_nothing(how):
    panel = Panel(lines=[Line("a", []), Line("b", [Trace([], {"step": []})])])
    assert "nothing to draw yet" in to_text(render(panel.chart(how), 40, 8, PLAIN))
