"""Charts as pictures."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from lthtui.charts import Chart, Curve, Point, Series, View, accuracy_chart
from lthtui.charts.figure import FORMATS, save
from lthtui.colours import PALETTE
from lthtui.legible import channels

CURVE = Curve(
    "imp $x_1$ <b>",
    [
        [Point(1.0, 0.6, 0), Point(0.1, 0.7, 1)],
        [Point(1.0, 0.62, 0), Point(0.1, 0.72, 1)],
    ],
    [Point(0.1, 0.7, 1)],
)

# Machado, Oliveira & Fernandes 2009, table 1: severity 1.0, of linear RGB
COLOUR_BLIND = {
    "nobody": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, seen_by):
    """CIE L*a*b* of `#rrggbb` as somebody sees it."""
    share = np.array(channels(colour)) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(COLOUR_BLIND[seen_by]) @ linear, 0, 1)
    x, y, z = np.cbrt(TO_XYZ @ seen / TO_XYZ.sum(1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def texts(file):
    return re.findall(r"<text[^>]*>([^<]*)</text>", file.read_text())


def test_an_svg_has_the_ticks_and_names_of_the_chart(tmp_path):
    save(accuracy_chart([CURVE], dense=0.65), tmp_path / "a.svg")
    said = texts(tmp_path / "a.svg")
    assert {"100%", "10%", "weights kept", "dense", "winning ticket"} <= set(said)
    assert "imp $x_1$ &lt;b&gt; (n=2)" in said  # names are no formulas
    assert "validation accuracy (mean ± std)" in said
    places = dict(re.findall(r'x="([\d.-]+)"[^>]*>(\d+%)</text>', (tmp_path / "a.svg").read_text()))
    assert len(said) > 10 and places is not None


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_what_its_suffix_says(tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    save(accuracy_chart([CURVE]), file)
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert file.read_bytes().startswith(magic[suffix])


def test_density_falls_to_the_right(tmp_path):
    """The line ends at the right, at the top of a rising curve."""
    series = Series("_a", [1.0, 0.1, 0.01], [0.1, 0.5, 0.9], "#ff0000")
    chart = Chart(series=[series], x_scale="log", x_unit="percent", x_falls=True)
    save(chart, tmp_path / "a.png", size=(4, 3))
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert picture.shape[1:] == (800, 3)
    rows, columns = np.nonzero((picture[..., 0] > 200) & (picture[..., 1:].max(2) < 80))
    right = columns > 500
    assert right.any() and rows[right].mean() < 150


def test_a_mark_at_the_edge_is_whole_and_one_beyond_it_is_not_drawn(tmp_path):
    def reach(marks, view=None):
        """The last column of pixels in the series' colour."""
        series = Series("_a", [0, 1, 2], [0.1, 0.5, 0.9], "#ff0000", marks=marks)
        save(Chart(series=[series]), tmp_path / "a.png", (4, 3), view)
        picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
        return np.nonzero((picture[..., 0] > 200) & (picture[..., 1:].max(2) < 80))[1].max()

    last = [(2.0, 0.9, "◆")]
    assert reach(last) > reach([]) + 3
    assert reach(last, View(x=(0, 1))) == reach([], View(x=(0, 1)))


def test_what_is_drawn_is_what_is_in_view(tmp_path):
    chart = Chart("loss", [Series("a", range(101), range(101))], x_unit="count")
    save(chart, tmp_path / "a.svg", view=View(x=(40.0, 60.0)))
    said = texts(tmp_path / "a.svg")
    assert "40" in said and "100" not in said


def test_nothing_is_a_picture_too_and_says_so(tmp_path):
    save(Chart(), tmp_path / "a.svg")
    assert "nothing to draw yet" in texts(tmp_path / "a.svg")


def test_gaps_and_symlog_are_drawn(tmp_path):
    y = [-50.0, np.nan, 2000.0, np.inf]
    save(Chart(series=[Series("a", range(4), y)], y_scale="symlog"), tmp_path / "a.svg")
    assert {"0", "1000"} <= set(texts(tmp_path / "a.svg"))


def spots(picture):
    """Where something is red, as shares of the height from the top and of the width."""
    red = (picture[..., 0] > 200) & (picture[..., 1:].max(2) < 80)
    return np.argwhere(red) / picture.shape[:2]


