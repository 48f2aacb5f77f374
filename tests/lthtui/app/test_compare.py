"""What a user sees and does in marking runs, and on the screen that compares them."""

from __future__ import annotations

import csv

import pytest
from rundirs import FakeRun

from lthtui import sides
from lthtui.screens.compare import NOTHING, CompareScreen
from lthtui.screens.confirm import ConfirmScreen
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid

from .conftest import screen

OFF = (0.0, 0.012, -0.009, 0.004)  # of the seeds


@pytest.fixture
def trained(root):
    """Two methods on the same data, five points apart, and a run of other data."""
    for seed, off in enumerate(OFF):
        FakeRun(root, "both", seed, levels=3, dense=0.70 + off).start().train(4).end()
        more = {"sparsifier": {"name": "imp", "levels": 3, "score": "random"}}
        other = FakeRun(root, "both", seed, levels=3, dense=0.75 + off + seed / 500, **more)
        other.start().train(4).end()
    FakeRun(root, "else", 0, model="resnet32").start().train(6).end()
    return root


def cells(pilot, table):
    """The rows of a table by their first cells."""
    rows = pilot.app.screen.query_one(f"#{table}-table", Grid).rows
    return {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in rows}


def compared(pilot):
    here = pilot.app.screen
    return isinstance(here, CompareScreen) and here.query_one(ChartView).viewer is not None


def said(pilot):
    return [toast.message for toast in pilot.app._notifications]


