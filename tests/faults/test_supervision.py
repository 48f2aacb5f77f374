"""Criteria 2, 3, 13, 14 and 16: shims, queue processes and workers killed, deaf, halted."""

from __future__ import annotations

import os
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.events import Tail
from engine.processes import Process
from engine.rundir import HEARTBEAT_SECONDS, Status, status
from lthtui.launch import lease, queue, stopping
from lthtui.launch.slots import Ledger
from lthtui.monitor import Watched

FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}
FOUR = {"threads": "auto", "per_device": 4, "retries": 0}  # places, however many cores there are


def _seconds(times: list[float]) -> str:
    return f"median {statistics.median(times):.3f}, longest {max(times):.3f}"


def _queue_process(stage) -> Process:
    """The root's queue process, from the kernel's list of who holds the lease."""
    held = (stage.root / "queue" / "lease").stat()
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, _, pid, file, *_ = line.split()
        if kind == "FLOCK" and file.endswith(f":{held.st_ino}") and int(pid) > 0:
            return Process.of(int(pid))
    raise ProcessLookupError("nobody holds the lease")


def _shim_rounds(stage, rounds: int, record) -> None:
    died, lost, freed = [], [], []
    stage.play({"spawn": "group"}, {"wait": "never"})
    for seed in range(rounds):
        (run,) = stage.submit(seed)
        spawned = run.path / "spawned"
        stage.wait(lambda spawned=spawned: spawned.exists() and spawned.read_text())
        worker, child = run.heartbeat().process, Process.of(int(spawned.read_text()))
        began = time.monotonic()
        assert run.launch().process.signal(signal.SIGKILL)
        stage.wait(lambda worker=worker: not worker.alive)
        died.append(time.monotonic() - began)
        stage.until(run, Status.LOST)
        lost.append(time.monotonic() - began)
        stage.wait(lambda: not Ledger(lease.slots(stage.root)).places())
        freed.append(time.monotonic() - began)
        stage.wait(lambda child=child: not child.alive, lambda: "its worker's child lives")
    record("kills of the shim", rounds)
    record("s until the worker was gone", _seconds(died))
    record("s until the run was lost", _seconds(lost))
    record("s until its place was free", _seconds(freed))


def test_a_killed_shim_takes_its_run_with_it(stage, record_property):
    _shim_rounds(stage, 2, record_property)


@pytest.mark.fault
def test_twenty_killed_shims(stage, record_property):
    _shim_rounds(stage, 20, record_property)


def _queue_rounds(stage, rounds: int, record) -> None:
    adopted = []
    for number in range(rounds):
        go = f"go{number}"
        codes = {f"s{10 * number + place}": place for place in range(6)}
        ends = {0: [FINISH], 1: [{"exit": 1}], 2: [{"exit": 3}], 3: [FINISH]}
        scripts = {
            f"s{10 * number + place}": [{"wait": go}, *ends.get(place, [FINISH])]
            for place in codes.values()
        }
        stage.play(**scripts)
        runs = stage.submit(*(10 * number + place for place in range(6)), launch=FOUR)
        running, waiting = runs[:4], runs[4:]
        for run in running:
            stage.wait(run.heartbeat_file.exists)
        before = [run.launch() for run in running]
        pids = [run.heartbeat().process for run in running]
        process = _queue_process(stage)
        assert process.signal(signal.SIGKILL)
        stage.wait(lambda: not stage.dispatched())
        assert [status(run) for run in runs] == [Status.RUNNING] * 4 + [Status.QUEUED] * 2
        began = time.monotonic()
        queue.rouse(stage.root)  # as any command does
        stage.wait(stage.dispatched)
        adopted.append(time.monotonic() - began)
        stage.allow(go)
        for run in runs:
            stage.wait(lambda run=run: status(run) not in (Status.QUEUED, Status.RUNNING))
        assert [run.launch() for run in running] == before
        assert [run.exit().code for run in runs] == [0, 1, 3, 0, 0, 0]
        assert [run.exit().attempt for run in runs] == [1] * 6
        assert not any(process.alive for process in pids)
        assert runs[4].launch().time <= runs[5].launch().time
        assert min(run.launch().time for run in waiting) >= min(r.exit().time for r in running)
        stage.wait(lambda: not stage.dispatched())
    record("kills of the queue process", rounds)
    record("runs adopted", 4 * rounds)
    record("s until another was there", _seconds(adopted))


def test_a_killed_queue_process_with_four_workers(stage, record_property):
    _queue_rounds(stage, 1, record_property)


@pytest.mark.fault
def test_twenty_killed_queue_processes(stage, record_property):
    _queue_rounds(stage, 20, record_property)


def test_a_deaf_worker_is_killed_at_the_end_of_its_grace(stage, record_property):
    stage.play(
        s0=[{"ignore": "TERM"}, {"spawn": "session"}, {"print": "deaf"}, {"wait": "never"}],
        s1=[FINISH],
    )
    whole = {"threads": os.cpu_count() or 1, "retries": 0}
    first, second = stage.submit(0, 1, launch=whole)
    stage.wait(lambda: "deaf" in first.log_file.read_text() if first.log_file.exists() else False)
    escaped = Process.of(int((first.path / "spawned").read_text()))
    worker, began = first.heartbeat().process, time.monotonic()
    with ThreadPoolExecutor() as pool:
        stopped = pool.submit(stopping.cancel, [first], grace=2.0)
        stage.wait(lambda: not worker.alive)
        record_property("s until killed, of 2 s grace", f"{time.monotonic() - began:.2f}")
        stopped.result()
    assert (status(first), first.exit().code) == (Status.STOPPED, -signal.SIGKILL)
    assert not escaped.alive
    stage.until(second, Status.FINISHED)
    assert second.launch().time >= first.exit().time


@pytest.mark.fault
def test_a_halted_worker_is_stalled_and_goes_on(lab, record_property):
    train = {"epochs": 2000, "batch_size": 20}
    spec = lab.spec("imp", "off")
    spec = type(spec).model_validate({**spec.model_dump(mode="json"), "train": train})
    (submitted,) = queue.submit(lab.root, [spec])
    run = submitted.directory
    lab.wait(lambda: any(e.kind == "epoch_ended" for e in Tail(run.events_file).read()))
    watched, worker = Watched(run), run.heartbeat().process
    watched.refresh()
    assert (watched.status, watched.stalled) == (Status.RUNNING, False)
    assert worker.signal(signal.SIGSTOP)
    began = time.monotonic()
    lab.wait(lambda: watched.refresh() and watched.stalled)
    intervals = (time.monotonic() - began) / HEARTBEAT_SECONDS
    record_property("intervals until stalled", f"{intervals:.1f}")
    assert (watched.status, worker.alive) == (Status.RUNNING, True)
    assert worker.signal(signal.SIGCONT)
    lab.wait(lambda: watched.refresh() and not watched.stalled)
    assert watched.status == Status.RUNNING
    epochs = sum(e.kind == "epoch_ended" for e in Tail(run.events_file).read())
    lab.wait(lambda: sum(e.kind == "epoch_ended" for e in Tail(run.events_file).read()) > epochs)
    stopping.cancel([run])
    assert status(run) == Status.STOPPED
