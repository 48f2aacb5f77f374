"""The table by itself."""

from __future__ import annotations

from textual.app import App

from lthtui import columns
from lthtui.messages import Highlighted
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.widgets.grid import Grid

COLUMNS = (Column("name", 0), Column("status", 1), Column("value", 2, right=True))


class GridApp(App):
    def __init__(self):
        super().__init__()
        self.seen = []

    def compose(self):
        yield Grid(COLUMNS, "nothing here")

    def on_highlighted(self, message: Highlighted):
        self.seen.append(message.key)

    @property
    def lines(self):
        grid = self.query_one(Grid)
        return [grid.render_line(y).text.rstrip() for y in range(grid.size.height)]


def rows(count, value=1.5):
    return [
        Row(f"k{index}", (Cell(f"name {index}"), Cell("fine", "finished"), Cell(str(value))))
        for index in range(count)
    ]


async def test_header_stays_and_the_cursor_scrolls_rows():
    app = GridApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.query_one(Grid).show(rows(100))
        await pilot.press("end")
        await pilot.pause()
        assert app.lines[0].split() == ["name", "status", "value"]
        assert [line.split()[1] for line in app.lines[1:]] == ["95", "96", "97", "98", "99"]
        await pilot.press("home", "down", "pagedown")
        await pilot.pause()
        assert app.query_one(Grid).cursor == "k5"
        assert [line.split()[1] for line in app.lines[1:]] == ["1", "2", "3", "4", "5"]
        assert app.seen[:2] == ["k0", "k99"]


async def test_cursor_goes_to_the_neighbour_of_a_row_that_vanishes():
    app = GridApp()
    async with app.run_test(size=(40, 6)) as pilot:
        grid = app.query_one(Grid)
        grid.show(rows(3))
        grid.select("k1")
        grid.show([row for row in rows(3) if row.key != "k1"])
        assert grid.cursor == "k2"
        grid.show([])
        await pilot.pause()
        assert grid.cursor is None and "nothing here" in app.lines[2]
        assert app.seen[-1] is None


async def test_long_texts_are_cut_before_other_columns_give_way():
    app = GridApp()
    async with app.run_test(size=(50, 4)) as pilot:
        grid = app.query_one(Grid)
        grid.columns = (Column("name", 0), Column("status", 2), Column("why", 1))
        fits = "a device is gone for good"
        for why, shown in ((fits, fits), ("no " * 20, "no " * 8 + "no…")):  # 27 of 50 cells
            grid.show([Row("k0", (Cell("name 0"), Cell("failed"), Cell(why)))])
            await pilot.pause()
            assert app.lines[1].partition(" failed ")[2].strip() == shown


async def test_columns_give_way_by_rank_and_never_the_first():
    app = GridApp()
    async with app.run_test(size=(30, 4)) as pilot:
        app.query_one(Grid).show(rows(1))
        for width, titles in (
            (30, ["name", "status", "value"]),
            (26, ["name", "1→", "status"]),
            (9, ["name"]),
        ):
            await pilot.resize_terminal(width, 4)
            await pilot.pause()
            assert app.lines[0].split() == titles


async def test_a_column_without_anything_gives_way_first():
    app = GridApp()
    async with app.run_test(size=(26, 4)):
        app.query_one(Grid).show([Row("k", (Cell("name"), NOTHING, Cell("1.5")))])
        assert app.lines[0].split() == ["name", "value"]


async def test_a_name_goes_before_a_column_without_anything_and_before_gaps():
    app = GridApp()
    long = "a name of 26 characters ok"
    filled, blank = (
        Row("k", (Cell(long), status, Cell("1.5"))) for status in (Cell("fine"), NOTHING)
    )
    async with app.run_test(size=(42, 4)) as pilot:
        grid = app.query_one(Grid)
        grid.show([filled])
        assert long + " fine   " in app.lines[1] and app.lines[1].endswith("1.5")
        await pilot.resize_terminal(41, 4)
        await pilot.pause()
        assert "a name of 26 characte… ok fine" in app.lines[1]
        grid.show([blank])
        assert app.lines[0].split() == ["name", "value"] and long in app.lines[1]


