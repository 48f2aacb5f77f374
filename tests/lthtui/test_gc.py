"""What gc removes, what it never touches, and what is left if it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from rundirs import FakeRun
from stored import WEIGHTS, store_levels, store_partial, weights

from engine.filesystems import locked
from engine.launchspec import LaunchSpec
from engine.rundir import RunDirectory
from engine.tracking import sync
from lthtui.cli import main
from lthtui.gc import Sweep, freed, words
from lthtui.launch import entries
from lthtui.verbs import ask

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
DEAD = 2**22 + 1  # no process has this number


def finished(root, name="run", seed=0, **changes) -> RunDirectory:
    """A finished run of six levels (the fourth is the best) that kept all weights."""
    run = FakeRun(root, name, seed, **{"keep": ["all"], **changes}).start().train(6).end()
    return store_levels(run)


def sweep(root, *runs, keep: str | None = "best") -> Sweep:
    return Sweep(root, runs or None, words(keep) if keep else None, ask)


def taken(root) -> int:
    """Bytes on disk of all tickets, however many links each has."""
    found = {path.stat().st_ino: path.stat() for path in root.rglob("ticket.safetensors")}
    return sum(about.st_blocks * 512 for about in found.values())


def links(root) -> list[Path]:
    return sorted((root / "artifacts").rglob("ticket.safetensors"))


def test_weights_outside_keep_go_everywhere_and_free_what_was_said(root):
    run = finished(root)
    sync(run)
    assert weights(run) == [0, 1, 2, 3, 4, 5] and len(links(root)) == 12
    before, store = taken(root), (root / "mlflow.db").read_bytes()
    seen = sweep(root, keep="best,every 5").survey()
    assert [(item.kind, item.level, len(item.files)) for item in seen.items] == [
        ("weights", 1, 3),
        ("weights", 2, 3),
        ("weights", 4, 3),
    ]
    assert seen.bytes >= 3 * WEIGHTS and taken(root) == before
    done = sweep(root, keep="best,every 5").clear()
    assert done == seen and weights(run) == [0, 3, 5] and len(links(root)) == 6
    assert taken(root) == before - done.bytes
    assert (root / "mlflow.db").read_bytes() == store
    assert sweep(root, keep="best,every 5").clear().items == ()
    sync(run)
    assert len(links(root)) == 6 and weights(run) == [0, 3, 5]


def test_a_file_that_is_linked_elsewhere_frees_nothing(root, tmp_path):
    run = finished(root)
    os.link(run.level(1) / "ticket.safetensors", tmp_path / "mine")
    items = {item.level: item.bytes for item in sweep(root).survey().items}
    assert items[1] == 0 and items[2] >= WEIGHTS
    assert freed([tmp_path / "mine", run.level(1) / "ticket.safetensors"]) >= WEIGHTS
    assert freed([tmp_path / "nothing"]) == 0


def test_what_is_removed_meanwhile_frees_nothing(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).write_bytes(bytes(WEIGHTS))
    alone = freed([tmp_path / "a"])
    assert freed([tmp_path]) == 2 * alone >= 2 * WEIGHTS
    real = os.walk

    def walk(path):
        for found in real(path):
            (tmp_path / "b").unlink()
            yield found

    monkeypatch.setattr(os, "walk", walk)
    assert freed([tmp_path]) == alone


def test_by_default_each_run_keeps_what_its_spec_says(root):
    two = [finished(root, "one", keep=["last"]), finished(root, "two", keep=["dense", "best"])]
    sweep(root, keep=None).clear()
    assert [weights(run) for run in two] == [[5], [0, 3]]


def test_runs_that_wait_or_run_are_left_alone(root):
    alive = FakeRun(root, "alive", keep=["last"]).start(alive=True).train(4)
    waits = FakeRun(root, "waits", keep=["last"]).start().train(4).end("stopped").queue()
    held = finished(root, "held", keep=["last"])
    runs = [store_levels(alive), store_levels(waits)]
    with locked(held.lock_file):
        done = sweep(root, *runs, held, keep="last").clear()
    assert {run.partition("-")[2].partition("-")[0]: why for run, why in done.skipped.items()} == {
        "alive": f"{alive.run_id} is running",
        "waits": f"{waits.run_id} is queued",
        "held": f"{held.run_id} is running",
    }
    assert done.items == () and [weights(run) for run in (*runs, held)] == [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4, 5],
    ]


def test_a_run_that_can_be_resumed_keeps_what_it_goes_on_from(root):
    run = store_levels(FakeRun(root, "halted").start().train(4, 1).end("stopped"))
    partial = store_partial(run, "004-000000009")
    sweep(root, keep="dense").clear()
    assert weights(run) == [0, 2, 3] and partial.is_dir()


def test_old_checkpoints_of_a_finished_run_go_but_not_one_to_go_on_from(root):
    over = finished(root)
    single = {"sparsifier": "dense", "levels": 0, "keep": ["all"]}
    constant = {"train": {"epochs": 4, "schedule": "constant"}}
    cosine = store_levels(FakeRun(root, "cos", **single).start().train(1))
    steady = store_levels(FakeRun(root, "flat", **single, **constant).start().train(1))
    for run in (over, cosine, steady):
        store_partial(run, "000-000000008")
        store_partial(run, "000-000000016")
        (run.path / "exit.json").write_text('{"attempt": 1, "code": 0, "time": 1}')
        (run.path / "attempt").write_text("1")
    assert [i.kind for i in sweep(root, keep=None).clear().items] == ["checkpoint"] * 5
    left = [sorted(p.name for p in run.partial.glob("*")) for run in (over, cosine, steady)]
    assert left == [[], [], ["000-000000016"]]


def test_what_the_next_level_would_train_on_stays(root):
    """Where levels go on from the weights before, an added level needs the newest level's."""
    rewinds = finished(root, "rewinds")
    goes_on = finished(root, "on", sparsifier={"name": "imp", "levels": 5, "after": "finetune"})
    sweep(root, keep="dense").clear()
    assert (weights(rewinds), weights(goes_on)) == ([0], [0, 5])


