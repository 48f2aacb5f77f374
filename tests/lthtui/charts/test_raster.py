"""Polylines as dots of braille."""

from __future__ import annotations

import numpy as np

from lthtui.charts.raster import polyline


def test_diagonal_touches_both_corners():
    dots = polyline(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 10, 5)
    assert dots[4, 0] & 0x40 and dots[0, 9] & 0x08
    assert (dots > 0).any(axis=0).all() and (dots > 0).any(axis=1).all()


def test_spike_between_columns_survives():
    x = np.linspace(0, 1, 100_001)
    y = np.zeros(x.size)
    y[50_003] = 1.0
    assert polyline(x, y, 40, 10)[0].any()


def test_nan_is_a_gap():
    y = np.full(101, 0.5)
    y[40:60] = np.nan
    drawn = (polyline(np.linspace(0, 1, 101), y, 50, 4) > 0).any(axis=0)
    assert drawn[:19].all() and drawn[31:].all() and not drawn[21:29].any()


def test_points_may_come_in_any_order():
    x, y = np.linspace(0, 1, 20), np.random.default_rng(1).random(20)
    order = np.random.default_rng(2).permutation(20)
    straight = polyline(x, y, 30, 8)
    np.testing.assert_array_equal(polyline(x[order], y[order], 30, 8), straight)
    np.testing.assert_array_equal(polyline(x[::-1], y[::-1], 30, 8), straight)


def test_steep_line_has_no_holes():
    y = np.array([0.0, 1.0, 0.0, 1.0])
    dots = polyline(np.linspace(0, 1, 4), y, 6, 20)
    assert (dots > 0).any(axis=1).all()
