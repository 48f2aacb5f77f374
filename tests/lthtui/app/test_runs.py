"""The table of runs as a user arranges it: columns, order, experiments, marks, devices."""

from __future__ import annotations

import json

import pytest
from rundirs import FakeRun, populate

from engine import noted, schema
from lthtui import gauges, state
from lthtui.gauges import Gauge, Machine
from lthtui.screens import main as module
from lthtui.screens.columns import ColumnsScreen
from lthtui.screens.compare import CompareScreen
from lthtui.screens.experiments import ExperimentScreen
from lthtui.screens.main import MainScreen
from lthtui.screens.sorting import SortScreen
from lthtui.widgets.grid import Grid

from .conftest import screen


def grid(pilot):
    return pilot.app.screen.query_one(Grid)


def titles(pilot):
    """The heads of the columns that have room, without how many have none."""
    return [one for one in grid(pilot).render_line(0).text.split() if not one.endswith("→")]


def names(pilot):
    return [row.cells[0].text.split("  ")[0] for row in grid(pilot).rows]


def marked(pilot):
    rows = (row for row in grid(pilot).rows if row.key in grid(pilot).marked)
    return [row.cells[0].text.split(" ")[0] for row in rows]


def kept(section="views"):
    """What is remembered of the table, by experiment."""
    found = json.loads(state.file().read_text()).get(section, {}) if state.file().exists() else {}
    return {key.rpartition("\n")[2]: value for key, value in found.items()}


async def arrive(pilot, kind):
    await pilot.settle(lambda: isinstance(pilot.app.screen, kind))


