"""What a user does in the app, key by key."""

from __future__ import annotations

import random
import re

import pytest
from rundirs import FakeRun, populate
from textual import events
from textual.widgets import Static, TabbedContent

from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.help import HelpScreen
from lthtui.screens.main import MainScreen
from lthtui.screens.run import RunScreen
from lthtui.screens.specs import SpecsScreen
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid
from lthtui.widgets.training import Training

from .conftest import StubDesk, screen


def table(app):
    """Rows of the table in view: their texts, joined."""
    return [" ".join(cell.text for cell in row.cells) for row in app.screen.query_one(Grid).rows]


def tab(app):
    """The tab in view."""
    return app.screen.query_one(TabbedContent).active.removeprefix("tab-")


def toasts(app):
    return [notification.message for notification in app._notifications]


async def test_runs_are_grouped_with_mean_and_deviation_over_seeds(running, root):
    populate(root)
    async with running() as pilot:
        group, *seeds = table(pilot.app)[-4:]
        assert group == "digits-imp  n=2/3 ●1 ✓2 3/5 51% 94.1±0.7 93.1±0.7 +3.6 0:17"
        assert seeds[0] == "s0 ✓ finished 5/5 51% 93.6 @3 92.6 +3.6 –"
        assert seeds[2] == "s2 ● running 3/5 64% 94.2 @2 93.2 +3.2 0:17"
        assert "● 1 running  ◌ 1 queued  ✓ 4 finished" in screen(pilot.app).splitlines()[0]


async def test_groups_of_one_name_are_told_apart_by_what_differs(running, root):
    populate(root)
    async with running() as pilot:
        names = [row.split(" ✓")[0] for row in table(pilot.app)[:2]]
        assert names == ["imp rate=0.5 · sweep", "imp rate=0.3 · sweep"]


async def test_cursor_stays_on_its_run_when_rows_move(running, root):
    populate(root)
    async with running() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        await pilot.press("end")
        chosen = grid.cursor
        FakeRun(root, "newest", model="resnet44").queue()
        await pilot.settle(lambda: len(pilot.app.board.runs) == 9)
        assert table(pilot.app)[0].startswith("newest")
        assert grid.cursor == chosen and grid.cursor_index == len(grid.rows) - 1


async def test_details_follow_the_cursor(running, root):
    runs = populate(root)
    async with running() as pilot:
        await pilot.press("end")
        await pilot.settle(lambda: "epoch 3: 100%" in screen(pilot.app))
        text = screen(pilot.app)
        assert "digits-imp s2  accuracy by weights kept" in text
        assert "level 3  training loss  ━━ s2" in text
        assert "best so far: level 2 at 64%" in text
        assert runs["imp-s2"].run_id == pilot.app.screen.query_one(Grid).cursor


