"""Line charts in text: arrays in, rows of styled cells out; no terminal, no application."""

from lthtui.charts.canvas import Row
from lthtui.charts.curves import Curve, accuracy_chart
from lthtui.charts.model import ASCII, PLAIN, Chart, Look, Series, View
from lthtui.charts.render import Drawing, draw, render, to_rich, to_text

__all__ = [
    "ASCII",
    "PLAIN",
    "Chart",
    "Curve",
    "Drawing",
    "Look",
    "Row",
    "Series",
    "View",
    "accuracy_chart",
    "draw",
    "render",
    "to_rich",
    "to_text",
]
