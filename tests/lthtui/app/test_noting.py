"""Notes, tags, names, archive and trash in the app: done by keys, seen there and in MLflow."""

from __future__ import annotations

import shlex
import stat

import pytest
from rundirs import FakeRun
from storing import ask, client, copy_store, in_mlflow
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import Input, TextArea

from engine import schema
from engine.tracking import sync
from lthtui import notes, runnames, trash
from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.main import MainScreen
from lthtui.screens.note import NoteScreen
from lthtui.screens.tags import TagsScreen
from lthtui.screens.trash import TrashScreen
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar

from .conftest import StubDesk, screen

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


@pytest.fixture
def stored(root, template, monkeypatch):
    """A root whose store exists, no editor, and verbs that are carried out in this process."""
    copy_store(template, root)
    for module in ("notedesk", "trashdesk"):
        monkeypatch.setattr(f"lthtui.{module}.ask", ask)
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture
def editor(monkeypatch, tmp_path):
    """Makes a script the user's editor, in a terminal that the app can leave."""
    monkeypatch.setattr(HeadlessDriver, "can_suspend", True)

    def make(script):
        file = tmp_path / "editor.sh"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("EDITOR", shlex.quote(str(file)))

    return make


def ended(root, name="one", seed=0, **changes):
    run = FakeRun(root, name, seed, **changes).start().train(1).end("stopped").directory
    sync(run)
    return run


def said(pilot):
    return "\n".join(one.message for one in pilot.app._notifications)


def known(pilot, run):
    """A run as the app knows it."""
    return pilot.app.board.runs[run.run_id]


async def test_a_note_is_written_in_an_editor_and_seen_at_once_and_in_mlflow(
    running, stored, editor
):
    run = ended(stored)
    editor('printf "# It *works*\\n\\n" >> "$1"')
    async with running() as pilot:
        await pilot.press("N")
        await pilot.settle(lambda: known(pilot, run).note == "# It *works*")
        await pilot.settle(lambda: f"{run.run_id}: noted" in said(pilot))
        assert in_mlflow(stored, run).data.tags[schema.NOTE] == "# It *works*"
        editor("exit 0")
        await pilot.press("N")
        await pilot.settle(lambda: "the note is as it was" in said(pilot))


async def test_an_editor_that_fails_says_so_and_loses_nothing(running, stored, editor, tmp_path):
    run = ended(stored)
    async with running() as pilot:
        editor('echo mine > "$1"; exit 3')
        await pilot.press("N")
        await pilot.settle(lambda: "ended with code 3; nothing was changed" in said(pilot))
        assert str(tmp_path / "note.md") in said(pilot)
        assert (tmp_path / "note.md").read_text() == "mine\n"
        editor(f"cp theirs {run.path}/notes.json; echo ours > $1")
        changes = '{"changes": {"mlflow.note.content": {"value": "theirs", "order": 9}}}'
        (tmp_path / "theirs").write_text(changes)
        await pilot.press("N")
        await pilot.settle(lambda: "somebody else changed the note meanwhile" in said(pilot))
        assert (tmp_path / f"note-{run.run_id}.md").read_text() == "ours"
        assert notes.read(run).note == "theirs"
        editor("head -c 9000 /dev/zero | tr '\\0' x > $1")
        await pilot.press("N")
        await pilot.settle(lambda: "MLflow takes 8,000 at most" in said(pilot))
        assert len((tmp_path / f"note-{run.run_id}-2.md").read_text()) == 9000
        assert screen(pilot.app) and isinstance(pilot.app.screen, MainScreen)


async def test_without_an_editor_the_note_is_written_in_the_app(running, stored):
    run = ended(stored)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("N")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NoteScreen))
        await pilot.press(*"kept [b]", "enter", "escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("n")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NoteScreen))
        assert pilot.app.screen.query_one(TextArea).text == "kept [b]\n"
        await pilot.press("f2")
        await pilot.settle(lambda: known(pilot, run).note == "kept [b]")
        await pilot.press("N")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NoteScreen))
        await pilot.press("escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))


async def test_where_the_app_cannot_leave_the_terminal_it_is_its_own_editor(
    running, stored, monkeypatch
):
    ended(stored)
    monkeypatch.setenv("EDITOR", "false")
    async with running() as pilot:
        await pilot.press("N")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NoteScreen))


async def test_notes_that_differ_get_a_paragraph_each(running, stored, editor):
    one, two = (ended(stored, seed=seed) for seed in range(2))
    notes.change(stored, [one], {schema.NOTE: "first"})
    editor('test -s "$1" || echo both > "$1"')
    async with running() as pilot:
        await pilot.press("N")
        await pilot.settle(lambda: "The notes of these 2 runs differ" in screen(pilot.app))
        await pilot.press("y")
        await pilot.settle(lambda: known(pilot, two).note == "both")
        assert known(pilot, one).note == "first\n\nboth"


