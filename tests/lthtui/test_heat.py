"""Colours, blocks and bars of shares."""

import pytest

from lthtui import heat


def test_colours_are_viridis_and_grow_brighter():
    # matplotlib's viridis at 0, 0.5 and 1
    assert heat.colour(0) == "#440154" and heat.colour(1) == "#fde725"
    assert heat.colour(0.5) == "#21918c"
    assert heat.colour(-1) == heat.colour(0) and heat.colour(9) == heat.colour(1)
    light = [
        sum(bytes.fromhex(heat.colour(step / 20)[1:])[i] for i in (0, 1)) for step in range(21)
    ]
    assert light == sorted(light)


def test_ink_stands_out_from_paper():
    assert heat.painted("x", 0.0).tone == heat.BRIGHT and heat.painted("x", 1.0).tone == heat.DARK
    assert heat.painted("x", None).paper == ""


def test_blocks_and_bars():
    assert [heat.block(share).text for share in (0, 0.49, 1)] == ["▁", "▄", "█"]
    assert heat.bar(0.5, 4).text == "██  " and heat.bar(1, 4).text == "████"
    assert heat.bar(0, 4).text == "    " and heat.bar(1e-9, 4).text == "▏   "
    assert heat.bar(0.3, 10).text == "███" + " " * 7  # exactly 24 eighths


@pytest.mark.parametrize(
    ("value", "share"), [(1, 1), (0.1, 0.5), (0.01, 0), (0.0001, 0), (2, 1), (0.001, 0)]
)
def test_logarithmic_scale(value, share):
    assert heat.logarithmic(value, 0.01) == pytest.approx(share)
    assert heat.logarithmic(1, 1) == 1