@pytest.fixture
def comparing(running, trained):
    """Opens the app on the comparison of the two methods."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open_comparison(size=(160, 48)):
        async with running(size=size) as pilot:
            await pilot.press("end", "c")
            await pilot.settle(lambda: compared(pilot) and cells(pilot, "figures"))
            yield pilot

    return open_comparison


async def test_what_is_compared_is_compared_again_in_the_next_session(running, comparing):
    async with comparing() as pilot:
        before = cells(pilot, "figures")
        await pilot.press("B", "P", "equals_sign")
        await pilot.settle(lambda: "wilcoxon" in screen(pilot.app).lower())
        turned = cells(pilot, "figures")
        assert turned != before and "all settings" in screen(pilot.app)
    async with running() as pilot:
        await pilot.settle(lambda: compared(pilot) and cells(pilot, "figures") == turned)
        assert "wilcoxon" in screen(pilot.app).lower() and "all settings" in screen(pilot.app)


async def test_marks_stay_through_a_filter_and_choose_what_is_compared(running, trained):
    async with running() as pilot:
        await pilot.press("space", "space")
        await pilot.settle(lambda: "2 marked" in screen(pilot.app))
        assert sum("*" in line[:4] for line in screen(pilot.app).splitlines()) == 2
        await pilot.press("slash", *"else", "enter")
        await pilot.settle(lambda: "/else" in screen(pilot.app))
        await pilot.press("escape")
        await pilot.settle(lambda: "/else" not in screen(pilot.app))
        assert "2 marked" in screen(pilot.app)
        await pilot.press("c")
        await pilot.settle(lambda: compared(pilot) and cells(pilot, "figures"))
        assert cells(pilot, "figures")["runs"] == ["■ 1 baseline", "■ 4"]
        await pilot.press("1", "escape")
        await pilot.settle(lambda: "marked" not in screen(pilot.app))


async def test_runs_of_a_group_can_be_compared_alone(running, trained):
    async with running() as pilot:
        await pilot.press("end", "l", "down", "space", "space", "c")
        await pilot.settle(lambda: compared(pilot) and cells(pilot, "figures"))
        assert cells(pilot, "figures")["runs"] == ["■ 2"]
        assert "s0 s1" in screen(pilot.app)


async def test_a_family_is_compared_where_nothing_is_marked(comparing):
    async with comparing() as pilot:
        found = cells(pilot, "figures")
        assert found["runs"] == ["■ 4 baseline", "■ 4"]
        # 100 * (0.776 + mean of 0, 14, -5, 10 thousandths), 100 * (0.726 + mean of 0, 12, -9, 4)
        assert found["test accuracy %"] == ["▲78.08±0.88", "72.78±0.87***"]
        assert "paired t-test by seed against" in screen(pilot.app)
        assert set(cells(pilot, "settings")) == {"sparsifier.score"}
        assert "◆ winning ticket" in screen(pilot.app) and "weights kept" in screen(pilot.app)
        assert "Export" in screen(pilot.app) and "Open" not in screen(pilot.app)


async def test_keys_change_the_baseline_the_test_and_the_images(comparing):
    async with comparing() as pilot:
        before = cells(pilot, "figures")
        await pilot.press("B")
        await pilot.settle(lambda: cells(pilot, "figures") != before)
        swapped = cells(pilot, "figures")["test accuracy %"]
        assert [one.strip("*▲") for one in reversed(swapped)] == [
            one.strip("*▲") for one in before["test accuracy %"]
        ]
        assert swapped[1].endswith("***")
        await pilot.press("P")
        await pilot.settle(lambda: "Wilcoxon signed-rank test by seed against" in screen(pilot.app))
        assert "4 pairs: p is at least 0.12" in screen(pilot.app)
        await pilot.press("P", "v")
        await pilot.settle(lambda: "val at 80%" in cells(pilot, "figures"))
        assert "Welch's unpaired t-test" in screen(pilot.app)
        assert "validation accuracy" in screen(pilot.app)


async def test_the_row_under_the_cursor_is_told_anew_with_what_is_asked(comparing):
    async with comparing() as pilot:
        full = pilot.app.screen.query_one("#full")
        await pilot.press("end")
        await pilot.settle(lambda: "test accuracy at" in str(full.render()))
        await pilot.press("v")
        await pilot.settle(lambda: "val accuracy at" in str(full.render()))


async def test_only_the_table_in_focus_tells_of_its_row(comparing):
    async with comparing() as pilot:
        full = pilot.app.screen.query_one("#full")
        assert "seeds 0, 1, 2, 3" in str(full.render())
        await pilot.press("equals_sign")  # the cursor of the settings comes to another row
        await pilot.settle(lambda: "data.name" in cells(pilot, "settings"))
        pilot.app.screen.query_one("#settings-table", Grid).action_move(1)
        await pilot.settle()
        assert "seeds 0, 1, 2, 3" in str(full.render())


async def test_settings_are_all_or_those_that_differ_and_shown_in_full(comparing):
    async with comparing() as pilot:
        await pilot.press("equals_sign")
        await pilot.settle(lambda: "data.name" in cells(pilot, "settings"))
        keys = [row.key for row in pilot.app.screen.query_one("#settings-table", Grid).rows]
        assert keys.index("data.name") < keys.index("sparsifier.score") < keys.index("train.epochs")
        pilot.app.screen.query_one("#settings-table", Grid).focus()
        pilot.app.screen.query_one("#settings-table", Grid).select("sparsifier.score")
        await pilot.settle(lambda: "sparsifier.score  " in screen(pilot.app))
        full = str(pilot.app.screen.query_one("#full").render())
        assert "magnitude" in full and "random" in full
        await pilot.press("equals_sign")
        await pilot.settle(lambda: set(cells(pilot, "settings")) == {"sparsifier.score"})


async def test_curves_of_a_level_are_laid_over_one_another(comparing):
    async with comparing() as pilot:
        await pilot.press("m")
        await pilot.settle(lambda: "the picked level  training loss" in screen(pilot.app))
        await pilot.press("full_stop")
        await pilot.settle(lambda: "level 0  training loss" in screen(pilot.app))
        lines = pilot.app.screen.query_one(ChartView).viewer.chart.series
        assert [one.count for one in lines if not one.faint] == [4, 4]
        await pilot.press("comma", "comma", "m")
        await pilot.settle(lambda: "the picked level  validation accuracy" in screen(pilot.app))


async def test_narrow_terminals_show_one_pane_at_a_time(comparing):
    async with comparing(size=(80, 24)) as pilot:
        assert "test accuracy %" in screen(pilot.app) and "±" in screen(pilot.app)
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "settings that differ" in screen(pilot.app))
        assert "sparsifier.score" in screen(pilot.app)
        assert "magnitude" in screen(pilot.app) and "random" in screen(pilot.app)
        assert "test accuracy %" not in screen(pilot.app)
        await pilot.press("right_square_bracket")
        await pilot.settle(lambda: "◆ winning ticket" in screen(pilot.app))
        assert isinstance(pilot.app.focused, ChartView)


async def test_more_groups_than_fit_are_brought_into_view(running, root):
    for rate in range(1, 9):
        sparsifier = {"name": "imp", "levels": 3, "rate": rate / 10}
        FakeRun(root, "many", 0, levels=3, sparsifier=sparsifier).start().train(4).end()
    async with running(size=(80, 24)) as pilot:
        await pilot.press("c")
        await pilot.settle(lambda: compared(pilot) and cells(pilot, "figures"))
        grid = pilot.app.screen.query_one("#figures-table", Grid)
        first = [column.title for column in grid.columns]
        assert len(first) == 9
        await pilot.press("l", "l")
        await pilot.settle(lambda: len(grid.columns) == 7)
        assert [column.title for column in grid.columns] == [*first[:2], *first[4:]]
        await pilot.press("h", "h", "h")
        await pilot.settle(lambda: len(grid.columns) == 9)


async def test_a_comparison_is_exported_and_never_over_a_file_unasked(comparing, root):
    file = root.parent / "found.csv"
    async with comparing() as pilot:
        await pilot.press("E")
        await pilot.settle(lambda: "Export to" in screen(pilot.app))
        await pilot.press(*"found")
        assert pilot.app.screen.query_one("#file").value == "found.md"
        pilot.app.screen.query_one("#file").value = "found.doc"
        await pilot.press("enter")
        await pilot.settle(lambda: "give it one of the endings" in screen(pilot.app))
        pilot.app.screen.query_one("#file").value = "found.csv.md"  # typed before its ending
        await pilot.press("enter")
        await pilot.settle(lambda: f"wrote {file}" in said(pilot))
        rows = [*csv.DictReader(file.read_text().splitlines())]
        assert {row["seed"] for row in rows} == {"", "0", "1", "2", "3"}

        file.write_text("precious")
        for answer, left in (("n", True), ("y", False)):
            await pilot.press("E")
            await pilot.settle(lambda: "Export to" in screen(pilot.app))
            pilot.app.screen.query_one("#file").value = "found.csv"
            await pilot.press("enter")
            await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
            await pilot.press(answer)
            await pilot.settle(lambda: isinstance(pilot.app.screen, CompareScreen))
            await pilot.settle(lambda: (file.read_text() == "precious") is left)  # noqa: B023


async def test_figures_follow_the_runs(comparing, trained):
    async with comparing() as pilot:
        before = cells(pilot, "figures")["runs"]
        FakeRun(trained, "both", 4, levels=3, dense=0.7).start().train(4).end()
        await pilot.settle(lambda: cells(pilot, "figures")["runs"] != before)
        assert "■ 5" in " ".join(cells(pilot, "figures")["runs"])
        await pilot.settle(lambda: "has no run of seed 4, which others have" in screen(pilot.app))


async def test_what_is_being_compared_is_not_called_nothing(running, trained, monkeypatch):
    said = set()
    async with running() as pilot:

        def noting(*arguments, look=sides.look):
            said.update(grid.empty for grid in pilot.app.screen.query(Grid))
            return look(*arguments)

        monkeypatch.setattr(sides, "look", noting)
        await pilot.press("end", "c")
        await pilot.settle(lambda: compared(pilot) and cells(pilot, "figures"))
    assert said == {"comparing…"}


async def test_nothing_to_compare_says_what_to_do(running, trained):
    async with running() as pilot:
        await pilot.press("3")
        await pilot.settle(lambda: isinstance(pilot.app.screen, CompareScreen))
        assert NOTHING[:40] in screen(pilot.app)
        await pilot.press("E", "B", "P", "v", "m", "equals_sign", "comma", "h", "l", "x")
        await pilot.settle()
        assert isinstance(pilot.app.screen, CompareScreen)
