"""Charts to look at, and what can be read off them."""

from __future__ import annotations

from lthtui.charts import PLAIN, Line, Panel, Point, Trace, accuracy_chart, render, to_text
from lthtui.charts.viewer import Viewer

SIZE = (80, 20)
BLUE, ORANGE = "#56b4e9", "#e69f00"


def seed(*points):
    """Levels by (density, accuracy)."""
    return [Point(*point, level) for level, point in enumerate(points)]


def accuracy_curve(curves, width, height, look=None):
    return render(accuracy_chart(curves), width, height, look)


def plot(rows):
    """The cells right of the y axis, as text."""
    lines = to_text(rows).split("\n")
    return [line.partition("┤")[2] or line.partition("│")[2] for line in lines[1:-1]]


def labels(row):
    return "".join(text for text, _ in row).replace("└", " ").split()


def over_steps(*ys, xs=("step",), **options):
    colours = (BLUE, ORANGE, "#009e73")
    lines = []
    for index, y in enumerate(ys):
        at = {"step": range(len(y)), "epoch": [step / 10 for step in range(len(y))]}
        lines.append(Line("abc"[index], [Trace(y, at)], colours[index]))
    return Panel(lines=lines, xs=xs, **options)


def over_density(**options):
    density = [1.0, 0.5, 0.2, 0.1, 0.05]
    trace = Trace([0.6, 0.7, 0.8, 0.7, 0.5], {"density": density, "level": range(5)})
    return Panel(lines=[Line("imp", [trace])], xs=("density",), y_unit="percent", **options)


def looking(panel, linked=None):
    viewer = Viewer(linked)
    viewer.show(panel)
    seen(viewer)
    return viewer


def seen(viewer, look=PLAIN):
    return to_text(viewer.rows(*SIZE, look))


def ends(viewer):
    """The shown range of x."""
    seen(viewer)
    return viewer.plot.x.low, viewer.plot.x.high
