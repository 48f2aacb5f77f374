"""A chart on screen: drawn when its data, its size, its view or the theme change, and only then."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from lthtui.legible import SEEN, legible
from lthtui.linked import Linked
from lthtui.messages import Act
from lthtui.screens.base import Asking
from lthtui.widgets import plain
from lthtui.widgets.tones import ground

if TYPE_CHECKING:
    from lthtui.charts import How, Look, Panel, Row
    from lthtui.charts.viewer import Viewer
    from lthtui.desk import Desk

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
        Binding("w", "write", "Write a file", show=False, id="chart.write"),
    ]

    MOUSE = (
        ("click", "Cross-hair, or a name"),  # of a line, which is then in focus
        ("2 clicks", "Show all"),
        ("drag", "Move"),
        ("^drag", "Zoom into a box"),  # as with the right button
        ("wheel", "Zoom in or out"),
        ("^wheel", "Zoom in or out on y"),
    )

    def __init__(self, id: str | None = None, classes: str | None = None, kind: str = "") -> None:
        """Make a chart of a kind, whose looks are remembered; of none, they are not."""
        super().__init__(id=id, classes=classes)
        self._kind = kind
        self._linked: Linked | None = None
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self._under = Style()  # of the widget, where what is drawn has no other
        self.viewer: Viewer | None = None  # until there is something to look at

    def link(self, linked: Linked) -> None:
        """Share the range of x and the cross-hair with other charts; before there are data."""
        self._linked = linked
        linked.join(self.refresh)

    def on_unmount(self) -> None:
        """Be told of nothing any more."""
        if self._linked:
            self._linked.leave(self.refresh)
        self._leave()

    def show(self, panel: Panel | None) -> None:
        """Show another panel, or the same one with newer data; what is looked at stays."""
        if panel is None:
            self._leave()
        elif self.viewer is None:
            from lthtui.charts import habits
            from lthtui.charts.viewer import Viewer

            linked = self._linked or Linked()
            if self._kind and linked.how is None:
                linked.how = habits.recall(self._kind)
            self.viewer = Viewer(linked)
        if self.viewer and panel:
            self.viewer.show(panel)
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        """Have those lines painted that have changed: news are mostly few, and terminals slow."""
        before, rows = self._rows, self._drawn() if self.is_on_screen else []
        if not before or len(before) != len(rows):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def _drawn(self) -> list[Row]:
        """What is to be seen now; the very same as before while nothing has changed."""
        return self.viewer.rows(*self.size, self._look()) if self.viewer else []

    def _leave(self) -> None:
        """Look at nothing any more; charts beside this one do not wait for it."""
        viewer, self.viewer = self.viewer, None
        if viewer:
            viewer.leave()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is to be seen now, once for all lines."""
        rows = self._drawn()
        before, self._under = self._under, self.rich_style
        if rows is not self._rows or self._under != before:
            self._rows, self._strips = rows, self._made(rows)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line as it was drawn last."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self._under)

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to the screen while there is no cross-hair to hide."""
        return action != "hide" or bool(self.viewer and self.viewer.view.cursor is not None)

    def action_go(self, method: str, numbers: tuple[int, ...] = ()) -> None:
        """Have the viewer do something."""
        if self.viewer:
            before = self.viewer.how
            getattr(self.viewer, method)(*numbers)
            self._changed()
            if self._kind and self.viewer.how != before:
                self._remember(self.viewer.how)

    def action_hide(self) -> None:
        """Hide the cross-hair."""
        self.action_go("hide")

    def action_write(self) -> None:
        """Ask for a file, and write what is drawn to it."""
        if self.viewer and isinstance(self.screen, Asking):
            from lthtui.charts import files
            from lthtui.screens.export import export

            chart, view = self.viewer.chart, self.viewer.view

            def write(_: Desk, file: Path, overwrite: bool) -> str:
                return files.write(chart, view, file, overwrite)

            export(self.screen, "Export to", files.name(chart), write, files.FORMS)

    def _changed(self) -> None:
        """Draw anew, and tell that escape hides the cross-hair now, or no longer does."""
        self.refresh()
        self.refresh_bindings()

    def _remember(self, how: How) -> None:
        from lthtui.charts import habits

        kind, kept = self._kind, asdict(how)
        self.screen.post_message(Act(lambda desk: desk.memory.put(habits.SECTION, kind, kept)))

    # ---- mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag."""
        if self.viewer and not self._named(event):
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
            self._changed()

    def on_click(self, event: events.Click) -> None:
        """Draw the line bright that is named there; show everything again after a second click."""
        label = self._named(event) if self.viewer else ""
        if self.viewer and label and event.chain == 1:
            self.viewer.single(label)
            self._changed()
        elif event.chain == 2 and not label:
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

    def _named(self, event: events.MouseEvent) -> str:
        """The line that the legend names where the mouse is; empty elsewhere."""
        from lthtui.charts.legend import LINE

        return str(event.style.meta.get(LINE, ""))

    def _cell(self, event: events.MouseEvent) -> tuple[int, int]:
        """Where in the chart the mouse is; it may be beyond while it drags."""
        return event.x - self.gutter.left, event.y - self.gutter.top

    # ---- drawing

    def _made(self, rows: list[Row]) -> list[Strip]:
        width, under = self.size.width, self._under
        return [Strip([Segment(text, under + style) for text, style in row], width) for row in rows]

    def _look(self) -> Look:
        from lthtui.charts import Look

        paper, ink = ground(self)
        under = paper.hex6.lower()
        text, label, line = (paper.blend(ink, share).hex6.lower() for share in (1.0, 0.6, 0.3))
        braille = not plain.asked(self.app)
        colour = not self.app.no_color
        text, label, line = legible(text, under), legible(label, under), legible(line, under, SEEN)
        return Look(colour, braille, under, text, label, line)
