"""The view of a log by itself: following, paging, searching, warnings only."""

from __future__ import annotations

import pytest
from rundirs import FakeRun
from textual.app import App
from textual.widgets import Input, Static, TabbedContent, TabPane

from lthtui import logpages
from lthtui.loglines import LogLine
from lthtui.logtail import LogTail
from lthtui.widgets.lines import Lines
from lthtui.widgets.log import LogView

from .conftest import screen


class LogApp(App):
    def __init__(self, path):
        super().__init__()
        self.animation_level = "none"
        self.path, self.tail, self.asked = path, LogTail(path), 0
        path.touch()

    def compose(self):
        with TabbedContent():
            with TabPane("first", id="first"):
                yield Static("first")
            with TabPane("log", id="log"):
                yield LogView(id="view")

    def on_ask(self, asked):
        self.asked += 1
        asked.reply(asked.question(None))

    @property
    def log_view(self):
        return self.query_one(LogView)

    @property
    def lines(self):
        view = self.query_one(Lines)
        return [view.render_line(y).text.strip() for y in range(view.size.height)]

    @property
    def status(self):
        return str(self.query_one(".how", Static).render()).strip()

    def grow(self, first, last):
        with self.path.open("a") as file:
            file.writelines(f"{line(number)}\n" for number in range(first, last))
        self.look()

    def look(self):
        while chunk := self.tail.read():
            self.log_view.show(chunk)


def line(number):
    if number % 5000 == 2500:
        return f"line {number} warning: {number} is odd"
    return f"line {number}"


@pytest.fixture
def app(tmp_path):
    return LogApp(tmp_path / "log.txt")


async def opened(app, pilot, grown=0):
    app.grow(0, grown)
    app.query_one(TabbedContent).active = "log"
    await pilot.pause()
    app.log_view.focus()
    await pilot.pause()


async def until(pilot, condition):
    for _ in range(200):
        if condition():
            return
        await pilot.pause()
    raise AssertionError((pilot.app.lines, pilot.app.status))


async def test_the_newest_line_stays_in_view_in_any_window(app):
    async with app.run_test(size=(60, 20)) as pilot:
        app.look()
        assert app.status == "nothing written yet"
        app.grow(0, 100)  # while another tab is shown
        await pilot.pause()
        app.query_one(TabbedContent).active = "log"
        await pilot.pause()
        assert app.lines[-1] == "line 99"
        for height in (8, 40, 12):
            await pilot.resize_terminal(60, height)
            await pilot.pause()
            assert app.lines[-1] == "line 99" and len(app.lines) > 3
        app.grow(100, 110)
        await pilot.pause()
        assert app.lines[-1] == "line 109" and app.status == "following"


async def test_who_scrolled_up_stays_there_until_the_end_is_back_in_view(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 100)
        await pilot.press("home")
        app.grow(100, 110)
        await pilot.resize_terminal(60, 14)
        await pilot.pause()
        assert app.lines[0] == "line 0" and app.status == "paused at 0%, G follows"
        await pilot.press("end")
        app.grow(110, 120)
        await pilot.pause()
        assert app.lines[-1] == "line 119" and app.status == "following"
        await pilot.press("up")
        await pilot.pause()
        assert app.lines[-1] == "line 118" and app.status.startswith("paused")
        app.grow(120, 121)
        await pilot.pause()
        assert app.lines[-1] == "line 118"
        await pilot.click(".how")
        await pilot.pause()
        assert app.lines[-1] == "line 120"


async def test_all_of_a_long_log_can_be_scrolled_through_in_bounded_memory(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 16_000)
        await until(pilot, lambda: app.lines[-1] == "line 15999")
        await pilot.press("g")
        await until(pilot, lambda: app.lines[0] == "line 0")
        app.grow(16_000, 16_010)
        await pilot.pause()
        assert app.lines[0] == "line 0"
        view, seen = app.query_one(Lines), 0
        while app.log_view._window.size > app.log_view._window.end or view.below > 0:
            first = int(app.lines[0].split()[1])
            assert app.lines == [line(first + at) for at in range(len(app.lines))]
            assert first >= seen
            seen = first
            view.scroll_to(y=view.scroll_offset.y + 1500, animate=False, immediate=True)
            await pilot.pause()
            assert len(app.log_view._window.lines) <= 5000
        assert app.lines[-1] == "line 16009" and app.status == "following"
        for _ in range(100):
            view.scroll_to(y=max(view.scroll_offset.y - 1500, 0), animate=False, immediate=True)
            await pilot.pause()
            first = int(app.lines[0].split()[1])
            assert app.lines == [line(first + at) for at in range(len(app.lines))]
            if not first:
                break
        assert first == 0
        await pilot.press("G")
        await until(pilot, lambda: app.lines[-1] == "line 16009")
        app.grow(16_010, 16_011)
        await until(pilot, lambda: app.lines[-1] == "line 16010")


async def test_all_of_the_log_is_searched_and_matches_are_gone_through(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 30_000)
        await pilot.press("slash", *"odd", "enter")
        await until(pilot, lambda: "/odd  6/6" in app.status)
        assert any("27500" in one for one in app.lines)
        await pilot.press("N")
        await until(pilot, lambda: any("22500" in one for one in app.lines))
        assert "5/6" in app.status and app.status.startswith("paused")
        await pilot.press("n", "n")
        await until(pilot, lambda: any("line 2500 " in one for one in app.lines))
        assert "1/6" in app.status
        app.grow(30_000, 33_000)
        await until(pilot, lambda: "1/7" in app.status)
        await pilot.press("escape")
        assert "odd" not in app.status
        assert not app.log_view.check_action("found", (1,))


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file"), ArithmeticError("odd")])
async def test_a_search_ends_where_its_log_cannot_be_read(app, monkeypatch, error):
    block = logpages.block

    def broken(file, start, size):
        if start:
            raise error
        return block(file, start, 50_000)

    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 30_000)
        monkeypatch.setattr(logpages, "block", broken)
        await pilot.press("slash", *"odd", "enter")
        await until(pilot, lambda: f"/odd  1/1 so far: {error.args[-1]}" in app.status)
        before = app.asked
        for _ in range(20):
            await pilot.pause()
        assert app.asked == before
        monkeypatch.setattr(logpages, "block", block)
        app.grow(30_000, 33_000)  # more was written: it is searched again
        await until(pilot, lambda: "/7" in app.status and "so far" not in app.status)


