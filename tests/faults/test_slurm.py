"""Criterion 18: jobs of a real Slurm go on to the same result, whatever dies around them.

Two nodes on loopback, a cluster for each test. `LTHTUI_FAULT_SEED=n` gives other random kills.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import yaml
from cluster import NODES, Cluster, missing
from jobs import JOB, dispatcher_of, job_of, reaches, tickets, use
from mirrored import expected_rows, known
from staging import FINISH, staged
from waiting import wait_for

from engine.events import Tail
from engine.rundir import RunDirectory, Status, last_end, status
from engine.spec import RunSpec
from lthtui.launch import entries, lease, queue, stopping
from lthtui.launch.backends import slurmcalls

pytestmark = [pytest.mark.fault, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SEED = int(os.environ.get("LTHTUI_FAULT_SEED", "0"))
ROUNDS = 8  # kills at random
PRESSING = "#!/bin/bash\nsleep 5\n"
BUSY = "#!/bin/bash\nsleep 600\n"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster of the test's own, which it may break."""
    if why := missing():
        pytest.skip(why)
    found = Cluster(tmp_path / "slurm")
    use(found, monkeypatch, tmp_path)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def stage(cluster, tmp_path, monkeypatch):
    """A root whose workers train."""
    for found in staged(tmp_path, monkeypatch):
        monkeypatch.delenv("LTHTUI_WORKER")
        yield found


@pytest.fixture
def acting(cluster, tmp_path, monkeypatch):
    """A root whose workers play scripts."""
    yield from staged(tmp_path, monkeypatch)


