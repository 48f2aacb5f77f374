import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import PATIENCE

from engine.errors import Foreign, UsageError
from engine.rundir import Status, status, write_json
from lthtui import specfiles
from lthtui.launch import devices, entries, lease, queue, stopping

FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}
FAIL = [{"emit": {"kind": "run_ended", "status": "failed", "error": "no"}}, {"exit": 1}]
LONG = {"sleep": 600}


@pytest.fixture
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)


def order(stage):
    return [entry.run_id[-2:] for entry in entries.read(stage.root)]


def actions(stage, *seeds, again=False, **settings):
    specs = stage.specs(*seeds, **settings)
    return [one.action for one in queue.submit(stage.root, specs, again=again)]


def test_a_submitted_run_is_a_folder_with_its_spec(stage, idle):
    (run,) = stage.submit(3)
    assert re.fullmatch(r"\d{8}-play-[0-9a-f]{6}-s3", run.run_id)
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert run.spec_file.stat().st_mode & 0o777 == 0o600
    assert run.spec().digest == stage.specs(3)[0].digest
    assert specfiles.load(run.path)[0].digest == run.spec().digest
    assert status(run) == Status.QUEUED


def test_the_images_are_found_from_any_folder(stage, idle, monkeypatch):
    monkeypatch.chdir(stage.folder)
    (run,) = stage.submit(0, data={"name": "digits", "root": "here/images"})
    assert run.spec().data.root == str(stage.folder / "here" / "images")


def test_runs_wait_in_order_and_higher_priorities_first(stage, idle):
    queue.submit(stage.root, stage.specs(0, 1))
    queue.submit(stage.root, stage.specs(2, 3), turn=queue.Turn(priority=5))
    queue.submit(stage.root, stage.specs(4), turn=queue.Turn(priority=-1))
    assert order(stage) == ["s2", "s3", "s0", "s1", "s4"]


def test_an_entry_that_cannot_be_read_is_no_entry(stage, idle):
    stage.submit(0)
    (stage.root / "queue" / "x.json").write_text("{")
    assert order(stage) == ["s0"]


def test_the_same_settings_and_seed_are_the_same_run(stage, idle):
    assert actions(stage, 0, 1, 0) == ["new", "new", "active"]
    assert actions(stage, 1, 2) == ["active", "new"]
    assert actions(stage, 0, name="other", experiment="x") == ["active"]
    assert actions(stage, 0, train={"epochs": 7}) == ["new"]
    assert len(stage.runs()) == 4


def test_again_makes_new_runs_under_new_names(stage, idle):
    (first,) = stage.submit(0)
    assert actions(stage, 0, again=True) == actions(stage, 0, again=True) == ["new"]
    names = {run.run_id.removeprefix(first.run_id) for run in stage.runs()}
    assert names == {"", "-2", "-3"}
    *older, newest = sorted(stage.runs(), key=lambda run: run.run_id)
    for run in stage.runs():
        os.utime(run.spec_file, (1000, 1000))  # as where clocks tick slowly
    stopping.cancel(older)
    (found,) = queue.submit(stage.root, stage.specs(0))
    assert (found.action, found.directory.run_id) == ("active", newest.run_id)


def test_what_is_unfinished_is_resumed_and_what_is_finished_left_alone(stage, idle):
    (run,) = stage.submit(0)
    stopping.cancel([run])
    assert status(run) == Status.STOPPED
    assert actions(stage, 0) == ["resumed"]
    run.queue_file.unlink()
    line = {"kind": "run_ended", "status": "finished", "attempt": 1}
    run.events_file.write_text(json.dumps(line) + "\n")
    assert actions(stage, 0) == ["finished"]
    assert [one.action for one in queue.resume([run])] == ["finished"]
    assert order(stage) == []


def test_a_resumed_run_finds_its_images_where_they_are_now(stage, idle):
    (run,) = stage.submit(0, data={"name": "digits", "root": "/old"}, name="first")
    stopping.cancel([run])
    moved = {"data": {"name": "digits", "root": "/new"}, "name": "second"}
    assert actions(stage, 0, **moved) == ["resumed"]
    assert (run.spec().data.root, run.spec().name) == ("/new", "first")
    assert actions(stage, 0, data={"name": "digits", "root": "/newer"}) == ["active"]
    assert run.spec().data.root == "/new"