async def test_a_log_that_is_gone_is_not_searched(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 100)
        app.path.unlink()
        await pilot.press("slash", *"odd", "enter")
        await until(pilot, lambda: "/odd  0/0 so far: No such file" in app.status)


async def test_a_log_that_cannot_be_read_says_so_and_is_read_again_later(app, monkeypatch):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 16_000)
        whole = logpages.after
        monkeypatch.setattr(logpages, "after", lambda *_: 1 // 0)
        await pilot.press("g")
        await until(pilot, lambda: "no more can be read: integer division" in app.status)
        assert app.lines[-1] == "line 15999"
        monkeypatch.setattr(logpages, "after", whole)
        await pilot.press("g")
        await until(pilot, lambda: app.lines[0] == "line 0")
        assert app.status == "paused at 0%, G follows"


async def test_a_pattern_says_what_is_wrong_with_it_and_text_is_found_in_either_case(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 100)
        await pilot.press("slash", *"~(9", "enter")
        assert "bracket" in app.status and app.focused is app.query_one(Input)
        app.query_one(Input).value = "~^line 9\\d$"
        await pilot.press("enter")
        await until(pilot, lambda: "/10" in app.status)
        for wanted, said in {"LINE 99": "not found", "ine 99": "1/1"}.items():
            await pilot.press("slash")
            app.query_one(Input).value = wanted
            await pilot.press("enter")
            await until(pilot, lambda said=said: said in app.status)
        await pilot.press("slash", "x", "escape")
        assert app.focused is app.query_one(Lines) and "1/1" in app.status


async def test_matches_stand_out(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 100)
        await pilot.press("slash", *"99", "enter")
        await until(pilot, lambda: "1/1" in app.status)
        strip = app.query_one(Lines).render_line(len(app.lines) - 1)
        assert [part.text for part in strip if part.style.reverse] == ["99"]


async def test_a_log_without_warnings_says_so(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 100)  # the first warning would be line 2,500
        await pilot.press("w")
        await until(pilot, lambda: "no warnings, no errors" in app.status)
        await pilot.press("w")
        await until(pilot, lambda: line(99) in app.lines)
        assert "no warnings" not in app.status


async def test_only_warnings_and_errors_from_all_of_the_log(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot, 30_000)
        await pilot.press("w")
        warned = [line(number) for number in range(2500, 30_000, 5000)]
        await until(pilot, lambda: app.lines[: len(warned)] == warned)
        assert "following" in app.status and "warnings and errors only" in app.status
        app.grow(30_000, 33_000)
        await until(pilot, lambda: line(32_500) in app.lines)
        await pilot.press("slash", *"7500", "enter")
        await until(pilot, lambda: "/3" in app.status)
        await pilot.press("escape", "G", "w")
        await until(pilot, lambda: app.lines[-1] == "line 32999")


async def test_long_lines_go_on_below_where_that_is_wanted(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot)
        app.path.write_text("a" * 100 + "\n" + "字" * 40 + "\nend\n")
        app.look()
        await pilot.pause()
        assert app.lines[:3] == ["a" * 60, "字" * 30, "end"]
        await pilot.press("W")
        await pilot.pause()
        assert app.lines[:5] == ["a" * 60, "a" * 40, "字" * 30, "字" * 10, "end"]
        assert "wrapped" in app.status


async def test_a_text_is_shown_from_its_first_line_and_searched(app):
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot)
        view = LogView(file=False, id="text")
        await app.query_one("#log").mount(view)
        app.log_view.remove()
        await pilot.pause()
        view.show_text([LogLine(number, f"key{number}: 1") for number in range(50)])
        view.focus()
        await pilot.pause()
        assert app.lines[0] == "key0: 1" and app.status == ""
        await pilot.press("slash", *"key4", "enter")
        await until(pilot, lambda: "1/11" in app.status)
        await pilot.press("N")
        await until(pilot, lambda: "11/11" in app.status and "key49: 1" in app.lines)
        await pilot.press("w")
        assert "only" not in app.status


async def test_the_log_of_another_run_of_a_group_is_turned_to(running, root):
    for seed in range(3):
        FakeRun(root, "one", seed).start().log(f"of seed {seed}\n")
    async with running(size=(120, 40)) as pilot:
        await pilot.press("left_square_bracket")
        await pilot.settle(lambda: "of seed 0" in screen(pilot.app))
        for key, seed in (("greater_than_sign", 1), ("less_than_sign", 0), ("less_than_sign", 2)):
            await pilot.press(key)
            said = (f"of seed {seed}", f"s{seed}, {seed + 1} of 3")
            await pilot.settle(lambda said=said: all(one in screen(pilot.app) for one in said))
        pilot.app.screen.query_one("#table").focus()
        await pilot.press("right", "down")
        await pilot.settle(lambda: "of seed 0" in screen(pilot.app))
        assert "of 3" not in screen(pilot.app)