def spec_of(seed=0, epochs=150, **launch):
    """A run of some 15 seconds, which writes a checkpoint every fifth of one."""
    return RunSpec.model_validate(
        {
            "name": "whole",
            "seed": seed,
            "data": {"name": "digits", "root": "/", "per_class": 20, "validation": 100},
            "model": {"name": "resnet20", "width": 8, "shortcut": "B"},
            "sparsifier": {"name": "imp", "levels": 2, "rewind": "1ep"},
            "train": {"epochs": epochs, "batch_size": 20, "evaluate": {"every": 1}},
            "checkpoint": 0.2,
            "keep": ["all"],
            "launch": {**JOB, "retries": 20, **launch},
        }
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The tickets of an uninterrupted run on this machine, by seed and epochs."""
    made = {}

    def run(seed=0, epochs=150):
        if (seed, epochs) not in made:
            directory = RunDirectory(tmp_path_factory.mktemp("whole") / "runs" / "run-s0")
            directory.path.mkdir(parents=True)
            spec = spec_of(seed, epochs).model_copy(update={"tracking": "off"})
            directory.spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            command = [sys.executable, "-P", "-m", "engine", str(directory.path)]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            made[seed, epochs] = tickets(directory)
            assert len(made[seed, epochs]) == 3
        return made[seed, epochs]

    return run


def submit(stage, *specs):
    return [one.directory for one in queue.submit(stage.root, specs)]


def assert_whole(stage, run, expected):
    """The run is as if nothing had happened: in its folder, in its journal and in MLflow."""
    stage.until(run, Status.FINISHED)
    wait_for(lambda: not stage.dispatched())
    assert tickets(run) == expected
    events = [*Tail(run.events_file).read()]
    for kind in ("level_started", "epoch_ended", "level_ended", "ticket_saved"):
        count = Counter((one.level, one.epoch) for one in events if one.kind == kind)
        assert set(count.values()) == {1}, kind
    attempts = [one.attempt for one in events]
    assert attempts == sorted(attempts)
    rows = [row for row in known(stage.root) if row[0] == run.run_id]
    assert len({row[1:3] for row in rows}) == len(rows)  # one value a key and step
    wanted = expected_rows(SimpleNamespace(directory=run, run_id=run.run_id))
    assert set(wanted) <= set(rows) and wanted


def lose(cluster, node):
    """Have a node die for Slurm, while what runs on it goes on."""
    orphans = cluster.step_daemons(node)
    cluster.kill(node)
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)


def node_of(run):
    return run.launch().device.partition(",")[0]


def test_a_node_dies_and_its_orphan_lives_on(stage, cluster, whole, record_property):
    expected = whole()
    [run] = submit(stage, spec_of())
    reaches(run, 20)
    orphan, node = run.launch().process, node_of(run)
    lose(cluster, node)
    began = time.monotonic()
    written = run.events_file.stat().st_size
    wait_for(lambda: run.launch().attempt == 2)
    record_property("seconds until another node took over", round(time.monotonic() - began, 1))
    wait_for(lambda: not orphan.alive)
    first = [one for one in Tail(run.events_file).read() if one.attempt == 1]
    assert run.events_file.stat().st_size > written  # it went on writing while nobody minded
    record_property("events by attempt 1", len(first))
    assert_whole(stage, run, expected)
    assert node_of(run) != node
    assert "attempt 1 was replaced by attempt 2; writing no more" in run.log_file.read_text()
    cluster.start_node(node)


def test_the_controller_dies_and_comes_back(stage, cluster, whole, record_property):
    expected = whole()
    [run] = submit(stage, spec_of())
    wait_for(run.heartbeat_file.exists)
    cluster.kill("slurmctld")
    [late] = submit(stage, spec_of(1, 2))
    log = lease.log_file(stage.root)
    wait_for(lambda: log.exists() and "Slurm does not answer" in log.read_text())
    assert status(late) == Status.QUEUED
    cluster.start_controller()
    stage.until(late, Status.FINISHED)
    assert_whole(stage, run, expected)
    assert log.read_text().count("Slurm does not answer") == 1
    record_property("attempts", run.launch().attempt)


def test_a_time_limit_ends_a_job_and_not_its_run(stage, cluster, whole, record_property):
    """The shortest limit that Slurm has is a minute; it warns up to a minute too early."""
    expected = whole(0, 40)
    [run] = submit(stage, spec_of(0, 40, slurm={"time": "1", "warning": 10}))
    reaches(run, 2)
    worker = run.heartbeat().process
    while run.launch().attempt == 1 and worker.signal(signal.SIGCONT):  # slow it down
        time.sleep(0.02)
        worker.signal(signal.SIGSTOP)
        time.sleep(0.4)
    worker.signal(signal.SIGCONT)
    assert_whole(stage, run, expected)
    assert run.launch().attempt > 1
    assert "a checkpoint was saved" in run.log_file.read_text()
    record_property("attempts", run.launch().attempt)


def test_a_more_pressing_job_takes_the_node(stage, cluster, whole, tmp_path, record_property):
    expected = whole()
    [run] = submit(stage, spec_of())
    reaches(run, 10)
    script = tmp_path / "pressing"
    script.write_text(PRESSING)
    where = [f"--nodelist={node_of(run)}", "--partition=urgent", "--output=/dev/null"]
    cluster.ask("sbatch", *where, str(script))
    assert_whole(stage, run, expected)
    assert run.launch().attempt == 2
    record_property("attempts", run.launch().attempt)


def test_an_array_under_random_kills(stage, cluster, whole, record_property):
    rng = random.Random(SEED)
    expected = [whole(seed, 20) for seed in range(6)]
    options = {"time": "10", "array": True}
    runs = submit(stage, *[spec_of(seed, 20, slurm=options) for seed in range(6)])
    done = Counter()
    for _ in range(ROUNDS):
        time.sleep(rng.uniform(0.5, 4))
        left = [run for run in runs if status(run) == Status.RUNNING and run.heartbeat()]
        if left:
            done[_strike(rng, cluster, stage, rng.choice(left))] += 1
        queue.release([run for run in runs if entries.find(run)])  # no waiting between retries
    for run, tickets_of in zip(runs, expected, strict=True):
        wait_for(lambda run=run: _released(run) and status(run) == Status.FINISHED)
        assert_whole(stage, run, tickets_of)
    record_property("seed", SEED)
    record_property("kills", dict(done))
    record_property("attempts", sum(run.launch().attempt for run in runs))


def _released(run):
    queue.release([run])
    return True


def _strike(rng, cluster, stage, run):
    """Hurt a run in one of many ways; says how."""
    how = rng.choice(["worker", "job", "signal", "node", "controller", "queue"])
    beat, launch = run.heartbeat(), run.launch()
    if how == "worker" and beat:
        beat.process.signal(signal.SIGKILL)
    elif how == "job":
        launch.process.signal(signal.SIGKILL)
    elif how == "signal":
        slurmcalls.cancel([launch.job], "--signal=USR1", "--batch")
    elif how == "node":
        lose(cluster, node_of(run))
        time.sleep(rng.uniform(0, 5))
        cluster.start_node(node_of(run))
    elif how == "controller":
        cluster.kill("slurmctld")
        time.sleep(rng.uniform(0, 5))
        cluster.start_controller()
    elif how == "queue" and stage.dispatched():
        os.kill(dispatcher_of(stage.root), signal.SIGKILL)
        wait_for(lambda: not stage.dispatched())
        queue.rouse(stage.root)
    return how


def busy(cluster, folder):
    """Give both nodes something else to do, until the jobs are cancelled; their numbers."""
    script = folder / "busy"
    script.write_text(BUSY)
    command = ["sbatch", "--parsable", "--output=/dev/null", "--exclusive", str(script)]
    numbers = [cluster.ask(*command).strip() for _ in NODES]
    wait_for(lambda: all(cluster.job(n)["JobState"] == "RUNNING" for n in numbers))
    return numbers


def test_one_that_does_not_stop_is_ended(acting, cluster):
    acting.play({"ignore": "TERM"}, {"spawn": "session"}, {"wait": "never"})
    [run] = acting.submit(0, launch=JOB)
    wait_for((run.path / "spawned").exists)
    stopping.cancel([run], grace=0.5)
    assert status(run) == Status.STOPPED
    assert not entries.find(run)


def test_a_job_that_its_node_could_not_queue_again_is_submitted_again(
    acting, cluster, monkeypatch, tmp_path
):
    """As where scontrol can't reach the controller from a node."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "scontrol").write_text("#!/bin/sh\necho JobState=UNKNOWN\n")
    (tmp_path / "bin" / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    acting.play({"wait": "go"}, FINISH)
    [run] = acting.submit(0, launch=JOB)
    wait_for(run.heartbeat_file.exists)
    number = job_of(run)
    slurmcalls.cancel([number], "--signal=TERM", "--batch")
    wait_for(lambda: (entry := entries.find(run)) and entry.job not in (None, number))
    acting.allow("go")
    acting.until(run, Status.FINISHED)
    assert run.launch().attempt == 2


def test_a_job_whose_run_is_not_wanted_any_more_does_nothing(acting, cluster, tmp_path):
    others = busy(cluster, tmp_path)
    [run] = acting.submit(0, launch=JOB)
    number = job_of(run)
    with entries.locked(acting.root):
        run.queue_file.unlink()
    cluster.ask("scancel", *others)
    wait_for(lambda: cluster.job(number)["JobState"] == "COMPLETED")
    assert f"Slurm job {number} is not wanted any more" in run.log_file.read_text()
    assert not run.launch() and not run.events_file.exists()


def test_a_run_that_slurm_has_already_is_not_submitted_again(acting, cluster):
    """As after a queue process that was killed before it could note the number."""
    acting.play({"wait": "go"}, FINISH)
    [run] = acting.submit(0, launch=JOB)
    number = job_of(run)
    os.kill(dispatcher_of(acting.root), signal.SIGKILL)
    wait_for(lambda: not acting.dispatched())
    with entries.locked(acting.root):
        entries.change(run, job=None)
        lease.ensure(acting.root)
    assert job_of(run) == number
    acting.allow("go")
    acting.until(run, Status.FINISHED)
    assert run.launch().attempt == 1


def test_a_queue_process_goes_on_where_a_killed_one_left_off(acting, cluster):
    acting.play({"wait": "go"}, FINISH)
    [run] = acting.submit(0, launch=JOB)
    wait_for(lambda: status(run) == Status.RUNNING)
    os.kill(dispatcher_of(acting.root), signal.SIGKILL)
    wait_for(lambda: not acting.dispatched())
    acting.allow("go")
    wait_for(lambda: last_end(run))
    queue.rouse(acting.root)
    acting.until(run, Status.FINISHED)
    assert run.launch().attempt == 1
