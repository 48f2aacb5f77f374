import os
import sys

from waiting import wait_for

from engine.processes import Process
from engine.rundir import Status
from lthtui import headless
from lthtui.launch import credentials, lease, queue

SLEEP = [sys.executable, "-S", "-c", "import time; print(flush=True); time.sleep(600)"]


def lacks(spawn, monkeypatch, theirs, mine):
    """Whether a process with the variables `theirs` lacks what this one has with `mine`."""
    clean = {name: value for name, value in os.environ.items() if name not in credentials.names()}
    child = spawn(SLEEP, env={**clean, **theirs}, stdout=-1)
    assert child.stdout.readline()  # before, it is still this program
    for name in credentials.names():
        monkeypatch.delenv(name, raising=False)
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    return credentials.missing_in(Process.of(child.pid))


def test_only_credentials_that_this_process_has_can_be_missing(spawn, monkeypatch):
    one, other = {"MLFLOW_TRACKING_TOKEN": "t0ken-1"}, {"MLFLOW_TRACKING_TOKEN": "t0ken-2"}
    proxied = {**one, "https_proxy": "http://p"}
    assert not lacks(spawn, monkeypatch, one, one)
    assert not lacks(spawn, monkeypatch, one, {})
    assert not lacks(spawn, monkeypatch, proxied, one)
    assert lacks(spawn, monkeypatch, {}, one)
    assert lacks(spawn, monkeypatch, one, other)
    assert lacks(spawn, monkeypatch, one, proxied)


def test_a_process_that_has_ended_lacks_nothing(spawn, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-1")
    child = spawn(SLEEP)
    process = Process.of(child.pid)
    child.kill()
    child.wait()
    assert not credentials.missing_in(process)


def test_a_queue_process_without_a_token_hands_over_to_one_that_has_it(stage, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    stage.play({"wait": "go"}, {"emit": {"kind": "run_ended", "status": "finished"}})
    (first,) = stage.submit(0, launch={"threads": os.cpu_count()})
    stage.until(first, Status.RUNNING)
    worker, before = first.launch().process, stage.leader()
    lease.ensure(stage.root)
    assert stage.leader() == before and before.alive
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-1")
    (second,) = stage.submit(1)
    wait_for(lambda: stage.leader() not in (None, before))
    assert not before.alive and worker.alive
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    last = stage.leader()
    lease.ensure(stage.root)
    assert stage.leader() == last and last.alive  # who has none is content
    stage.allow("go")
    for run in (first, second):
        stage.until(run, Status.FINISHED)
    assert (first.launch().attempt, first.launch().process) == (1, worker)
    written = [path for path in stage.root.rglob("*") if path.is_file()]
    assert written and not any(b"t0ken-1" in path.read_bytes() for path in written)


def test_who_only_follows_runs_replaces_no_queue_process(stage, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    stage.play({"wait": "go"}, {"emit": {"kind": "run_ended", "status": "finished"}})
    specs = stage.specs(0, 1, launch={"threads": os.cpu_count()}, tracking="off")
    submitted = queue.submit(stage.root, specs)
    stage.until(submitted[0].directory, Status.RUNNING)  # and the other one waits
    before, looks = stage.leader(), []

    class Display:
        def update(self, changed, runs):
            looks.append(before.alive)
            if len(looks) == 4:
                stage.allow("go")

        def close(self):
            pass

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-1")
    monkeypatch.setattr(headless, "CHECK", 0.0)
    follower = headless.Follower(stage.root, submitted, Display())
    follower.follow()
    assert follower.exit_code() == 0
    assert looks[:4] == [True] * 4
