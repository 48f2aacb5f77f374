"""MLflow hears of every run that has ended, however late, and nobody asks without need."""

from __future__ import annotations

import itertools
import json
import os
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rundirs import FakeRun
from waiting import PATIENCE

from engine import link, noted
from engine.processes import Process
from engine.rundir import Launch, write_json
from lthtui import notes
from lthtui.launch import lease, mirroring, queue
from lthtui.launch.mirroring import Mirroring, candidates, given_up, needs
from lthtui.store import Store

DAY = 24 * 3600.0
PLAYER = """
import json, pathlib, sys, time
folder, runs = pathlib.Path(sys.argv[1]), [pathlib.Path(run).name for run in sys.argv[3:]]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(runs) + "\\n")
answers = json.loads((folder / "answers").read_text())
if answers == "hang":
    time.sleep(600)
if answers == "crash":
    raise SystemExit("Traceback: no module named mlflow")
report = {"runs": [], "failed": {}, "later": {}}
for run in runs:
    said = answers.get(run, answers[""])
    if said == "done":
        report["runs"].append({"run_id": run})
    else:
        report["failed"][run] = said[0]
        if len(said) > 1:
            report["later"][run] = said[1]
print("a warning of some library")
print(json.dumps(report))
sys.exit(bool(report["failed"]))
"""


class Play:
    """A root, a clock that the test moves, and a sync program that answers as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.now, self.said = folder, folder / "mlruns", 0.0, []
        self.answer({"": "done"})
        self.mirroring = Mirroring(self.root, self.said.append, lambda: self.now)

    def answer(self, answers) -> None:
        (self.folder / "answers").write_text(json.dumps(answers))

    @property
    def calls(self) -> list[list[str]]:
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def ended(self, seed=0, **changes) -> FakeRun:
        return FakeRun(self.root, "play", seed=seed, **changes).start().train(1).end("stopped")

    def settle(self) -> None:
        """Let processes that run end, and have them seen to."""
        self.mirroring.poll()
        while filenos := self.mirroring.filenos():
            assert select.select(filenos, [], [], PATIENCE)[0]
            self.mirroring.poll()


@pytest.fixture
def play(tmp_path, monkeypatch):
    player = tmp_path / "player.py"
    player.write_text(PLAYER)
    program = [sys.executable, "-S", "-E", str(player), str(tmp_path)]
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join(program))
    found = Play(tmp_path)
    yield found
    found.mirroring.close()


def note(run, attempt=1, status="KILLED", short=0, **changes):
    """What a worker's sink would have left; `short` bytes of the journal are missing."""
    size = run.directory.events_file.stat().st_size - short
    settled = link.Settled(attempt=attempt, status=status)
    noted = link.Link(mlflow_run_id="m", offset=size, settled=settled)
    write_json(run.directory.mlflow_file, noted.model_copy(update=changes).model_dump())
    return run


def launched(run, attempt, alive=False):
    gone = Process(host=Process.of(os.getpid()).host, boot="", pid=2**22, start=1)
    process = Process.of(os.getpid()) if alive else gone
    launch = Launch(
        attempt=attempt, backend="local", process=process, device="cpu", threads=1, time=0
    )
    write_json(run.directory.launch_file, launch.model_dump())
    run.directory.attempt_file.write_text(str(attempt))
    return run


# -- what is missing --------------------------------------------------------------------------


def half_a_line(run):
    with run.directory.events_file.open("a") as journal:
        journal.write('{"kind": "epo')
    return run


def damaged(run):
    run.directory.spec_file.write_text("version: [")
    return run


CASES = {
    "everything told": (lambda make: note(make().end()), False),
    "never told": (lambda make: make().end(), True),
    "some of it told": (lambda make: note(make().end(), short=30), True),
    "half a line of a killed worker": (
        lambda make: half_a_line(note(launched(make(), 1), status="FAILED")),
        False,
    ),
    "lost": (lambda make: note(launched(make(), 1), status="RUNNING"), True),
    "lost, and told so": (lambda make: note(launched(make(), 1), status="FAILED"), False),
    "lost in its second attempt before it said a word": (
        lambda make: note(launched(make().end("stopped"), 2), status="KILLED"),
        True,
    ),
    "lost and queued again": (
        lambda make: note(launched(make(), 1), status="RUNNING").queue(),
        True,
    ),
    "stopped and queued again": (lambda make: note(make().end("stopped")).queue(), False),
    "lost without a word, and queued again": (
        lambda make: note(launched(make().end("stopped"), 2), status="KILLED").queue(),
        False,
    ),
    "running": (lambda make: launched(make(), 1, alive=True), False),
    "not tracked": (lambda make: make(tracking="off").end(), False),
    "told by an older version": (lambda make: note(make().end(), settled=None), False),
    "lost with an older version": (lambda make: note(make(), settled=None), True),
    "a damaged spec": (lambda make: damaged(make().end()), True),
}


