import json
import os
import socket

import pytest

from engine.launchspec import LaunchSpec
from lthtui.launch import entries, later, lease, queue, stopping
from lthtui.launch.entries import Entry, Waiting
from lthtui.launch.later import Later


@pytest.fixture
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)


def ids(found):
    return [entry.run_id[-2:] for entry in found]


def test_only_files_that_changed_are_read_again(stage, idle, monkeypatch):
    runs = stage.submit(0, 1, 2)
    waiting, read, parse = Waiting(stage.root), [], entries._parse

    def counted(path):
        read.append(os.path.basename(path))
        return parse(path)

    monkeypatch.setattr(entries, "_parse", counted)
    assert ids(waiting.read()) == ["s0", "s1", "s2"] and len(read) == 3
    assert ids(waiting.read()) == ["s0", "s1", "s2"] and len(read) == 3
    queue.prioritise([runs[2]], 5)
    read.clear()
    assert ids(waiting.read()) == ["s2", "s0", "s1"]
    assert read == [runs[2].queue_file.name]
    runs[0].queue_file.unlink()
    assert ids(waiting.read()) == ["s2", "s1"] and len(read) == 1
    queue.resume([runs[0]])
    assert ids(waiting.read()) == ["s2", "s1", "s0"] and len(read) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("half.json", '{"run_id": "half", "ord'),
        ("empty.json", ""),
        ("other.json", '{"run_id": "../x", "order": 1, "launch": {}}'),
        ("nul.json", '{"run_id": "nul", "order": 1, "launch": {}, "user": "a\\u0000b"}'),
        ("seen.json", '{"run_id": "seen", "order": 1, "launch": {}, "visible": "\\u0000"}'),
        ("up.json", '{"run_id": "up", "order": 1, "launch": {}, "after": ["../up"]}'),
        (
            "long.json",
            json.dumps({"run_id": "long", "order": 1, "launch": {}, "after": ["x" * 256]}),
        ),
        (
            "digits.json",
            json.dumps({"run_id": "digits", "order": 1, "launch": {}, "visible": "9" * 5000}),
        ),
        (".hidden.json", Entry(run_id=".hidden", order=1, launch=LaunchSpec()).model_dump_json()),
        ("notes.txt", "hello"),
        ("bytes.json", b"\xff\xfe"),
    ],
)
def test_what_is_no_entry_is_left_alone(stage, idle, name, text):
    stage.submit(0)
    file = stage.root / "queue" / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for _ in range(2):
        assert ids(entries.read(stage.root)) == ["s0"]
    assert file.exists()


def test_a_folder_and_a_dead_link_are_no_entries(stage, idle):
    stage.submit(0)
    (stage.root / "queue" / "folder.json").mkdir()
    (stage.root / "queue" / "link.json").symlink_to("nowhere")
    assert ids(entries.read(stage.root)) == ["s0"]


def test_a_half_written_file_is_an_entry_once_it_is_whole(stage, idle):
    (run,) = stage.submit(0)
    whole = run.queue_file.read_bytes()
    run.queue_file.write_bytes(whole[:20])
    waiting = Waiting(stage.root)
    assert waiting.read() == []
    run.queue_file.write_bytes(whole)
    assert ids(waiting.read()) == ["s0"]


def test_nothing_waits_where_there_is_no_queue(tmp_path):
    assert entries.read(tmp_path) == []


def test_what_an_older_or_newer_version_left_out_or_added(stage, idle):
    (run,) = stage.submit(0)
    run.queue_file.write_text(
        f'{{"run_id": "{run.run_id}", "order": 5, "launch": {{}}, "colour": "red"}}'
    )
    (entry,) = entries.read(stage.root)
    assert (entry.order, entry.priority, entry.hold, entry.after) == (5, 0, False, ())


def test_a_machine_runs_its_own_entries(stage, idle):
    (run,) = stage.submit(0)
    entry = entries.find(run)
    assert entry.here
    assert entry.model_copy(update={"host": socket.gethostname()}).here
    assert not entry.model_copy(update={"host": "elsewhere"}).here


def test_people_who_share_an_account_are_told_apart(monkeypatch):
    monkeypatch.setenv("LTHTUI_USER", "alice")
    assert entries.person() == "alice"
    monkeypatch.delenv("LTHTUI_USER")
    monkeypatch.setenv("LOGNAME", "shared")
    assert entries.person() == "shared"


def test_a_change_is_written_only_for_what_waits(stage, idle):
    (run,) = stage.submit(0)
    with entries.locked(stage.root):
        assert entries.change(run, hold=True) and entries.find(run).hold
        run.queue_file.unlink()
        assert not entries.change(run, hold=True)
    assert not run.queue_file.exists()


def test_a_thousand_entries_are_read_in_their_order(stage, idle):
    (first,) = stage.submit(0)
    launch = first.spec().launch
    with entries.locked(stage.root):
        for number in range(1000):
            entries.write(
                stage.root,
                Entry(run_id=f"r{number}", order=number, priority=number % 3, launch=launch),
            )
    found = [entry for entry in entries.read(stage.root) if entry.run_id != first.run_id]
    assert len(found) == 1000 and found == sorted(found, key=lambda e: (-e.priority, e.order))


@pytest.fixture
def synced(monkeypatch):
    """The files and folders that are put on the disk, in that order."""
    found, fsync = [], os.fsync

    def noted(file):
        found.append(os.readlink(f"/proc/self/fd/{file}"))
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)
    return found


def test_what_was_queued_is_on_the_disk_once_that_is_said(stage, idle, synced):
    """Power may fail: a new name in a folder is there for good when the folder is synced."""
    runs = stage.submit(0, 1, 2)
    folder = str(stage.root / "queue")
    assert synced[-1] == folder and synced.count(folder) == 1  # once, and after all entries
    assert synced.count(str(stage.root / "runs")) == 1
    for run in runs:
        assert synced.count(str(run.path)) == 1
        spec = f"{run.path}/.spec.yaml.tmp"
        assert synced.index(spec) < synced.index(str(run.path)) < synced.index(folder)
    stopping.cancel(runs)
    for change in (queue.resume, queue.hold, queue.release):
        synced.clear()
        change(runs)
        assert synced[-1] == folder and synced.count(folder) == 1
        assert len(synced) == 4  # an entry each


def test_commands_are_on_the_disk_once_they_are_left(stage, idle, synced):
    (run,) = stage.submit(0)
    synced.clear()
    facts = {"order": 0, "user": "a", "after": (run.run_id,), "verb": "control"}
    made = later.leave(stage.root, Later(name="x", words=(run.run_id,), **facts))
    folders = [str(stage.root / "queue" / "later"), str(stage.root / "queue")]
    assert synced[-2:] == folders
    for change in (later.hold, later.drop):
        synced.clear()
        change(stage.root, [made])
        assert synced[-2:] == folders
