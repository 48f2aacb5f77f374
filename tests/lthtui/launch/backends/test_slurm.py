"""Runs as jobs of a real Slurm: two nodes on loopback, started and stopped by the test.

Workers play scripts, except where the numbers that come out matter. What takes long is in
`tests/faults/test_slurm.py`.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest
from jobs import JOB, job_of, reaches, tickets, use
from staging import FINISH
from waiting import wait_for

from engine.errors import UsageError
from engine.launchspec import LaunchSpec
from engine.rundir import RunDirectory, Status, last_end, status
from lthtui.launch import entries, lease, queue, stopping, waits
from lthtui.launch.backends import slurm, slurmcalls
from lthtui.launch.entries import Entry


@pytest.fixture
def stage(cluster, stage, monkeypatch, tmp_path):
    """As `stage`, on a machine with a cluster, whose user has no settings."""
    use(cluster, monkeypatch, tmp_path)
    return stage


def error_of(run):
    return last_end(run).error


def reasons(stage):
    return waits.reasons(stage.root, entries.read(stage.root))


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
    reaches(run, 3)
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
    wait_for(lambda: not stage.dispatched())


def test_an_array_runs_each_of_its_runs_once_with_what_it_asked_for(stage, monkeypatch):
    monkeypatch.setenv("BASH_ENV", "/evil")
    launch = {"slurm": {"time": "10", "array": True, "gres": "gpu:1"}, "retries": 0}
    runs = stage.submit(*range(3), launch=launch)
    for run in runs:
        stage.until(run, Status.FINISHED)
    launches = [run.launch() for run in runs]
    assert len({launch.job.partition("_")[0] for launch in launches}) == 1
    assert [launch.job.partition("_")[2] for launch in launches] == ["0", "1", "2"]
    assert [launch.attempt for launch in launches] == [1, 1, 1]
    for run, launch in zip(runs, launches, strict=True):
        told = json.loads((run.path / "environment.json").read_text())
        assert told["CUDA_VISIBLE_DEVICES"] in ("0", "1")
        assert launch.device.endswith(f"GPU {told['CUDA_VISIBLE_DEVICES']}")
        assert (told["OMP_NUM_THREADS"], told["LTHTUI_ATTEMPT"]) == ("1", "1")
        assert stat.S_IMODE(run.log_file.stat().st_mode) == 0o600


def test_without_devices_asked_for_a_run_sees_none(stage, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # of the login node, say
    [run] = stage.submit(0, launch=JOB)
    stage.until(run, Status.FINISHED)
    told = json.loads((run.path / "environment.json").read_text())
    assert told["CUDA_VISIBLE_DEVICES"] == ""
    assert run.launch().device.endswith("CPU")


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
    told = running[1].path / "synced"
    told.unlink(missing_ok=True)  # as it trained
    stopping.cancel([running[1]])
    assert status(running[1]) == Status.STOPPED
    wait_for(told.exists)
    stage.allow("go")
    queue.resume(runs)
    for run in runs:
        stage.until(run, Status.FINISHED)
    assert len({*numbers, *(run.launch().job for run in runs)}) == 6


def test_a_job_that_somebody_cancelled_by_hand_is_left_alone(stage, cluster):
    stage.play({"wait": "go"}, FINISH)
    [run] = stage.submit(0, launch=JOB)
    wait_for(lambda: status(run) == Status.RUNNING)
    cluster.ask("scancel", job_of(run))
    wait_for(lambda: not entries.find(run))
    assert status(run) == Status.STOPPED
    assert run.launch().attempt == 1


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


def test_a_run_whose_job_slurm_lost_before_it_began_is_submitted_again(stage):
    """As after a controller died before it had written down the job."""
    held = queue.Turn(hold=True)
    [submitted] = queue.submit(stage.root, stage.specs(0, launch=JOB), turn=held)
    run = submitted.directory
    with entries.locked(stage.root):
        entries.change(run, job="999999", hold=False)
        lease.ensure(stage.root)
    stage.until(run, Status.FINISHED)
    assert run.launch().job != "999999" and run.launch().attempt == 1


def test_a_job_that_slurm_holds_after_a_nodes_failure_is_submitted_anew(tmp_path, monkeypatch):
    held = slurmcalls.Job("5", "PENDING", "launch failed requeued held")
    by_hand = slurmcalls.Job("6", "PENDING", "JobHeldUser")
    cancelled = []
    monkeypatch.setattr(slurmcalls, "jobs", lambda: {"5": held, "6": by_hand})
    monkeypatch.setattr(slurmcalls, "cancel", cancelled.extend)
    said = []
    cluster = slurm.Cluster(tmp_path, said.append)
    launch = LaunchSpec.model_validate(JOB)
    for name, job in (("a-s0", "5"), ("b-s0", "6")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        with entries.locked(tmp_path):
            entries.write(tmp_path, Entry(run_id=name, order=1, launch=launch, job=job))
    wait_for(lambda: cluster.look() == [] and cancelled)
    assert cancelled == ["5"] and "a-s0: Slurm job 5: launch failed requeued held" in said[0]
    assert {one.run_id: one.job for one in entries.read(tmp_path)} == {"a-s0": None, "b-s0": "6"}


def test_without_answers_nobody_spins(tmp_path, monkeypatch):
    """A queue process that can't submit now looks again after a while, and longer ones after it."""

    def away(*_):
        raise slurmcalls.Unreachable("Slurm does not answer")

    monkeypatch.setattr(slurmcalls, "jobs", dict)
    monkeypatch.setattr(slurmcalls, "submit", away)
    said = []
    cluster = slurm.Cluster(tmp_path, said.append)
    run = RunDirectory(tmp_path / "runs" / "a-s0")
    run.path.mkdir(parents=True)
    entry = Entry(run_id="a-s0", order=1, launch=LaunchSpec.model_validate(JOB))
    pauses = []
    for _ in range(3):
        with entries.locked(tmp_path):
            entries.write(tmp_path, entry)
        wait_for(lambda: _settled(cluster, tmp_path, entry))
        pauses.append(cluster.patience())
        cluster._submit_at = 0.0
    assert 1 < pauses[0] < pauses[1] < pauses[2]
    assert said == ["Slurm does not answer; it is tried again"]
    assert cluster.reason(entry) == said[0] and entries.find(run).job is None


