"""Order and thinning of points."""

from __future__ import annotations

import numpy as np
import pytest

from lthtui.charts.points import MANY, Points
from lthtui.charts.raster import hull, polyline


def walk(length):
    rng = np.random.default_rng(4)
    return np.cumsum(rng.normal(size=length))


def test_few_points_are_left_as_they_are():
    points = Points.of(range(MANY), walk(MANY))
    assert points.within(-np.inf, np.inf).x is not points.thinned.x
    assert len(points.within(0, MANY).x) == MANY


def test_thinning_keeps_points_of_the_series_only():
    y = walk(200_003)
    thin = Points.of(np.arange(y.size), y).thinned
    np.testing.assert_array_equal(thin.y, y[thin.x.astype(int)])
    assert 30_000 < len(thin.x) < MANY and (np.diff(thin.x) > 0).all()
    assert {thin.x[0], thin.x[-1]} == {0, y.size - 1}


def test_thinning_loses_no_spike_and_no_gap():
    y = np.zeros(1_000_000)
    y[[123_457, 600_011, 999_999]] = 5, -7, 9
    y[[300_007, 300_008]] = np.nan
    y[777_777] = np.inf
    points = Points.of(np.arange(y.size), y)
    thin = points.within(0, y.size)
    assert len(thin.x) < MANY
    assert {123_457.0, 600_011.0, 999_999.0, 300_007.0, 777_777.0} <= set(thin.x)


def test_thinned_lines_have_the_extremes_of_each_column():
    y = walk(500_000)
    x = np.linspace(0, 239, y.size)
    thin = Points.of(x, y).thinned
    low, high = hull(thin.x, thin.y, 240)
    edges = np.rint(x).astype(int)
    exact_low = np.array([y[edges == column].min() for column in range(240)])
    exact_high = np.array([y[edges == column].max() for column in range(240)])
    group = y[: y.size // 16 * 16].reshape(-1, 16)
    step = np.ptp(group, axis=1).max()  # a group of neighbours may lie across two columns
    assert (np.abs(low - exact_low) <= step).all() and (np.abs(high - exact_high) <= step).all()
    assert low.min() == y.min() and high.max() == y.max()


def test_a_part_has_one_neighbour_to_each_side():
    points = Points.of(np.arange(10.0), np.arange(10.0)).within(3.5, 6.5)
    assert points.x.tolist() == [3, 4, 5, 6, 7]


def test_the_nearest_point_is_no_farther_than_any_other():
    x = np.array([0.0, 1.0, 5.0, 6.0])
    points = Points.of(x, x)
    assert [points.nearest(at) for at in (0, 0.4, 0.6, 3.1, 6)] == [0, 0, 1, 2, 3]
    assert points.nearest(-0.1) is None and points.nearest(6.1) is None
    assert Points.of([], []).nearest(0) is None


def test_x_and_y_must_be_pairs():
    with pytest.raises(ValueError, match="3 values of x and 2 of y"):
        Points.of([1, 2, 3], [1, 2])


def test_points_without_x_are_dropped_and_the_others_put_in_order():
    points = Points.of([3, np.nan, 1], [30, 20, 10])
    assert points.x.tolist() == [1, 3] and points.y.tolist() == [10, 30]


@pytest.mark.parametrize("seed", range(20))
def test_no_dot_is_outside_of_what_lies_around_it(seed):
    """Each dot is within the least and the greatest of the points in and beside its column."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 400))
    x = np.sort(rng.random(count))
    y = np.where(rng.random(count) < 0.1, np.nan, rng.random(count))
    width, height = int(rng.integers(1, 40)), int(rng.integers(1, 20))
    cells = polyline(x, y, width, height)
    weights = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
    for dot in range(2 * width):
        rows = [
            row
            for row in range(4 * height)
            if cells[row // 4, dot // 2] & weights[row % 4, dot % 2]
        ]
        first = max(np.searchsorted(x * (2 * width - 1), dot - 0.5) - 1, 0)
        last = np.searchsorted(x * (2 * width - 1), dot + 0.5, side="right") + 1
        near = (1 - y[first:last]) * (4 * height - 1)
        if rows:
            assert np.nanmin(near) - 0.5 <= min(rows) and max(rows) <= np.nanmax(near) + 0.5
