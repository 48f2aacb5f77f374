"""Disks that are full, or fill up, while runs are dispatched."""

from __future__ import annotations

import dataclasses
import json
import os

from engine import filesystems
from engine.rundir import Status, status
from lthtui.launch import entries, lease
from lthtui.launch.dispatcher import RETRY, Dispatcher


def test_a_run_waits_for_room_and_starts_when_there_is_some(stage, dispatch, monkeypatch):
    first, second = stage.submit(0, 1)
    dispatcher, whole = Dispatcher(stage.root), filesystems.of

    def full(folder):
        return dataclasses.replace(whole(folder), free=10 * 2**20, size=2**40)

    with monkeypatch.context() as patch:
        patch.setattr(filesystems, "of", full)
        dispatcher.dispatch()
        assert [status(run) for run in (first, second)] == [Status.QUEUED] * 2
        noted = json.loads(lease.reasons_file(stage.root).read_bytes())
        assert noted[first.run_id] == "disk: 10MiB free, 200MiB needed"
        assert noted[second.run_id] == "others are before it"
        assert dispatcher._busy() and dispatcher._patience() <= RETRY
    dispatch()
    assert [status(run) for run in (first, second)] == [Status.FINISHED] * 2


def test_a_full_disk_starts_nothing_and_keeps_the_place_in_the_queue(stage, dispatch, monkeypatch):
    (run,) = stage.submit(0)
    dispatcher = Dispatcher(stage.root)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(dispatcher.ledger, "take", full)
        dispatcher.dispatch()
        assert status(run) == Status.QUEUED
    with monkeypatch.context() as patch:
        patch.setattr("lthtui.launch.dispatcher.write_json", full)
        dispatcher.dispatch()
    assert status(run) == Status.QUEUED
    stage.wait(lambda: not any(place.held for place in dispatcher.ledger.places()))
    assert RETRY / 2 < dispatcher._patience() <= RETRY
    dispatch()
    assert (status(run), run.launch().attempt) == (Status.FINISHED, 1)


def test_a_job_whose_end_the_full_disk_hid_is_seen_to_later(stage, dispatch, monkeypatch):
    (run,) = stage.submit(0)
    entry = entries.find(run)
    run.queue_file.unlink()
    dispatcher = Dispatcher(stage.root)
    dispatcher.aftermath.mirroring.poll()  # nothing was left to bring over
    looks, answers, asked = [[entry], [], []], [False, False, True], []

    def see_to(directory, was):
        asked.append((directory.run_id, was))
        return answers.pop(0)

    monkeypatch.setattr(dispatcher.cluster, "look", lambda: looks.pop(0))
    monkeypatch.setattr(dispatcher.aftermath, "see_to", see_to)
    for left in (2, 1):
        dispatcher.collect()
        assert len(answers) == left and dispatcher._busy() and dispatcher._patience() == RETRY
    dispatcher.collect()
    assert asked == [(run.run_id, entry)] * 3 and not dispatcher._busy()


def test_a_full_disk_keeps_no_queue_process_from_its_lease(stage, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (run,) = stage.submit(0, tracking="off")
    stage.until(run, Status.FINISHED)
    stage.wait(lambda: not stage.dispatched())
    before, held = stage.leader(), lease.take(stage.root)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        lease.sign(held)
    os.close(held)
    assert before and stage.leader() is None  # rather nobody than somebody else