async def test_a_failed_run_says_why(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("slash", *"diverging", "enter")
        await pilot.settle()
        assert "the loss became NaN at level 1" in screen(pilot.app)


async def test_groups_fold(running, root):
    populate(root)
    async with running() as pilot:
        whole = table(pilot.app)
        await pilot.press("end", "h")
        await pilot.settle()
        assert table(pilot.app) == whole[:-3]
        assert pilot.app.screen.query_one(Grid).cursor.startswith("group:")
        await pilot.press("l")
        await pilot.settle()
        assert table(pilot.app) == whole


async def test_finished_groups_start_folded(running, root):
    for seed in range(2):
        FakeRun(root, "done", seed).start().train(6).end()
    async with running() as pilot:
        assert len(table(pilot.app)) == 1


async def test_filter_hides_runs_but_changes_no_figure(running, root):
    populate(root)
    async with running() as pilot:
        group = table(pilot.app)[-4]
        await pilot.press("slash", *"digits-imp running")
        await pilot.settle()
        shown = group.replace("n=2/3", "n=2/3 (1 shown)")
        assert table(pilot.app) == [shown, "s2 ● running 3/5 64% 94.2 @2 93.2 +3.2 0:17"]
        await pilot.press("escape")
        await pilot.settle()
        assert len(table(pilot.app)) == 9
        assert pilot.app.focused is pilot.app.screen.query_one(Grid)


async def test_a_filter_that_cannot_be_read_says_where_and_hides_nothing(running, root):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("slash", *"val>93")
        await pilot.settle()
        assert "column 5: val is a share of 1; expected one, or 93%" in screen(pilot.app)
        assert len(table(pilot.app)) == 9
        await pilot.press("enter")  # which leaves the line only once it can be read
        await pilot.settle()
        assert pilot.app.focused is pilot.app.screen.query_one("#filter")
        await pilot.press("%")
        await pilot.settle()
        assert "column 5" not in screen(pilot.app)
        assert len(table(pilot.app)) == 4 and "/val>93%" in screen(pilot.app)


async def test_open_a_run_and_go_through_its_tabs(running, root):
    populate(root)
    async with running(size=(120, 40)) as pilot:
        await pilot.press("end", "enter")
        await pilot.settle()
        assert isinstance(pilot.app.screen, RunScreen)
        assert "● running  level 3/5  epoch 14/24  eta 0:17  " in screen(pilot.app)
        assert "best so far" in screen(pilot.app)
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "level 3  validation accuracy" in screen(pilot.app))
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: re.search(r"2 ◇ +64% +64,000/100,000", screen(pilot.app)))
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: tab(pilot.app) == "layers")
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "nothing was evaluated yet" in screen(pilot.app))
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "▸ run folder" in screen(pilot.app))
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "epoch 3: 100%" in screen(pilot.app))
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "name: resnet20" in screen(pilot.app))
        await pilot.press("escape")
        await pilot.settle()
        assert isinstance(pilot.app.screen, MainScreen)


async def test_open_a_group(running, root):
    populate(root)
    async with running(size=(120, 40)) as pilot:
        await pilot.press("end", "h", "enter", "right_square_bracket", "right_square_bracket")
        await pilot.settle(lambda: "3 ◆ ×2" in screen(pilot.app))
        assert "94.1±0.7 (2)" in screen(pilot.app)


async def test_no_long_name_hides_how_a_run_is_doing(running, root):
    FakeRun(root, "a-long-name-" * 5).start(alive=True).train(3, 2)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await pilot.settle(lambda: "● running  level 3/5  epoch 14/24" in screen(pilot.app))


async def test_what_a_tab_hides_gives_the_focus_to_nothing_beside_it(running, root):
    populate(root)
    async with running(size=(120, 40)) as pilot:
        await pilot.press("end", "enter", "right_square_bracket")
        await pilot.settle(lambda: "epoch" in screen(pilot.app))
        run = pilot.app.screen
        assert run.focused in run.query_one("#training").walk_children()
        run.query_one(TabbedContent).active = "tab-log"  # with which its two charts are hidden
        run.action_tab(1)
        assert run.focused is None


async def test_stop_asks_once_and_names_the_victim(running, root):
    runs = populate(root)
    desk = StubDesk(root)
    async with running(desk=desk) as pilot:
        await pilot.press("end", "x")
        await pilot.settle()
        assert f"Stop {runs['imp-s2'].run_id}?" in screen(pilot.app)
        assert "R resumes it" in screen(pilot.app)
        await pilot.press("enter")
        await pilot.settle()
        assert isinstance(pilot.app.screen, MainScreen) and desk.asked == []
        await pilot.press("x", "y")
        await pilot.settle(lambda: desk.asked)
        assert desk.asked == [("stop", [runs["imp-s2"].run_id])]


