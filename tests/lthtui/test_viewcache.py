"""Views of ended runs that an earlier session kept: they count while nothing has changed."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest
from rundirs import FakeRun

from lthtui import viewcache
from lthtui.lookout import Lookout
from lthtui.viewcache import ViewCache


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache folder that is used for few runs, too, and for runs that ended just now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(viewcache, "FEW", 1)
    monkeypatch.setattr(viewcache, "QUIET", -3600.0)
    return tmp_path / "cache/lthtui/views"


@pytest.fixture
def root(tmp_path):
    """Two runs that have ended, and what a session kept of them."""
    one = FakeRun(tmp_path / "mlruns", "one").start().train(6).end()
    one.evaluate(5, "cka", {"within": 0.5}, cka={"layers": []}).fail(0, "fgsm", "no images")
    FakeRun(tmp_path / "mlruns", "two").start().train(2).end("failed", "the loss became NaN")
    session(tmp_path / "mlruns")
    return tmp_path / "mlruns"


def session(root: Path, looks: int = 4):
    """The boards of a session, the first and the last, and whether the first needed folders."""
    with contextlib.closing(Lookout(root, hasty=True)) as one:
        first = one.look()
        watched = "_monitor" in vars(one)
        boards = [first, *(one.look() for _ in range(looks))]
    return first, [board for board in boards if board][-1], watched


def read(root: Path):
    """The runs as a session sees them that kept nothing."""
    with contextlib.closing(Lookout(root)) as one:
        return one.look().runs


def test_runs_are_shown_as_they_were_and_then_read(root):
    first, last, watched = session(root)
    known = read(root)
    assert not watched and last.runs == known
    for run, view in first.runs.items():
        levels = [(one.index, one.val, one.ticket, one.losses) for one in view.levels]
        assert levels == [(one.index, one.val, one.ticket, ()) for one in known[run].levels]
        assert view.metrics == known[run].metrics and view.extremes == known[run].extremes
        assert view.measured == known[run].measured
        assert (view.status, view.error) == (known[run].status, known[run].error)


def remove_ticket(run: Path) -> None:
    next(run.glob("levels/*/ticket.safetensors")).unlink()


def queue(run: Path) -> None:
    (run.parents[1] / "queue").mkdir()
    (run.parents[1] / "queue" / f"{run.name}.json").write_text("{}")


def note(run: Path) -> None:
    change = '{"value": "seen", "order": 1}'
    (run / "notes.json").write_text(f'{{"changes": {{"mlflow.note.content": {change}}}}}')


def rewrite_journal(run: Path) -> None:
    """Other accuracies of the same length, at the very same time."""
    journal, before = run / "events.jsonl", (run / "events.jsonl").stat()
    journal.write_bytes(journal.read_bytes().replace(b'val_accuracy":0.9', b'val_accuracy":0.8'))
    assert journal.stat().st_size == before.st_size
    os.utime(journal, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [remove_ticket, queue, note, rewrite_journal])
def test_what_changed_between_sessions_is_seen_at_once(root, change):
    run = next((root / "runs").glob("*-one-*"))
    before = read(root)[run.name]
    change(run)
    first, _, _ = session(root)
    seen, known = first.runs[run.name], read(root)[run.name]
    assert known != before
    for field in ("status", "note", "duration", "winner"):
        assert getattr(seen, field) == getattr(known, field)
    assert [(one.val, one.ticket) for one in seen.levels] == [
        (one.val, one.ticket) for one in known.levels
    ]


def test_a_run_that_changed_a_moment_ago_is_not_trusted(root, monkeypatch):
    monkeypatch.setattr(viewcache, "QUIET", 3600.0)
    assert session(root)[2]


def cut(text: bytes) -> bytes:
    return text[: len(text) // 2]


def change_a_digit(text: bytes) -> bytes:
    return text.replace(b"0.9", b"0.8", 1)


@pytest.mark.parametrize("damage", [cut, change_a_digit, lambda _: b"", lambda _: b"\xff\n[]"])
def test_a_damaged_file_is_as_none(root, home, damage):
    (file,) = home.iterdir()
    assert damage(file.read_bytes()) != file.read_bytes()
    file.write_bytes(damage(file.read_bytes()))
    first, last, watched = session(root)
    assert watched and last.runs == read(root)
    assert [one.val for one in first.runs[min(first.runs)].levels] == [
        one.val for one in last.runs[min(first.runs)].levels
    ]
    assert not session(root)[2]  # it was written anew


def test_a_file_of_another_version_is_as_none(root, monkeypatch):
    monkeypatch.setattr(viewcache, "_FIELDS", b"other fields")
    assert session(root)[2]


def test_where_nothing_can_be_written_runs_are_read(root, home):
    for file in home.iterdir():
        file.unlink()
    home.rmdir()
    home.write_text("no folder")
    for _ in range(2):
        _, last, watched = session(root)
        assert watched and last.runs == read(root)


def test_a_full_disk_leaves_what_was_kept(root, home, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    (file,) = home.iterdir()
    before = file.read_bytes()
    monkeypatch.setattr(Path, "replace", full)
    FakeRun(root, "three").start().train(1).end("stopped")
    assert session(root)[1].runs == read(root)
    assert [*home.iterdir()] == [file] and file.read_bytes() == before


def test_two_apps_may_write_at_the_same_time(root, home):
    found, wrong = read(root), []
    views = [*found.values()]

    def write(view):
        for _ in range(20):
            cache = ViewCache(root)
            cache.keep(cache.mark(view.run_id), view, {})
            cache.write()

    def look():
        for _ in range(40):
            seen = ViewCache(root).read()
            if not seen or any(one.view.winner != found[run].winner for run, one in seen.items()):
                wrong.append(seen)

    threads = [threading.Thread(target=write, args=(view,)) for view in views]
    threads.append(threading.Thread(target=look))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len([*home.iterdir()]) == 1
