"""One line to choose a level by mouse: arrows, a track, the wheel."""

from __future__ import annotations

from collections.abc import Callable

from rich.style import Style
from rich.text import Text
from textual import events
from textual.widget import Widget

from lthtui.sliding import Slide
from lthtui.table import Cell
from lthtui.widgets.tones import tone


class Slider(Widget):
    """Shows which level is looked at; `choose` is told another, None for the newest."""

    def __init__(self, choose: Callable[[int | None], object]) -> None:
        super().__init__()
        self._choose = choose
        self.slide: Slide | None = None

    def show(self, slide: Slide | None) -> None:
        """Show another level, or nothing where there are not several."""
        if slide != self.slide:
            self.slide = slide
            self.display = slide is not None
            self.refresh()

    def step(self, by: int) -> None:
        """Choose the level that many further in the row."""
        if self.slide:
            self._choose(self.slide.beside(by))

    def render(self) -> Text:
        """Draw the line: what has no room is left out, the track first."""
        slide, line = self.slide, Text(no_wrap=True)
        if slide is None:
            return line
        dim, bright = tone(self, "dim"), tone(self, "name", bold=True)
        line.append(" level ", dim).append("◀", bright + _step(-1))
        line.append(f" {slide.level} ", tone(self, "", bold=True)).append("▶", bright + _step(1))
        line.append(f" of {slide.last}", dim)
        newest = (Cell("newest", "dim"),) if slide.newest else ()
        for fact in (*slide.facts, *newest):
            if line.cell_len + 2 + len(fact.text) <= self.size.width:
                line.append("  ").append(fact.text, tone(self, fact.tone))
        line.append("  ")
        for sign, level in slide.track(self.size.width - line.cell_len - 1):
            here = sign == "●"
            line.append(sign, (bright if here else dim) + Style.from_meta({"level": level}))
        return line

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked on."""
        meta = event.style.meta
        if "step" in meta:
            self.step(meta["step"])
        elif "level" in meta and self.slide:
            self._choose(self.slide.nearest(meta["level"]))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Choose the next level."""
        event.stop()
        self.step(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Choose the level before."""
        event.stop()
        self.step(-1)


def _step(by: int) -> Style:
    return Style.from_meta({"step": by})