async def test_a_finished_run_cannot_be_stopped(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("home", "x")
        await pilot.settle()
        assert not isinstance(pilot.app.screen, ConfirmScreen)


async def test_what_waits_has_no_checkpoint_to_stop_at(running, root):
    FakeRun(root, "one").queue()
    async with running() as pilot:
        await pilot.press("x")
        await pilot.settle(lambda: "It has not begun, and leaves the queue" in screen(pilot.app))
        await pilot.press("escape", "R")
        await pilot.settle(lambda: pilot.app._notifications)
        assert [one.message for one in pilot.app._notifications] == ["Resume: one s0 is queued"]


async def test_resume_a_stopped_run(running, root):
    runs = populate(root)
    desk = StubDesk(root)
    async with running(desk=desk) as pilot:
        await pilot.press("slash", *"halted", "enter", "R")
        await pilot.settle(lambda: desk.asked)
        assert desk.asked == [("resume", [runs["stopped"].run_id])]


async def test_copy_writes_the_clipboard_and_a_file(running, root):
    runs = populate(root)
    async with running() as pilot:
        await pilot.press("end", "y")
        await pilot.settle(lambda: toasts(pilot.app))
        assert pilot.app.clipboard == runs["imp-s2"].run_id
        assert (root.parent / "cache/lthtui/clip.txt").read_text().strip() == pilot.app.clipboard


async def test_the_address_of_mlflows_page_is_copied_and_shown_as_a_link(running, root):
    run = populate(root)["imp-s2"]
    run.directory.mlflow_file.write_text('{"mlflow_run_id": "abc"}')
    address = "http://127.0.0.1:5000/#/runs/abc"
    async with running() as pilot:
        await pilot.press("end", "M")
        await pilot.settle(lambda: len(toasts(pilot.app)) == 2)
        assert pilot.app.clipboard == address
        assert f"`lthtui --root {root} mlflow` runs" in toasts(pilot.app)[0]
        await pilot.press("enter", "left_square_bracket")
        await pilot.settle(lambda: address in screen(pilot.app))
        strips = pilot.app.screen._compositor.render_strips()
        segments = [one for strip in strips for one in strip if address in one.text]
        assert [one.style.link for one in segments] == [address]


async def test_help_names_every_key_of_the_screen(running, root):
    async with running() as pilot:
        wanted = {
            active.binding.description
            for active in pilot.app.screen.active_bindings.values()
            if active.binding.id and active.binding.description
        }
        await pilot.press("question_mark")
        await pilot.settle()
        assert isinstance(pilot.app.screen, HelpScreen)
        shown = str(pilot.app.screen.query_one("#dialog Static", Static).content)
        assert {what for what in wanted if what not in shown} == set()
        await pilot.press("escape")
        await pilot.settle()
        assert isinstance(pilot.app.screen, MainScreen)


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_palette_finds_actions(running, root, specs, key):
    async with running() as pilot:
        await pilot.press(key)
        await pilot.settle()
        await pilot.press(*"New")
        await pilot.settle(lambda: "key n" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, SpecsScreen))


async def test_quitting_stops_no_run_and_says_so(running, root):
    populate(root)
    desk = StubDesk(root)
    async with running(desk=desk) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert pilot.app.return_code == 0
        assert [str(text) for text in pilot.app._exit_renderables] == [
            "2 runs go on; `lthtui` shows them again"
        ]
    assert desk.asked == []


async def test_a_narrow_terminal_shows_one_pane_and_switches(running, root):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        panes = [pilot.app.screen.query_one(name) for name in ("#curve", "#training", "#log")]
        for shown in range(3):
            assert [pane.is_on_screen for pane in panes] == [at == shown for at in range(3)]
            await pilot.press("right_square_bracket")
            await pilot.settle()
        await pilot.resize_terminal(160, 48)
        await pilot.settle()
        assert all(pane.is_on_screen for pane in panes)


async def test_mouse_selects_folds_and_opens(running, root):
    populate(root)
    async with running() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        last = len(grid.rows)
        await pilot.click(grid, offset=(10, last))
        assert grid.cursor_index == last - 1
        await pilot.click(grid, offset=(0, last - 3))
        await pilot.settle()
        assert len(grid.rows) == last - 3
        await pilot.click(grid, offset=(10, 1), times=2)
        await pilot.settle()
        assert isinstance(pilot.app.screen, RunScreen)


