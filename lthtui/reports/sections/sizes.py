"""Sizes: what is left of accuracy as training images get fewer, by what else differs.

Figures 2 to 4 and Table 5 of the data-efficient tickets paper: data sizes by augmentations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lthtui import baseline
from lthtui.labels import SHORT, SHORTER, told_apart
from lthtui.reports import figures
from lthtui.reports.curves import Curve, curve
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Cell, Figure, Number, Section, Table
from lthtui.reports.subject import Subject
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.significance import mean

SIZE = ("data.fraction", "data.per_class")
BLOCKS = ("data.", "augmentation.", "model.", "loss.", "train.", "sparsifier.", "start.")
REPEATED = ("data.seed", "data.fold", "data.root", "train.evaluate.")
BEGUN = "start.ticket."
ROBUST = (  # what is drawn against sizes besides, where it was evaluated
    ("corruptions", "mean", "CIFAR-C-like corruptions, mean"),
    ("cifar10_2", "accuracy", "CIFAR-10.2"),
    ("fgsm", "accuracy at 8", "FGSM at 8 of 255"),
)
BOTH: tuple[Which, Which] = ("dense", "ticket")


@dataclass(frozen=True)
class Point:
    """A group: how many images it has, and what else it differs in.

    Attributes:
        size: share of all training images, or how many of each class.
        way: what else tells it from others, such as its augmentation.
    """

    row: Row
    size: float
    said: str
    way: str


def build(subject: Subject) -> Section | None:
    """A table and figures of what was tried on several sizes; None where nothing was."""
    several = _several(placed(subject.methods))
    points = placed([point.row for point in several])  # called by what tells these apart
    ways = [*dict.fromkeys(point.way for point in points)]
    if not ways:
        return None
    pictures = [_grid(subject, points, ways), _against_size(subject, points, ways)]
    return Section("Data sizes", (_table(subject, points, ways), *pictures))


def placed(rows: Sequence[Row]) -> list[Point]:
    """The groups by size, the smallest last; those of others may not tell their size."""
    asked = {row.first.group: dict(_settings(row.first.params)) for row in rows}
    points = []
    for row, differs in zip(rows, told_apart(asked).values(), strict=True):
        sized = _size(row.first.params)
        if sized is None:
            continue
        rest = {key: value for key, value in differs.items() if key not in SIZE and value != ""}
        points.append(Point(row, *sized, _way(rest)))
    return sorted(_apart(points), key=lambda point: -point.size)


def _settings(params: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What can tell ways apart; which run another starts from differs from size to size."""
    for key, value in params.items():
        if key == f"{BEGUN}run":
            yield BEGUN.rstrip("."), "another run's"
        elif key.startswith(BLOCKS) and not key.startswith((*REPEATED, BEGUN)):
            short = SHORTER.get(key)
            yield key, str(short(value) or "") if short else value


def _apart(points: Sequence[Point]) -> list[Point]:
    """The points, with their groups where they are alike otherwise."""
    alike = Counter((point.size, point.way) for point in points)
    return [
        replace(point, way=f"{point.way} {point.row.first.group[:SHORT]}")
        if alike[point.size, point.way] > 1
        else point
        for point in points
    ]


def _several(points: Sequence[Point]) -> Iterator[Point]:
    """Those of ways that have several sizes."""
    sizes = Counter(way for way, _ in {(point.way, point.size) for point in points})
    yield from (point for point in points if sizes[point.way] > 1)


def _size(params: Mapping[str, str]) -> tuple[float, str] | None:
    """How many images there are, as a number to sort by and in words."""
    with suppress(ValueError):
        if count := params.get("data.per_class"):
            return float(count), f"{count} per class"
        share = float(params.get("data.fraction", "1.0"))
        return share, f"{100 * share:g} %"
    return None


def _way(differs: Mapping[str, Any]) -> str:
    words = (
        str(value) if key.endswith(".name") else f"{key.rpartition('.')[2]}={value}"
        for key, value in differs.items()
    )
    return " ".join(words) or "all"


def _table(subject: Subject, points: Sequence[Point], ways: Sequence[str]) -> Table:
    sizes = [*dict.fromkeys(point.said for point in points)]
    rows: list[tuple[Cell, ...]] = []
    for way in ways:
        for which in BOTH:
            found = {p.said: _tests(subject, p.row, which) for p in points if p.way == way}
            cells = (Number.of(found.get(size, ()), "accuracy") for size in sizes)
            rows.append((way, str(which), *cells))
    caption = (
        "Test accuracy (%) by how many training images there are (columns): of dense networks, and"
        " of the tickets that are picked. Methods that were run on one size only are left out."
    )
    return Table("sizes", caption, ("", "network", *sizes), tuple(rows))


