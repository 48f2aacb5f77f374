"""Ranges, scales and ticks of axes."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from lthtui.charts import ticks
from lthtui.charts.axes import Axis, fit

DENSITY = Axis(0.01, 1.0, "log", "percent", falls=True)
AXES = [
    Axis(-3.0, 7.0),
    Axis(1e-4, 50.0, "log"),
    DENSITY,
    Axis(-200.0, 3000.0, "symlog", flat=10.0),
    Axis(1.79e9, 1.79e9 + 5000, unit="clock"),
]


@pytest.mark.parametrize("axis", AXES)
def test_a_place_and_its_value_are_inverse(axis):
    for share in np.linspace(-0.5, 1.5, 21):
        assert axis.share(axis.value(share)) == pytest.approx(share, abs=1e-9)
    assert sorted((axis.value(0), axis.value(1))) == pytest.approx([axis.low, axis.high])


@pytest.mark.parametrize("axis", AXES)
def test_zooming_in_and_out_again_is_no_change(axis):
    for about in (0.0, 0.3, 1.0):
        there = axis.zoomed(4.0, about)
        assert there.share(axis.value(about)) == pytest.approx(about, abs=1e-7)
        back = there.zoomed(0.25, about)
        assert (back.low, back.high) == pytest.approx((axis.low, axis.high), rel=1e-7)


@pytest.mark.parametrize("axis", AXES)
def test_zooming_ends_where_numbers_do(axis):
    for factor in (3.0, 1 / 3):
        zoomed = axis
        for _ in range(1500):
            zoomed = zoomed.zoomed(factor, 0.37)
        assert np.isfinite([zoomed.low, zoomed.high]).all() and zoomed.low < zoomed.high
        assert all(np.isfinite(value) for value, _ in zoomed.ticks(5))


def test_part_of_a_falling_log_axis():
    part = DENSITY.part(0.0, 0.5)
    assert (part.low, part.high) == pytest.approx((0.1, 1.0))


def test_symlog_is_linear_near_zero_and_logarithmic_beyond():
    axis = Axis(-1000.0, 1000.0, "symlog", flat=1.0)
    near = axis.place(np.array([0.0, 0.001, 0.002])) - 0.5
    assert near[0] == 0 and near[2] / near[1] == pytest.approx(2, rel=1e-3)
    far = np.diff(axis.place(np.array([10.0, 100.0, 1000.0])))
    assert far[0] == pytest.approx(far[1], rel=0.05)


def test_symlog_ticks_are_zero_and_powers_of_ten():
    axis = fit(np.array([-50.0, 0.01, 2000.0]), "symlog", pad=0.04)
    assert axis.low < -50 and axis.high > 2000
    assert [label for _, label in axis.ticks(8)] == ["-10", "0", "10", "100", "1000"]
    assert len(axis.ticks(3)) <= 3
    assert len(Axis(11.0, 19.0, "symlog", flat=1.0).ticks(4)) >= 2


def test_a_nan_or_an_infinity_never_moves_an_axis():
    rng = np.random.default_rng(3)
    for scale in ("linear", "log", "symlog"):
        for unit in ("number", "percent", "seconds"):
            values = rng.lognormal(size=20)
            spoilt = np.insert(values, rng.integers(0, 20, 6), [np.nan, np.inf, -np.inf] * 2)
            assert fit(spoilt, scale, unit, 0.04) == fit(values, scale, unit, 0.04)


def test_times_have_round_ticks():
    assert Axis(0, 7300, unit="seconds").ticks(6) == [
        (0, "0:00"),
        (1800, "0:30"),
        (3600, "1:00"),
        (5400, "1:30"),
        (7200, "2:00"),
    ]
    assert [label for _, label in Axis(0, 45, unit="seconds").ticks(3)] == [
        "0:00:00",
        "0:00:15",
        "0:00:30",
        "0:00:45",
    ]
    assert [label for _, label in Axis(0, 0.9, unit="seconds").ticks(3)][1] == "0.5s"
    assert Axis(0, 86400 * 9, unit="seconds").ticks(6)[1] == (2 * 86400, "48:00")


@pytest.fixture
def in_kolkata(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # half an hour off whole hours
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_clock_ticks_at_round_local_times(in_kolkata):
    noon = 1_790_058_600.0  # 2026-09-22 12:00 in Kolkata
    labels = [label for _, label in Axis(noon, noon + 86400, unit="clock").ticks(5)]
    assert labels == ["12:00", "18:00", "23 Sep", "06:00", "12:00"]
    assert ticks.exact(noon, "clock") == "22 Sep 12:00:00"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.69412, "percent", "69.41%"),
        (0.000123456, "number", "0.0001235"),
        (1234567, "count", "1,234,567"),
        (12.5, "count", "12.5"),
        (3725, "seconds", "1:02:05"),
        (float("nan"), "percent", "nan"),
        (float("-inf"), "number", "-inf"),
    ],
)
def test_a_reading_has_more_digits_than_a_tick(value, unit, text):
    assert ticks.exact(value, unit) == text


def test_counts_have_no_ticks_between_whole_numbers():
    assert [value for value, _ in Axis(0, 3, unit="count").ticks(10)] == [0, 1, 2, 3]


class TestAxes:
    def test_linear_ticks_are_round_and_inside(self):
        assert Axis(0.3, 97).ticks(5) == [(20, "20"), (40, "40"), (60, "60"), (80, "80")]
        assert [label for _, label in Axis(-0.11, 0.1).ticks(5)] == [
            "-0.10",
            "-0.05",
            "0.00",
            "0.05",
            "0.10",
        ]

    def test_density_ticks_read_as_percentages(self):
        ticks = Axis(0.04, 1.0, "log", "percent").ticks(9)
        assert [label for _, label in ticks] == ["5%", "10%", "20%", "50%", "100%"]
        assert [value for value, _ in ticks] == pytest.approx([0.05, 0.1, 0.2, 0.5, 1.0])

    def test_log_ticks_thin_out_over_many_decades(self):
        ticks = Axis(1e-6, 1e6, "log").ticks(5)
        assert len(ticks) <= 5
        ratios = {round(b[0] / a[0]) for a, b in itertools.pairwise(ticks)}
        assert len(ratios) == 1

    def test_narrow_log_range_still_has_ticks(self):
        assert len(Axis(0.81, 0.97, "log", "percent").ticks(4)) >= 2

    def test_falling_density_axis_runs_from_dense_to_sparse(self):
        axis = Axis(0.01, 1.0, "log", falls=True)
        np.testing.assert_allclose(axis.place(np.array([1.0, 0.1, 0.01])), [0, 0.5, 1], atol=1e-12)

    def test_log_scale_has_no_place_for_zero(self):
        assert np.isnan(Axis(0.1, 1, "log").place(np.array([0.0, -1.0, np.nan]))).all()

    def test_percentages_are_not_widened_beyond_one(self):
        axis = fit(np.array([0.9, 1.0]), unit="percent", pad=0.5)
        assert (axis.low, axis.high) == (pytest.approx(0.85), 1.0)

    def test_a_single_density_of_one_is_the_dense_end(self):
        axis = fit(np.array([1.0]), "log", "percent")
        assert (axis.low, axis.high) == (0.5, 1.0)

    @pytest.mark.parametrize("values", [[], [np.nan], [5.0], [0.0, 0.0], [-1e308, 1e308], [5e-324]])
    @pytest.mark.parametrize("scale", ["linear", "log"])
    def test_degenerate_ranges_make_an_axis(self, values, scale):
        axis = fit(np.array(values), scale, pad=0.04)
        assert axis.low < axis.high
        assert np.isfinite([tick for tick, _ in axis.ticks(5)]).all()

    def test_ticks_at_the_limit_of_floating_point(self):
        assert 0 < len(Axis(1e16, 1e16 + 4).ticks(6)) < 30

    def test_large_numbers_are_short(self):
        assert [label for _, label in Axis(0, 40000).ticks(4)] == ["0", "10k", "20k", "30k", "40k"]