async def test_an_error_in_a_thread_becomes_a_message(running, root):
    class Broken(StubDesk):
        def poll(self):
            raise OSError("the disk [bold]went\x1b[2J away")

    async with running(desk=Broken(root)) as pilot:
        await pilot.settle(lambda: toasts(pilot.app))
        assert toasts(pilot.app) == ["the disk [bold]went\\x1b[2J away"]
        assert pilot.app.is_running


async def test_text_from_outside_is_shown_as_text(running, root, specs):
    run = FakeRun(root, "hostile").start().train(1).end("failed", "\x1b[31m[red]no[/red]\x07")
    run.log("\x1b]52;c;aGFjaw==\x07 [bold]plain[/bold]\n")
    (specs / "[red]x\x1b[2J.yaml").write_text("")
    async with running() as pilot:
        await pilot.settle(lambda: "[bold]plain[/bold]" in screen(pilot.app))
        assert "\\x1b]52;c;aGFjaw==\\x07" in screen(pilot.app)
        assert "\\x1b[31m[red]no[/red]\\x07" in screen(pilot.app)
        await pilot.press("n")
        await pilot.settle(lambda: "[red]x\\x1b[2J.yaml" in screen(pilot.app))
        assert "\x1b" not in screen(pilot.app)


async def test_a_folder_whose_spec_cannot_be_read_is_counted(running, root):
    populate(root)
    (root / "runs" / "junk").mkdir()
    (root / "runs" / "junk" / "spec.yaml").write_text("a: [")
    async with running() as pilot:
        assert len(pilot.app.board.runs) == 8 and not toasts(pilot.app)
        assert "8 runs, 1 unreadable" in screen(pilot.app)


async def test_charts_draw_again_only_when_something_changed(running, root, monkeypatch):
    populate(root)
    drawn = []
    made = ChartView._made
    monkeypatch.setattr(
        ChartView, "_made", lambda self, rows: drawn.append(self.id) or made(self, rows)
    )
    async with running() as pilot:
        training = pilot.app.screen.query_one(Training)
        await pilot.settle(lambda: training._read is not None)  # which is after a rest
        before = len(drawn)
        for _ in range(5):
            await pilot.settle()
        assert len(drawn) == before > 0


def clicked(app, dice):
    """What a terminal sends as somebody clicks, drags or turns the wheel somewhere."""
    ways = [(events.MouseScrollUp,), (events.MouseScrollDown,), (events.MouseScrollRight,)]
    click = (events.MouseDown, events.MouseUp)
    ways += [click, 2 * click, (events.MouseDown, events.MouseMove, events.MouseUp)]
    button = dice.choice([1, 1, 1, 2, 3])
    held = {name: dice.random() < 0.15 for name in ("shift", "meta", "ctrl")}
    at = dice.randrange(app.size.width), dice.randrange(app.size.height)
    for kind in dice.choice(ways):
        if kind is events.MouseMove:
            at = dice.randrange(app.size.width), dice.randrange(app.size.height)
        place = {"x": at[0], "y": at[1], "screen_x": at[0], "screen_y": at[1]}
        yield kind(None, button=button, delta_x=0, delta_y=0, **place, **held)


