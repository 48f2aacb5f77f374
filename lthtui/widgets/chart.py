"""A chart on screen: drawn when its data, its size or the theme changes, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from lthtui.charts import Chart, Look


class ChartView(Widget, can_focus=True):
    """Shows one chart in all of its own size."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._chart: Chart | None = None
        self._drawn: tuple[object, ...] = ()
        self._strips: list[Strip] = []

    def show(self, chart: Chart | None) -> None:
        """Show another chart."""
        self._chart = chart
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        if self._chart is None:  # before the first data, charts need not be imported
            return Strip.blank(self.size.width, self.rich_style)
        look = self._look()
        state = (id(self._chart), self.size, look)
        if state != self._drawn:
            self._drawn, self._strips = state, self._draw(self._chart, look)
        if y < len(self._strips):
            return self._strips[y].apply_style(self.rich_style)
        return Strip.blank(self.size.width, self.rich_style)

    def _draw(self, chart: Chart, look: Look) -> list[Strip]:
        from lthtui.charts import render

        width, height = self.size
        rows = render(chart, width, height, look)
        return [Strip([Segment(text, style) for text, style in row], width) for row in rows]

    def _look(self) -> Look:
        from lthtui.charts import Look

        paper, ink = self.background_colors[1], self.styles.color
        shades = (paper.blend(ink, share).hex6.lower() for share in (1.0, 0.6, 0.3))
        return Look(not self.app.no_color, True, paper.hex6.lower(), *shades)
