import json
import shutil
import time
from itertools import pairwise

import pytest

from engine.errors import UsageError
from engine.processes import Process
from engine.rundir import Heartbeat, RunDirectory, Status, status, write_json
from lthtui.launch import entries, lease, queue, waits
from lthtui.launch.entries import Entry
from lthtui.launch.limits import Limits
from lthtui.launch.queue import Turn
from lthtui.launch.turns import Turns, in_order


@pytest.fixture(autouse=True)
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setenv("LTHTUI_USER", "alice")


def end(run, how="finished"):
    run.queue_file.unlink(missing_ok=True)
    line = {"kind": "run_ended", "status": how, "attempt": 1}
    run.events_file.write_text(json.dumps(line) + "\n")


def submit(stage, seed, *after, **turn):
    specs = stage.specs(seed)
    (one,) = queue.submit(stage.root, specs, turn=Turn(after=after, **turn))
    return one.directory


def change(run, **fields):
    with entries.locked(run.root):
        assert entries.change(run, **fields)


def look(stage, run, limits=None, running=None):
    return Turns(stage.root, limits or Limits(), running or {}).obstacle(entries.find(run))


def stuck(run):
    return waits.stuck(run.root, [run]).get(run.run_id)


def order(stage):
    return [entry.run_id[-2:] for entry in in_order(entries.read(stage.root))]


def test_a_run_has_its_turn_when_all_that_it_waits_for_have_finished(stage):
    one, two = stage.submit(0, 1)
    run = submit(stage, 2, one, two)
    assert look(stage, run).reason == f"after {one.run_id}"
    end(one)
    assert look(stage, run).reason == f"after {two.run_id}"
    assert not look(stage, run).passes and stuck(run) is None
    end(two)
    assert look(stage, run) is None


@pytest.mark.parametrize(("how", "failed"), [("failed", True), ("stopped", False)])
def test_what_did_not_finish_is_waited_for_until_it_is_resumed(stage, how, failed):
    (one,) = stage.submit(0)
    run = submit(stage, 1, one)
    end(one, how)
    found = stuck(run)
    assert found.reason == f"after {one.run_id}, which is {how}; `lthtui resume {one.run_id}`"
    assert found.failed is failed
    queue.resume([one])
    assert stuck(run) is None and look(stage, run).reason == f"after {one.run_id}"


def test_a_run_whose_source_was_deleted_says_so(stage):
    (one,) = stage.submit(0)
    run = submit(stage, 1, one)
    one.queue_file.unlink()
    one.spec_file.unlink()
    assert look(stage, run).reason == f"after {one.run_id}, which is gone" and stuck(run).failed


def test_runs_behind_a_held_one_are_stuck_with_it(stage):
    first = submit(stage, 0, hold=True)
    run = submit(stage, 2, submit(stage, 1, first))
    assert stuck(run).reason.endswith(f"after {first.run_id}: held; `lthtui release` lets it go")
    queue.release([first])
    assert stuck(run) is None


def test_thousands_may_wait_in_a_row(stage, monkeypatch):
    (first,) = stage.submit(0)
    launch, looks = first.spec().launch, []
    names = [first.run_id, *(f"20260101-row-aaaaaa-s{number}" for number in range(3000))]
    with entries.locked(stage.root):
        entries.change(first, hold=True)
        for order, (before, name) in enumerate(pairwise(names)):
            run = RunDirectory(stage.root / "runs" / name)
            run.path.mkdir()
            run.spec_file.touch()
            text = Entry(run_id=name, order=order, after=(before,), launch=launch)
            run.queue_file.write_text(text.model_dump_json())
    runs = [RunDirectory(stage.root / "runs" / name) for name in names]
    found = waits.stuck(stage.root, [runs[-1]])[names[-1]].reason
    assert found.startswith(f"after {names[-2]} ... after {names[0]}: held; ")
    find = entries.find
    monkeypatch.setattr(entries, "find", lambda run: looks.append(run) or find(run))
    reasons = waits.stuck(stage.root, reversed(runs))
    assert len(reasons) == 3001 and len({why.reason for why in reasons.values()}) == 3001
    assert max(len(why.reason) for why in reasons.values()) < 200
    assert len(looks) < 5 * 3001  # and not for each of them all that are before it
    looks.clear()
    with pytest.raises(UsageError, match=f"{first.run_id} would wait for itself"):
        queue.submit(stage.root, stage.specs(1, 2, 0), turn=Turn(after=(runs[-1],)))
    assert len(looks) < 2 * 3001  # for all three
    shutil.rmtree(stage.root)  # which is faster than to stop them


