"""A root that was copied, renamed, or reached by another path while runs wait in it."""

import shutil

import pytest

from engine.rundir import RunDirectory
from lthtui.cli import main
from lthtui.launch import entries, lease, queue, waits


@pytest.fixture
def called(monkeypatch):
    """The roots for which a queue process was called, none of which comes."""
    calls = []
    monkeypatch.setattr(lease, "detach", lambda command, log: calls.append(command[-1]))
    return calls


def test_who_looks_at_a_copy_starts_nothing_there(stage, called):
    stage.submit(0)
    copy = stage.folder / "copy"
    shutil.copytree(stage.root, copy)
    called.clear()
    queue.rouse(copy)
    assert called == []
    (why,) = waits.reasons(copy, entries.read(copy)).values()
    assert why == f"was queued in {stage.root}; `lthtui release` starts it here"
    queue.rouse(stage.root)
    assert called == [str(stage.root)]
    queue.release([RunDirectory(copy / "runs" / entry.run_id) for entry in entries.read(copy)])
    queue.rouse(copy)
    assert called[1:] == [str(copy)] * 2


def test_the_doctor_says_where_runs_of_a_copy_were_queued(stage, called, capsys):
    stage.submit(0)
    copy = stage.folder / "copy"
    shutil.copytree(stage.root, copy)
    called.clear()
    main(["doctor", "--fix", "--root", str(copy)])
    said = capsys.readouterr().out
    assert f"1 run(s) wait that were queued in {stage.root}" in " ".join(said.split())
    assert f"lthtui release --all --root {copy}" in said and called == []


def test_a_root_that_was_renamed_or_is_reached_by_a_link_goes_on(stage, called):
    stage.submit(0)
    called.clear()
    moved, link = stage.folder / "moved", stage.folder / "link"
    stage.root.rename(moved)
    link.symlink_to(moved)
    for root in (moved, link):
        queue.rouse(root)
    assert called == [str(moved), str(link)]


@pytest.mark.parametrize("text", ["", "{", '{"path": 1}'])
def test_a_note_that_cannot_be_read_holds_nothing_up(stage, called, text):
    stage.submit(0)
    (stage.root / "queue" / "home").write_text(text)
    called.clear()
    queue.rouse(stage.root)
    assert called == [str(stage.root)]
