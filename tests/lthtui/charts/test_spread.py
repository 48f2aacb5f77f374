"""Moving averages, means and bands, against other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest

from lthtui.charts.smoothing import smoothed
from lthtui.charts.spread import centre, limits, t95

NAN = float("nan")


def slowly(y, half_life):
    """The moving average by its definition."""
    decay = 0.5 ** (1 / half_life)
    result = []
    for t in range(len(y)):
        weights = [decay ** (t - i) for i in range(t + 1) if np.isfinite(y[i])]
        values = [decay ** (t - i) * y[i] for i in range(t + 1) if np.isfinite(y[i])]
        result.append(sum(values) / sum(weights) if np.isfinite(y[t]) else y[t])
    return result


@pytest.mark.parametrize("length", [0, 1, 2, 127, 128, 129, 400])
@pytest.mark.parametrize("half_life", [0.5, 5, 300])
def test_the_average_is_that_of_its_formula(length, half_life):
    y = np.random.default_rng(length).normal(size=length) + 3
    np.testing.assert_allclose(smoothed(y, half_life), slowly(y, half_life), rtol=1e-12)


def test_the_average_by_hand():
    np.testing.assert_allclose(smoothed(np.array([4.0, 1.0, 1.0]), 1), [4, 2, 10 / 7])


def test_the_average_skips_what_is_no_number_and_leaves_it():
    y = np.array([1.0, NAN, 3.0, np.inf, -np.inf, 2.0])
    np.testing.assert_allclose(smoothed(y, 2), slowly(y, 2))
    assert smoothed(np.array([NAN, 5.0]), 2)[1] == 5


def test_a_constant_stays_constant():
    np.testing.assert_allclose(smoothed(np.full(1000, 0.7), 50), 0.7, rtol=1e-12)


def test_the_average_agrees_with_pandas():
    pandas = pytest.importorskip("pandas")
    y = np.random.default_rng(1).normal(size=1000)
    y[[3, 4, 500]] = NAN
    theirs = pandas.Series(y).ewm(halflife=30).mean().to_numpy(copy=True)
    theirs[np.isnan(y)] = NAN
    np.testing.assert_allclose(smoothed(y, 30), theirs, rtol=1e-12)


def test_t_has_the_values_of_the_printed_tables():
    known = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262, 10: 2.228, 30: 2.042, 120: 1.980}
    assert {freedom: round(t95(freedom), 3) for freedom in known} == known


def test_t_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (*range(1, 60), 100, 999):
        assert t95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-12)


def test_bands_by_hand():
    table = np.array([[1.0, 2.0, NAN], [3.0, NAN, NAN], [5.0, 4.0, NAN]])
    np.testing.assert_allclose(centre(table), [3, 3, NAN])
    low, high = limits(table, "std")
    np.testing.assert_allclose(high, [5, 3 + 2**0.5, NAN])
    np.testing.assert_allclose(low, [1, 3 - 2**0.5, NAN])
    low, high = limits(table, "ci")
    np.testing.assert_allclose(high[:2] - 3, [4.302653 * 2 / 3**0.5, 12.706205], rtol=1e-6)
    np.testing.assert_allclose(3 - low[:2], high[:2] - 3)
    low, high = limits(table, "range")
    np.testing.assert_allclose((low, high), ([1, 2, NAN], [5, 4, NAN]))


@pytest.mark.parametrize("band", ["std", "ci", "range", "none"])
def test_the_band_of_one_run_has_no_width(band):
    low, high = limits(np.array([[1.0, 2.0]]), band)
    np.testing.assert_allclose((low, high), ([1, 2], [1, 2]))