def test_nothing_may_wait_for_itself(stage):
    one = submit(stage, 0)
    two = submit(stage, 1, one)
    three = submit(stage, 2, two)
    with pytest.raises(UsageError, match="would wait for itself"):
        submit(stage, 0, three)
    end(one, "stopped")
    four = stage.submit(3)[0]
    end(four, "stopped")
    with pytest.raises(UsageError, match="would wait for itself"):
        queue.resume([four, one], turn=Turn(after=(three,)))
    assert status(four) == Status.STOPPED  # none of them or all


def test_runs_that_wait_for_each_other_by_a_file_that_somebody_changed_are_stuck(stage):
    one = submit(stage, 0)
    two = submit(stage, 1, one)
    change(one, after=(two.run_id,))
    assert stuck(one) and stuck(two)
    change(one, after=(one.run_id,))
    assert stuck(one) and stuck(two)
    assert sorted(order(stage)) == ["s0", "s1"]


def test_a_run_that_is_tried_again_waits_until_then(stage):
    (run,) = stage.submit(0)
    at = time.time() + 100
    change(run, not_before=at)
    assert look(stage, run).at == at and look(stage, run).passes
    change(run, not_before=time.time() - 1)
    assert look(stage, run) is None
    change(run, not_before=time.time() + 86_400)  # the clock was set back by a day
    assert look(stage, run) is None


def test_people_have_limits_of_their_own(stage, monkeypatch):
    (mine,) = stage.submit(0)
    monkeypatch.setenv("LTHTUI_USER", "bob")
    (theirs,) = stage.submit(1)
    limits, running = Limits(users={"alice": 1, "*": 2}), {"alice": 1, "bob": 1}
    assert look(stage, mine, limits, running).reason == "alice may have 1 running"
    assert look(stage, mine, limits, running).passes
    assert look(stage, theirs, limits, running) is None
    turns = Turns(stage.root, limits, running)
    turns.started(entries.find(theirs))
    assert turns.obstacle(entries.find(theirs)).reason == "bob may have 2 running"
    assert not look(stage, mine, Limits(users={"alice": 0})).passes


def test_a_run_of_another_machine_is_left_to_that_one(stage):
    (run,) = stage.submit(0)
    change(run, host="elsewhere")
    assert look(stage, run).reason == "to run on elsewhere" and not look(stage, run).passes
    assert stuck(run) is None


def test_what_others_wait_for_is_as_urgent_as_they_are(stage):
    first = submit(stage, 0)
    second = submit(stage, 1, first)
    submit(stage, 2, priority=5)
    assert order(stage) == ["s2", "s0", "s1"]
    submit(stage, 3, second, priority=9)
    assert order(stage) == ["s0", "s1", "s3", "s2"]
    assert [entry.priority for entry in in_order(entries.read(stage.root))] == [0, 0, 9, 5]


def test_what_is_held_lends_no_urgency(stage):
    first = submit(stage, 0)
    submit(stage, 1, priority=5)
    submit(stage, 2, first, priority=9, hold=True)
    assert order(stage) == ["s2", "s1", "s0"]


def test_a_run_that_was_started_by_hand_is_looked_at_again(stage, spawn):
    """Nobody calls the queue process when it ends."""
    (by_hand,) = stage.submit(0)
    by_hand.queue_file.unlink()
    process = Process.of(spawn(["sleep", "600"]).pid)
    beat = Heartbeat(attempt=1, process=process, time=time.time())
    write_json(by_hand.heartbeat_file, beat.model_dump())
    after = submit(stage, 1, by_hand)
    found = look(stage, after)
    assert found.passes and 0 < found.at - time.time() <= 10 and stuck(after) is None
    launch = {"attempt": 1, "backend": "local", "device": "cpu", "threads": 1, "time": 0}
    write_json(by_hand.launch_file, {**launch, "process": process.model_dump()})
    assert look(stage, after).at is None  # it has a place, and its end is heard of