async def test_tags_are_added_changed_and_removed_for_all_runs_at_once(running, stored):
    one, two = (ended(stored, seed=seed) for seed in range(2))
    notes.change(stored, [one, two], {"same": "1", "why": "a"})
    notes.change(stored, [two], {"why": "[b]", "own": "x"})

    def rows(pilot):
        grid = pilot.app.screen.query_one(Grid)
        return [" ".join(cell.text for cell in row.cells).strip() for row in grid.rows]

    async with running(size=(80, 24)) as pilot:
        await pilot.press("number_sign")
        await pilot.settle(lambda: isinstance(pilot.app.screen, TagsScreen))
        assert rows(pilot) == ["own x 1 of 2", "same 1", "why differ: a, [b]"]
        await pilot.click(KeyBar, offset=(10, 0))  # on `a Add`
        await pilot.settle(lambda: pilot.app.screen.query_one(Input).has_focus)
        await pilot.press(*"lthtui.x=1", "enter")
        await pilot.settle(lambda: "names that begin with lthtui." in screen(pilot.app))
        await pilot.press("escape", "end", "enter")
        assert pilot.app.screen.query_one(Input).value == "why="
        await pilot.press("c", "enter")
        await pilot.settle(lambda: "why c" in rows(pilot))
        await pilot.press("home", "down", "enter", "2", "enter")
        await pilot.settle(lambda: "same 12" in rows(pilot))
        await pilot.press("home", "delete")
        await pilot.settle(lambda: rows(pilot) == ["same 12", "why c"])
        await pilot.press("escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))
        await pilot.settle(lambda: "2 runs: untagged" in said(pilot))
    for run in (one, two):
        tags = in_mlflow(stored, run).data.tags
        assert (tags["same"], tags["why"]) == ("12", "c") and "own" not in tags


async def test_a_run_is_renamed_and_gets_its_own_name_back(running, stored):
    run = ended(stored)
    async with running() as pilot:
        await pilot.press("f2", *"My best", "enter")
        await pilot.settle(lambda: known(pilot, run).display_name == "My best")
        await pilot.settle(lambda: "My best" in screen(pilot.app) and "shown as" in said(pilot))
        assert in_mlflow(stored, run).info.run_name == "My best"
        await pilot.press("f2", "delete", "enter")
        await pilot.settle(lambda: "own name again" in said(pilot))
        assert known(pilot, run).display_name == ""
        await pilot.press("f2", "escape")


async def test_archived_runs_leave_the_table_and_come_back(running, stored):
    old = [ended(stored, "old", seed) for seed in range(2)]
    ended(stored, "new", model="resnet44")
    async with running() as pilot:
        await pilot.press("end", "space", "A")  # the group is marked
        await pilot.settle(lambda: all(known(pilot, run).archived for run in old))
        await pilot.settle(lambda: "old" not in table(pilot))
        assert "H among the runs shows it" in said(pilot)
        await pilot.press("H", "A")
        await pilot.settle(lambda: not any(known(pilot, run).archived for run in old))
        await pilot.press("H")
        await pilot.settle(lambda: "old" in table(pilot))


async def test_only_what_is_shown_is_changed(running, stored):
    shown, hidden = ended(stored, "two", 0), ended(stored, "two", 1)
    other = ended(stored, "other", model="resnet44")
    async with running() as pilot:
        await pilot.press("slash", *"seed=0", "enter", "end", "left")
        await pilot.settle(lambda: "(1 shown)" in screen(pilot.app))
        assert pilot.app.screen.query_one(Grid).cursor.startswith("group:")
        await pilot.press("A")
        await pilot.settle(lambda: known(pilot, shown).archived)
        assert not known(pilot, hidden).archived
        await pilot.press("escape", "end", "space", "slash", *"name=other", "enter")
        await pilot.settle(lambda: "1 marked (1 not shown)" in screen(pilot.app))
        await pilot.press("A")
        await pilot.settle(lambda: known(pilot, other).archived)
        assert not known(pilot, hidden).archived


def table(pilot):
    rows = pilot.app.screen.query_one(Grid).rows
    return " ".join(cell.text for row in rows for cell in row.cells)


async def test_runs_go_into_the_trash_come_back_and_go_for_good(running, stored):
    run, other = ended(stored), ended(stored, "two", model="resnet44")
    async with running(size=(80, 24)) as pilot:
        await pilot.press("end", "delete")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        shown = " ".join(screen(pilot.app).split())
        assert f"Put {run.run_id} into the trash?" in shown and "--restore" in shown
        await pilot.press("y")
        await pilot.settle(lambda: run.run_id not in pilot.app.board.runs)
        await pilot.settle(lambda: "in the trash" in said(pilot))
        assert runnames.trashed(stored) == {run.run_id}
        await pilot.press("T")
        await pilot.settle(lambda: run.run_id in screen(pilot.app))
        assert isinstance(pilot.app.screen, TrashScreen)
        await pilot.press("r")
        await pilot.settle(lambda: "restored" in said(pilot) and "is empty" in screen(pilot.app))
        await pilot.settle(lambda: run.run_id in pilot.app.board.runs)
        trash.throw(stored, [run, other], ask)
        await pilot.settle(lambda: "2 runs" in screen(pilot.app))
        await pilot.press("shift+down", "delete")
        await pilot.settle(lambda: "Remove these 2 runs" in screen(pilot.app))
        await pilot.press("n", "end", "space", "delete")
        await pilot.settle(lambda: f"Remove {run.run_id} for good?" in screen(pilot.app))
        assert "That frees" in screen(pilot.app) and "1 more stay" in screen(pilot.app)
        await pilot.press("y")
        await pilot.settle(lambda: "freed" in said(pilot))
        await pilot.settle(lambda: "1 run," in screen(pilot.app))
        await pilot.press("E", "y")
        await pilot.settle(lambda: "the trash is empty" in screen(pilot.app))
        assert runnames.every(stored, trash.FOLDER) == [] and not pilot.app.board.runs
        await pilot.press("escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))


async def test_what_is_at_work_is_not_trashed_and_says_why(running, stored):
    FakeRun(stored, "waits").queue()
    async with running() as pilot:
        await pilot.press("delete", "y")
        await pilot.settle(lambda: "waits or runs; `lthtui cancel" in said(pilot))


async def test_runs_that_only_mlflow_knows_are_noted_but_not_trashed(running, stored):
    made = client(stored).create_run(client(stored).create_experiment("plain"), run_name="theirs")
    async with running() as pilot:
        await pilot.settle(lambda: "theirs" in screen(pilot.app))
        await pilot.press("number_sign", "a", *"a=b", "enter", "escape")
        await pilot.settle(lambda: "tagged" in said(pilot))
        assert client(stored).get_run(made.info.run_id).data.tags["a"] == "b"
        await pilot.press("f2", *"ours", "enter")
        await pilot.settle(lambda: "shown as ours" in said(pilot))
        await pilot.press("delete")
        await pilot.settle(lambda: "MLflow's own pages delete it" in said(pilot))


async def test_the_run_view_shows_notes_live_and_leaves_with_the_run(running, stored, monkeypatch):
    monkeypatch.setenv("LTHTUI_USER", "anna")
    run = ended(stored)
    notes.change(stored, [run], {schema.NOTE: "# Seen\n\n[b]not [x](http://a.b)\x1b", "k": "v"})
    ask(["note", str(run.path)])
    async with running(size=(80, 24)) as pilot:
        await pilot.press("enter", "left_square_bracket")
        await pilot.settle(lambda: "Seen" in screen(pilot.app))
        text = screen(pilot.app)
        assert "k = v   (20" in text and ", anna)" in text and "[b]not x (http://a.b)\\x1b" in text
        found = in_mlflow(stored, run).info.run_id
        client(stored).set_tag(found, schema.NOTE, "edited *there*")
        client(stored).set_tag(found, "mine", "2")
        await pilot.settle(lambda: "edited there" in screen(pilot.app))
        assert "noted     in MLflow" in screen(pilot.app) and "mine = 2" in screen(pilot.app)
        await pilot.press("A")
        await pilot.settle(lambda: "archived  true   (20" in screen(pilot.app))
        await pilot.press("delete", "y")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))