def _tests(subject: Subject, row: Row, which: Which) -> list[float | None]:
    """Test accuracies over repetitions."""
    if which == "ticket":
        return [one.level.test for one in row.results if one.level.sparse]
    family = [run for run in subject.known if run.family == row.first.family]
    dense = baseline.dense(row.runs, family)
    return [run.dense.test for run in dense.values() if run.dense]


def _grid(subject: Subject, points: Sequence[Point], ways: Sequence[str]) -> Figure:
    """Accuracy against sparsity, a panel for each size and a line for each way."""
    sizes = [*dict.fromkeys(point.said for point in points)]
    columns = min(3, len(sizes))
    deep = -(-len(sizes) // columns)

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(deep, columns, squeeze=False).ravel()
        for axes, size in zip(panels, sizes, strict=False):
            shown = [point for point in points if point.said == size]
            for point in shown:
                curve(axes, point.row, _pen(ways, point.way), subject.spread)
            levels = {one.density for p in shown for run in p.row.runs for one in run.ended_levels}
            figures.sparsity(axes, levels)
            if not levels:
                axes.set_yticks([])
                axes.text(0.5, 0.5, "not trained yet", transform=axes.transAxes, ha="center")
            figures.percent(axes.yaxis)
            axes.set(title=size, ylabel="test accuracy (%)")
        for axes in panels[len(sizes) :]:
            axes.set_visible(False)
        figures.below(canvas)

    caption = (
        "Test accuracy against the share of weights kept, a panel for each number of training"
        " images. Diamonds are picked tickets of single runs, filled where they win."
    )
    return Figure("sizes-grid", caption, draw, (2.9 * columns + 0.4, 2.6 * deep + 0.7), spread=True)


def _against_size(subject: Subject, points: Sequence[Point], ways: Sequence[str]) -> Figure:
    """Dense and ticket against the number of images, on test images and on harder ones."""
    panels = [("test images", None), *_evaluated(subject, points)]
    sizes = [*dict.fromkeys(point.said for point in points)]

    def draw(canvas: Any) -> None:
        every = canvas.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, metric) in zip(every, panels, strict=True):
            for way in ways:
                pen = _pen(ways, way)
                for which in BOTH:
                    found = {
                        sizes.index(p.said): known
                        for p in points
                        if p.way == way and (known := _values(subject, p.row, metric, which))
                    }
                    x, values = [*found], [*found.values()]
                    half = [reach(tuple(one), subject.spread) or 0.0 for one in values]
                    style: Any = {"color": pen.colour, "marker": pen.marker, "markersize": 4}
                    style |= {"linestyle": ":" if which == "dense" else "-", "linewidth": 1.3}
                    text = f"{way}, {which}"
                    axes.errorbar(x, [*map(mean, values)], half, label=text, **style)
            axes.set_xticks(range(len(sizes)), sizes)
            figures.percent(axes.yaxis)
            axes.set(title=title, xlabel="training images", ylabel="accuracy (%)")
        figures.below(canvas)

    caption = "Accuracy of dense networks and picked tickets by the number of training images."
    return Figure("sizes", caption, draw, (3.2 * len(panels) + 0.4, 3.6), spread=True)


def _pen(ways: Sequence[str], way: str) -> Curve:
    at = ways.index(way)
    colour = figures.ink(figures.CYCLE[at % len(figures.CYCLE)])
    return Curve(way, colour, "-", figures.MARKERS[at % len(figures.MARKERS)])


def _evaluated(
    subject: Subject, points: Sequence[Point]
) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Titles of harder images, and the first label and metric that any of these knows."""
    for name, metric, said in ROBUST:
        for label in subject.evaluations.called(name):
            asked = (label, metric)
            if any(_values(subject, point.row, asked, which) for point in points for which in BOTH):
                yield said, asked
                break


def _values(
    subject: Subject, row: Row, metric: tuple[str, str] | None, which: Which
) -> list[float]:
    if metric is None:
        return [value for value in _tests(subject, row, which) if value is not None]
    return [*subject.evaluations.values(row.runs, *metric, which).values()]
