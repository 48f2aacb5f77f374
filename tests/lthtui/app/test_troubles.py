"""What goes wrong with files while the app runs: it says so, and goes on."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3

import manyruns
from maskfiles import leave_masks
from rundirs import FakeRun
from textual.widgets import TabbedContent

from lthtui import lookout

from .conftest import screen


async def test_a_store_that_is_locked_is_read_once_it_is_free(running, root, template, monkeypatch):
    monkeypatch.setattr(lookout, "PATIENCE", 0.05)
    manyruns.store(template, root, 10)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("UPDATE runs SET status = 'KILLED'")
        other.commit()
        async with running() as pilot:
            await pilot.settle(lambda: "it can be read" in " ".join(screen(pilot.app).split()))
            assert "mlflow.db is locked" in pilot.app.board.trouble
            await pilot.press("2", "1", "down")
            FakeRun(root, "here").start(alive=True)
            await pilot.settle(lambda: "● 1 running" in screen(pilot.app))
            other.close()
            await pilot.settle(lambda: "10 stopped" in screen(pilot.app))
            assert not pilot.app.board.trouble


async def test_a_journal_that_is_cut_is_read_anew(running, root):
    run = FakeRun(root, "copied").start(alive=True).train(3)
    lines = run.directory.events_file.read_bytes().splitlines(keepends=True)
    async with running() as pilot:
        await pilot.settle(lambda: "2/5" in screen(pilot.app))
        run.directory.events_file.write_bytes(b"".join(lines[:8]))
        await pilot.settle(lambda: "0/5" in screen(pilot.app))
        run.directory.events_file.write_bytes(b"".join(lines))
        await pilot.settle(lambda: "2/5" in screen(pilot.app))


async def test_a_root_that_is_removed_is_empty_until_it_is_back(running, root):
    FakeRun(root, "one").start(alive=True).train(2)
    async with running() as pilot:
        await pilot.settle(lambda: "1 run" in screen(pilot.app))
        root.rename(root.with_name("away"))
        await pilot.settle(lambda: "no runs yet" in screen(pilot.app))
        await pilot.press("2", "1", "down", "enter")
        root.with_name("away").rename(root)
        await pilot.settle(lambda: "● running" in screen(pilot.app))
        shutil.rmtree(root)
        await pilot.settle(lambda: "no runs yet" in screen(pilot.app))


@contextlib.contextmanager
def broken(directory):
    """A run's files as a disk may leave them: folders in place of files, endless brackets."""
    files = [directory.spec_file, directory.events_file, directory.level(3) / "manifest.json"]
    aside = [file.rename(file.with_suffix(".aside")) for file in files]
    for file in files[:2]:
        file.mkdir()
    files[2].write_text("[" * 100_000)
    yield
    for file in files[:2]:
        file.rmdir()
    for file, kept in zip(files, aside, strict=True):
        kept.rename(file)


async def test_what_cannot_be_read_of_a_run_is_said_where_it_would_be(running, root):
    run = FakeRun(root, "one", levels=3, top=3).start(alive=True).train(4)
    leave_masks(run, 4)
    said = {
        "spec": ("the spec cannot be read: ", "resolved"),
        "about": ("what is noted of them cannot be read: ", "began"),
        "layers": ("the masks cannot be read: ", "kept, log scale"),
    }

    async def shown(pilot, which):
        for tab, texts in said.items():
            pilot.app.screen.query_one(TabbedContent).active = f"tab-{tab}"
            await pilot.settle(lambda tab=tab, texts=texts: texts[which] in screen(pilot.app))

    async with running() as pilot:
        poll = pilot.app.desk.poll
        pilot.app.desk.poll = lambda: None  # or the run would not be shown at all
        with broken(run.directory):
            await pilot.press("4", "a")
            await pilot.settle(lambda: "one s0:3 cannot be read: " in screen(pilot.app))
            await pilot.press("1", "enter")
            await shown(pilot, 0)
        pilot.app.desk.poll = poll
        run.end("stopped")
        await shown(pilot, 1)
        await pilot.press("4")
        await pilot.settle(lambda: "51,200 of 100,000" in screen(pilot.app))
