"""What the queue's table says of what runs, waits and failed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rundirs import BEGAN, FakeRun, populate

from engine.events import RunEnded
from engine.launchspec import LaunchSpec
from engine.rundir import write_json
from lthtui import jobs
from lthtui.jobs import Job
from lthtui.launch import entries, later
from lthtui.launch.entries import Entry
from lthtui.launch.later import Later
from lthtui.lookout import Lookout

NANO = 10**9


@pytest.fixture
def root(tmp_path):
    return tmp_path / "mlruns"


@pytest.fixture
def waiting(root):
    """Makes a run that waits, by name."""

    def make(name, **fields):
        run = FakeRun(root, name, 0, sparsifier={"name": "imp", "levels": 2 + len(name)})
        (root / "queue").mkdir(exist_ok=True)
        order = int(BEGAN * NANO) + len([*root.glob("queue/*.json")])
        given = {"order": order, "launch": LaunchSpec(), "user": "ann", **fields}
        entries.write(root, Entry(run_id=run.run_id, **given))
        return run

    return make


def look(root):
    lookout = Lookout(root)
    try:
        return jobs.look(root, lookout.look())
    finally:
        lookout.close()


def test_what_runs_comes_before_what_waits_what_failed_and_what_was_stopped(root, waiting):
    runs = populate(root)
    runs["queued"].directory.queue_file.unlink()
    low, high = waiting("low"), waiting("high", priority=2)
    found = look(root)
    keys = [job.key for job in found]
    assert keys == [
        runs["imp-s2"].run_id,
        high.run_id,
        low.run_id,
        runs["failed"].run_id,
        runs["stopped"].run_id,
        runs["queued"].run_id,
    ]
    assert [job.place for job in found] == [None, 0, 1, None, None, None]
    assert found[0].label == "digits-imp s2" and found[0].device == "CPU"
    assert found[0].why == "level 3/5, 51% kept, 0:17 left"


def test_a_run_that_evaluates_its_tickets_is_not_said_to_train_until_now(root):
    run = FakeRun(root, "one", levels=1).start(alive=True).train(1, epochs=1)
    (before,) = look(root)
    assert before.why.startswith("level 1/1, 80% kept, ") and before.why.endswith(" left")
    run.end_level(1)
    run.end()
    lookout = Lookout(root)
    (view,) = lookout.look().runs.values()
    lookout.close()
    assert (view.status, view.eta) == ("running", None)
    assert look(root)[0].why == "trained, evaluates its tickets"


def test_each_waiting_run_says_why(root, waiting):
    source = waiting("source", hold=True)
    waiting("after", after=(source.run_id,))
    held, after = look(root)
    assert held.held and held.why == "held; H lets it go"
    assert after.why == f"after {source.run_id}" and not after.held


def test_a_failed_run_says_what_happened_and_what_to_do(root):
    run = FakeRun(root, "nan").start().train(1)
    run._append(RunEnded(status="failed", error="the loss became NaN", cause="diverged"))
    (job,) = look(root)
    assert (job.why, job.hint) == ("the loss became NaN", "run its spec with a lower learning rate")
    (row,) = jobs.rows([job], 0.0)
    assert row.cells[-1].text == f"{job.why}; {job.hint}"


def test_an_entry_of_another_version_is_shown_as_such(root):
    run = FakeRun(root, "future").queue()
    (job,) = look(root)
    assert job.key == run.run_id and "another version" in job.why and job.place is None


def test_a_command_that_waits_for_a_run_is_a_line(root, waiting, monkeypatch):
    source = waiting("source")
    monkeypatch.setattr(later.lease, "ensure", lambda root: None)
    wanted = Later(name="null-of", order=0, user="bob", after=(source.run_id,), verb="control")
    later.leave(root, wanted)
    run, command = look(root)
    assert command.command and command.key == "null-of" and command.label == "control null-of"
    assert command.why == f"after {source.run_id}" and run.key == source.run_id


def test_rows_show_users_only_where_there_are_several(root, waiting):
    waiting("one")
    (row,) = jobs.rows(look(root), BEGAN + 75)
    assert [cell.text for cell in row.cells][:6] == ["one s0", "◌ queued", "0", "–", "–", "1:15"]
    waiting("two", user="bob", priority=-1)
    users = [row.cells[3].text for row in jobs.rows(look(root), BEGAN)]
    assert users == ["ann", "bob"]
    spans = [row.cells[5].text for row in jobs.rows(look(root), BEGAN - 100)]
    assert spans == ["0:00", "0:00"]  # the clock was set back


def test_paused_runs_stand_among_the_jobs_and_say_how_they_go_on(root):
    FakeRun(root, "rests").start().train(1).end("stopped").directory.ask("pause")
    (job,) = look(root)
    assert (job.status, job.why) == ("paused", "R goes on from its checkpoint")
    (row,) = jobs.rows([job], BEGAN)
    assert row.cells[1].text == "‖ paused"


def test_users_are_named_beside_one_another_only():
    one, other = (Job(name, name, "queued", user=name) for name in ("ann", ""))
    assert [row.cells[3].text for row in jobs.rows([one, other], 0.0)] == ["–", "–"]
    bob = Job("bob", "bob", "queued", user="bob")
    assert [row.cells[3].text for row in jobs.rows([one, other, bob], 0.0)] == ["ann", "–", "bob"]


def test_what_has_run_longest_comes_first_and_what_is_silent_is_stalled(root):
    new, old = (FakeRun(root, name, seed).start(alive=True) for seed, name in enumerate("ab"))
    for run, time in ((new, BEGAN + 60), (old, BEGAN + 30)):
        file = run.directory.launch_file
        write_json(file, {**json.loads(file.read_text()), "time": time})
    lookout = Lookout(root)
    board = lookout.look()
    lookout.close()
    assert [job.key for job in jobs.look(root, board)] == [old.run_id, new.run_id]
    silent = replace(board.runs[old.run_id], stalled=True)
    board = replace(board, runs={**board.runs, old.run_id: silent})
    row, other = jobs.rows(jobs.look(root, board), BEGAN + 100)
    assert [cell.text for cell in row.cells][1:6] == ["● stalled", "–", "–", "CPU", "1:10"]
    assert (row.cells[1].tone, other.cells[1].text) == ("lost", "● running")