async def test_columns_without_room_are_counted_and_come_by_keys_and_mouse():
    columns = [Column(name, rank) for rank, name in enumerate(("run", "pin", "aa", "bb", "cc"))]
    row = Row("k", tuple(Cell(one.title * 3) for one in columns))

    class Wide(GridApp):
        def compose(self):
            yield Grid(columns)

    app = Wide()
    async with app.run_test(size=(34, 4)) as pilot:
        grid = app.query_one(Grid)
        grid.show([row])
        assert app.lines[0].split() == ["run", "2→", "pin", "aa"]
        await pilot.press("shift+right")
        assert app.lines[0].split() == ["run", "←1", "1→", "pin", "bb"]
        await pilot.click(grid, offset=(app.lines[0].index("1→"), 0))
        assert app.lines[0].split() == ["run", "←2", "pin", "cc"]
        await pilot.press("shift+right", "shift+right")  # which there are none of
        await pilot.click(grid, offset=(app.lines[0].index("←"), 0))
        assert app.lines[0].split() == ["run", "←1", "1→", "pin", "bb"]
        await pilot.press("shift+left", "shift+left")
        assert app.lines[0].split() == ["run", "2→", "pin", "aa"]
        await pilot.press("shift+right")
        grid.columns = columns[:3]
        grid.show([Row("k", row.cells[:3])])
        assert app.lines[0].split() == ["run", "pin", "aa"]
        await pilot.press("shift+right")  # nothing is out of view
        assert app.lines[0].split() == ["run", "pin", "aa"]
        grid.columns = columns
        grid.show([row])
        await pilot.resize_terminal(60, 4)
        await pilot.press("shift+right")
        assert app.lines[0].split() == ["run", "pin", "aa", "bb", "cc"]


async def test_five_thousand_rows_cost_what_is_visible():
    app = GridApp()
    async with app.run_test(size=(40, 10)) as pilot:
        grid = app.query_one(Grid)
        grid.show(rows(5000))
        await pilot.press("end")
        await pilot.pause()
        drawn = []
        draw = grid._row
        grid._row = lambda row: drawn.append(row.key) or draw(row)
        changed = rows(5000)
        changed[4990] = Row("k4990", (Cell("name 4990"), Cell("fine"), Cell("9.9")))
        changed[10] = Row("k10", (Cell("name 10"), Cell("fine"), Cell("9.9")))
        grid.show(changed)
        await pilot.pause()
        assert set(drawn) == set() or set(drawn) == {"k4990"}
        grid.show(rows(5000, value=2.5))
        await pilot.pause()
        assert len(set(drawn)) <= 9


async def test_what_is_said_of_an_empty_table_is_read_whole():
    app = GridApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.query_one(Grid).empty = "nothing yet: mark rows of another table with space"
        await pilot.pause()
        assert app.lines[2:] == [
            "  nothing yet: mark rows of another",
            "  table with space",
            "",
            "",
        ]


async def test_nothing_is_cut_off_before_the_room_is_known():
    """What is shown before the first layout is drawn with the room there is then."""
    app = GridApp()
    async with app.run_test(size=(40, 6)) as pilot:
        grid = Grid(COLUMNS, "nothing here")
        drawn = []
        grid.render_line = lambda y, draw=grid.render_line: drawn.append(draw(y)) or drawn[-1]
        await app.mount(grid, before=0)
        grid.show(rows(3))
        await pilot.pause()
        assert drawn and not any("…" in strip.text for strip in drawn)


async def test_gains_stay_in_the_table_of_runs_where_levels_have_no_room():
    figures = ("✓ finished", "4/4", "8.3%", "36.8±1.7", "35.4±1.6", "+11.8", "1:38")
    cells = tuple(map(Cell, (f"imp resnet18 cross_entropy {'x' * 40}  n=3", *figures)))
    app = GridApp()
    async with app.run_test(size=(60, 6)):
        grid = app.query_one(Grid)
        grid.columns = [
            Column(one.shown, one.rank(at), one.right) for at, one in enumerate(columns.DEFAULT)
        ]
        grid.show([Row("k", cells)])
        assert app.lines[0].split()[2:] == ["status", "kept", "val", "test", "gain"]
        assert "+11.8" in app.lines[1] and "4/4" not in app.lines[1]