@pytest.mark.parametrize("case", CASES)
def test_what_mlflow_does_not_know(tmp_path, case):
    arrange, expected = CASES[case]
    run = arrange(lambda **changes: FakeRun(tmp_path, "a", **changes).start().train(1))
    assert needs(run.directory) is expected
    assert [found.run_id for found in candidates(tmp_path)] == [run.run_id]


def test_a_run_that_never_began_is_no_matter_of_mlflows(tmp_path):
    assert not needs(FakeRun(tmp_path, "a").queue().directory)
    assert list(candidates(tmp_path / "nowhere")) == []


# -- bringing it over -------------------------------------------------------------------------


def test_a_note_whose_writer_was_killed_is_brought_over_by_whoever_looks_next(
    tmp_path, monkeypatch
):
    calls = []
    monkeypatch.setattr(lease, "detach", lambda command, log: calls.append(command[-1]))
    run = note(FakeRun(tmp_path, "a").start().train(1).end("finished"), status="FINISHED")
    queue.rouse(tmp_path)
    notes.change(tmp_path, [run.directory], {"mlflow.note.content": "better"})
    queue.rouse(tmp_path)  # while its writer may still be at it
    assert calls == []
    long_ago = time.time() - mirroring.NEGLECTED - 1
    os.utime(run.directory.path / noted.FILE, (long_ago, long_ago))
    os.utime(run.directory.mlflow_file, (long_ago - 1, long_ago - 1))
    queue.rouse(tmp_path)
    assert calls == [str(tmp_path)]
    note(run, status="FINISHED", noted=noted.read(run.directory).newest)
    queue.rouse(tmp_path)
    assert calls == [str(tmp_path)]


def test_runs_are_brought_over_together_and_once(play):
    runs = [play.ended(seed) for seed in range(4)]
    note(runs[3])  # its worker has done so itself
    for run in runs:
        play.mirroring.add(run.directory)
    assert play.mirroring.busy and play.mirroring.patience() == 0.0
    play.settle()
    assert play.calls == [[run.run_id for run in runs[:3]]]
    assert not play.mirroring.busy and play.mirroring.patience() is None
    assert play.said == []


def test_what_another_queue_process_left_is_taken_up(play):
    run = play.ended()
    play.settle()
    assert play.calls == [[run.run_id]]


def test_what_many_runs_left_is_looked_at_bit_by_bit(tmp_path):
    for seed in range(7):
        note(FakeRun(tmp_path, "many", seed=seed).start().train(1).end())
    clock = (0.4 * mirroring.LOOK * tick for tick in itertools.count())
    seen = Mirroring(tmp_path, print, lambda: next(clock))
    for _ in range(4):  # two runs each: others are not kept waiting for all seven
        assert seen.busy and seen.patience() == 0.0
        seen.poll()
    assert not seen.busy and seen.patience() is None


def test_a_store_out_of_reach_is_tried_by_one_run_ever_less_often(play):
    runs = [play.ended(seed) for seed in range(3)]
    play.answer({"": ["http://there is out of reach", 0.0]})
    waits = []
    while len(waits) < 30:
        play.settle()
        waits.append(play.mirroring.patience())
        play.now += waits[-1]
    assert [len(call) for call in play.calls] == [3] + [1] * 29
    for before, after in zip(waits[:9], waits[1:10], strict=True):
        assert 1.3 * before < after < 3 * before
    assert 0.8 <= waits[0] <= 1.2 and all(480 <= wait <= 720 for wait in waits[11:])
    assert play.said[0] == "http://there is out of reach; it is tried again for a day"
    play.answer({"": "done"})
    play.now += 600
    play.settle()
    assert play.calls[30:] == [[runs[0].run_id], [runs[1].run_id, runs[2].run_id]] or (
        sorted(sum(play.calls[30:], [])) == sorted(run.run_id for run in runs)
    )
    assert not play.mirroring.busy


