"""What the app does outside of the screen, with a real queue whose workers play scripts."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
from rundirs import FakeRun
from staging import FINISH

from engine import outstanding
from engine.errors import UsageError
from engine.events import LevelEnded
from engine.rundir import RunDirectory, Status, status
from lthtui import evaluations, lookout
from lthtui.desk import Desk, Wish
from lthtui.fields import Field
from lthtui.launch import entries, later, lease, queue
from lthtui.records import RunSummary, TicketRecord
from lthtui.runview import view
from lthtui.yamlfile import FileError

SPEC = "data: {name: digits, per_class: 20, validation: 300}\nmodel: resnet20\nseeds: [0, 1]\n"


@pytest.fixture
def desk(stage):
    specs = stage.folder / "specs"
    specs.mkdir()
    (specs / "play.yaml").write_text(SPEC)
    desk = Desk(stage.root, specs)
    yield desk
    desk.close()


def settled(stage, desk, wanted):
    """The newest board, once all its runs are as wanted."""
    found = [desk.poll()]

    def reached():
        found.append(desk.poll() or found[-1])
        return found[-1] and found[-1].counts == wanted

    stage.wait(reached)
    return found[-1]


def test_submitted_runs_are_run_once(stage, desk):
    (path,) = desk.specs.paths()
    assert desk.submit(path) == "2 runs queued"
    settled(stage, desk, {"finished": 2})
    assert desk.submit(path) == "2 runs already finished"
    assert desk.poll() is None


def test_runs_are_queued_with_the_turn_that_is_wished_for(stage, desk, monkeypatch):
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    (path,) = desk.specs.paths()
    desk.submit(path)
    first, second = sorted(run.run_id for run in stage.runs())
    Path(path).write_text(SPEC.replace("[0, 1]", "[2]"))
    assert desk.submit(path, Wish(3, True, (first,))) == "1 run queued"
    (run,) = [one for one in stage.runs() if one.run_id not in (first, second)]
    entry = entries.find(run)
    assert (entry.priority, entry.hold, [*entry.after]) == (3, True, [first])


def test_what_the_shapes_of_the_network_rule_out_is_not_queued(stage, desk, monkeypatch):
    answer = {"message": "matches no weights", "at": "sparsifier.prunable"}
    body = f"print({json.dumps({'refusals': [answer]})!r})"
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join([sys.executable, "-c", body]))
    (path,) = desk.specs.paths()
    Path(path).write_text(SPEC + "sparsifier: {name: imp, prunable: re:no}\n")
    with pytest.raises(FileError, match=r"play.yaml:4:35: matches no weights"):
        desk.submit(path)
    assert stage.runs() == []


def test_a_spec_whose_tickets_are_not_there_yet_waits_for_them(stage, desk, monkeypatch):
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    desk.submit(desk.specs.paths()[0])
    first, second = sorted((run.run_id for run in stage.runs()), key=lambda name: name[-2:])
    again = desk._specs / "again.yaml"
    again.write_text(SPEC + "sparsifier: {name: ticket, source: play}\n")
    assert desk.submit(str(again)) == "2 runs to be queued once other runs have finished"
    waiting = {one.name: one.after for one in later.read(stage.root)}
    assert waiting == {"run-of-again-s0": (first,), "run-of-again-s1": (second,)}
    assert len(stage.runs()) == 2


def test_stop_and_resume(stage, desk):
    stage.play({"print": "working"}, {"wait": "go"}, FINISH)
    desk.submit(desk.specs.paths()[0])
    board = settled(stage, desk, {"running": 2})
    first, second = sorted(board.runs)
    assert desk.stop([first]) == "stopped 1 run; R resumes"
    settled(stage, desk, {"running": 1, "stopped": 1})
    assert desk.resume([first, second]) == "1 run queued again, 1 run already under way"
    stage.allow("go")
    settled(stage, desk, {"finished": 2})
    assert desk.pause([first, second]) == "2 runs finished before that"
    run = stage.root / "runs" / first
    with (run / "events.jsonl").open("a") as journal:
        ended = LevelEnded(level=0, density=1, kept=8, total=8, epochs=1, seconds=1.0, attempt=9)
        journal.write(ended.model_dump_json() + "\n")
    outstanding.ask(RunDirectory(run), evaluations.wanted("fgsm", (), "0"))
    said = "paused the evaluations of 1 run; R resumes; 1 run finished before that"
    assert desk.pause([first, second]) == said


def texts(chunk):
    return [line.text for line in chunk.lines]


def test_who_follows_a_log_reads_it_from_its_beginning_whoever_else_does(stage, desk):
    run = FakeRun(stage.root, "one")
    run.log("first\n")
    before = desk.follow(run.run_id)
    assert texts(before.read()) == ["first"] and before.read() is None
    after = desk.follow(run.run_id)
    run.log("second\n")
    assert texts(before.read()) == ["second"]
    found = after.read()
    assert found.fresh and texts(found) == ["first", "second"]
    assert desk.follow(None) is None


def test_an_id_that_is_a_path_is_no_run_of_ours(stage, desk):
    (stage.root / "log.txt").parent.mkdir(exist_ok=True)
    (stage.root / "log.txt").write_text("secret\n")
    assert desk.follow("../") is None
    with pytest.raises(UsageError):
        desk.stop(["../../elsewhere"])


class FakeStore:
    """An MLflow store with one run of ours whose folder is gone and one of somebody else's."""

    def __init__(self, root):
        self.reads, self.changes, self.asked = 0, 0, []

    def version(self):
        return (self.changes,)

    def runs(self, measured):
        self.reads += 1
        tags = {"lthtui.levels": "3", "lthtui.family": "f"}
        params = {"name": "digits-imp"}
        ours = ("ours-s1", "m1", "digits-imp", "e", "g", 1, "imp", "digits", "resnet20")
        other = ("", "m2", "not ours\x1b", "e", "", None, "", "", "")
        return [
            RunSummary(*ours, "FINISHED", 5.0, 9.0, {}, params, tags),
            RunSummary(*other, "KILLED", 6.0, None),
        ]

    def ids(self):
        return None  # it is read whole, or not at all

    def moving(self, known):
        return None

    def measured(self):
        return {"m2": {"loss": 0.5}}

    def extremes(self, key):
        self.asked.append(key)
        return {"m2": (0.25, 2.0)}

    def tags(self):
        return {}

    def tickets(self):
        return [
            TicketRecord(
                *(f"t{level}", f"level-{level}", "ours-s1", "m1", "e"),
                *(level, 0.8**level, kept, 100, "", level == 1, 0.0, ""),
                {"level/val_accuracy": 0.9 + level / 100, "level/test_accuracy": 0.9},
            )
            for level, kept in ((1, 80), (0, 100))
        ]

    def close(self):
        pass


