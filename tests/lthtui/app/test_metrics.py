"""The picker of metrics by itself."""

from __future__ import annotations

from textual.app import App

from lthtui.screens.metrics import MetricsScreen


class PickApp(App):
    def on_mount(self):
        values = {"epoch/loss": 1.0, "epoch/lr": 0.1, "loss": 2.0}
        self.push_screen(MetricsScreen(values, ("epoch/lr",), 4))


async def test_it_begins_at_what_is_drawn_and_nothing_is_folded_from_an_empty_list():
    async with PickApp().run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        picker = pilot.app.screen
        whole = ["group epoch/", "epoch/loss", "epoch/lr", "group ", "loss"]
        assert [row.key for row in picker.rows()] == whole
        assert picker.grid.cursor == "epoch/lr"
        await pilot.press(*"nosuch", "enter", "space")
        assert not picker.grid.rows and pilot.app.screen is picker
        await pilot.press(*["backspace"] * 6)
        assert [row.key for row in picker.grid.rows] == whole