def _settled(cluster, root, entry):
    """Play the queue process until no call is under way and the run is still not submitted."""
    cluster.look()
    with entries.locked(root):
        cluster.submit([entry])
    return cluster._jobs is not None and not cluster._calls


def test_a_job_whose_number_cannot_be_kept_is_not_submitted_twice(tmp_path, monkeypatch):
    """As on a full disk; the queue process goes on, and keeps the number once there is room."""
    sent = []

    def submitted(*_):
        sent.append(True)
        return "7"

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slurmcalls, "jobs", dict)
    monkeypatch.setattr(slurmcalls, "submit", submitted)
    said = []
    cluster = slurm.Cluster(tmp_path, said.append)
    run = RunDirectory(tmp_path / "runs" / "a-s0")
    run.path.mkdir(parents=True)
    entry = Entry(run_id="a-s0", order=1, launch=LaunchSpec.model_validate(JOB))
    with entries.locked(tmp_path):
        entries.write(tmp_path, entry)
    with monkeypatch.context() as patch:
        patch.setattr(entries, "change", full)
        wait_for(lambda: _settled(cluster, tmp_path, entry) and sent)
    assert entries.find(run).job is None and cluster.patience() > 0
    assert said == ["a-s0: its job can't be noted: [Errno 28] No space left on device"]
    cluster._submit_at = 0.0
    with entries.locked(tmp_path):
        cluster.submit([entry])
    assert entries.find(run).job == "7" and sent == [True]
