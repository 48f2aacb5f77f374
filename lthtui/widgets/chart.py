"""A chart on screen: drawn when its data, its size, its view or the theme change, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.strip import Strip
from textual.widget import Widget

from lthtui.linked import Linked
from lthtui.widgets.plain import Plain

if TYPE_CHECKING:
    from lthtui.charts import Look, Panel, Row
    from lthtui.charts.viewer import Viewer

RIGHT = 3  # the mouse's right button


def _key(
    keys: str, method: str, name: str, what: str, *numbers: int, show: bool = False
) -> Binding:
    """Bind keys to a method of `Viewer`."""
    return Binding(keys, f"go({method!r}, {numbers})", what, show=show, id=f"chart.{name}")


class ChartView(Widget, can_focus=True):
    """Shows one panel in all of its own size; what keys and mouse do there, `Viewer` does.

    Charts need numpy, which is imported with the first data and not before.
    """

    BINDINGS = [
        _key("left,h", "cross", "left", "Cross-hair left", -1),
        _key("right,l", "cross", "right", "Cross-hair right", 1),
        _key("shift+left", "cross", "far_left", "Cross-hair far left", -10),
        _key("shift+right", "cross", "far_right", "Cross-hair far right", 10),
        _key("home,g", "cross", "first", "Oldest point", -1000000),
        _key("end,G", "cross", "last", "Newest point", 1000000),
        Binding("escape", "hide", "Hide cross-hair", show=False, id="chart.hide"),
        _key("down,j", "focus", "next", "Next line", 1),
        _key("up,k", "focus", "before", "Line before", -1),
        _key("d", "refer", "refer", "Differences to this line"),
        _key("plus,equals_sign", "zoom", "zoom_in", "Zoom in", 1),
        _key("minus", "zoom", "zoom_out", "Zoom out", -1),
        _key("right_curly_bracket", "zoom_y", "zoom_in_y", "Zoom in on y", 1),
        _key("left_curly_bracket", "zoom_y", "zoom_out_y", "Zoom out of y", -1),
        _key("less_than_sign", "pan", "move_left", "Move left", -1, 0),
        _key("greater_than_sign", "pan", "move_right", "Move right", 1, 0),
        _key("shift+up", "pan", "move_up", "Move up", 0, 1),
        _key("shift+down", "pan", "move_down", "Move down", 0, -1),
        _key("0", "reset", "reset", "Show all"),
        _key("f", "follow", "follow", "Follow", show=True),
        _key("e", "average", "average", "EMA", show=True),
        _key("L", "scale", "scale", "Log y", show=True),
        _key("a", "axis", "axis", "X axis", show=True),
        _key("b", "band", "band", "Band", show=True),
        _key("t", "traces", "traces", "Traces", show=True),
    ]

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._linked: Linked | None = None
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self.viewer: Viewer | None = None  # until there is something to look at

    def link(self, linked: Linked) -> None:
        """Share the range of x and the cross-hair with other charts; before there are data."""
        self._linked = linked
        linked.join(self.refresh)

    def on_unmount(self) -> None:
        """Be told of nothing any more."""
        if self._linked:
            self._linked.leave(self.refresh)

    def show(self, panel: Panel | None) -> None:
        """Show another panel, or the same one with newer data; what is looked at stays."""
        if panel is None:
            self.viewer = None
        elif self.viewer is None:
            from lthtui.charts.viewer import Viewer

            self.viewer = Viewer(self._linked)
        if self.viewer and panel:
            self.viewer.show(panel)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        if self.viewer is None:
            return Strip.blank(self.size.width, self.rich_style)
        rows = self.viewer.rows(*self.size, self._look())
        if rows is not self._rows:
            self._rows, self._strips = rows, self._made(rows)
        if y < len(self._strips):
            return self._strips[y].apply_style(self.rich_style)
        return Strip.blank(self.size.width, self.rich_style)

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to the screen while there is no cross-hair to hide."""
        return action != "hide" or bool(self.viewer and self.viewer.view.cursor is not None)

    def action_go(self, method: str, numbers: tuple[int, ...] = ()) -> None:
        """Have the viewer do something."""
        if self.viewer:
            getattr(self.viewer, method)(*numbers)
            self.refresh()

    def action_hide(self) -> None:
        """Hide the cross-hair."""
        self.action_go("hide")

    # ---- mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag."""
        if self.viewer:
            self.viewer.press(self._cell(event), event.button == RIGHT or event.ctrl)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag what is shown along."""
        if self.viewer and self.viewer.drag(self._cell(event)):
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End what the mouse did."""
        self.release_mouse()
        if self.viewer:
            self.viewer.release(self._cell(event))
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Show everything again after a second click."""
        if event.chain == 2:
            self.action_go("reset")
            self.action_go("hide")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Enlarge what the mouse points at."""
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Show more around what the mouse points at."""
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, way: int) -> None:
        if self.viewer:
            self.viewer.wheel(self._cell(event), way, upright=event.ctrl)
            self.refresh()
            event.stop()

    def _cell(self, event: events.MouseEvent) -> tuple[int, int]:
        """Where in the chart the mouse is; it may be beyond while it drags."""
        return event.x - self.gutter.left, event.y - self.gutter.top

    # ---- drawing

    def _made(self, rows: list[Row]) -> list[Strip]:
        width = self.size.width
        return [Strip([Segment(text, style) for text, style in row], width) for row in rows]

    def _look(self) -> Look:
        from lthtui.charts import Look

        paper, ink = self.background_colors[1], self.styles.color
        shades = (paper.blend(ink, share).hex6.lower() for share in (1.0, 0.6, 0.3))
        braille = not any(isinstance(one, Plain) for one in self.app.get_line_filters())
        return Look(not self.app.no_color, braille, paper.hex6.lower(), *shades)