def test_after_a_day_it_is_given_up_and_said_how_to_go_on(play, monkeypatch):
    monkeypatch.setattr(mirroring, "BACK_OFF", (3600.0, 7200.0))
    run = play.ended()
    play.answer({"": ["the server is away", 0.0]})
    while play.mirroring.busy or not play.calls:
        play.settle()
        assert play.now < 1.1 * DAY
        play.now += play.mirroring.patience() or 0.0
    assert play.now >= DAY
    assert play.said[-1] == (
        f"MLflow was not told everything of {run.run_id}: the local store is out of reach; lthtui"
        " sync does"
    )
    assert not needs(run.directory) and given_up(run.directory)
    run.end_epoch(1, 1)  # there is something new
    assert needs(run.directory)


def test_what_will_not_pass_is_given_up_at_once(play):
    good, bad = play.ended(0), play.ended(1)
    play.answer({"": "done", bad.run_id: ["experiment play was deleted\x1b[2J in MLflow"]})
    play.settle()
    assert len(play.calls) == 1 and not play.mirroring.busy
    (said,) = play.said
    assert bad.run_id in said and "was deleted" in said and "\x1b" not in said
    assert not needs(bad.directory)
    play.mirroring.add(bad.directory)
    assert not play.mirroring.busy and good.run_id in play.calls[0]


def test_a_server_is_left_alone_for_as_long_as_it_asks(play):
    play.ended()
    play.answer({"": ["answers 429", 300.0]})
    play.settle()
    assert play.mirroring.patience() == 300.0
    play.now += 299
    play.settle()
    assert len(play.calls) == 1
    play.now += 1
    play.settle()
    assert len(play.calls) == 2


def test_a_program_that_cannot_even_report_is_tried_again(play):
    play.ended()
    play.answer("crash")
    for _ in range(2):
        play.settle()
        play.now += play.mirroring.patience()
    assert "MLflow could not be told: Traceback: no module named mlflow; it is" in play.said[0]
    play.answer({"": "done"})
    play.settle()
    assert not play.mirroring.busy


def test_one_that_hangs_is_killed(play):
    play.ended()
    play.answer("hang")
    play.mirroring.poll()
    play.now += play.mirroring.patience()
    play.settle()
    assert play.mirroring.busy and play.mirroring.patience() > 0


def test_one_that_outlives_being_killed_is_not_looked_at_without_end(play, monkeypatch):
    play.ended()
    play.answer("hang")
    play.mirroring.poll()
    play.now += play.mirroring.patience()
    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "kill", lambda process: None)  # as on a hung file system
        play.mirroring.poll()
    assert play.mirroring.patience() > mirroring.LONGEST
    assert len(play.mirroring.filenos()) == 1
    (hanging,) = play.mirroring._running
    hanging.process.kill()
    play.settle()
    assert play.mirroring.busy


def test_stores_do_not_wait_for_one_another(play):
    far, near = play.ended(0, tracking="http://far.example"), play.ended(1)
    play.answer({"": "done", far.run_id: ["away", 500.0]})
    play.settle()
    assert sorted(play.calls) == sorted([[far.run_id], [near.run_id]])
    again = play.ended(2)
    play.mirroring.add(again.directory)
    play.settle()
    assert play.calls[-1] == [again.run_id] and play.mirroring.patience() == 500.0
    delivered = note(play.ended(3, tracking="http://far.example"))  # so that is back again
    play.mirroring.add(delivered.directory)
    assert play.mirroring.patience() == 0.0


def test_a_run_that_runs_again_is_left_to_its_worker(play):
    run = play.ended()
    play.mirroring.add(run.directory)
    launched(run, 2, alive=True)
    play.settle()
    assert play.calls == [] and not play.mirroring.busy


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
def test_a_lost_run_is_not_left_running_in_mlflow(tmp_path):
    lost = launched(FakeRun(tmp_path, "lost").start().train(1), 1)
    seen = Mirroring(tmp_path, print)
    seen.poll()
    while filenos := seen.filenos():
        assert select.select(filenos, [], [], PATIENCE)[0]
        seen.poll()
    assert not seen.busy and not needs(lost.directory)
    (run,) = Store(tmp_path).runs()
    assert (run.run_id, run.status) == (lost.run_id, "FAILED")
    assert "gone without a word" in run.tags["lthtui.error"]
    assert link.read(lost.directory).settled == link.Settled(attempt=1, status="FAILED")


def test_looking_for_what_is_missing_imports_nothing_heavy(tmp_path):
    note(FakeRun(tmp_path, "a").start().train(1).end())
    code = (
        "import sys; from pathlib import Path; from lthtui.launch import mirroring\n"
        "print([*map(mirroring.needs, mirroring.candidates(Path(sys.argv[1])))],"
        " sorted({'mlflow', 'torch', 'yaml', 'engine.spec'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout == "[False] []\n", done.stderr
    assert mirroring.PATIENCE == DAY
