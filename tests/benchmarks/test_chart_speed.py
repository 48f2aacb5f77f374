"""How fast charts are drawn, against a bare pass of numpy over the same points."""

from __future__ import annotations

import os
import statistics
import time

import numpy as np
import pytest

from lthtui.charts import PLAIN, Chart, How, Line, Look, Panel, Series, Trace, View, draw, to_text

pytestmark = pytest.mark.benchmark

SIZE = (120, 40)
BUDGET = 15.0  # milliseconds, median, of 10 x 5,000 points at 120x40 on two cores


def walks(count, length):
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(count, length))
    return np.cumsum(steps, 1) / 50 + rng.normal(size=(count, length)) / 3


def milliseconds(*measures, count=40, clock=time.perf_counter):
    """The median of each measure, taken in turns so that a busy moment hits all of them."""
    for measure in measures:
        measure()
    took = [[] for _ in measures]
    for _ in range(count):
        for measure, times in zip(measures, took, strict=True):
            began = clock()
            measure()
            times.append(1000 * (clock() - began))
    return [statistics.median(times) for times in took]


def bare(ys):
    """The least work: extremes of each dot column, by numpy."""

    def work():
        columns = 2 * SIZE[0]
        for y in ys:
            cut = y[: len(y) // columns * columns].reshape(columns, -1)
            cut.min(1), cut.max(1)

    return work


def heights(chart, x):
    """The rows, from the top, in which a chart of one line has dots in the column of an x."""
    drawing = draw(chart, *SIZE, PLAIN, View())
    at = drawing.plot.left + drawing.plot.column(x)
    lines = to_text(drawing.rows).split("\n")[drawing.plot.top :][: drawing.plot.height]
    return [
        row for row, line in enumerate(lines) if 0x2800 < ord(line[at : at + 1] or " ") < 0x2900
    ]


def averaged(y, half_life):
    """The last value of a moving average, by its definition."""
    weights = 2.0 ** (-np.arange(len(y))[::-1] / half_life)
    return (weights * y).sum() / weights.sum()


def redraw(make, view=None):
    """A redraw with new data: nothing that is kept between redraws of the same data helps."""

    def work():
        rows = draw(make(), *SIZE, Look(), view or View()).rows
        assert len(rows) == SIZE[1]

    return work


def test_redraw_of_ten_series():
    x, ys = np.arange(5000.0), walks(10, 5000)

    def make():
        return Chart("loss", [Series(f"run {i}", x, y) for i, y in enumerate(ys)], x_label="step")

    fresh, cross, base = milliseconds(
        redraw(make), redraw(make, View(x=(1000.0, 3000.0), cursor=2000.0)), bare(ys)
    )
    print(
        f"\n10 x 5,000 points at 120x40: {fresh:.1f} ms of {BUDGET:.0f}, {fresh / base:.0f}x numpy"
    )
    print(f"the same, zoomed in with a cross-hair: {cross:.1f} ms")
    (alone,) = milliseconds(redraw(make), clock=time.thread_time)
    print(f"less waiting for a core: {alone:.1f} ms; load average {os.getloadavg()[0]:.1f}")
    plot = draw(make(), *SIZE, Look(), View()).plot
    assert plot.y.low <= ys.min() < ys.max() <= plot.y.high
    assert (plot.x.low, plot.x.high) == (0, 4999)


def test_redraw_with_averages_and_bands():
    x, ys = np.arange(5000.0), walks(10, 5000)

    def make():
        lines = [Line(f"group {i}", [Trace(y, {"step": x}) for y in ys[i : i + 5]]) for i in (0, 5)]
        return Panel("loss", lines).chart(How(half_life=100, band="ci"))

    chart = make()
    making, drawing = milliseconds(make, redraw(lambda: chart))
    print(
        f"\ntwo groups of 5 x 5,000 points: EMA and 95 % CI {making:.1f} ms, redraw {drawing:.1f}"
    )
    first, other = (one for one in chart.series if not one.faint)
    for series, runs in ((first, ys[:5]), (other, ys[5:])):
        ends = [averaged(y, 100) for y in runs]
        assert series.y[-1] == pytest.approx(np.mean(ends))
        reach = 2.776445 * np.std(ends, ddof=1) / 5**0.5  # Student's t for five
        assert series.high[-1] - series.y[-1] == pytest.approx(reach)


def test_redraw_of_a_million_points():
    x, ys = np.arange(1e6), walks(1, 1_000_000)
    ys[0, 777_777] = ys.max() + 50  # a spike of one point in a million

    def make():
        return Chart("loss", [Series("run", x, ys[0])], x_label="step")

    chart = make()
    spans = iter(np.linspace(1e3, 9e5, 1000))
    first, again, moved, base = milliseconds(
        redraw(make),
        redraw(lambda: chart),
        lambda: redraw(lambda: chart, View(x=(span := float(next(spans)), span + 9e4)))(),
        bare(ys),
        count=10,
    )
    print(f"\n1,000,000 points: first {first:.1f} ms ({first / base:.0f}x numpy),", end=" ")
    print(f"again {again:.1f} ms, a moving window {moved:.1f} ms")
    assert min(heights(chart, 777_777.0)) <= 2 < min(heights(chart, 700_000.0))
