"""Contrast, against numbers of the Web's guidelines."""

from __future__ import annotations

import pytest

from lthtui.legible import contrast, legible


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's own example
    assert contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.005)


@pytest.mark.parametrize("paper", ["#ffffff", "#e0e0e0", "#16161e", "#5a4b5f", "#a0a0a0"])
@pytest.mark.parametrize("colour", ["#f0e442", "#009e73", "#f8f9fb", "#16161e"])
def test_what_is_hard_to_see_moves_away_from_the_paper(colour, paper):
    seen = legible(colour, paper)
    assert contrast(seen, paper) >= 3
    if contrast(colour, paper) >= 3:
        assert seen == colour
