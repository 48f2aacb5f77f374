import os

import pytest

from lthtui.launch import devices, entries, lease, queue, waits
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.queue import Turn


@pytest.fixture
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setattr(devices, "cores", lambda: 1)
    monkeypatch.setattr(devices, "gpus", lambda: ())


@pytest.fixture
def attended(idle, stage):
    """A queue process, which dispatches once."""
    (stage.root / "queue").mkdir(parents=True)
    held = lease.take(stage.root)
    dispatcher = Dispatcher(stage.root)
    yield dispatcher
    stage.allow("go")
    dispatcher.run(held)


def reasons(stage):
    found = waits.reasons(stage.root, entries.read(stage.root))
    return {run[-2:]: why for run, why in found.items()}


def test_without_a_queue_process_nobody_starts_what_could_be(stage, idle):
    stage.submit(0)
    queue.submit(stage.root, stage.specs(1), turn=Turn(hold=True))
    assert not waits.dispatched(stage.root)
    assert reasons(stage) == {
        "s0": "nobody starts it; `lthtui release` calls the queue process",
        "s1": "held; `lthtui release` lets it go",
    }


def test_nobody_is_missed_while_a_queue_process_is_on_its_way(stage, monkeypatch):
    monkeypatch.setattr(lease, "detach", lambda command, log: 0)  # it takes a while to begin
    stage.submit(0)
    assert not waits.dispatched(stage.root) and reasons(stage) == {"s0": waits.NEXT}
    os.utime(stage.root / "queue" / "called", (0, 0))
    assert reasons(stage) == {"s0": waits.NOBODY}


def test_the_queue_process_notes_what_devices_lack(stage, attended):
    stage.play({"wait": "go"}, {"emit": {"kind": "run_ended", "status": "finished"}})
    first, _, _ = stage.submit(0, 1, 2)
    assert reasons(stage)["s0"] == "waits for its turn"  # it has not looked yet
    attended.dispatch()
    assert first.launch()
    found = reasons(stage)
    assert set(found) == {"s1", "s2"}
    assert "1 of 1 threads taken" in found["s1"]
    assert found["s2"] == "others are before it"


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"x": 1}'])
def test_a_note_that_cannot_be_read_is_no_reason(stage, attended, text):
    (run,) = stage.submit(0)
    lease.reasons_file(stage.root).write_text(text)
    assert reasons(stage) == {"s0": "waits for its turn"}


def test_there_is_nothing_to_say_about_a_root_that_is_not_there(tmp_path):
    assert waits.reasons(tmp_path / "no", []) == {} and not waits.dispatched(tmp_path / "no")
    assert not (tmp_path / "no").exists()
