"""The chart renderer, read as text."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import BLUE, ORANGE, accuracy_curve, plot, seed
from rich.cells import cell_len

from lthtui.charts import (
    ASCII,
    PLAIN,
    Chart,
    Curve,
    Look,
    Point,
    Series,
    View,
    draw,
    render,
    to_rich,
    to_text,
)
from lthtui.charts.axes import SCALES
from lthtui.charts.canvas import packed, style
from lthtui.charts.pens import FAINT, FEW
from lthtui.colours import PALETTE
from lthtui.legible import mix


def cells(row):
    """Each cell of a row with its style."""
    return [(character, one) for text, one in row for character in text]


def bits(character):
    code = ord(character) - 0x2800
    return code if 0 < code < 256 else 0


class TestRender:
    @pytest.mark.parametrize("look", [Look(), PLAIN, ASCII])
    @pytest.mark.parametrize(
        "size", [(20, 5), (12, 4), (11, 3), (1, 1), (0, 0), (33, 14), (120, 40)]
    )
    def test_rows_fill_the_asked_size_exactly(self, size, look):
        curve = Curve(
            "a group with a long name, 日本",
            [seed((1.0, 0.6), (0.5, 0.7)), seed((1.0, 0.62))],
            [Point(0.5, 0.7, 1)],
        )
        rows = accuracy_curve([curve, curve], *size, look)
        assert len(rows) == size[1]
        assert {sum(cell_len(text) for text, _ in row) for row in rows} <= {size[0]}

    def test_shared_cell_keeps_the_dots_of_both_and_the_front_colour(self):
        flat = Series("a", [0, 1], [0.0, 0.0], BLUE)
        rising = Series("b", [0, 1], [0.0, 1.0], ORANGE)
        alone = render(Chart(series=[rising], guides=False), 30, 8)
        both = render(Chart(series=[flat, rising], guides=False), 30, 8)
        (single, _), (character, one) = cells(alone[-2])[6], cells(both[-2])[6]
        assert bits(character) & bits(single) == bits(single) != 0
        assert bits(character) != bits(single)
        assert one.color == style(packed(ORANGE)).color

    def test_band_ends_with_its_data(self):
        short = Series("a", [0, 1, 2], [1, 1, 1], BLUE, low=[0, 0, 0], high=[2, 2, 2])
        long = Series("b", [0, 8], [1, 1], ORANGE)
        rows = render(Chart(series=[short, long]), 60, 10)
        tinted = [at for at, (_, one) in enumerate(cells(rows[3])) if one.bgcolor]
        assert tinted
        width = 60 - min(tinted)
        assert (max(tinted) - min(tinted)) / width == pytest.approx(0.25, abs=0.03)

    def test_band_is_shaded_without_colour(self):
        band = Series("a", [0, 1], [1, 1], low=[0, 0], high=[2, 2])
        assert to_text(render(Chart(series=[band]), 40, 10, PLAIN)).count("░") > 100

    def test_not_a_number_leaves_a_gap_with_markers(self):
        y = np.linspace(1, 2, 60)
        y[20:30], y[40], y[50] = np.nan, np.inf, -np.inf
        rows = plot(render(Chart(series=[Series("a", np.arange(60), y)]), 80, 12, PLAIN))
        assert "✗" in rows[-1] and "▼" in rows[-1] and "▲" in rows[0]
        start, end = rows[-1].index("✗"), rows[-1].rindex("✗")
        assert not any(
            bits(row[at]) for row in rows for at in range(start + 1, end) if at < len(row)
        )

    def test_only_nans_is_a_chart_of_markers(self):
        rows = render(Chart(series=[Series("a", [0, 1], [np.nan, np.nan])]), 40, 8, PLAIN)
        legend, *drawn = to_text(rows).split("\n")
        assert "✗ NaN" in legend and "".join(drawn).count("✗") == 2

    @pytest.mark.parametrize(
        ("value", "scale", "word"),
        [
            (np.nan, "linear", "✗ NaN"),
            (np.inf, "linear", "▲ inf"),
            (-np.inf, "linear", "▼ -inf"),
            (-np.inf, "log", "▼ not above 0"),
            (0.0, "log", "▼ not above 0"),
            (1e305, "linear", "▲ above 1e+300"),
            (-1e305, "symlog", "▼ below -1e+300"),
            (1e-305, "log", "▼ below 1e-300"),
        ],
    )
    def test_what_has_no_place_is_named(self, value, scale, word):
        whole = [Series("a", [0, 1, 2], [1.0, 2.0, 3.0])]
        lost = [Series("a", [0, 1, 2], [1.0, value, 3.0])]
        before, after = (
            to_text(render(Chart(series=one, y_scale=scale), 60, 10, PLAIN)).split("\n")[0]
            for one in (whole, lost)
        )
        assert after == f"{before}  {word}"

    @pytest.mark.parametrize(("value", "mark"), [(1e305, "▲"), (-1e305, "▼")])
    def test_what_is_too_large_for_an_axis_leaves_a_gap_and_a_mark(self, value, mark):
        y = np.linspace(1, 2, 41)
        y[20] = value
        rows = plot(render(Chart(series=[Series("a", range(41), y)], guides=False), 86, 12, PLAIN))
        at = (rows[0] if value > 0 else rows[-1]).index(mark)
        assert not any(bits(row[at]) for row in rows if at < len(row))

    def test_the_part_of_a_mean_that_is_of_fewer_runs_is_dotted(self):
        x, y = np.arange(81.0), np.full(81, 0.5)
        counts = np.where(x < 40, 3.0, 2.0)
        chart = Chart(series=[Series("a", x, y, count=3, counts=counts)], guides=False)
        (row,) = [line for line in plot(render(chart, 60, 9, PLAIN)) if line.strip()]
        left, right = row[: len(row) // 2 - 1], row[len(row) // 2 + 1 :]
        assert " " not in left and right.count(" ") == pytest.approx(len(right) / 2, abs=1)

    def test_zero_on_a_log_axis_is_marked_below(self):
        chart = Chart(series=[Series("a", [0, 1, 2], [1, 0, 0.1])], y_scale="log")
        assert "▼" in plot(render(chart, 40, 10, PLAIN))[-1]

    def test_single_point_is_a_dot_in_the_middle(self):
        rows = plot(render(Chart(series=[Series("a", [3], [2.5])]), 41, 9, PLAIN))
        assert [row for row, line in enumerate(rows) if "●" in line] == [3]

    def test_constant_series_is_a_line_in_the_middle(self):
        rows = render(Chart(series=[Series("a", range(9), [0.25] * 9)]), 40, 9, PLAIN)
        assert [row for row, line in enumerate(plot(rows)) if any(map(bits, line))] == [3]
        ticks = [line.partition("┤")[0] for line in to_text(rows).split("\n") if "┤" in line]
        assert [float(tick) for tick in ticks] == [0.26, 0.24]

    def test_empty_chart_says_so(self):
        assert "nothing to draw yet" in to_text(render(Chart(), 40, 8, PLAIN))

    def test_legend_is_above_the_plot_and_counts_what_has_no_room(self):
        series = [Series(f"series {index}", [0, 1], [0, index]) for index in range(12)]
        lines = to_text(render(Chart("loss", series), 40, 12, PLAIN)).split("\n")
        assert lines[0].startswith("loss  ━● series 0")
        assert "more" in lines[1] and "series" not in "".join(lines[2:])

    def test_of_both_kinds_of_marks_the_legend_tells_of_winning_tickets(self):
        marks = [[(0, 0, "◇")], [(1, 1, "◆"), (0, 0, "◇")]]
        series = [
            Series(name, [0, 1], [0, 1], marks=of) for name, of in zip("ab", marks, strict=True)
        ]
        for chosen, glyph in ((series, "◆"), (series[:1], "◇")):
            rows = render(Chart(series=chosen, marks_label="as it is"), 60, 10, PLAIN)
            assert f"{glyph} as it is" in to_text(rows)

    def test_names_of_the_legend_are_told_apart_in_a_narrow_chart(self):
        names = [
            f"imp resnet18 cross_entropy convolution={one} · table1" for one in ("full", "dct")
        ]
        series = [Series(name, [0, 1], [0, 1], count=3) for name in names]
        lines = to_text(render(Chart(series=series), 40, 12, PLAIN)).split("\n")
        assert [line[3:].rstrip() for line in lines[:2]] == [
            "imp…convolution=full · table1 (n=3)",
            "imp…convolution=dct · table1 (n=3)",
        ]

    def test_lines_differ_without_colour(self):
        series = [Series("a", [0, 1], [0, 1]), Series("b", [0, 1], [1, 0])]
        text = to_text(render(Chart(series=series), 40, 12, PLAIN))
        assert "━● a" in text and "━■ b" in text
        assert text.count("●") > 1 and text.count("■") > 1

    def test_ascii_look_is_ascii(self):
        seeds = [seed((1.0, 0.6), (0.5, 0.7)), seed((1.0, 0.62), (0.5, 0.6))]
        curve = Curve("é ✗ ●", seeds, [Point(0.5, 0.7, 1)])
        text = to_text(accuracy_curve([curve], 60, 16, ASCII))
        assert text.isascii() and "@" in text and "**" in text

    def test_faint_lines_are_behind_and_not_in_the_legend(self):
        faint = Series("old", [0, 1], [0, 1], BLUE, faint=True)
        bright = Series("new", [0, 1], [0, 1], ORANGE)
        rows = render(Chart(series=[bright, faint]), 40, 10)
        inks = {one.color for row in rows[1:-1] for text, one in row if any(map(bits, text))}
        assert inks == {style(packed(ORANGE)).color}
        assert "old" not in to_text(rows)

    def test_rich_text_is_the_plain_text(self):
        rows = render(Chart("t", [Series("a", [0, 1], [0, 1])]), 40, 8)
        assert [line.rstrip() for line in to_rich(rows).plain.split("\n")] == to_text(rows).split(
            "\n"
        )


class TestManyLines:
    def test_bright_lines_do_not_take_faint_dots_for_their_own(self):
        noise = Series("", range(60), [0.0, 1.0] * 30, BLUE, faint=True)
        steady = Series("mean", [0, 59], [0.5, 0.5], ORANGE)
        alone = render(Chart(series=[steady], guides=False), 60, 12)
        both = render(Chart(series=[noise, steady], guides=False), 60, 12)

        def dots(rows):
            ink = style(packed(ORANGE)).color
            found = (one for row in rows[1:] for one in cells(row) if one[1].color == ink)
            return [bin(bits(character)).count("1") for character, _ in found]

        assert max(dots(both)) == max(dots(alone)) == 2

    def test_raw_values_are_drawn_behind_few_lines_or_the_one_in_focus(self):
        def raws(count, focus=""):
            series = []
            for index in range(count):
                name, x = f"line {index}", np.arange(40)
                series.append(Series(name, x, x % 2 + index, BLUE, faint=True, raw=True))
                series.append(Series(name, x, x * 0.0 + index + 0.5, ORANGE))
            rows = draw(Chart(series=series), 60, 20, Look(), View(focus=focus)).rows
            ink = mix(BLUE, Look().paper, FAINT)
            inks = [one.color for row in rows[1:] for text, one in row if any(map(bits, text))]
            return style(packed(ink)).color in inks

        assert raws(FEW) and not raws(FEW + 1) and raws(FEW + 1, "line 3")

    def test_lines_of_one_colour_differ_in_their_pattern(self):
        x = np.arange(9)
        series = [Series(name, x, x * 0 + height, BLUE) for height, name in enumerate("abcd")]
        rows = render(Chart(series=series, guides=False), 60, 20)
        drawn = [sum(map(bool, map(bits, line))) for line in plot(rows)]
        full = max(drawn)
        shares = [round(count / full, 1) for count in drawn if count]
        assert shares == [1.0, 0.5, 0.8, 1.0]  # d, c, b, a
        assert "━━ a  ╍╍ b  ┅┅ c  ━━ d" in to_text(rows)

    def test_twenty_lines_are_named_as_far_as_there_is_room(self):
        series = [Series(f"line {index}", [0, 1], [0, index]) for index in range(20)]
        for size in ((60, 15), (120, 40), (30, 8)):
            rows = to_text(render(Chart("loss", series), *size, PLAIN)).split("\n")
            head = "\n".join(rows[: max(1, size[1] // 5)])
            more = 20 - head.count("line ")
            assert head.endswith(f"+{more} more") if more else "more" not in head
            assert "line 0" in head

    def test_bands_that_overlap_mix(self):
        one = Series("a", [0, 9], [1, 1], BLUE, low=[0, 0], high=[2, 2])
        other = Series("b", [0, 9], [2, 2], ORANGE, low=[1, 1], high=[3, 3])
        rows = render(Chart(series=[one, other], guides=False), 40, 22)
        papers = {one.bgcolor for row in rows for _, one in cells(row) if one.bgcolor}
        assert len(papers) == 3

    def test_a_band_has_a_gap_where_a_limit_is_unknown(self):
        limit = np.ones(61)
        limit[20:40] = np.nan
        band = Series("a", np.arange(61), np.ones(61), BLUE, low=limit - 1, high=limit + 1)
        row = cells(render(Chart(series=[band]), 70, 11)[4])
        tinted = [bool(one.bgcolor) for _, one in row]
        assert sum(tinted) == pytest.approx(2 / 3 * 66, abs=4)
        assert not any(tinted[27:46])

    def test_a_band_goes_on_below_a_log_axis(self):
        band = Series("a", [0, 1], [1.0, 2.0], BLUE, low=[-1.0, 0.0], high=[4.0, 4.0])
        rows = render(Chart(series=[band], y_scale="log", guides=False), 50, 12)
        assert all(any(one.bgcolor for _, one in cells(row)) for row in rows[2:-1])

    @pytest.mark.parametrize("paper", ["#16161e", "#ffffff", "#002b36", "#fdf6e3"])
    def test_every_colour_can_be_seen_on_every_paper(self, paper):
        def luminance(colour):
            red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
            # near enough to sRGB's curve
            return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

        for colour in PALETTE:
            ink = Look(paper=paper).legible(colour)
            high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) > 2.8
        assert Look().legible(BLUE) == BLUE

    def test_names_move_no_cursor(self):
        chart = Chart("a\x1b[2J", [Series("b\x1b]0;x\x07\n", [0, 1], [0, 1])], empty="\x1b")
        text = "".join(text for row in render(chart, 60, 12) for text, _ in row)
        assert "\x1b" not in text and "\n" not in text and "\x07" not in text


@pytest.mark.parametrize("seed", [*range(60), 133, 341, 477, 1034])
def test_whatever_is_shown_fills_its_rows(seed):
    rng = np.random.default_rng(seed)

    def numbers(count):
        values = rng.normal(size=count) * 10.0 ** rng.integers(-8, 9)
        values[rng.random(count) < 0.2] = rng.choice([np.nan, np.inf, -np.inf, 0, 1e308, -5e-324])
        return values

    def some(most):
        count = int(rng.integers(0, most))
        low, high = numbers(count), numbers(count)
        band = {"low": low, "high": high} if rng.random() < 0.5 else {}
        marks = [(*numbers(2), "◆")] if rng.random() < 0.5 else []
        name = f"line {rng.integers(0, 4)}"
        return Series(name, numbers(count), numbers(count), marks=marks, **band)

    def span():
        low, high = sorted(numbers(2))
        return (low, high) if np.isfinite([low, high]).all() and low < high else None

    chart = Chart(
        "title",
        [some(40) for _ in range(rng.integers(0, 6))],
        x_label="x",
        x_scale=rng.choice(SCALES),
        y_scale=rng.choice(SCALES),
        x_unit=rng.choice(["number", "percent", "count", "seconds", "clock"]),
        y_unit=rng.choice(["number", "percent", "count", "seconds", "clock"]),
        x_falls=bool(rng.integers(0, 2)),
        baseline=rng.choice([None, 0.5, np.nan]),
        marks_label="mark",
    )
    cursor = rng.choice([None, 0.0, float(rng.normal())])
    view = View(
        span(), span(), bool(rng.integers(0, 2)), cursor, focus="line 1", reference="line 2"
    )
    width, height = int(rng.integers(1, 90)), int(rng.integers(1, 30))
    for look in (Look(), PLAIN, ASCII, Look(braille=False)):
        drawing = draw(chart, width, height, look, view)
        assert [sum(cell_len(text) for text, _ in row) for row in drawing.rows] == [width] * height
        assert look.braille or to_text(drawing.rows).isascii()


class TestSmall:
    @pytest.mark.parametrize("look", [Look(), PLAIN, ASCII, Look(braille=False)])
    def test_wide_rows_are_whole(self, look):
        rows = render(Chart("t", [Series("a", [0, 1], [0, 1])]), 300, 20, look)
        assert {cell_len(text_of(row)) for row in rows} == {300}
        assert "characters" not in to_text(rows)

    @pytest.mark.parametrize("width", [1, 2, 5, 11])
    def test_without_room_for_axes_there_is_only_the_line(self, width):
        rows = render(Chart("loss", [Series("a", range(50), range(50))]), width, 3)
        dots = [[bits(character) for character in row_text] for row_text in map(text_of, rows)]
        assert any(dots[0]) and any(dots[-1]) and {len(row) for row in dots} == {width}

    def test_without_data_there_is_the_title(self):
        assert to_text(render(Chart("loss"), 4, 2, PLAIN)) == "loss\n"


def text_of(row):
    return "".join(text for text, _ in row)
