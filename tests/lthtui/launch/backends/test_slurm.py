"""Runs as jobs of a real Slurm: two nodes on loopback, started and stopped by the test.

Workers play scripts, except where the numbers that come out matter.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest
from staging import FINISH
from waiting import wait_for

from engine.errors import UsageError
from engine.events import Tail
from engine.rundir import Status, last_end, status
from lthtui.launch import entries, lease, queue, stopping, waits
from lthtui.launch.backends import slurm, slurmcalls

JOB = {"slurm": {"time": "10"}, "retries": 0}
ARRAY = {"slurm": {"time": "10", "array": True}, "retries": 0}


@pytest.fixture
def stage(cluster, stage, monkeypatch, tmp_path):
    """As `stage`, on a machine with a cluster, whose user has no settings."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return stage


def job_of(run):
    """The number of a run's job, once there is one."""
    wait_for(lambda: (entry := entries.find(run)) and entry.job)
    return entries.find(run).job


def busy(cluster):
    """Give both nodes something else to do, until the jobs are cancelled; their numbers."""
    sleep = ["--output=/dev/null", "--exclusive", "--wrap=sleep 600"]
    numbers = [cluster.ask("sbatch", "--parsable", *sleep).strip() for _ in range(2)]
    wait_for(lambda: all(cluster.job(n)["JobState"] == "RUNNING" for n in numbers))
    return numbers


def error_of(run):
    return last_end(run).error


