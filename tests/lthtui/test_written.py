"""Means beside their deviations, by hand."""

import pytest

from lthtui.written import figure, pair


@pytest.mark.parametrize(
    ("kind", "mean", "spread", "shown"),
    [
        ("density", 0.3122, 0.27, "31±27"),
        ("density", 0.0833, 0.036, "8.3±3.6"),
        ("density", 0.0625, 0.0012, "6.25±0.12"),
        ("operations", 2.2e12, 16.3e9, "2.200±0.016 T"),
        ("operations", 999.6, 3.0, "999.6±3.0"),
        ("operations", 40e9, 60e9, "40±60 G"),
        ("operations", 100.0, 5000.0, "0.1±5.0 k"),
        ("accuracy", 0.512, 0.0, "51.20±0.00"),
        ("points", 0.036, 0.01, "+3.60±1.00"),
        ("points", -0.036, 0.01, "-3.60±1.00"),
        ("count", 8.0, 1.5, "8.0±1.5"),
        ("share", 0.5, 0.1, "0.50±0.10"),
        ("bytes", 1.5e6, 2e4, "1.500±0.020 MB"),
        ("joules", 1500.0, 200.0, "1.50±0.20 kJ"),
        ("number", 0.002, 0.0014, "0.0020±0.0014"),
        ("number", 2000.0, 1414.0, "2000±1414"),
        ("number", 2e-9, 1e-9, "2e-09±1e-09"),
        ("number", float("nan"), 1.0, "nan±1"),
        ("seconds", 75.0, 5.0, "1:15±0:05"),
    ],
)
def test_a_mean_has_the_unit_and_the_decimals_of_its_deviation(kind, mean, spread, shown):
    assert "±".join(pair(kind, mean, spread)) == shown


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("density", 0.0833, "8.33"),
        ("accuracy", 0.512, "51.20"),
        ("points", 0.036, "+3.60"),
        ("operations", 2.2e12, "2.20 T"),
        ("bytes", 20.0, "20 B"),
        ("joules", 2500.0, "2.5 kJ"),
        ("count", 8.0, "8"),
        ("count", 7.5, "7.5"),
        ("number", 0.123456, "0.1235"),
        ("accuracy", float("inf"), "inf"),
    ],
)
def test_a_value_alone(kind, value, shown):
    assert figure(kind, value) == shown