@pytest.mark.parametrize(
    ("seed", "there"),
    [
        (0, ()),
        pytest.param(1, (), marks=pytest.mark.fault),
        pytest.param(2, ("end", "enter"), marks=pytest.mark.fault),
        pytest.param(3, ("end", "space", "home", "space", "c"), marks=pytest.mark.fault),
        pytest.param(8, ("4",), marks=pytest.mark.fault),
        pytest.param(5, ("5",), marks=pytest.mark.fault),
        pytest.param(6, ("colon",), marks=pytest.mark.fault),
    ],
)
async def test_no_sequence_of_keys_and_clicks_breaks_it(running, root, specs, seed, there):
    populate(root)
    keys = "up down left right enter escape space tab n x R y slash m question_mark colon j k"
    keys += " right_square_bracket left_square_bracket g G pageup pagedown a backspace r ctrl+c"
    keys += " c c 1 3 B P v E comma full_stop equals_sign h l"
    keys += " s e greater_than_sign shift+down shift+right"
    dice = random.Random(seed)
    async with running(size=(80, 24)) as pilot:
        await pilot.press(*there)
        for _ in range(120):
            chance = dice.random()
            if chance < 0.05:
                await pilot.resize_terminal(dice.randint(20, 170), dice.randint(4, 50))
            elif chance < 0.4:
                for event in clicked(pilot.app, dice):
                    pilot.app._driver.process_message(event)
                await pilot.pause()
            else:
                await pilot.press(dice.choice(keys.split()))
            if pilot.app.return_code == 0:
                return  # a click on `q Quit`
        await pilot.settle()
        assert pilot.app.return_code is None
        assert not [one for one in pilot.app._notifications if one.severity == "error"]


async def test_panes_are_gone_through_in_their_order_and_back_to_the_table(running, root):
    populate(root)
    async with running(size=(120, 40)) as pilot:
        await pilot.settle()

        def place():
            names = ("table", "curve", "training", "log")
            found = [pilot.app.screen.query_one(f"#{name}") for name in names]
            return [one.id for one in found if one.has_focus or one.has_focus_within]

        for name in ("curve", "training", "log", "table", "curve"):
            await pilot.press("right_square_bracket")
            assert place() == [name]
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert place() == ["log"]
        pilot.app.screen.query_one("#curve").focus()  # as a click does
        await pilot.press("right_square_bracket")
        assert place() == ["training"]


async def test_two_quick_presses_go_two_tabs_on(running, root):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("end", "enter")
        await pilot.settle()
        tabs = pilot.app.screen.query_one(TabbedContent)
        keys = ("right_square_bracket", "right_square_bracket")
        for key in keys:  # as fast as a terminal sends them
            pilot.app.post_message(events.Key(key, "]"))
        await pilot.settle(lambda: tabs.active == "tab-levels")


async def test_the_number_of_a_place_leads_to_what_was_open_there_and_once_more_to_itself(
    running, root
):
    populate(root)
    async with running() as pilot:
        await pilot.press("enter", "1")
        await pilot.settle()
        assert isinstance(pilot.app.screen, MainScreen)
        await pilot.press("enter", "2", "1")
        await pilot.settle()
        assert isinstance(pilot.app.screen, RunScreen)
        await pilot.press("1")
        await pilot.settle(lambda: "runs  6 groups" in screen(pilot.app))
        assert isinstance(pilot.app.screen, MainScreen)


async def test_the_log_of_an_open_run_goes_on_after_another_place_was_seen(running, root):
    run = FakeRun(root, "one").start(alive=True).train(1)
    run.log("before\n")
    async with running(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        pilot.app.screen.query_one(TabbedContent).active = "tab-log"
        await pilot.settle(lambda: "before" in screen(pilot.app))
        await pilot.press("2")
        await pilot.settle(lambda: "devices" in screen(pilot.app))
        await pilot.press("1")
        await pilot.settle(lambda: "before" in screen(pilot.app))
        run.log("after\n")
        await pilot.settle(lambda: "after" in screen(pilot.app))


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_what_is_told_takes_the_end_of_one_line_and_no_key(running, root, size):
    populate(root)
    async with running(size=size, toasts=True) as pilot:
        before = screen(pilot.app).splitlines()
        pilot.app.notify("sweep s0 failed: the disk is full", markup=False)
        await pilot.settle(lambda: "the disk is full" in screen(pilot.app))
        lines = screen(pilot.app).splitlines()
        changed = [at for at, two in enumerate(zip(before, lines, strict=True)) if len({*two}) > 1]
        assert changed == [1] and lines[1].endswith("▌ sweep s0 failed: the disk is full")
        assert lines[1][:30] == before[1][:30]