def test_a_folder_left_by_a_killed_submission_is_used(stage, idle):
    (run,) = stage.submit(0)
    stopping.cancel([run])
    run.spec_file.unlink()
    assert actions(stage, 0) == ["new"]
    assert run.spec().seed == 0


def test_a_run_of_a_format_that_cannot_be_read_is_another_run(stage, idle):
    (run,) = stage.submit(0)
    run.spec_file.write_text("version: 99\n")
    assert actions(stage, 0) == ["new"]
    assert len(stage.runs()) == 2


def test_a_preview_says_the_same_and_writes_nothing(stage, idle):
    specs = stage.specs(0, 1)
    assert [one.action for one in queue.preview(stage.root, specs)] == ["new", "new"]
    assert not stage.root.exists()
    stage.submit(0)
    before = sorted(stage.root.rglob("*"))
    preview = queue.preview(stage.root, specs)
    assert [one.action for one in preview] == ["active", "new"]
    assert sorted(stage.root.rglob("*")) == before
    foreseen = [one.directory.run_id for one in preview]
    assert foreseen == [run.run_id for run in stage.submit(0, 1)]


def test_a_gpu_that_is_not_here_is_refused_before_anything_is_written(stage, monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: ())
    with pytest.raises(UsageError, match="no GPU '0'"):
        stage.submit(0, launch={"devices": ["0"]})
    assert not stage.root.exists()


def test_a_waiting_run_is_cancelled_at_once_and_can_be_resumed(stage, idle):
    stopped, paused = stage.submit(0, 1)
    stopping.cancel([stopped])
    stopping.pause([paused])
    assert (status(stopped), status(paused)) == (Status.STOPPED, Status.PAUSED)
    assert order(stage) == []
    assert [one.action for one in queue.resume([stopped, paused])] == ["resumed", "resumed"]
    assert order(stage) == ["s0", "s1"]


def test_a_running_run_is_stopped_at_a_checkpoint_and_goes_on_as_the_next_attempt(stage):
    stage.play(LONG)
    (run,) = stage.submit(0)
    stage.until(run, Status.RUNNING)
    stopping.cancel([run])
    assert status(run) == Status.STOPPED
    assert run.exit().code in (75, -signal.SIGTERM)  # the latter before it could listen
    stage.play(FINISH)
    queue.resume([run])
    stage.until(run, Status.FINISHED)
    assert run.launch().attempt == run.exit().attempt == 2


def test_a_paused_run_counts_as_paused(stage):
    stage.play({"print": "ready"}, LONG)
    (run,) = stage.submit(0)
    stage.until(run, Status.RUNNING)
    stopping.pause([run])
    assert status(run) == Status.PAUSED


def test_a_deaf_worker_is_killed_with_all_that_it_started(stage):
    stage.play({"ignore": "TERM"}, {"spawn": "session"}, LONG)
    (run,) = stage.submit(0)
    spawned = run.path / "spawned"
    stage.wait(lambda: spawned.exists() and spawned.read_text())
    began = time.monotonic()
    stopping.cancel([run], grace=1.0)
    assert time.monotonic() - began >= 1.0
    assert status(run) == Status.STOPPED
    assert run.exit().code == -signal.SIGKILL
    assert not Path(f"/proc/{spawned.read_text()}").exists()