@pytest.fixture
def store(monkeypatch):
    stores = []

    def make(root, patience):
        stores.append(FakeStore(root))
        return stores[-1]

    monkeypatch.setattr(lookout, "Store", make)
    return stores


def test_runs_without_a_folder_come_from_the_store(stage, desk, store):
    board = desk.poll()
    ours, other = board.runs["ours-s1"], board.runs["m2"]
    assert (ours.status, ours.seed, ours.planned_levels, ours.group) == ("finished", 1, 3, "g")
    assert [level.index for level in ours.levels] == [0, 1]
    assert ours.winning.val == pytest.approx(0.91) and ours.final and not ours.directory
    assert Field.parse("val@75%").of(ours) == pytest.approx(0.91)  # level 1 keeps 80 %
    assert ours.beats_dense is True and other.beats_dense is None
    assert (other.status, other.name, other.winning) == ("stopped", "not ours\\x1b", None)


def test_extremes_that_are_wanted_are_read_once(stage, desk, store):
    desk.poll()
    desk.want(frozenset({"loss"}))
    found = desk.poll().runs["m2"]
    assert (found.metrics, found.extremes) == ({"loss": 0.5}, {"loss": (0.25, 2.0)})
    assert desk.poll() is None and store[0].asked == ["loss"]


def test_a_folder_goes_before_the_store(stage, desk, store, monkeypatch):
    run = FakeRun(stage.root, "here").start().train(1).end("stopped")
    monkeypatch.setattr(
        FakeStore,
        "runs",
        lambda self, measured: [RunSummary(run.run_id, *["m"] * 4, 0, *["x"] * 4, 0, 0)],
    )
    assert [one.directory for one in desk.poll().runs.values()] == [str(run.directory.path)]


def test_a_store_that_is_written_to_all_the_time_is_not_read_all_the_time(
    stage, desk, store, monkeypatch
):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    slow = FakeStore.tickets

    def tickets(self):
        now[0] += 0.4
        return slow(self)

    monkeypatch.setattr(FakeStore, "tickets", tickets)
    desk.poll()
    for _ in range(30):
        store[0].changes += 1
        now[0] += 0.2
        desk.poll()
    assert store[0].reads == 1
    now[0] += 2.0
    desk.poll()
    assert store[0].reads == 2


def test_trouble_with_the_store_hides_no_run(stage, desk):
    FakeRun(stage.root, "here").start().train(1).end("stopped")
    (stage.root / "mlflow.db").write_bytes(b"no database" * 100)
    board = desk.poll()
    assert len(board.runs) == 1 and "mlflow.db" in board.trouble


def test_a_picture_is_not_changed_by_what_happens_later(stage):
    run = FakeRun(stage.root, "moving").start(alive=True).train(1, 1)
    from lthtui.monitor import Watched

    watched = Watched(run.directory)
    watched.refresh()
    before = view(watched)
    run.end_epoch(1, 2)
    after = view(watched, before)
    assert [len(level.losses) for level in before.levels] == [4, 1]
    assert [len(level.losses) for level in after.levels] == [4, 2]
    assert after.levels[0] is before.levels[0]
    assert status(run.directory) == Status.RUNNING


def test_what_nobody_looks_after_is_started_by_whoever_looks(stage, desk, monkeypatch):
    """As after the machine was restarted: a run waits, another was lost, and no queue process."""
    monkeypatch.setattr("lthtui.desk.ROUSE", 0.0)
    monkeypatch.setattr("lthtui.desk.CALM", 0.0)
    stage.play({"wait": "go"}, FINISH)
    (lost,) = stage.submit(0, launch={"threads": os.cpu_count()})
    (waiting,) = stage.submit(1)
    stage.until(lost, Status.RUNNING)
    stage.wait(lambda: lost.heartbeat())
    stage.kill_queue_process()
    lost.launch().process.signal(signal.SIGKILL)
    stage.until(lost, Status.LOST)
    stage.allow("go")
    for _ in range(2):  # the first look only shows the runs, and soon
        desk.poll()
    stage.until(waiting, Status.FINISHED)
    stage.wait((lost.path / "synced").exists)
    stage.wait(lambda: not stage.dispatched())
    assert status(lost) == Status.LOST
    calls = []
    monkeypatch.setattr(lease, "ensure", calls.append)
    (held,) = stage.submit(2)
    calls.clear()
    queue.hold([held])
    calls.clear()
    desk.poll()
    assert calls == []
    queue.release([held])
    calls.clear()
    desk.poll()
    assert calls == [stage.root]