def test_a_ticket_that_a_waiting_run_reads_stays_and_one_that_is_extended(root):
    source, longer, other = (finished(root, name) for name in ("source", "longer", "other"))
    FakeRun(root, "waits", sparsifier={"name": "ticket", "source": of(source, 2)}).queue()
    failed = FakeRun(root, "more", extends=longer.run_id).start().train(1).end("failed", "no")
    done = sweep(root, keep="last").clear()
    assert [weights(run) for run in (source, longer, other)] == [[2, 5], [0, 1, 2, 3, 4, 5], [5]]
    assert done.skipped[longer.run_id] == f"{failed.run_id} goes on from it"


def test_leftovers_go_when_nobody_can_still_want_them(root):
    run = finished(root, keep=["all"])
    left = [run.path / f".launch.json.{DEAD}.tmp", run.levels / f".07.{DEAD}.tmp"]
    ours = run.path / f".launch.json.{os.getpid()}.tmp"
    mine = run.path / ".notes.tmp"
    for path in (left[0], ours, mine):
        path.write_text("half")
    left[1].mkdir()
    (left[1] / f".x.{DEAD}.tmp").write_text("half")
    (root / "queue").mkdir(exist_ok=True)
    for name in ("nobody", run.run_id, "lock"):
        (root / "queue" / f"{name}.json").write_text("{")
    done = sweep(root, keep=None).clear()
    assert sorted(i.kind for i in done.items) == ["queue"] * 3 + ["temporary"] * 2
    assert [path.exists() for path in (*left, ours, mine)] == [False, False, True, True]
    assert list((root / "queue").glob("*.json")) == []


def test_a_link_that_is_left_over_goes_and_not_what_it_leads_to(root, tmp_path):
    run = finished(root, keep=["all"])
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis").write_text("years of work")
    store_partial(run, "000-000000008")
    links = [run.path / f".x.{DEAD}.tmp", run.partial / "000-000000004"]
    for link in (*links, root / "queue" / "nobody.json"):
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(theirs)
    done = sweep(root, keep=None).clear()
    assert [item.kind for item in done.items] == ["checkpoint", "checkpoint", "temporary", "queue"]
    assert not any(link.is_symlink() for link in links) and not list(
        (root / "queue").glob("*.json")
    )
    assert (theirs / "thesis").read_text() == "years of work"


def test_runs_can_start_while_gc_looks_and_what_they_need_by_then_stays(root):
    """Another process takes the queue's lock while the first look is under way."""
    source, longer, other, again = (finished(root, name) for name in ("a", "b", "c", "d"))
    retrain = {"name": "ticket", "source": of(source, 2)}
    (root / "queue").mkdir(exist_ok=True)

    def look(arguments):
        asked = json.loads(Path(arguments[1]).read_text())
        report = ask(arguments)
        if not asked["remove"]:
            with locked(root / "queue" / "lock", wait=False):
                FakeRun(root, "later", sparsifier=retrain)
                FakeRun(root, "more", extends=longer.run_id)
                entries.write(
                    root, entries.Entry(run_id=again.run_id, order=1, launch=LaunchSpec())
                )
        return report

    done = Sweep(root, None, ("last",), look).clear()
    assert [weights(run) for run in (source, longer, other, again)] == [
        [2, 5], [0, 1, 2, 3, 4, 5], [5], [0, 1, 2, 3, 4, 5],
    ]  # fmt: skip
    assert {(item.run_id, item.level) for item in done.items} == {
        *((source.run_id, level) for level in (0, 1, 3, 4)),
        *((other.run_id, level) for level in range(5)),
    }
    assert done.skipped[again.run_id] == f"{again.run_id} is queued"
    assert "goes on from it" in done.skipped[longer.run_id]


def of(run: RunDirectory, level: int) -> dict:
    """A ticket, as a spec refers to it."""
    path = str(run.level(level) / "ticket.safetensors")
    ticket = {"run": run.run_id, "path": path, "sha256": "0" * 64, "level": level}
    return {**ticket, "kept": 64_000, "total": 100_000}


