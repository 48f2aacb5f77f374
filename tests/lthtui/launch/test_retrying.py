import json
import socket
import time

import pytest

from engine import outstanding
from engine.causes import Cause
from engine.errors import NO_ROOM
from engine.evaluations import layer_density
from engine.processes import Process
from engine.rundir import Launch, Status, status, write_json
from lthtui.launch import entries, lease, queue, retrying, stopping
from lthtui.launch.aftermath import Aftermath
from lthtui.launch.slots import Holder

GONE = Process(host=socket.gethostname(), boot="x", pid=1, start=1)


@pytest.fixture
def make(stage, monkeypatch):
    """Make a run whose attempt has just ended."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)

    def make(seed=0, retries=2, attempt=1, before=0):
        (run,) = stage.submit(seed, launch={"retries": retries})
        run.queue_file.unlink()
        launch(run, attempt, before)
        return run

    return make


def launch(run, attempt, before):
    places = {"backend": "local", "device": "cpu", "threads": 1, "process": GONE}
    made = Launch(attempt=attempt, time=time.time(), retries=before, **places)
    write_json(run.launch_file, made.model_dump())


def say(run, cause=None, attempt=1, kind="run_ended", **more):
    event = {"kind": kind, "attempt": attempt, "time": time.time(), **more}
    if kind == "run_ended":
        event = {"status": "failed", "cause": cause} | event
    with run.events_file.open("a") as file:
        file.write(json.dumps(event) + "\n")


def leave(run, code, attempt=1):
    write_json(run.exit_file, {"attempt": attempt, "code": code, "time": time.time()})


@pytest.mark.parametrize(
    ("word", "cause", "again"),
    [
        ("killed", Cause.KILLED, True),
        ("memory", Cause.MEMORY, True),
        ("disk", Cause.DISK, True),
        ("diverged", Cause.DIVERGED, False),
        ("data", Cause.DATA, False),
        ("spec", Cause.SPEC, False),
        ("error", Cause.ERROR, False),
        ("of a newer version", Cause.ERROR, False),
        (None, Cause.ERROR, False),
    ],
)
def test_each_class_of_failure(make, word, cause, again):
    run = make()
    say(run, word)
    leave(run, 1)
    assert retrying.cause(run) == cause
    found = retrying.due(run)
    assert (found is not None) is again
    if found:
        assert (found.retries, found.alone) == (1, cause == Cause.MEMORY)


def test_what_nobody_could_say_is_told_from_the_exit_code(make):
    killed, failed, lost, stopped, full = (make(seed) for seed in range(5))
    leave(full, NO_ROOM)
    assert retrying.cause(full) == Cause.DISK and retrying.due(full)
    leave(killed, -9)
    leave(failed, 1)
    leave(stopped, 75)
    states = [Status.FAILED, Status.FAILED, Status.LOST, Status.STOPPED]
    runs = (killed, failed, lost, stopped)
    assert [status(run) for run in runs] == states
    causes = [retrying.cause(run) for run in runs]
    assert causes == [Cause.KILLED, Cause.ERROR, Cause.KILLED, None]
    assert [retrying.due(run) is not None for run in runs] == [True, False, True, False]


def test_the_word_of_an_older_attempt_is_not_that_of_the_newest(make):
    run = make(attempt=2)
    say(run, "diverged", attempt=1)
    leave(run, -9, attempt=2)
    assert retrying.cause(run) == Cause.KILLED


def test_waits_grow_up_to_a_bound_and_tries_in_a_row_are_counted(make):
    delays = []
    for before in range(6):
        run = make(before, retries=6, before=before)
        leave(run, -9)
        found = retrying.due(run)
        assert found.retries == before + 1
        delays.append(found.delay)
    assert delays == [5, 20, 80, 320, 600, 600]
    run = make(9, retries=6, before=6)
    leave(run, -9)
    assert retrying.due(run) is None


def test_a_spec_may_ask_for_no_retries(make):
    run = make(retries=0)
    leave(run, -9)
    assert retrying.due(run) is None


def test_a_level_that_was_finished_begins_a_new_row(make):
    level = {"level": 0, "density": 1.0, "kept": 8, "total": 8, "epochs": 1, "seconds": 1.0}
    run = make(attempt=3, before=2)
    say(run, attempt=2, kind="level_ended", **level)
    leave(run, -9, attempt=3)
    assert retrying.due(run) is None
    say(run, attempt=3, kind="level_ended", **level)
    assert retrying.due(run) == retrying.Retry(5, 1, False)


@pytest.mark.parametrize("verb", ["stop", "pause"])
def test_what_somebody_stopped_stays_as_it_ended(make, verb):
    run = make()
    say(run, "memory")
    leave(run, 1)
    assert retrying.due(run)
    run.ask(verb)
    assert retrying.due(run) is None
    launch(run, 2, 0)  # a newer attempt was not asked
    leave(run, -9, attempt=2)
    assert retrying.due(run)


@pytest.fixture
def evaluated(make):
    """Make a finished run of which one evaluation is to be made, and a second attempt has ended."""

    def evaluated(code, attempt=2, before=0):
        run = make()
        ticket = run.level(0) / "ticket.safetensors"
        ticket.parent.mkdir(parents=True)
        ticket.touch()
        counts = {"density": 1.0, "kept": 8, "total": 8, "epochs": 1, "seconds": 1.0}
        say(run, kind="level_ended", level=0, **counts)
        say(run, kind="run_ended", status="finished")
        outstanding.ask(run, [layer_density.Settings(levels=(0,))])
        leave(run, 0)
        launch(run, attempt, before)
        leave(run, code, attempt)
        return run

    return evaluated


@pytest.mark.parametrize(
    ("code", "cause"),
    [(-9, Cause.KILLED), (NO_ROOM, Cause.DISK), (75, None), (-15, None)],
)
def test_what_cut_an_evaluation_of_a_finished_run_short(evaluated, code, cause):
    run = evaluated(code)
    assert status(run) == Status.FINISHED and retrying.cause(run) == cause
    assert retrying.due(run) == (retrying.Retry(5, 1, False) if cause else None)


def test_a_worker_that_vanished_as_it_evaluated_is_followed_by_another(evaluated):
    run = evaluated(0)
    run.exit_file.unlink()
    assert retrying.due(run) == retrying.Retry(5, 1, False)
    run.ask("stop")
    assert retrying.due(run) is None


def test_evaluations_are_tried_again_as_often_as_training(evaluated):
    run = evaluated(-9, attempt=4, before=2)
    assert retrying.due(run) is None
    say(run, kind="evaluated", level=0, name="fgsm", metrics={}, attempt=4)
    assert retrying.due(run) == retrying.Retry(5, 1, False)  # it made one, so a new row begins


@pytest.mark.parametrize(
    ("kind", "more"), [("evaluated", {"metrics": {}}), ("evaluation_failed", {"error": "no"})]
)
def test_a_finished_run_that_lacks_no_evaluation_is_left_alone(evaluated, kind, more):
    run = evaluated(-9)
    say(run, kind=kind, level=0, name="layer_density", attempt=2, **more)
    assert retrying.due(run) is None


@pytest.mark.parametrize(("code", "again"), [(0, True), (1, True), (75, False)])
def test_what_was_asked_for_when_a_worker_was_about_to_leave_is_made_at_once(
    evaluated, code, again
):
    run = evaluated(code)
    assert retrying.cause(run) is None
    assert retrying.due(run) == (retrying.Retry(0, 1, False) if again else None)
    assert see_to(run)[1] == again * [
        f"{run.run_id}: goes on, as more evaluations were asked for when it was about to end"
    ]


def test_a_worker_that_never_makes_what_was_asked_for_is_not_started_for_ever(evaluated):
    assert retrying.due(evaluated(0, attempt=3, before=2)) is None


def test_a_finished_run_goes_on_until_what_cut_its_evaluation_short_is_seen_to(evaluated, stage):
    run = evaluated(-9)
    assert not retrying.goes_on(run)
    place = stage.root / "queue" / "slots" / "cpu.0"
    place.parent.mkdir()
    place.write_text(Holder(run_id=run.run_id, threads=1, per_device=1).model_dump_json())
    assert retrying.goes_on(run)
    see_to(run)
    place.unlink()
    assert entries.find(run).retries == 1


def test_a_person_is_told_what_would_be_in_vain(make):
    diverged, killed = make(0), make(1)
    say(diverged, "diverged")
    leave(killed, -9)
    assert "lower learning rate" in retrying.in_vain(diverged)
    assert retrying.in_vain(killed) is None


def see_to(run, **was):
    told = []
    aftermath = Aftermath(run.root, told.append)
    holder = Holder(run_id=run.run_id, threads=1, per_device=1, **was)
    return aftermath.see_to(run, holder), told


def test_a_run_is_queued_again_as_it_was_queued_before(make):
    run = make()
    say(run, "memory")
    leave(run, 1)
    before = time.time()
    done, told = see_to(run, user="alice", priority=7, visible="1")
    entry = entries.find(run)
    assert done and told == [f"{run.run_id}: memory; tried again in 5 s (1 of 2)"]
    assert (entry.user, entry.priority, entry.visible) == ("alice", 7, "1")
    assert (entry.retries, entry.alone) == (1, True)
    assert before + 5 <= entry.not_before <= time.time() + 5
    assert see_to(run)[0] and entries.find(run) == entry  # it waits already


def test_a_full_disk_puts_a_retry_off(make, monkeypatch):
    run = make()
    say(run, "disk")
    leave(run, 1)

    def full(root, entry):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(entries, "write", full)
        assert not see_to(run)[0]
    assert see_to(run)[0] and entries.find(run).retries == 1


def test_a_run_that_was_deleted_is_seen_to(make):
    run = make()
    leave(run, -9)
    run.spec_file.unlink()
    done, told = see_to(run)
    assert done and "can't be looked after" in told[0]


def test_a_run_goes_on_until_the_queue_process_has_seen_to_its_end(make, stage):
    run = make()
    leave(run, -9)
    assert not retrying.goes_on(run)  # nobody will see to it
    place = stage.root / "queue" / "slots" / "cpu.0"
    place.parent.mkdir()
    holder = Holder(run_id=run.run_id, threads=1, per_device=1)
    place.write_text(holder.model_dump_json())
    assert retrying.goes_on(run)
    see_to(run)
    place.unlink()
    assert retrying.goes_on(run) and status(run) == Status.QUEUED
    stopping.cancel([run])
    assert not retrying.goes_on(run) and status(run) == Status.STOPPED


def test_a_run_is_stopped_before_the_queue_process_has_seen_to_its_end(make, stage):
    run = make()
    say(run, "memory")
    leave(run, 1)
    place = stage.root / "queue" / "slots" / "cpu.0"
    place.parent.mkdir()
    place.write_text(Holder(run_id=run.run_id, threads=1, per_device=1).model_dump_json())
    stopping.pause([run])
    see_to(run)
    assert (status(run), entries.find(run)) == (Status.FAILED, None)
    assert [one.action for one in queue.resume([run])] == ["resumed"]
    assert run.request() is None