def test_a_run_stopped_by_its_time_limit_goes_on_to_the_same_ticket(
    stage, cluster, tiny, monkeypatch, spawn, run_folder
):
    monkeypatch.delenv("LTHTUI_WORKER")
    spec = tiny(train={"epochs": 20, "batch_size": 25, "evaluate": {"every": 1}}, launch=JOB)
    [submitted] = queue.submit(stage.root, [spec])
    run = submitted.directory
    here = run_folder(run.spec(), "local")
    local = spawn(
        [sys.executable, "-P", "-m", "engine", str(here.path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: run.events_file.exists() and b'"epoch":3,' in run.events_file.read_bytes())
    number = job_of(run)
    cluster.ask("scancel", "--signal=USR1", "--batch", number)  # as Slurm does at the limit
    wait_for(lambda: cluster.job(number).get("Restarts") == "1")
    wait_for(lambda: status(run) == Status.QUEUED or run.launch().attempt == 2)
    assert entries.find(run).job == number
    stage.until(run, Status.FINISHED)
    wait_for(lambda: not entries.find(run))
    assert local.wait() == 0
    assert tickets(run) == tickets(here) and tickets(run)
    launch = run.launch()
    assert (launch.backend, launch.job, launch.attempt) == ("slurm", number, 2)
    assert [event.attempt for event in Tail(run.events_file).read() if event.kind == "run_started"]
    wait_for(lambda: not stage.dispatched())


def tickets(run):
    return {path.parent.name: path.read_bytes() for path in run.levels.glob("*/ticket.safetensors")}


def test_an_array_runs_each_of_its_runs_once(stage, cluster):
    runs = stage.submit(*range(3), launch=ARRAY)
    for run in runs:
        stage.until(run, Status.FINISHED)
    launches = [run.launch() for run in runs]
    assert len({launch.job.partition("_")[0] for launch in launches}) == 1
    assert [launch.job.partition("_")[2] for launch in launches] == ["0", "1", "2"]
    assert [launch.attempt for launch in launches] == [1, 1, 1]


def test_what_a_worker_is_told_on_a_node(stage, cluster, monkeypatch):
    monkeypatch.setenv("BASH_ENV", "/evil")
    slurm_ = {"time": "10", "gres": "gpu:1"}
    [with_gpu] = stage.submit(0, launch={"slurm": slurm_, "threads": 1})
    [without] = stage.submit(1, launch=JOB)
    for run in (with_gpu, without):
        stage.until(run, Status.FINISHED)
    found = json.loads((with_gpu.path / "environment.json").read_text())
    assert found["CUDA_VISIBLE_DEVICES"] in ("0", "1")
    assert found["OMP_NUM_THREADS"] == "1" and found["LTHTUI_ATTEMPT"] == "1"
    assert json.loads((without.path / "environment.json").read_text())["CUDA_VISIBLE_DEVICES"] == ""
    assert with_gpu.launch().device.endswith(f"GPU {found['CUDA_VISIBLE_DEVICES']}")
    assert without.launch().device.endswith("CPU")
    assert stat.S_IMODE(with_gpu.log_file.stat().st_mode) & 0o077 == 0


def test_pending_and_running_jobs_are_stopped_and_resumed(stage, cluster):
    stage.play({"emit": {"kind": "warned", "message": "begun"}}, {"wait": "go"}, FINISH)
    runs = stage.submit(*range(3), launch=JOB)
    numbers = [job_of(run) for run in runs]
    wait_for(lambda: sum(run.events_file.exists() for run in runs) == 2)
    [pending] = [run for run in runs if not run.events_file.exists()]
    wait_for(lambda: "no node is free" in reasons(stage).get(pending.run_id, ""))
    running = [run for run in runs if run is not pending]
    stopping.pause([pending, running[0]])
    assert [status(run) for run in (pending, running[0])] == [Status.PAUSED] * 2
    assert not entries.find(pending) and not entries.find(running[0])
    states = [cluster.job(numbers[runs.index(run)])["JobState"] for run in (pending, running[0])]
    assert states == ["CANCELLED", "FAILED"]  # of its own accord, with 75
    assert last_end(running[0]).status == "stopped"
    stopping.cancel([running[1]])
    assert status(running[1]) == Status.STOPPED
    stage.allow("go")
    queue.resume(runs)
    for run in runs:
        stage.until(run, Status.FINISHED)
    assert len({*numbers, *(run.launch().job for run in runs)}) == 6


def reasons(stage):
    return waits.reasons(stage.root, entries.read(stage.root))


def test_one_that_does_not_stop_is_ended(stage, cluster):
    stage.play({"ignore": "TERM"}, {"spawn": "session"}, {"wait": "never"})
    [run] = stage.submit(0, launch=JOB)
    wait_for((run.path / "spawned").exists)
    stopping.cancel([run], grace=0.5)
    assert status(run) == Status.STOPPED
    assert not entries.find(run)


def test_a_job_that_somebody_cancelled_by_hand_is_left_alone(stage, cluster):
    stage.play({"wait": "go"}, FINISH)
    [run] = stage.submit(0, launch=JOB)
    wait_for(lambda: status(run) == Status.RUNNING)
    cluster.ask("scancel", job_of(run))
    wait_for(lambda: not entries.find(run))
    assert status(run) == Status.STOPPED
    assert run.launch().attempt == 1


def test_a_job_that_its_node_could_not_queue_again_is_submitted_again(
    stage, cluster, monkeypatch, tmp_path
):
    """As where scontrol can't reach the controller from a node."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "scontrol").write_text("#!/bin/sh\necho JobState=UNKNOWN\n")
    (tmp_path / "bin" / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    stage.play({"wait": "go"}, FINISH)
    [run] = stage.submit(0, launch=JOB)
    wait_for(run.heartbeat_file.exists)
    number = job_of(run)
    slurmcalls.cancel([number], "--signal=TERM", "--batch")
    wait_for(lambda: (entry := entries.find(run)) and entry.job not in (None, number))
    stage.allow("go")
    stage.until(run, Status.FINISHED)
    assert run.launch().attempt == 2


def test_a_killed_job_is_lost_and_tried_again(stage, cluster):
    stage.play({"wait": "go"}, FINISH)
    [run] = stage.submit(0, launch={**JOB, "retries": 1})
    wait_for(lambda: status(run) == Status.RUNNING)
    first = job_of(run)
    run.launch().process.signal(signal.SIGKILL)
    wait_for(lambda: (entry := entries.find(run)) and entry.retries == 1)
    queue.release([run])  # now, not in a while
    stage.allow("go")
    stage.until(run, Status.FINISHED)
    assert run.launch().job != first and run.launch().retries == 1
    assert "is gone (FAILED)" in lease.log_file(stage.root).read_text()


def test_a_worker_that_fails_fails_the_run(stage, cluster):
    stage.play({"exit": 3})
    [run] = stage.submit(0, launch=JOB)
    stage.until(run, Status.FAILED)
    wait_for(lambda: not entries.find(run))
    assert run.exit().code == 3
    assert cluster.job(run.launch().job)["ExitCode"] == "3:0"


def test_a_job_that_cannot_begin_says_why(stage, cluster, tmp_path):
    settings = tmp_path / "config" / "lthtui"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text('[slurm.lab]\npython = "/nowhere/python"\n')
    [run] = stage.submit(0, launch={"slurm": {"profile": "lab"}})
    stage.until(run, Status.FAILED)
    assert "ended before the run began (FAILED); see its log" in error_of(run)
    assert "/nowhere/python: No such file" in run.log_file.read_text()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"gres": "gpu:3"}, "Requested node configuration is not available"),
        ({"profile": "nope"}, "no profile 'nope'"),
        ({"time": "1"}, "leaves nothing to train in"),
    ],
)
def test_what_slurm_would_refuse_is_refused_before_anything_is_queued(stage, asked, words):
    with pytest.raises(UsageError, match=words):
        stage.submit(0, launch={"slurm": asked})
    assert not stage.runs()


def test_what_slurm_refuses_after_all_fails_with_its_words(stage, cluster, monkeypatch):
    monkeypatch.setattr(slurm, "check", lambda root, launches: None)
    [run] = stage.submit(0, launch={"slurm": {"partition": "nowhere"}})
    stage.until(run, Status.FAILED)
    ended = last_end(run)
    assert "invalid partition specified: nowhere" in ended.error and ended.cause == "spec"


def test_without_slurm_it_says_so(stage, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no sbatch here"):
        stage.submit(0, launch=JOB)


def test_a_job_whose_run_is_not_wanted_any_more_does_nothing(stage, cluster):
    others = busy(cluster)
    [run] = stage.submit(0, launch=JOB)
    number = job_of(run)
    with entries.locked(stage.root):
        run.queue_file.unlink()
    cluster.ask("scancel", *others)
    wait_for(lambda: cluster.job(number)["JobState"] == "COMPLETED")
    assert f"Slurm job {number} is not wanted any more" in run.log_file.read_text()
    assert not run.launch() and not run.events_file.exists()


def test_a_run_that_slurm_has_already_is_not_submitted_again(stage, cluster):
    """As after a queue process that was killed before it could note the number."""
    stage.play({"wait": "go"}, FINISH)
    [run] = stage.submit(0, launch=JOB)
    number = job_of(run)
    os.kill(dispatcher_of(stage), signal.SIGKILL)
    wait_for(lambda: not stage.dispatched())
    with entries.locked(stage.root):
        entries.change(run, job=None)
        lease.ensure(stage.root)
    assert job_of(run) == number
    stage.allow("go")
    stage.until(run, Status.FINISHED)
    assert run.launch().attempt == 1


def dispatcher_of(stage):
    found = subprocess.run(
        ["pgrep", "-f", f"lthtui.launch.dispatcher {stage.root}$"], capture_output=True, text=True
    )
    return int(found.stdout)


def test_a_queue_process_goes_on_where_a_killed_one_left_off(stage, cluster):
    stage.play({"wait": "go"}, FINISH)
    [run] = stage.submit(0, launch=JOB)
    wait_for(lambda: status(run) == Status.RUNNING)
    os.kill(dispatcher_of(stage), signal.SIGKILL)
    wait_for(lambda: not stage.dispatched())
    stage.allow("go")
    wait_for(lambda: last_end(run))
    queue.rouse(stage.root)
    stage.until(run, Status.FINISHED)
    assert run.launch().attempt == 1
