import pytest
from pydantic import ValidationError

from engine.errors import UsageError
from lthtui.launch import devices, lease, limiting, limits, nvml
from lthtui.launch.devices import Device
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.limits import Limits


@pytest.fixture
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setattr(devices, "cores", lambda: 4)
    monkeypatch.setattr(devices, "gpus", lambda: ())


def test_limits_are_set_changed_and_lifted_one_by_one(stage, idle):
    limiting.limit(stage.root, "users", "alice", 2)
    limiting.limit(stage.root, "users", "*", 0)
    limiting.limit(stage.root, "devices", "cpu", 3)
    limiting.limit(stage.root, "users", "alice", 1)
    known = limits.read(stage.root)
    assert (known.of("alice"), known.of("bob"), known.devices) == (1, 0, {"cpu": 3})
    limiting.limit(stage.root, "users", "*", None)
    assert limits.read(stage.root).of("bob") is None
    assert limits.read(stage.root).of("alice") == 1


@pytest.mark.parametrize("text", ["", "{", '{"users": {"a": -1}}', '{"users": {"a": "many"}}'])
def test_a_file_that_says_nothing_limits_nobody(stage, idle, text):
    limiting.limit(stage.root, "users", "alice", 2)
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
    limiting.limit(stage.root, "users", "*", 1)
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
    limiting.limit(stage.root, kind, name, 0)
    Dispatcher(stage.root).run(lease.take(stage.root))  # which ends
    assert run.queue_file.exists() and run.launch() is None
    limiting.limit(stage.root, kind, name, None)
    Dispatcher(stage.root).run(lease.take(stage.root))
    assert run.exit().code == 0


WRONG = ["", " ", "a\x1b[2J", "a\nb", " alice", "x" * 101, "\u202ebob"]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_nobodys_name_is_refused(stage, idle, name):
    with pytest.raises(UsageError, match="nobody's name; give a login .* 1 to 100") as refused:
        limiting.limit(stage.root, "users", name, 1)
    assert refused.value.args[0].isprintable()
    assert not stage.root.exists()
    limiting.limit(stage.root, "users", "Zoë B.", 1)


def test_a_device_that_is_not_here_is_refused(stage, idle, monkeypatch):
    gpus = (Device("GPU-a", "0: A"), Device("MIG-b", "1:0: B", parent="GPU-b"))
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    for name in ("", "gpu", "2", "00", "1", "GPU-", "CPU", "\x1b[2J"):
        with pytest.raises(UsageError, match=r"has cpu, 0 \(GPU-a\), 1:0 \(MIG-b\); \* is every"):
            limiting.limit(stage.root, "devices", name, 1)
    for name in ("cpu", "0", "GPU-a", "1:0", "MIG-b", "*"):
        limiting.limit(stage.root, "devices", name, 1)
    monkeypatch.setattr(devices, "gpus", lambda: ())  # it was taken out
    limiting.limit(stage.root, "devices", "GPU-a", None)
    assert "GPU-a" not in limits.read(stage.root).devices


def test_a_driver_that_is_asleep_is_said_to_be(stage, idle, monkeypatch):
    monkeypatch.setattr(nvml, "trouble", lambda: "timed out")
    with pytest.raises(UsageError, match="driver says nothing: timed out"):
        limiting.limit(stage.root, "devices", "0", 1)


def test_who_is_known(stage, idle, monkeypatch):
    monkeypatch.setenv("LTHTUI_USER", "alice")
    (run,) = stage.submit(0)
    monkeypatch.setenv("LTHTUI_USER", "bob")
    known = ("*", "root", "alice", "bob")
    assert [limiting.stranger(stage.root, name) for name in (*known, "carol")] == [False] * 4 + [
        True
    ]
    run.queue_file.unlink()  # who has runs is known without any that wait
    assert not limiting.stranger(stage.root, "alice")