def test_of_another_machines_files_only_old_ones_are_left_over(root, monkeypatch):
    from lthtui import leftovers

    new, old = root / f".new.{DEAD}.tmp", root / f".old.{DEAD}.tmp"
    for path in (new, old):
        path.touch()
    os.utime(old, (1, 1))
    assert leftovers.temporary(root) == [new, old]
    monkeypatch.setattr("engine.filesystems.is_local", lambda folder: False)
    assert leftovers.temporary(root) == [old]


def test_without_mlflows_store_the_run_folder_is_cleared_all_the_same(root):
    run = finished(root)
    sync(run)
    (root / "mlflow.db").unlink()
    assert [item.bytes for item in sweep(root).survey().items] == [0] * 5  # MLflow's links stay
    sweep(root).clear()
    assert weights(run) == [3] and len(links(root)) == 12


def test_places_outside_the_root_are_not_reached(root, tmp_path):
    run = finished(root)
    sync(run)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "ticket.safetensors").write_text("theirs")
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("UPDATE logged_models SET artifact_location = ?", [f"file://{outside}"])
        store.commit()
    sweep(root).clear()
    assert weights(run) == [3] and (outside / "ticket.safetensors").exists()


KILLED = """
import json, os, signal, sys
from engine import verbs
left, home = int(sys.argv[1]), sys.argv[2]
def hook(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
        if str(arguments[0]).startswith(home):
            left -= 1
            if left < 0: os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
sys.exit(verbs.main(["clear", sys.argv[3]]))
"""


def test_killed_at_any_change_every_level_can_be_read_and_the_next_gc_ends_it(root, tmp_path):
    run = finished(root)
    store_partial(run, "000-000000008")
    sync(run)
    asked = {"runs": [str(run.path)], "keep": ["best", "dense", "last", "every 4"]}
    file = tmp_path / "asked.json"
    file.write_text(json.dumps({**asked, "protected": [], "remove": True}))
    for changes in range(40):
        command = [sys.executable, "-P", "-c", KILLED, str(changes), str(root), str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert set(weights(run)) >= {0, 3, 4, 5}
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert weights(run) == [0, 3, 4, 5] and changes >= 3
    assert not (run.level(1) / "ticket.safetensors").exists() and len(links(root)) == 8
    left = sweep(root, keep="best,dense,last,every 4").clear().items
    assert {item.kind for item in left} <= {"temporary"} and not list(root.rglob(".*.tmp"))


# -- as it is typed ---------------------------------------------------------------------------


def test_nothing_goes_without_a_yes(root, capfd):
    run = finished(root)
    assert main(["gc", "--keep", "best", "--dry-run"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"{run.run_id}  weights of level 0, 1, 2, 4, 5  ") and "frees" in err
    assert main(["gc", "--keep", "best"]) == 2
    assert "give --yes" in capfd.readouterr().err and weights(run) == [0, 1, 2, 3, 4, 5]
    assert main(["gc", "--keep", "last", "--yes"]) == 0
    out = capfd.readouterr().out
    assert "0, 1, 2, 3, 4, the winning ticket of level 3  " in out and "freed " in out
    assert weights(run) == [5]
    assert main(["gc", "--keep", "last"]) == 0
    assert "nothing to remove" in capfd.readouterr().err


def test_keeping_nothing_at_all_is_no_choice(root, capfd):
    run = finished(root)
    for nothing in ("", " , "):
        assert main(["gc", "--keep", nothing, "--yes"]) == 2
        assert "--keep: say which levels: best, last" in capfd.readouterr().err
    assert weights(run) == [0, 1, 2, 3, 4, 5]


def test_json_says_what_went(root, capfd):
    run = finished(root)
    assert main(["gc", run.run_id, "--keep", "best,last", "--json", "--dry-run"]) == 0
    seen = json.loads(capfd.readouterr().out)
    assert seen["removed"] is False and weights(run) == [0, 1, 2, 3, 4, 5]
    assert main(["gc", run.run_id, "--keep", "best,last", "--json", "--yes"]) == 0
    done = json.loads(capfd.readouterr().out)
    assert done == {**seen, "removed": True} and weights(run) == [3, 5]
    first = done["items"][0]
    assert first == {
        "kind": "weights",
        "run_id": run.run_id,
        "level": 0,
        "winning": False,
        "bytes": first["bytes"],
        "files": [f"runs/{run.run_id}/levels/00/ticket.safetensors"],
    }
    assert done["bytes"] == sum(item["bytes"] for item in done["items"]) > 4 * WEIGHTS


def test_what_cannot_be_done_is_said(root, capfd):
    run = store_levels(FakeRun(root, "alive").start(alive=True).train(2))
    assert main(["gc", "--keep", "newest"]) == 2
    assert "--keep: 'newest' names no levels" in capfd.readouterr().err
    assert main(["gc", "alive", "--yes", "--keep", "best"]) == 0
    assert f"left alone: {run.run_id} is running" in capfd.readouterr().err


def test_another_users_root_is_only_looked_at(root, capfd, monkeypatch):
    run = finished(root)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert main(["gc", "--keep", "best", "--dry-run"]) == 0
    assert main(["gc", "--keep", "best", "--yes"]) == 2
    assert "belongs to" in capfd.readouterr().err and len(weights(run)) == 6
