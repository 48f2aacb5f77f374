"""The last line: the keys that work now. Quit and help are always among them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.style import Style
from rich.text import Text
from textual.screen import Screen
from textual.widget import Widget

from lthtui.widgets.tones import tone

LAST = ("app.quit", "app.help")  # which have their place however narrow the line is


class KeyBar(Widget):
    """One line. Keys that do nothing for what is chosen are dim, and some have no room."""

    def on_mount(self) -> None:
        """Follow what has the focus, and what is chosen."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def render(self) -> Text:
        """Draw the line; each key may be clicked on."""
        keys: dict[str, Text] = {}
        for name, key in self._keys():
            keys.setdefault(name, key)  # the first of several keys for the same
        last = [keys.pop(name) for name in LAST if name in keys]
        line = Text(" ", no_wrap=True)
        room = self.size.width - 1 - sum(one.cell_len + 2 for one in last)
        for one in keys.values():
            if one.cell_len + 2 > room:
                break
            room -= one.cell_len + 2
            line.append_text(one).append("  ")
        return line.append_text(Text("  ").join(last))

    def _changed(self, screen: Screen[object]) -> None:
        self.refresh()

    def _keys(self) -> Iterator[tuple[str, Text]]:
        """By the binding's name, its key and what that does."""
        dim, bright = tone(self, "dim"), tone(self, "name", bold=True)
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.id and binding.description:
                click = Style.from_meta({"@click": f"app.simulate_key('{binding.key}')"})
                key = self.app.get_key_display(binding)
                text = Text(key, (bright if active.enabled else dim) + click)
                yield binding.id, text.append(f" {binding.description}", dim + click)