def test_a_worker_that_was_started_by_hand_is_stopped_too(stage, idle, spawn):
    stage.play({"print": "on"}, LONG)
    (run,) = stage.submit(0)
    run.queue_file.unlink()
    command = [*shlex.split(os.environ["LTHTUI_WORKER"]), str(run.path)]
    environment = {**os.environ, "LTHTUI_ATTEMPT": "1"}
    worker = spawn(command, env=environment, stdout=subprocess.PIPE)
    assert worker.stdout.readline() == b"on\n"
    assert status(run) == Status.RUNNING
    stopping.cancel([run])
    assert status(run) == Status.STOPPED
    assert worker.wait(PATIENCE) == 75


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_is_broken_off_queues_all_of_a_sweep_or_nothing(stage, idle, monkeypatch, error):
    _, stopped, left, _ = stage.submit(9, 8, 7, 6)
    stopping.cancel([stopped, left])
    left.spec_file.unlink()  # by whoever was killed while making it
    (left.path / "log.txt").touch()
    before, known = order(stage), sorted((stage.root / "runs").rglob("*"))
    written = []

    def write(path, value):
        written.append(path)
        if len(written) == 4:
            raise error
        write_json(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(entries, "write_json", write)
        with pytest.raises(type(error)):
            stage.submit(0, 8, 7, 1, 2)
    assert len(written) == 4 and order(stage) == before == ["s9", "s6"]
    assert sorted((stage.root / "runs").rglob("*")) == known
    assert actions(stage, 0, 8, 7, 1) == ["new", "resumed", "new", "new"]


def test_all_runs_are_resumed_or_none(stage, idle, monkeypatch):
    runs = stage.submit(0, 1, 2)
    stopping.cancel(runs)
    written = []

    def write(path, value):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        write_json(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(entries, "write_json", write)
        with pytest.raises(OSError, match="No space left"):
            queue.resume(runs)
    assert order(stage) == [] and len(stage.runs()) == 3
    runs[2].spec_file.write_text("version: 99\n")
    with pytest.raises(Foreign):
        queue.resume(runs)
    assert order(stage) == []


def test_a_run_on_another_machine_cannot_be_stopped_from_here(stage, idle):
    (run,) = stage.submit(0)
    process = {"host": "elsewhere", "boot": "x", "pid": 1, "start": 1}
    beat = {"attempt": 1, "process": process, "time": time.time()}
    write_json(run.heartbeat_file, beat)
    with pytest.raises(UsageError, match="runs on elsewhere"):
        stopping.cancel([run])
    run.heartbeat_file.unlink()


def test_a_run_whose_pid_was_given_to_somebody_else_is_never_signalled(stage, idle, spawn):
    (run,) = stage.submit(0)
    run.queue_file.unlink()
    bystander = spawn([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    process = {"host": os.uname().nodename, "boot": "x", "pid": bystander.pid, "start": 1}
    launch = {"attempt": 1, "backend": "local", "process": process, "device": "cpu"}
    write_json(run.launch_file, {**launch, "threads": 1, "time": time.time()})
    assert status(run) == Status.LOST
    stopping.cancel([run], grace=0)
    assert bystander.poll() is None


SUBMIT = """
import sys
from pathlib import Path
from engine.spec import RunSpec
from lthtui.launch import queue
fixed = {"name": "play", "data": "digits", "model": "resnet20", "sparsifier": "dense"}
specs = [RunSpec.model_validate({**fixed, "seed": seed}) for seed in range(6)]
print(*[one.action for one in queue.submit(Path(sys.argv[1]), specs)])
"""


def test_several_clients_at_once_start_each_run_once(stage, spawn):
    stage.play({"print": "started"}, FINISH)
    command = [sys.executable, "-c", SUBMIT, stage.root]
    clients = [spawn(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [client.communicate(timeout=PATIENCE)[0].split() for client in clients]
    assert [client.returncode for client in clients] == [0, 0, 0]
    assert sorted(sum(said, [])).count("new") == 6
    for run in stage.runs():
        stage.until(run, Status.FINISHED)
        assert (run.launch().attempt, run.log_file.read_text()) == (1, "started\n")
    assert len(stage.runs()) == 6


def test_shell_characters_in_a_folder_are_only_characters(stage, tmp_path):
    stage.root = tmp_path / "a b; $(touch hacked) 'c'" / "mlruns"
    (run,) = stage.submit(0)
    stage.until(run, Status.FINISHED)
    assert not [*tmp_path.rglob("hacked")]


def test_an_id_that_lies_in_the_trash_is_not_given_again(stage, idle):
    (first,) = stage.submit(0)
    (stage.root / "trash").mkdir()
    first.queue_file.unlink()
    first.path.rename(stage.root / "trash" / first.run_id)
    (second,) = queue.submit(stage.root, stage.specs(0))
    assert (second.action, second.directory.run_id) == ("new", f"{first.run_id}-2")
