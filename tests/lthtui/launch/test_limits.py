import pytest
from pydantic import ValidationError

from lthtui.launch import devices, lease, limits, queue
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.limits import Limits


@pytest.fixture
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setattr(devices, "cores", lambda: 4)
    monkeypatch.setattr(devices, "gpus", lambda: ())


def test_limits_are_set_changed_and_lifted_one_by_one(stage, idle):
    queue.limit(stage.root, "users", "alice", 2)
    queue.limit(stage.root, "users", "*", 0)
    queue.limit(stage.root, "devices", "cpu", 3)
    queue.limit(stage.root, "users", "alice", 1)
    known = limits.read(stage.root)
    assert (known.of("alice"), known.of("bob"), known.devices) == (1, 0, {"cpu": 3})
    queue.limit(stage.root, "users", "*", None)
    assert limits.read(stage.root).of("bob") is None
    assert limits.read(stage.root).of("alice") == 1


@pytest.mark.parametrize("text", ["", "{", '{"users": {"a": -1}}', '{"users": {"a": "many"}}'])
def test_a_file_that_says_nothing_limits_nobody(stage, idle, text):
    queue.limit(stage.root, "users", "alice", 2)
    (stage.root / "queue" / "limits").write_text(text)
    assert limits.read(stage.root) == Limits()


def test_a_limit_is_a_number_of_runs(stage):
    with pytest.raises(ValidationError):
        Limits(users={"alice": -1})


def test_a_person_at_the_limit_holds_up_nobody_else(stage, idle, monkeypatch):
    stage.play({"wait": "go"}, {"emit": {"kind": "run_ended", "status": "finished"}})
    monkeypatch.setenv("LTHTUI_USER", "alice")
    mine = stage.submit(0, 1)
    monkeypatch.setenv("LTHTUI_USER", "bob")
    theirs = stage.submit(2, 3)
    queue.limit(stage.root, "users", "*", 1)
    dispatcher = Dispatcher(stage.root)
    dispatcher.dispatch()
    begun = [run for run in (*mine, *theirs) if run.launch()]
    assert begun == [mine[0], theirs[0]]
    stage.allow("go")
    dispatcher.run(lease.take(stage.root))
    for first, second in (mine, theirs):
        assert second.launch().time >= first.exit().time


@pytest.mark.parametrize(("kind", "name"), [("users", "*"), ("devices", "cpu")])
def test_nobody_stays_for_runs_that_may_not_start(stage, idle, kind, name):
    (run,) = stage.submit(0)
    queue.limit(stage.root, kind, name, 0)
    Dispatcher(stage.root).run(lease.take(stage.root))  # which ends
    assert run.queue_file.exists() and run.launch() is None
    queue.limit(stage.root, kind, name, None)
    Dispatcher(stage.root).run(lease.take(stage.root))
    assert run.exit().code == 0
