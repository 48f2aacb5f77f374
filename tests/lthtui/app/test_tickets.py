"""The place of the tickets: found, sorted, looked at, compared, exported and controlled."""

from __future__ import annotations

from pathlib import Path

import pytest
from maskfiles import NETWORK, draw, leave_masks, write_mask, write_ticket
from rundirs import FakeRun

from lthtui import controls, placing, state
from lthtui.screens.kinds import ABOUT
from lthtui.screens.overlap import OverlapScreen
from lthtui.screens.run import RunScreen
from lthtui.screens.tickets import TicketsScreen
from lthtui.widgets.grid import Grid
from lthtui.widgets.topbar import PLACES

from .conftest import StubDesk, screen

KEY = str(PLACES.index("tickets") + 1)


@pytest.fixture
def two(root):
    """A run that found a winning ticket, and one of another method that did not."""
    good = FakeRun(root, "good", levels=3, top=2).start().train(4).end()
    bad = FakeRun(
        root, "bad", levels=3, top=0, sparsifier={"name": "imp", "levels": 3, "rate": 0.5}
    )
    bad.start().train(4).end()
    for run in (good, bad):
        leave_masks(run, 4)
    return good, bad


@pytest.fixture
def opened(running):
    """Opens the app on its tickets."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open_tickets(size=(160, 48), desk=None):
        async with running(size=size, desk=desk) as pilot:
            await pilot.press(KEY)
            await pilot.settle(lambda: "tickets  " in screen(pilot.app))
            yield pilot

    return open_tickets


def rows(pilot):
    return [row.key.partition("-")[2] for row in pilot.app.screen.query_one(Grid).rows]


def said(pilot):
    return " ".join(one.message for one in pilot.app._notifications)


def named(run, level):
    return f"{run.run_id.partition('-')[2]}:{level}"


async def test_tickets_are_listed_sorted_and_narrowed(opened, two):
    good, bad = two
    async with opened() as pilot:
        assert isinstance(pilot.app.screen, TicketsScreen)
        assert rows(pilot) == [named(bad, 1), named(good, 2)]
        await pilot.press("s")
        await pilot.settle(lambda: "by test" in screen(pilot.app))
        assert rows(pilot)[0] == named(good, 2) and "test↓" in screen(pilot.app)
        await pilot.press("S")
        await pilot.settle(lambda: "test↑" in screen(pilot.app))
        assert rows(pilot)[0] == named(bad, 1)
        await pilot.press("a")
        await pilot.settle(lambda: "6 all" in screen(pilot.app))
        await pilot.press("a")
        await pilot.settle(lambda: "1 winning" in screen(pilot.app))
        assert rows(pilot) == [named(good, 2)]


async def test_a_low_terminal_has_room_for_nine_tickets(opened, two):
    async with opened(size=(80, 24)) as pilot:
        assert pilot.app.screen.query_one(Grid).size.height == 1 + 9


async def test_a_filter_asks_the_tickets(opened, two):
    good, bad = two
    async with opened() as pilot:
        await pilot.press("a", "slash", *"density<60% name=bad")
        await pilot.settle(lambda: "1 all" in screen(pilot.app))
        assert rows(pilot) == [named(bad, 3)]  # 51.2 %
        await pilot.press(*" val>")
        await pilot.settle(lambda: "column" in screen(pilot.app) and "6 all" in screen(pilot.app))
        assert "  /density" not in screen(pilot.app)  # which filters nothing just now
        await pilot.press("escape")
        await pilot.settle(lambda: "column" not in screen(pilot.app))


async def test_the_ticket_under_the_cursor_is_looked_at(opened, two):
    async with opened(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.settle(lambda: "◆ good s0:2  winning ticket" in screen(pilot.app))
        text = screen(pilot.app)
        assert "64,000 of 100,000 weights" in text and "IoU .80 with level 1" in text
        assert "█" in text and "made on" not in text  # which has no room
        await pilot.press("enter")
        await pilot.settle(lambda: "made on" in screen(pilot.app))
        assert "method" not in screen(pilot.app)  # the table has made room
        await pilot.press("escape")
        await pilot.settle(lambda: "made on" not in screen(pilot.app))
        await pilot.press("enter", "enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))


async def test_a_run_is_opened_at_once_where_its_ticket_is_in_full_view(opened, two):
    async with opened(size=(160, 48)) as pilot:
        await pilot.settle(lambda: "made on" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))


async def test_heads_sort_by_a_click(opened, two):
    good, bad = two
    async with opened() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        text = "".join(segment.text for segment in grid.render_line(0))
        await pilot.click(Grid, offset=(text.index("test"), 0))
        await pilot.settle(lambda: "test↓" in screen(pilot.app))
        assert rows(pilot)[0] == named(good, 2)
        await pilot.click(Grid, offset=(text.index("test"), 0))
        await pilot.settle(lambda: "test↑" in screen(pilot.app))
        await pilot.click(Grid, offset=(text.index("level"), 0))  # nothing to sort by
        await pilot.settle(lambda: "test↑" in screen(pilot.app))


async def test_the_next_session_goes_on_with_the_same_view(opened, two, root):
    good, bad = two
    async with opened() as pilot:
        await pilot.press("a", "s", "S", "slash", *"density<60%", "enter")
        await pilot.settle(lambda: "all, by test  /density<60%" in screen(pilot.app))
        before = rows(pilot)
        await pilot.settle(lambda: (state.get("tickets", str(root)) or {}).get("filter"))
    assert state.get("tickets", str(root)) == {
        "which": "all",
        "sort": "test",
        "filter": "density<60%",
    }
    async with opened() as pilot:
        await pilot.settle(lambda: "all, by test  /density<60%" in screen(pilot.app))
        assert rows(pilot) == before == [named(bad, 3), named(good, 3)]
        assert "test↑" in screen(pilot.app)
        await pilot.press("escape")
        await pilot.settle(lambda: "6 all" in screen(pilot.app))
        await pilot.settle(lambda: not state.get("tickets", str(root))["filter"])


async def test_marked_tickets_are_compared(opened, two):
    good, _ = two
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("a", "slash", *"name=good", "enter", "space", "space")
        await pilot.settle(lambda: "2 marked" in screen(pilot.app))
        await pilot.press("o")
        await pilot.settle(lambda: "good s0:1" in screen(pilot.app))
        assert isinstance(pilot.app.screen, OverlapScreen)
        # level 2 keeps 0.8 of what level 1 keeps
        await pilot.settle(lambda: "[ .80]" in screen(pilot.app))
        assert "overlap   .80 of those in either are" in screen(pilot.app)
        await pilot.press("right")
        await pilot.settle(lambda: "[   1]" in screen(pilot.app))
        await pilot.press("right", "down", "escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, TicketsScreen))
        await pilot.press("escape", "escape")
        await pilot.settle(lambda: "marked" not in screen(pilot.app))


async def test_why_tickets_are_not_compared(opened, two):
    good, _ = two
    write_mask(good.directory.level(2), draw({"conv1.weight": (5, 5, 3, 3)}, 0.5))
    async with opened() as pilot:
        await pilot.press("space", "space", "o")
        await pilot.settle(lambda: "masks of different networks" in screen(pilot.app))
        await pilot.press("down", "escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, TicketsScreen))


async def test_without_marks_tickets_of_the_network_under_the_cursor_are_compared(opened, two):
    good, _ = two
    write_mask(good.directory.level(2), draw({"conv1.weight": (5, 5, 3, 3)}, 0.5))
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.settle(lambda: "6 all" in screen(pilot.app))
        await pilot.press("end", "o")  # good s0:3, below the one of another network
        await pilot.settle(lambda: "5 tickets of one network" in screen(pilot.app))
        assert "left out: 1 of other networks" in screen(pilot.app)
        assert "good s0:2" not in screen(pilot.app)
        # the cursor is on the ticket that was under it, and on the one above: 0.64 of its weights
        await pilot.settle(lambda: "[ .64]" in screen(pilot.app))


class Noting(StubDesk):
    """Notes which controls it was asked for."""

    def control(self, run_id, level, kinds):
        self.asked.append((run_id, level, kinds))
        return "queued"


async def test_what_each_control_does_and_how_a_command_line_asks_for_it_is_in_view(opened, two):
    good, _ = two
    async with opened(size=(80, 24)) as pilot:
        await pilot.press("end", "K")
        await pilot.settle(lambda: "Controls of good s0:2" in screen(pilot.app))
        assert all(what in screen(pilot.app) for what in ABOUT.values())
        command = f"lthtui control {good.run_id} --level 2 --kind"
        assert f"{command} same_layer" in screen(pilot.app)
        await pilot.press("space", "space")
        await pilot.settle(lambda: "same_layer,random" in screen(pilot.app))


async def test_controls_of_a_ticket_are_queued(opened, two, root):
    good, _ = two
    desk = Noting(root)
    async with opened(desk=desk) as pilot:
        await pilot.press("end", "K")
        await pilot.settle(lambda: "Controls of good s0:2" in screen(pilot.app))
        await pilot.press("escape", "K")
        await pilot.settle(lambda: "Controls of" in screen(pilot.app))
        await pilot.press("down", "space", "end", "space", "enter")
        await pilot.settle(lambda: desk.asked)
        await pilot.press("K")
        await pilot.settle(lambda: "Controls of" in screen(pilot.app))
        await pilot.press("shift+down", "enter")
        await pilot.settle(lambda: len(desk.asked) > 1)
    kinds = [("random", "budget"), ("same_layer", "random")]
    assert desk.asked == [(good.run_id, 2, one) for one in kinds]
    assert [*ABOUT] == [*controls.KINDS]


@pytest.fixture
def worker(monkeypatch):
    """What the worker program is asked, which exports and verifies anything."""
    from lthtui import ticketdesk

    asked = []

    def ask(words):
        asked.append(words)
        if words[0] == "export":
            for file in (Path(words[-1]), Path(words[-1]).with_suffix(".json")):
                file.write_text("ours")
        return {"sha256": "e" * 64, "splits": {}, "verified": True, "same_images": True}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    return asked


async def test_a_ticket_is_exported_and_verified(opened, two, root, worker):
    file = root.parent / "good-s0-level-02.safetensors"
    async with opened() as pilot:
        await pilot.press("end", "E")
        await pilot.settle(lambda: file.name in screen(pilot.app))
        assert ".pt   a plain masked state dict" in screen(pilot.app)
        pilot.app.screen.query_one("#file").value = "x.zip"
        await pilot.press("enter")
        await pilot.settle(lambda: "x.zip: give it one of the endings" in screen(pilot.app))
        pilot.app.screen.query_one("#file").value = file.name
        await pilot.press("enter")
        await pilot.settle(lambda: "wrote" in said(pilot))
        await pilot.press("v")
        await pilot.settle(lambda: "good s0:2 is verified" in said(pilot))
        await pilot.settle(lambda: "checked" in screen(pilot.app))
    assert file.read_text() == "ours" and file.with_suffix(".json").exists()
    assert [words[0] for words in worker] == ["export", "verify"]


async def test_that_a_ticket_is_not_what_it_says_stays_in_view(opened, two, monkeypatch):
    from lthtui import ticketdesk

    wrong = {"splits": {}, "verified": False, "same_images": True}
    monkeypatch.setattr(ticketdesk, "ask", lambda words: wrong)
    async with opened() as pilot:
        await pilot.press("end", "v")
        await pilot.settle(lambda: "is NOT what" in said(pilot))
        await pilot.settle(lambda: " NOT " in screen(pilot.app).partition("checked")[2])


async def test_a_file_that_appears_meanwhile_is_not_written_over(
    opened, two, root, worker, monkeypatch
):
    look, file = placing.in_the_way, root.parent / "good-s0-level-02.safetensors"

    def in_the_way(output, beside):
        found = look(output, beside)
        file.write_text("theirs")
        return found

    monkeypatch.setattr(placing, "in_the_way", in_the_way)
    async with opened() as pilot:
        await pilot.press("end", "E")
        await pilot.settle(lambda: file.name in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: "exists already" in said(pilot))
    assert file.read_text() == "theirs"


async def test_a_file_that_is_there_is_written_over_after_asking_only(opened, two, root, worker):
    file = root.parent / "good-s0-level-02.json"
    file.write_text("{}")
    async with opened() as pilot:
        await pilot.press("end", "E", "enter")
        await pilot.settle(lambda: "Overwrite" in screen(pilot.app))
        assert "good-s0-level-02.json" in screen(pilot.app).replace("\n", "")
        await pilot.press("n")
        await pilot.settle(lambda: "Overwrite" not in screen(pilot.app))
        assert not worker
        await pilot.press("E", "enter")
        await pilot.settle(lambda: "Overwrite" in screen(pilot.app))
        await pilot.press("y")
        await pilot.settle(lambda: "wrote" in said(pilot))
    assert len(worker) == 1 and file.read_text() == "ours"


async def test_a_spec_is_begun_that_goes_on_from_a_ticket(opened, two, root):
    good, _ = two
    write_ticket(good.directory.level(2) / "ticket.safetensors", draw(NETWORK, 0.64),
                 level=2, spec=good.directory.spec().model_dump(mode="json"))  # fmt: skip
    async with opened() as pilot:
        await pilot.press("end", "U")
        await pilot.settle(lambda: f"Train from ticket {good.run_id}:2 as" in screen(pilot.app))
        await pilot.press("enter")
        await pilot.settle(lambda: "specs/good-level-2.yaml (modified)" in screen(pilot.app))
        editor = pilot.app.screen.query_one("#editor")
        assert f"source: {good.run_id}:2" in editor.text
        await pilot.settle(lambda: "1 run" in screen(pilot.app))
        assert f"changed from {good.run_id}" in screen(pilot.app)
        await pilot.press("escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, TicketsScreen))


async def test_tickets_without_weights_are_neither_verified_nor_exported(opened, two):
    good, _ = two
    good.keep(2, None)
    async with opened() as pilot:
        await pilot.press("end")
        await pilot.settle(lambda: "mask only" in screen(pilot.app))
        bindings = pilot.app.screen.active_bindings
        assert not bindings["v"].enabled and not bindings["E"].enabled
        assert bindings["K"].enabled and "x" not in bindings


async def test_no_tickets(opened):
    async with opened(size=(80, 24)) as pilot:
        await pilot.settle(lambda: "no run has picked a ticket yet" in screen(pilot.app))
        await pilot.press("o", "v", "E", "K", "U", "space", "enter", "s", "S", "a")
        await pilot.settle(lambda: "no pruned level has ended yet" in screen(pilot.app))
