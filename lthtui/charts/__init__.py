"""Line charts in text: arrays in, rows of styled cells out; no terminal, no application."""

from lthtui.charts.canvas import Row
from lthtui.charts.curves import Curve, Point, accuracy_chart, accuracy_panel
from lthtui.charts.model import ASCII, PLAIN, Chart, Look, Series, View
from lthtui.charts.panel import How, Line, Mark, Panel, Trace
from lthtui.charts.render import Drawing, draw, render, to_rich, to_text

__all__ = [
    "ASCII",
    "PLAIN",
    "Chart",
    "Curve",
    "Drawing",
    "How",
    "Line",
    "Look",
    "Mark",
    "Panel",
    "Point",
    "Row",
    "Series",
    "Trace",
    "View",
    "accuracy_chart",
    "accuracy_panel",
    "draw",
    "render",
    "to_rich",
    "to_text",
]