async def test_runs_of_another_store_are_noted_there(running, stored, template, tmp_path):
    other = copy_store(template, tmp_path / "other")
    made = client(other).create_run(client(other).create_experiment("plain"), run_name="afar")
    desk = StubDesk(stored, f"sqlite:///{other / 'mlflow.db'}")
    async with running(desk=desk) as pilot:
        await pilot.settle(lambda: "afar" in screen(pilot.app))
        await pilot.press("N")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NoteScreen))
        await pilot.press(*"seen", "f2")
        await pilot.settle(lambda: "noted" in said(pilot))
    assert client(other).get_run(made.info.run_id).data.tags[schema.NOTE] == "seen"


async def test_runs_are_noted_from_the_queue_and_from_their_tickets_too(running, stored):
    waits = FakeRun(stored, "waits", model="resnet44").queue()
    done = FakeRun(stored, "one", levels=2).start().train(3).end()
    async with running() as pilot:
        for key, run in (("2", waits), ("4", done)):
            await pilot.press(key)
            await pilot.settle(lambda: pilot.app.screen.chosen())
            await pilot.press("number_sign")
            await pilot.settle(lambda run=run: f"tags of {run.run_id}" in screen(pilot.app))
            await pilot.press("escape")
            await pilot.settle(lambda: not isinstance(pilot.app.screen, TagsScreen))
