"""The queue on a machine with a scripted NVIDIA driver: what it says decides where runs start."""

import os

import pytest
from nvml import GIB, Card, install

from engine.rundir import Status, status
from lthtui.launch import lease, queue
from lthtui.launch.dispatcher import Dispatcher

FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}


@pytest.fixture
def card(monkeypatch):
    """The machine's only GPU."""
    found = Card("GPU-a", total=24 * GIB)
    install(monkeypatch, found)
    return found


@pytest.fixture
def dispatcher(stage, monkeypatch):
    """The queue process, here, so that it has the scripted driver; runs start and wait for `go`."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    stage.play({"wait": "go"}, FINISH)
    (stage.root / "queue").mkdir(parents=True)
    found = Dispatcher(stage.root)
    yield found
    stage.allow("go")
    found.run(lease.take(stage.root))


def started(stage, run):
    """The pid of a run's worker, once it is there."""
    stage.wait(run.heartbeat_file.exists)
    return run.heartbeat().process.pid


def test_a_run_starts_when_others_have_left_the_gpu(stage, dispatcher, card):
    card.compute[os.getpid()] = 9 * GIB
    (run,) = stage.submit(0)
    dispatcher.dispatch()
    assert status(run) == Status.QUEUED
    assert f"pid {os.getpid()}" in lease.reasons_file(stage.root).read_text()
    card.compute.clear()
    dispatcher.dispatch()
    assert (status(run), run.launch().device) == (Status.RUNNING, "GPU-a")


def test_runs_of_ours_are_known_by_what_the_driver_says_of_them(stage, dispatcher, card):
    first, second, third = stage.submit(0, 1, 2, launch={"memory": "10GiB"})
    dispatcher.dispatch()
    assert [status(run) for run in (first, second, third)] == [
        Status.RUNNING,
        Status.RUNNING,
        Status.QUEUED,
    ]
    for run in (first, second):
        card.compute[started(stage, run)] = 10 * GIB
    dispatcher.dispatch()
    assert status(third) == Status.QUEUED
    (fourth,) = stage.submit(3, launch={"memory": "3GiB"})
    third.queue_file.unlink()
    dispatcher.dispatch()
    assert status(fourth) == Status.RUNNING  # both of the others are ours, and have all they want


def test_a_run_waits_until_the_memory_of_the_one_before_is_back(stage, dispatcher, card):
    first, second = stage.submit(0, 1)
    dispatcher.dispatch()
    pid = started(stage, first)
    card.compute[pid] = 5 * GIB
    stage.allow("go")
    stage.until(first, Status.FINISHED)
    stage.wait(lambda: not any(place.held for place in dispatcher.ledger.places()))
    dispatcher.collect()
    dispatcher.dispatch()
    assert status(second) == Status.QUEUED
    del card.compute[pid]
    dispatcher.dispatch()
    stage.until(second, Status.FINISHED)


def test_a_gpu_that_falls_off_the_bus_gets_no_more_runs(stage, dispatcher, card):
    first, second = stage.submit(0, 1, launch={"per_device": 2})
    second.queue_file.rename(stage.folder / "later")
    dispatcher.dispatch()
    card.error = 15
    (stage.folder / "later").rename(second.queue_file)
    dispatcher.dispatch()
    assert [status(run) for run in (first, second)] == [Status.RUNNING, Status.QUEUED]
    assert "GPU is lost" in lease.reasons_file(stage.root).read_text()
    card.error = None
    dispatcher.dispatch()
    assert status(second) == Status.RUNNING


def test_nobody_overtakes_a_run_that_was_queued_again_before_its_end_was_seen_to(
    stage, dispatcher, card
):
    failing = [{"emit": {"kind": "run_ended", "status": "failed"}}]
    stage.play(s0=failing, s1=[{"wait": "go"}, FINISH])
    (first,) = stage.submit(0)
    dispatcher.dispatch()
    stage.wait(dispatcher.workers[first.run_id].ended)
    queue.resume([first])
    (second,) = stage.submit(1)
    dispatcher.dispatch()
    assert (status(first), status(second)) == (Status.QUEUED, Status.QUEUED)
    dispatcher.collect()
    dispatcher.dispatch()
    assert first.launch().attempt == 2 and status(second) == Status.QUEUED
