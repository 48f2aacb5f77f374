"""What goes into the trash, what does not, what comes back, and kills at every step between."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from rundirs import FakeRun
from storing import VERBS, ask, client, copy_store

from engine import lifecycle
from engine.errors import StoreAway, UsageError
from engine.filesystems import locked
from engine.tracking import sync
from lthtui import leftovers, runnames, trash
from lthtui.doctor import trashed
from lthtui.doctor.findings import Case
from lthtui.store import ClientReader, Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
KILLED = """
import os, signal, sys
from pathlib import Path
from lthtui import runnames, trash

def ask(arguments):
    os.kill(os.getpid(), signal.SIGKILL)

root, verb, among = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
getattr(trash, verb)(root, runnames.every(root, among), ask)
"""


@pytest.fixture(autouse=True)
def inside(monkeypatch):
    """Commands ask no other process."""
    monkeypatch.setattr("lthtui.verbs.ask", lambda words, meanwhile: ask(words))


def ended(root, name="one", seed=0, **changes):
    run = FakeRun(root, name, seed, **changes).start().train(2).end("stopped").directory
    (run.path / "levels/00/ticket.safetensors").write_bytes(bytes(40_000))
    (run.path / "levels/00/ticket.json").write_text("{}")
    return run


def stages(root):
    """How runs are in MLflow, by name, deleted or not."""
    from mlflow.entities import ViewType

    experiments = [one.experiment_id for one in client(root).search_experiments()]
    found = client(root).search_runs(experiments, run_view_type=ViewType.ALL)
    return {run.data.tags["lthtui.run_id"]: run.info.lifecycle_stage for run in found}


def test_what_is_taken_out_of_the_trash_meanwhile_is_not_listed(root, monkeypatch):
    run, other = ended(root), ended(root, "two")
    trash.throw(root, [run, other], ask)
    thrown = runnames.every(root, trash.FOLDER)
    trash.restore(root, thrown[:1], ask)
    monkeypatch.setattr(runnames, "every", lambda *_: thrown)
    assert [one.directory for one in trash.listed(root)] == thrown[1:]


def test_a_run_goes_into_the_trash_and_comes_back_as_it_was(root, command):
    run, other = ended(root), ended(root, "two")
    for one in (run, other):
        sync(one)
    files = {path.name: path.stat().st_ino for path in run.path.rglob("*")}
    assert len(Store(root).tickets()) == 4
    assert command("trash", "one", "--yes") == (0, f"{run.run_id} is in the trash\n", "")
    assert [one.run_id for one in runnames.every(root)] == [other.run_id]
    assert stages(root) == {run.run_id: "deleted", other.run_id: "active"}
    assert [one.run_id for one in Store(root).runs()] == [other.run_id]
    tickets = Store(root).tickets()
    assert {one.run_id for one in tickets} == {other.run_id}
    assert ClientReader(Store(root)._client).tickets() == tickets
    (one,) = json.loads(command("trash", "--list", "--json")[1])
    assert one["run_id"] == run.run_id and one["bytes"] >= 40_000
    assert run.run_id in command("trash", "--list")[1]

    assert command("trash", "--restore", "one") == (0, f"{run.run_id} restored\n", "")
    assert {path.name: path.stat().st_ino for path in run.path.rglob("*")} | files == files
    assert stages(root) == {run.run_id: "active", other.run_id: "active"}
    assert len(Store(root).tickets()) == 4 and runnames.trashed(root) == set()
    sync(run)


def test_emptying_removes_all_links_and_frees_what_was_said(root, command):
    run, other = ended(root), ended(root, "two")
    for one in (run, other):
        sync(one)
    assert command("trash", "one", "two", "-y")[0] == 0
    first, second = trash.listed(root)
    files = {path.stat().st_ino: path.stat() for path in first.directory.path.rglob("*.*")}
    assert sum(one.st_blocks * 512 for one in files.values()) == first.bytes
    code, said, _ = command("trash", "--empty", "one", "-y")
    assert (code, said) == (0, f"freed {first.bytes / 1000:.3g} kB\n")
    assert runnames.trashed(root) == {second.directory.run_id}
    left = [path for path in root.rglob("ticket.safetensors") if path.stat().st_size > 30_000]
    assert {path.stat().st_ino for path in left} == {
        (second.directory.path / "levels/00/ticket.safetensors").stat().st_ino
    }
    assert command("trash", "--restore", "two")[0] == 0
    assert command("trash", "--empty", "-y")[2] == "the trash is empty\n"
    assert len(Store(root).tickets()) == 2


def test_what_is_at_work_or_needed_by_others_stays(root, command):
    ended(root, "one"), FakeRun(root, "going").start(alive=True).train(1)
    FakeRun(root, "waiting").queue()
    source = ended(root, "source")
    ticket = source.path / "levels/01/ticket.safetensors"
    heir = FakeRun(root, "longer", extends=source.run_id)
    assert ticket.exists()
    for name, why in (("going", "cancel"), ("waiting", "cancel"), ("source", heir.run_id)):
        code, out, said = command("trash", "one", name, "-y")
        assert (code, out) == (2, "") and why in said
    assert runnames.trashed(root) == set()
    code, out, said = command("trash", "one")
    assert code == 2 and "--yes" in said and runnames.trashed(root) == set()
    with locked(source.path / "mlflow.lock"):
        assert "just now" in command("trash", "source", "longer", "-y")[2]
    assert runnames.trashed(root) == set()
    assert command("trash", "source", "longer", "-y")[0] == 0
    assert runnames.trashed(root) == {source.run_id, heir.run_id}


@pytest.mark.parametrize(
    ("verb", "among", "before", "after"),
    [("throw", "runs", "active", "deleted"), ("restore", "trash", "deleted", "active")],
)
def test_a_kill_before_mlflow_was_told_is_made_good_by_the_next(root, verb, among, before, after):
    run = ended(root)
    sync(run)
    if verb == "restore":
        assert trash.throw(root, [run], ask) == {}
    done = subprocess.run([sys.executable, "-P", "-c", KILLED, str(root), verb, among])
    assert done.returncode == -signal.SIGKILL
    assert stages(root) == {run.run_id: before}
    assert len([one for side in trash.unfinished(root) for one in side]) == 1
    assert trash.finish(root, ask) == {}
    assert stages(root) == {run.run_id: after}
    assert trash.unfinished(root) == ([], []) and trash.finish(root, ask) == {}
    (found,) = runnames.every(root, "runs" if verb == "restore" else "trash")
    assert found.run_id == run.run_id


def test_a_kill_after_mlflow_was_told_changes_nothing_more(root):
    run = ended(root)
    sync(run)
    assert trash.throw(root, [run], ask) == {}
    (thrown,) = runnames.every(root, "trash")
    (thrown.path / trash.MARK).unlink()  # as if the mark had not been made any more
    assert trash.finish(root, ask) == {}
    assert (thrown.path / trash.MARK).exists() and stages(root) == {run.run_id: "deleted"}


def test_a_kill_while_the_trash_is_emptied_leaves_what_gc_removes(root, monkeypatch):
    run = ended(root)
    assert trash.throw(root, [run], ask) == {}

    def dies(path):
        raise OSError("killed")

    monkeypatch.setattr("lthtui.trash.shutil.rmtree", dies)
    with pytest.raises(OSError, match="killed"):
        trash.empty(root, runnames.every(root, "trash"), ask)
    assert runnames.every(root, "trash") == [] and runnames.trashed(root) == set()
    (aside,) = root.glob(".*.tmp")
    aside.rename(aside.with_name(aside.name.replace(str(os.getpid()), str(2**22 + 1))))
    assert [path.name for path in leftovers.temporary(root)] == [f".{run.run_id}.{2**22 + 1}.tmp"]


def test_a_store_out_of_reach_is_told_later_and_emptied_only_then(root, command, monkeypatch):
    run = ended(root)
    sync(run)

    def away(directory):
        raise StoreAway("a\x1bway")

    monkeypatch.setitem(VERBS, "trash", away)
    code, out, said = command("trash", "one", "-y")
    assert code == 0 and "told later" in said and "\x1b" not in said
    code, out, said = command("trash", "--empty", "-y")
    assert code == 1 and "stays: a\\x1bway" in said
    assert runnames.trashed(root) == {run.run_id} and stages(root) == {run.run_id: "active"}
    monkeypatch.setitem(VERBS, "trash", lifecycle.trash)
    assert command("trash", "--list")[0] == 0
    assert command("trash", "--empty", "-y")[0] == 0
    assert runnames.trashed(root) == set() and stages(root) == {run.run_id: "deleted"}


def test_a_run_comes_back_even_where_mlflow_has_lost_it_or_never_had_it(root, template):
    run, new = ended(root), ended(root, "new", tracking="off")
    sync(run)
    assert trash.throw(root, [run, new], ask) == {}
    for file in root.glob("mlflow.db*"):
        file.unlink()
    copy_store(template, root)
    assert trash.restore(root, runnames.every(root, "trash"), ask) == {}
    assert stages(root) == {run.run_id: "active"}
    assert {one.run_id for one in runnames.every(root)} == {run.run_id, new.run_id}


def test_a_run_of_the_same_id_is_never_overwritten(root, command):
    run = ended(root)
    trash.throw(root, [run], ask)
    again = ended(root)
    assert again.run_id == run.run_id
    for words in (("trash", "one", "-y"), ("trash", "--restore", "one")):
        code, _, said = command(*words)
        assert code == 2 and "already" in said
    assert len(runnames.every(root)) == len(runnames.every(root, "trash")) == 1


def test_files_that_are_not_under_the_root_stay(root, tmp_path):
    run = ended(root)
    report = sync(run)
    outside = tmp_path / "else" / report.mlflow_run_id / "artifacts"
    outside.mkdir(parents=True)
    with sqlite3.connect(root / "mlflow.db") as store:
        store.execute("UPDATE runs SET artifact_uri = ?", (outside.as_uri(),))
    store.close()
    trash.throw(root, [run], ask)
    freed_bytes, why = trash.empty(root, runnames.every(root, "trash"), ask)
    assert freed_bytes and why == {} and outside.is_dir()
    with pytest.raises(UsageError, match="no runs in"):
        runnames.find(root, ["one"], "trash")


def test_gc_and_the_doctor_tell_of_the_trash(root, command, monkeypatch):
    run = ended(root)
    sync(run)
    empty = {"runs": [], "skipped": {}}
    monkeypatch.setattr("lthtui.commands.gc.ask", lambda _: empty)
    assert "trash" not in command("gc", "--dry-run")[2]
    (root / "trash").mkdir()
    run.path.rename(root / "trash" / run.run_id)
    (finding,) = trashed.check(Case(root, ask))
    assert run.run_id in finding.message and stages(root) == {run.run_id: "active"}
    assert finding.repair() and stages(root) == {run.run_id: "deleted"}
    assert [*trashed.check(Case(root, ask))] == []
    assert "1 run(s) in the trash take " in command("gc", "--dry-run")[2]
    report = json.loads(command("gc", "--dry-run", "--json")[1])
    assert report["trash"] == {"runs": 1, "bytes": trash.listed(root)[0].bytes}


def test_whoever_brings_a_run_over_just_now_is_waited_for(tmp_path, monkeypatch):
    run = FakeRun(tmp_path, "one").start().train(1).end().directory
    monkeypatch.setattr(trash, "PATIENCE", 0.0)
    with locked(run.path / "mlflow.lock"):
        with pytest.raises(UsageError, match="just now; try again"):
            list(trash._move([run], tmp_path / "trash"))
        assert run.path.exists()
        monkeypatch.setattr(trash, "PATIENCE", 30.0)
        moving = threading.Thread(target=lambda: list(trash._move([run], tmp_path / "trash")))
        moving.start()
        moving.join(0.3)
        assert run.path.exists()
    moving.join(30)
    assert not run.path.exists() and (tmp_path / "trash" / run.run_id).exists()