@pytest.mark.parametrize(
    ("value", "scale", "word", "top"),
    [
        (np.nan, "linear", "NaN", False),
        (np.inf, "linear", "inf", True),
        (-np.inf, "symlog", "-inf", False),
        (1e305, "linear", "above 1e+300", True),
        (-1e305, "linear", "below -1e+300", False),
        (0.0, "log", "not above 0", False),
    ],
)
def test_what_has_no_place_is_marked_at_an_edge_and_named(tmp_path, value, scale, word, top):
    y = [1.0, np.nan, value, np.nan, 2.0]  # no two neighbours, and so no line
    low = [1.0, 1.0, value, 1.0, 1.0]
    chart = Chart(series=[Series("", range(5), y, "#ff0000", low=low, high=y)], y_scale=scale)
    save(chart, tmp_path / "a.svg")
    assert {"NaN", word} <= set(texts(tmp_path / "a.svg"))
    save(chart, tmp_path / "a.png", view=View(x=(1.05, 2.95)))
    marks = spots(np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int))
    assert len(marks) and (marks[:, 0] < 0.1).all() == top
    assert (abs(marks[:, 1] - marks[:, 1].mean()) < 0.02).all()  # none of what is out of view


def test_of_many_values_without_a_place_a_picture_has_as_many_marks_as_can_be_told(tmp_path):
    for many in (2_000, 4_000):
        chart = Chart(series=[Series("a", range(many), np.full(many, np.nan))])
        save(chart, tmp_path / f"{many}.svg")
    sizes = [(tmp_path / f"{many}.svg").stat().st_size for many in (2_000, 4_000)]
    assert sizes[1] < 1.2 * sizes[0]


def test_the_part_of_a_mean_that_is_of_fewer_runs_is_dotted(tmp_path):
    chart = Chart(series=[Series("a", range(4), [1, 2, 3, 4], count=2, counts=[2, 2, 1, 1])])
    save(chart, tmp_path / "a.svg")
    assert "stroke-dasharray" in (tmp_path / "a.svg").read_text()
    save(Chart(series=[Series("a", range(4), [1, 2, 3, 4], count=2)]), tmp_path / "b.svg")
    assert "stroke-dasharray" not in (tmp_path / "b.svg").read_text()


@pytest.mark.parametrize("seen_by", COLOUR_BLIND)
def test_groups_are_told_apart_on_paper_by_the_colour_blind_too(tmp_path, seen_by):
    series = [Series(f"{n}", [0, 1], [n, n], colour) for n, colour in enumerate(PALETTE)]
    save(Chart(series=series), tmp_path / "a.svg")
    paths = re.findall(
        r"<path[^>]*style=.fill: none; stroke: (#\w+)", (tmp_path / "a.svg").read_text()
    )
    drawn = [lab(colour, seen_by) for colour in {*paths}]
    assert len(drawn) >= len(PALETTE)
    apart = [np.linalg.norm(a - b) for at, a in enumerate(drawn) for b in drawn[:at]]
    assert min(apart) > 15  # a difference of 2.3 is just noticeable side by side


def test_the_legend_is_below_the_plot_which_keeps_its_height(tmp_path):
    def chart(names):
        return Chart(series=[Series(name, [0, 1], [0, n]) for n, name in enumerate(names)])

    for names, rows in ((["ab", "abc"], 1), ([f"imp {'x' * 40} {n}" for n in range(7)], 7)):
        save(chart(names), tmp_path / "a.svg")
        text = (tmp_path / "a.svg").read_text()
        places = re.findall(r'<text[^>]* y="([\d.]+)"[^>]*>([^<]*)</text>', text)
        lowest_tick = max(float(y) for y, said in places if said not in names)
        named = {float(y) for y, said in places if said in names}
        assert min(named) > lowest_tick and len(named) == rows
        (height,) = re.findall(r'<svg[^>]* height="([\d.]+)pt"', text)
        assert 4 * 72 + 8 * rows < float(height) < 4 * 72 + 20 * rows


def test_the_legend_names_what_is_drawn(tmp_path):
    save(Chart(series=[Series("queued", [], []), Series("here", [1], [2])]), tmp_path / "a.svg")
    said = texts(tmp_path / "a.svg")
    assert "here" in said and "queued" not in said


def test_other_suffixes_are_refused_with_those_that_work(tmp_path):
    with pytest.raises(UsageError, match=r"a\.gif: charts are written as \.png, \.svg, \.pdf"):
        save(Chart(), tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()
