"""Numbers of things, in words."""

from __future__ import annotations

import pytest

from lthtui.counting import counted


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 runs"), (1, "1 run"), (1000, "1,000 runs"), (1.0, "1 run"), (1812.5, "1,812.5 runs")],
)
def test_one_is_singular(number, words):
    assert counted(number, "run") == words
