"""What the figures of reports have in common: legends, and what can be seen on white paper."""

import pytest

from lthtui.colours import PALETTE
from lthtui.legible import contrast
from lthtui.reports import figures
from lthtui.reports.figures import CYCLE, drawn
from lthtui.reports.model import Figure
from lthtui.reports.subject import look


@pytest.mark.parametrize("names", [["a"], [f"method {'x' * 60} {at}" for at in range(20)]])
def test_a_legend_takes_nothing_from_its_axes_and_is_not_cut(names):
    seen = []

    def draw(canvas):
        axes = canvas.subplots()
        for name in names:
            axes.plot([0, 1], [0, 1], label=name)
        figures.below(canvas)
        seen.append(canvas)

    drawn(Figure("one", "", draw, (4.0, 3.0)))
    (canvas,) = seen
    (legend,) = canvas.legends
    assert canvas.axes[0].get_window_extent().height > 2.2 * canvas.dpi
    assert legend.get_window_extent().width < canvas.bbox.width


def test_letters_that_the_font_lacks_are_no_trouble():
    def draw(canvas):
        canvas.subplots().plot([0, 1], label="a \N{GAME DIE}")
        figures.below(canvas)

    assert "\N{GAME DIE}" in drawn(Figure("one", "", draw))["svg"].decode()


def test_names_at_axes_are_short_lines():
    def draw(canvas):
        figures.ticks(canvas.subplots().yaxis, ["a\nb", "x" * 99])

    svg = drawn(Figure("one", "", draw))["svg"].decode()
    assert ">a\\nb<" in svg and f">{'x' * 31}…<" in svg


def test_every_colour_is_seen_on_white():
    assert min(contrast(figures.ink(one), "#ffffff") for one in (*PALETTE, *CYCLE)) >= 3
    assert len({*map(figures.ink, PALETTE)}) == len(PALETTE)


def test_groups_have_markers_of_their_own_none_of_which_is_that_of_a_pick(made):
    subject = made.subject(*(made.imp(0, 0.5, group=str(at)) for at in range(9)))
    looks = [look(subject, row) for row in subject.rows]
    assert len({one.marker for one in looks}) == 9 and "D" not in {one.marker for one in looks}
    assert len({(one.colour, one.dash) for one in looks}) == 9
