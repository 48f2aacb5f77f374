"""A panel as it is looked at: how it is drawn, what of it is shown, and what keys and mouse do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from lthtui.charts import window
from lthtui.charts.axes import SCALES
from lthtui.charts.canvas import Row
from lthtui.charts.model import Chart, Look, View
from lthtui.charts.panel import How, Panel, XName
from lthtui.charts.plot import Plot, reach
from lthtui.charts.readout import snap
from lthtui.charts.render import draw
from lthtui.charts.spread import BANDS
from lthtui.linked import Linked, Shared

HALF_LIVES = (0, 5, 20, 100, 500)  # of the moving averages that a key goes through, in points
ZOOM, WHEEL = 1.5, 1.25
PAN = 0.25  # of what is shown, for each key
Cell = tuple[int, int]  # column and row
Choice = TypeVar("Choice")


class Viewer:
    """Draws a panel and moves about in it.

    Attributes:
        plot: where the data are in what was drawn last; None before, and where there is no room.
    """

    def __init__(self, linked: Linked | None = None) -> None:
        self.plot: Plot | None = None
        self._linked = linked or Linked()
        self._panel = Panel()
        self._own = View()
        self._chart: tuple[How, Chart] | None = None
        self._drawn: tuple[object, ...] = ()
        self._rows: list[Row] = []
        self._pressed: tuple[Cell, View, Plot, bool] | None = None

    def show(self, panel: Panel) -> None:
        """Look at another panel, or at the same one with newer data; the view stays."""
        self._panel, self._chart, self._drawn = panel, None, ()

    @property
    def how(self) -> How:
        """How the panel is drawn, and those that it is linked with."""
        return self._linked.how or How()

    @how.setter
    def how(self, how: How) -> None:
        self._linked.draw(how)

    @property
    def chart(self) -> Chart:
        """The panel as it is drawn; made once for all that is done to it."""
        if self._chart is None or self._chart[0] != self.how:
            self._chart, self._drawn = (self.how, self._panel.chart(self.how)), ()
        return self._chart[1]

    @property
    def view(self) -> View:
        """What is shown of the chart."""
        shared = self._linked.of(self._x)
        return replace(
            self._own,
            x=shared.x,
            follow=shared.follow,
            cursor=shared.cursor,
            reach=self._linked.reach(self._x),
            margin=self._linked.margin,
        )

    @view.setter
    def view(self, view: View) -> None:
        self._own = view
        self._linked.change(self._x, Shared(view.x, view.follow, view.cursor))

    def rows(self, width: int, height: int, look: Look) -> list[Row]:
        """Draw; the very same list as before while nothing has changed."""
        chart = self.chart
        self._linked.span(self, self._x, reach(chart))
        state = (width, height, look, self.view)
        if state != self._drawn:
            drawing = draw(chart, width, height, look, self.view)
            self._drawn, self._rows, self.plot = state, drawing.rows, drawing.plot
            self._linked.label(self, drawing.plot.margin if drawing.plot else 0)
        return self._rows

    def leave(self) -> None:
        """Be drawn no more: the charts that it is linked with go on without it."""
        self._linked.span(self, self._x, None)
        self._linked.label(self, 0)

    # ---- keys

    def cross(self, by: int) -> None:
        """Move the cross-hair by points."""
        if self.plot:
            self.view = window.move(self.view, self.chart, self.plot, by)

    def hide(self) -> None:
        """Hide the cross-hair."""
        self.view = replace(self.view, cursor=None, pointer=None)

    def focus(self, by: int) -> None:
        """Draw the next line bright, and the others dim."""
        self.view = window.focus(self.view, self.chart, by)

    def single(self, label: str) -> None:
        """Draw one line bright, and the others dim; all of them if it is bright already."""
        self.view = replace(self.view, focus="" if label == self.view.focus else label)

    def refer(self) -> None:
        """Tell differences to the line in focus, or to the baseline again."""
        self.view = window.refer(self.view)

    def zoom(self, way: int) -> None:
        """Enlarge x, or show more of it."""
        if self.plot:
            self.view = window.zoom(self.view, self.plot, ZOOM**way)

    def zoom_y(self, way: int) -> None:
        """Enlarge y, or show more of it."""
        if self.plot:
            self.view = window.zoom_y(self.view, self.plot, ZOOM**way)

    def pan(self, right: int, up: int) -> None:
        """Show what lies beside."""
        if self.plot:
            self.view = window.pan(self.view, self.plot, PAN * right, PAN * up)

    def reset(self) -> None:
        """Show everything."""
        self.view = window.whole(self.view)

    def follow(self) -> None:
        """Keep the newest data in view, or stop that."""
        if self.plot:
            self.view = window.follow(self.view, self.plot)

    def average(self) -> None:
        """Go to the next half-life of the moving average."""
        self.how = replace(self.how, half_life=_next(HALF_LIVES, self.how.half_life))

    def scale(self) -> None:
        """Go to the next scale of y."""
        scales = {self._panel.y_label: _next(SCALES, self.chart.y_scale)}
        self.how = replace(self.how, scales={**self.how.scales, **scales})
        self.view = replace(self.view, y=None)

    def axis(self) -> None:
        """Go to the next thing that x can be; what is being dragged is no place on it."""
        self._pressed, self._own = None, replace(self._own, box=None)
        self.how = replace(self.how, x=_next(self._panel.xs, self._x))

    def band(self) -> None:
        """Go to the next kind of band."""
        self.how = replace(self.how, band=_next(tuple(BANDS), self.how.band))

    def traces(self) -> None:
        """Show or hide the runs behind each mean."""
        self.how = replace(self.how, traces=not self.how.traces)

    # ---- mouse

    def wheel(self, cell: Cell, way: int, upright: bool = False) -> None:
        """Enlarge x, or y, or show more of it, around what the mouse points at."""
        if self.plot:
            x, y = self.plot.at(*cell)
            zoomed = window.zoom_y if upright else window.zoom
            self.view = zoomed(self.view, self.plot, WHEEL**way, y if upright else x)

    def press(self, cell: Cell, box: bool) -> None:
        """Begin to drag the chart, or a box in it."""
        if self.plot:
            self._pressed = cell, self.view, self.plot, box

    def drag(self, cell: Cell) -> bool:
        """Move what is shown, or a corner of the box, with the mouse; whether anything moved."""
        if self._pressed is None:
            return False
        before, (start, view, plot, box) = self.view, self._pressed
        if box:
            self.view = replace(before, box=(plot.at(*start), plot.at(*cell)))
            return self.view != before
        up = (cell[1] - start[1]) / plot.height if view.y else 0.0
        self.view = window.pan(view, plot, (start[0] - cell[0]) / plot.width, up)
        return self.view != before

    def release(self, cell: Cell) -> None:
        """Show the box, or put the cross-hair where the mouse was pressed and not moved."""
        if self._pressed and self.plot:
            start, view, plot, box = self._pressed
            self.view = replace(self.view, box=None)
            if cell == start:
                x, y = plot.at(*cell)
                x = snap(self.chart, self.view, plot, x)
                self.view = replace(self.view, cursor=x, pointer=y)
            elif box:
                self.view = window.box(view, plot.at(*start), plot.at(*cell))
        self._pressed = None

    @property
    def _x(self) -> XName:
        return self._panel.over(self.how)


def _next(choices: Sequence[Choice], now: Choice) -> Choice:
    """The choice after this one, and the first after the last."""
    return choices[(choices.index(now) + 1) % len(choices)]