async def test_columns_are_searched_added_moved_pinned_and_reset(running, root):
    populate(root)
    async with running() as pilot:
        before = titles(pilot)
        await pilot.press("end", "v")
        await arrive(pilot, ColumnsScreen)
        assert len(grid(pilot).marked) == len(before)
        await pilot.press(*"train_loss")
        await pilot.settle(lambda: len(grid(pilot).rows) == 4)
        await pilot.press("down")
        said = "best(epoch/train_loss): metric, its best value: the smallest"
        await pilot.settle(lambda: said in screen(pilot.app))
        await pilot.press("space", "exclamation_mark", "enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: "best" in titles(pilot))
        assert titles(pilot)[:4] == ["run", "best", "train_loss", "status"]
        await pilot.press("v", *"status")
        await arrive(pilot, ColumnsScreen)
        await pilot.press("greater_than_sign", "greater_than_sign", "enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: titles(pilot)[3] == "level")
        assert titles(pilot)[3:6] == ["level", "kept", "status"]
        await pilot.press("v", "ctrl+r", "enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: titles(pilot) == before)


async def test_an_accuracy_at_a_share_of_weights_is_typed_as_a_column(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("end", "v", *"val@51%")
        await arrive(pilot, ColumnsScreen)
        await pilot.settle(lambda: [row.key for row in grid(pilot).rows] == ["val@51%"])
        said = "val@51%: val where about 51% of weights are kept (±12% of that, else –)"
        assert said in screen(pilot.app)
        await pilot.press("space", *["backspace"] * 7)
        await pilot.settle(lambda: "val@51%" in screen(pilot.app) and "user" in screen(pilot.app))
        assert "val@10%" in [row.key for row in grid(pilot).rows]  # an example among all there are
        await pilot.press("enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: "val@51%" in titles(pilot))
        assert "94.1±0.7" in screen(pilot.app)  # 93.6 and 94.6


async def test_the_name_stays_and_escape_changes_nothing(running, root):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        before = titles(pilot)
        await pilot.press("v", "space", "down", "space")
        await arrive(pilot, ColumnsScreen)
        await pilot.settle(lambda: len(grid(pilot).marked) == 7)
        assert "name" in grid(pilot).marked and "status" not in grid(pilot).marked
        await pilot.press("end", *"gain")  # of which the list has no room to say what it is
        await pilot.settle(lambda: "points; val decides which tickets win" in screen(pilot.app))
        await pilot.press("escape")
        await arrive(pilot, MainScreen)
        await pilot.settle()
        assert titles(pilot) == before and kept() == {}


async def test_columns_are_chosen_by_the_mouse(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("v")
        await arrive(pilot, ColumnsScreen)
        await pilot.click(grid(pilot), offset=(1, 2))  # before the second one's name
        await pilot.settle(lambda: "status" not in grid(pilot).marked)
        at = [row.key for row in grid(pilot).rows].index("seed")
        await pilot.click(grid(pilot), offset=(8, at + 1), times=2)
        await pilot.settle(lambda: "seed" in grid(pilot).marked)
        line = screen(pilot.app).splitlines()
        y = next(y for y, one in enumerate(line) if "Take it" in one)
        await pilot.click(offset=(line[y].index("Take it"), y))
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: "seed" in titles(pilot))
        assert "status" not in titles(pilot)


async def test_sorting_is_typed_checked_and_completed(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("s", *"-vall")
        await arrive(pilot, SortScreen)
        await pilot.settle(
            lambda: "column 2: no field 'vall'; did you mean val" in screen(pilot.app)
        )
        await pilot.press("backspace", "comma", *"creat", "tab")
        await pilot.settle(lambda: "val, largest first; then created" in screen(pilot.app))
        await pilot.press("enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: "by -val,created" in screen(pilot.app))
        assert "val↓1" in titles(pilot)
        await pilot.press("s", "ctrl+u", *"tes", "enter")  # which no field is called
        await arrive(pilot, SortScreen)
        await pilot.settle(lambda: "test, smallest first" in screen(pilot.app))
        await pilot.press("enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: "test↑" in titles(pilot))
        await pilot.press("s", "ctrl+u", "down", "down", "enter")  # what is pointed at is taken
        await arrive(pilot, SortScreen)
        await pilot.settle(lambda: "status, smallest first" in screen(pilot.app))
        await pilot.press("escape")


async def test_heads_sort_by_clicks(running, root):
    populate(root)
    async with running() as pilot:
        before = names(pilot)

        async def click(title, **held):
            x = grid(pilot).render_line(0).text.index(title)
            await pilot.click(grid(pilot), offset=(x, 0), **held)
            await pilot.settle()

        await click("val")
        assert "val↑" in titles(pilot) and names(pilot) != before
        await click("val")
        assert "val↓" in titles(pilot)
        best = names(pilot)
        await click("status", control=True)
        assert {"val↓1", "status↑2"} <= {*titles(pilot)} and names(pilot)[0] == best[0]
        await click("val")
        await click("val", shift=True)
        assert "val↑" in titles(pilot) and "status" in titles(pilot)
        await click("val")
        await click("val")
        assert names(pilot) == before and kept() == {}


async def test_columns_that_tell_nothing_apart_are_hidden(running, root):
    for seed in (0, 1):
        FakeRun(root, "one", seed).start().train(6).end()
    async with running() as pilot:
        assert {"status", "level"} <= {*titles(pilot)}
        await pilot.press("equals_sign")
        await pilot.settle(lambda: "constant hidden" in screen(pilot.app))
        hidden = int(screen(pilot.app).split(" constant hidden")[0].split()[-1])
        assert "level" not in titles(pilot) and hidden >= 3
        await pilot.press("equals_sign")
        await pilot.settle(lambda: "level" in titles(pilot))


async def test_an_experiment_is_chosen_and_its_view_comes_back(running, root):
    populate(root)
    async with running() as pilot:
        everything = names(pilot)
        await pilot.press("e", *"sweep")
        await arrive(pilot, ExperimentScreen)
        await pilot.settle(lambda: len(grid(pilot).rows) == 1)
        await pilot.press("enter")
        await arrive(pilot, MainScreen)
        await pilot.settle(lambda: "runs of sweep  2 groups, 2 of 8 runs" in screen(pilot.app))
        await pilot.press("s", *"name", "enter", "slash", *"sparsifier.rate=0.5", "enter")
        await pilot.settle(lambda: "1 group, 1 of 8 runs" in screen(pilot.app))
        await pilot.press("e")
        await arrive(pilot, ExperimentScreen)
        await pilot.settle()
        await pilot.press("up", "enter")
        await pilot.settle(lambda: "runs  6 groups, 8 runs" in screen(pilot.app))
        assert names(pilot) == everything
        await pilot.press("h", "e", *"sweep", "enter")
        await pilot.settle(lambda: "1 group, 1 of 8 runs" in screen(pilot.app))
    assert {*kept()} == {"sweep"}
    async with running() as pilot:  # a later session
        await pilot.settle(lambda: "runs of sweep  1 group, 1 of 8 runs" in screen(pilot.app))
        assert "by name" in screen(pilot.app) and "rate=0.5" in screen(pilot.app)
        await pilot.press("escape")
        await pilot.settle(lambda: "runs of sweep  2 groups" in screen(pilot.app))


async def test_nothing_is_written_while_a_filter_is_typed(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("slash", *"imp")
        await pilot.settle(lambda: "/imp" in screen(pilot.app))
        assert kept() == {}
        await pilot.press("enter")
        await pilot.settle(lambda: kept())
        assert kept()[""]["filter"] == "imp"
        await pilot.press("escape")
        await pilot.settle(lambda: not kept())


async def test_what_was_unfolded_is_so_in_the_next_session(running, root):
    for seed in range(2):
        FakeRun(root, "done", seed).start().train(6).end()
    async with running() as pilot:
        await pilot.press("l")
        await pilot.settle(lambda: len(names(pilot)) == 3)
    async with running() as pilot:
        await pilot.settle(lambda: len(names(pilot)) == 3)
        await pilot.press("h")
        await pilot.settle(lambda: len(names(pilot)) == 1)
    async with running() as pilot:
        await pilot.settle()
        assert len(names(pilot)) == 1


async def test_an_experiment_that_is_gone_leaves_all_runs(running, root):
    populate(root)
    state.put("experiments", str(root), "elsewhere")
    async with running() as pilot:
        await pilot.settle(lambda: "runs  6 groups, 8 runs" in screen(pilot.app))


async def test_archived_runs_are_shown_and_hidden_by_a_key_and_this_is_remembered(running, root):
    populate(root)
    for name, model in (("old", "resnet44"), ("older", "resnet56")):
        run = FakeRun(root, name, model=model).start().train(2).end()
        noted.change(run.directory, {schema.ARCHIVED: "true"})
    async with running() as pilot:
        await pilot.settle(lambda: "8 of 10 runs  2 archived hidden" in screen(pilot.app))
        await pilot.press("slash", *"old", "enter")
        await pilot.settle(lambda: "is archived: H shows it" in screen(pilot.app))
        await pilot.press("H")
        await pilot.settle(lambda: "2 of 10 runs  archived shown" in screen(pilot.app))
        assert names(pilot) == ["older", "old"] and "hidden" not in screen(pilot.app)
        await pilot.press("escape")
        await pilot.settle(lambda: "10 runs  archived shown" in screen(pilot.app))
    async with running() as pilot:  # a later session
        await pilot.settle(lambda: "10 runs  archived shown" in screen(pilot.app))
        await pilot.press("H")
        await pilot.settle(lambda: "2 archived hidden" in screen(pilot.app))
        assert "archived shown" not in screen(pilot.app)


async def test_a_state_that_cannot_be_written_is_said_once(running, root):
    populate(root)
    (root.parent / "state").write_text("no folder")
    async with running() as pilot:
        await pilot.press("equals_sign", "equals_sign", "equals_sign")
        await pilot.settle(lambda: [*pilot.app._notifications])
        said = [one.message for one in pilot.app._notifications]
        assert len(said) == 1 and "not kept for the next session" in said[0]
        await pilot.press("end", "h")  # all else works
        await pilot.settle(lambda: len(names(pilot)) == 6)


async def test_a_remembered_filter_waits_for_what_it_names(running, root):
    run = FakeRun(root, "one").start(alive=True)
    FakeRun(root, "other", dense=0.5).start()
    state.put("views", f"{root}\n", {"filter": "level/val_accuracy>0"})
    async with running() as pilot:
        await pilot.settle(lambda: "no field 'level/val_accuracy'" in screen(pilot.app))
        assert len(names(pilot)) == 3
        run.train(1)
        await pilot.settle(lambda: len(names(pilot)) == 2)
        assert "no field" not in screen(pilot.app)


async def test_rows_are_marked_by_the_mouse_and_in_ranges(running, root):
    populate(root)
    async with running() as pilot:
        table = grid(pilot)
        last = len(table.rows)
        await pilot.click(table, offset=(10, last), control=True)
        await pilot.click(table, offset=(3, last - 2))  # where the mark of an indented row is
        await pilot.settle(lambda: marked(pilot) == ["s0", "s2"])
        await pilot.click(table, offset=(3, last - 2))
        await pilot.settle(lambda: marked(pilot) == ["s2"])
        await pilot.press("escape", "home", "shift+down", "shift+down")
        await pilot.settle(lambda: len(table.marked) == 3)
        await pilot.press("shift+up")
        await pilot.settle(lambda: len(table.marked) == 2)
        assert [row.key in table.marked for row in table.rows[:3]] == [True, True, False]
        await pilot.press("end")
        await pilot.click(table, offset=(10, last - 1), shift=True)
        await pilot.settle(lambda: len(table.marked) == 4)
        assert marked(pilot)[-2:] == ["s1", "s2"] and "4 marked" in screen(pilot.app)


async def test_a_marked_group_stands_for_its_runs(running, root):
    populate(root)
    async with running() as pilot:
        await pilot.press("end", "h", "space", "c")
        await arrive(pilot, CompareScreen)
        await pilot.settle(lambda: "n=3" in screen(pilot.app) or "(3)" in screen(pilot.app))


async def test_the_wheel_scrolls(running, root):
    for number in range(20):
        FakeRun(root, f"run{number:02}", train={"epochs": 2 + number}).queue()
    async with running(size=(80, 24)) as pilot:
        await pilot.settle(lambda: "20 runs" in screen(pilot.app))
        table = grid(pilot)
        assert "run19" in screen(pilot.app)
        await pilot._post_mouse_events(scrolls_down(), table, offset=(5, 3), button=0)
        await pilot.settle(lambda: table.scroll_offset.y > 0)
        assert table.cursor_index == 0


def scrolls_down():
    from textual.events import MouseScrollDown

    return [MouseScrollDown]


@pytest.mark.parametrize("height", [24, 29])
async def test_a_low_terminal_has_room_for_nine_rows_and_a_chart_that_says_what_it_shows(
    running, root, height
):
    for number in range(20):
        name = f"named-at-quite-some-length-{number:02}"
        FakeRun(root, name, levels=2, train={"epochs": 2 + number}).start().train(3).end()
    async with running(size=(80, height)) as pilot:
        await pilot.settle(lambda: "╌╌ dense" in screen(pilot.app))
        lines = screen(pilot.app).splitlines()
        assert sum("named-at-quite-some-length-" in line and "/2" in line for line in lines) >= 9
        chart = pilot.app.screen.query_one("#curve")
        assert 9 <= chart.size.height <= grid(pilot).size.height


async def test_devices_are_shown_where_there_is_room(running, root, monkeypatch):
    runs = populate(root)
    machine = Machine(
        (
            Gauge(
                "GPU 0",
                "NVIDIA H100",
                0.81,
                41 * 2**30,
                80 * 2**30,
                412.0,
                61.0,
                (runs["imp-s2"].run_id,),
            ),
            Gauge("CPU", "2 cores", 0.28, 3 * 2**30, 24 * 2**30),
        ),
        2**36,
        2**38,
    )
    looks = []
    monkeypatch.setattr(gauges.Watch, "read", lambda watch: looks.append(1) or machine)
    monkeypatch.setattr(module, "LOOK", 0.05)
    async with running(size=(120, 40)) as pilot:
        assert "GPU 0" not in screen(pilot.app) and not looks
        await pilot.resize_terminal(160, 40)
        await pilot.settle(lambda: "GPU 0" in screen(pilot.app))
        text = screen(pilot.app)
        assert "412 W 61°  digits-imp s2" in text and "64G free of 256G" in text
        await pilot.press("3")
        await arrive(pilot, CompareScreen)
        await pilot.settle()
        before = len(looks)
        main = next(one for one in pilot.app._screen_stacks["runs"] if isinstance(one, MainScreen))
        main._look()
        await pilot.settle()
        assert len(looks) == before


async def test_what_is_done_is_done_to_all_marked_runs_that_are_shown(running, root):
    runs = populate(root)
    both = {runs["imp-s0"].run_id, runs["imp-s1"].run_id}
    async with running() as pilot:
        pilot.app.screen._table._mark(frozenset(both))
        await pilot.press("end")
        assert {run.run_id for run in pilot.app.screen.meant()} == both
        await pilot.press("slash", *"seed=0", "enter")
        await pilot.settle(lambda: "not shown" in screen(pilot.app))
        assert {run.run_id for run in pilot.app.screen.meant()} == {runs["imp-s0"].run_id}
