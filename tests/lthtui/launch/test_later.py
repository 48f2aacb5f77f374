"""Files in queue/later: what may stand in them, and what the queue process makes of them."""

import json
import os
import select
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.rundir import Status, status
from lthtui.launch import later, lease, owner
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.later import Later
from lthtui.launch.limits import Limits
from lthtui.launch.turns import Turns

FACTS = {
    "name": "control-of-x",
    "order": 0,
    "user": "alice",
    "after": ["20260101-x-aaaaaa-s0"],
    "verb": "control",
    "words": ["20260101-x-aaaaaa-s0"],
}


@pytest.fixture
def root(stage, monkeypatch):
    """A root where nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    return stage.root


def leave(root, **facts):
    return later.leave(root, Later.model_validate({**FACTS, **facts}))


def names(root):
    return [one.name for one in later.read(root)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"verb": "gc"},
        {"verb": "run; rm -rf /"},
        {"name": "../../x"},
        {"name": ".x"},
        {"name": "a/b"},
        {"name": "a\nb"},
        {"after": []},
        {"after": ["../x"]},
        {"level": "--root=/"},
        {"kind": "all --root /"},
        {"priority": "--again"},
        {"words": [""]},
        {"words": ["x"] * 1001},
        {"options": ["--root=/"]},
    ],
)
def test_a_file_that_says_anything_else_is_no_command(root, wrong):
    with pytest.raises(ValidationError):
        Later.model_validate({**FACTS, **wrong})
    made = leave(root)
    file = root / "queue" / "later" / f"{made.name}.json"
    file.write_text(json.dumps({**FACTS, **wrong}))
    assert later.read(root) == [] and file.exists()


def test_what_people_wrote_becomes_no_option(root):
    words = ("--root=/elsewhere", "-d", "x y; $(touch hacked)")
    one = Later.model_validate({**FACTS, "words": words, "priority": -5, "hold": True})
    *options, dashes = one.command(root)[: -len(words)]
    assert options == [
        *(sys.executable, "-P", "-m", "lthtui", "control", "--detach"),
        *(f"--root={root}", "--priority=-5", "--level=best", "--kind=all"),
    ]
    assert dashes == "--" and tuple(one.command(root)[-len(words) :]) == words
    run = Later.model_validate({**FACTS, "verb": "run", "words": words})
    assert run.command(root)[-2:] == ["--", str(root / "queue" / "later" / "control-of-x.yaml")]


def test_files_of_others_links_and_large_ones_are_no_commands(root, tmp_path, monkeypatch):
    file = root / "queue" / "later" / f"{leave(root).name}.json"
    good = file.read_bytes()
    assert names(root) == ["control-of-x"]
    with monkeypatch.context() as patch:
        patch.setattr(owner, "of", lambda root: os.getuid() + 1)
        patch.setattr(owner, "SUPERUSER", os.getuid() + 2)
        assert names(root) == []
    file.write_bytes(good + b" " * later.SIZE)
    assert names(root) == []
    file.unlink()
    (tmp_path / "elsewhere.json").write_bytes(good)
    file.symlink_to(tmp_path / "elsewhere.json")
    assert names(root) == []
    file.unlink()
    os.mkfifo(file)
    assert names(root) == []
    file.unlink()
    file.mkdir()
    assert names(root) == []
    file.rmdir()
    file.with_name("other.json").write_bytes(good)  # another's name
    assert names(root) == []


def test_the_same_command_is_there_once_and_others_have_names_of_their_own(root):
    first, again = leave(root), leave(root)
    assert first == again and names(root) == ["control-of-x"]
    assert leave(root, kind="reinit").name == "control-of-x-2"
    assert leave(root, user="bob").name == "control-of-x-3"
    assert leave(root, kind="reinit").name == "control-of-x-2"
    later.drop(root, [first])
    assert sorted(names(root)) == ["control-of-x-2", "control-of-x-3"]


def test_another_machine_carries_out_its_own(root):
    assert later.obstacle(Turns(root, Limits(), {}), leave(root, host="elsewhere")).reason == (
        "to be carried out on elsewhere"
    )


@pytest.fixture
def finished(root, stage, monkeypatch):
    """A finished run, after which a command may come; commands are played by this script."""
    (run,) = stage.submit(0, tracking="off")
    run.queue_file.unlink()
    line = {"kind": "run_ended", "status": "finished", "attempt": 1}
    run.events_file.write_text(json.dumps(line) + "\n")
    assert status(run) == Status.FINISHED
    played = stage.folder / "played.py"

    def play(script):
        played.write_text(script)
        command = [sys.executable, "-S", str(played)]
        monkeypatch.setattr(Later, "command", lambda one, root: [*command, one.name])
        Dispatcher(root).run(lease.take(root))

    return run, play


def test_a_command_sees_who_left_it_and_nothing_else_of_the_queue_process(root, finished, capfd):
    run, play = finished
    leave(root, after=[run.run_id], cwd=str(root), visible="1")
    leave(root, after=[run.run_id], cwd="/", user="bob")
    play(
        "import os, sys\n"
        "names = ('LTHTUI_USER', 'CUDA_VISIBLE_DEVICES', 'LTHTUI_ROOT')\n"
        "print(*map(os.environ.get, names), os.getcwd(), repr(sys.stdin.read()))\n"
    )
    said = capfd.readouterr().out
    assert f"control-of-x: alice 1 None {root} ''" in said
    assert "control-of-x-2: bob None None / ''" in said
    assert names(root) == [] and not [*(root / "queue" / "later").iterdir()]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("import sys; sys.exit('no room\\x1b[2J')", r"no room\x1b[2J"),
        ("import sys; sys.exit(3)", "it ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "it was ended by signal 9"),
    ],
)
def test_one_that_failed_waits_for_a_person(root, finished, script, error, capfd):
    run, play = finished
    leave(root, after=[run.run_id])
    play(script)
    (found,) = later.read(root)
    assert found.error == error
    play("print('tried again')")
    assert later.read(root) == [found]
    assert later.hold(root, [found]) == {found.name: "changed"}
    assert later.release(root, [found]) == {found.name: "changed"} and later.due(root)
    play("print('tried again')")
    assert later.read(root) == [] and "control-of-x: tried again" in capfd.readouterr().out


def test_one_that_hangs_is_ended_with_what_it_started(root, finished, monkeypatch, stage, spawn):
    run, play = finished
    monkeypatch.setattr(later, "LONGEST", 1.0)
    leave(root, after=[run.run_id])
    child = stage.folder / "child"
    play(
        "import os, pathlib, time\n"
        "print('waits for nobody', flush=True)\n"
        f"child = pathlib.Path({str(child)!r})\n"
        "if not os.fork(): child.write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    (found,) = later.read(root)
    assert found.error == (
        "it was ended after 0 minutes, in which it should have been done; waits for nobody"
    )
    assert later.obstacle(Turns(root, Limits(), {}), found).reason.endswith(
        "`lthtui release control-of-x` tries it again"
    )
    stage.wait(lambda: not _lives(int(child.read_text())))


def _lives(pid):
    """Whether a process is there, and not only its end to be noted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_queue_process_wakes_when_one_takes_too_long(root, finished, monkeypatch):
    run, _ = finished
    leave(root, after=[run.run_id])
    commands = later.Commands(root, print)
    assert commands.patience() is None
    monkeypatch.setattr(Later, "command", lambda one, root: ["sleep", "600"])
    commands.start(Turns(root, Limits(), {}))
    assert 590 < commands.patience() <= 600
    (going,) = commands._going.values()
    going.deadline -= 600
    assert commands.patience() == 0
    commands.collect()
    assert commands.patience() is None
    while commands.busy:  # it is gone in an instant
        select.select(commands.filenos(), [], [])
        commands.collect()
    assert "10 minutes" in later.read(root)[0].error


def test_one_that_is_held_waits_for_whoever_releases_it(root, finished, capfd):
    run, play = finished
    held = leave(root, after=[run.run_id], hold=True)
    free = leave(root, after=[run.run_id], name="free", cwd=str(root))
    play("import sys; print(sys.argv[1])")
    assert names(root) == [held.name]
    found = later.obstacle(Turns(root, Limits(), {}), held)
    assert found.reason == "held; `lthtui release control-of-x` lets it go" and not found.passes
    assert not later.due(root)
    assert later.hold(root, [held, free]) == {held.name: "same"}
    assert later.prioritise(root, [held], 7) == {held.name: "changed"}
    assert later.prioritise(root, [held], 7) == {held.name: "same"}
    assert later.release(root, [held, free]) == {held.name: "changed"}
    assert later.release(root, [held]) == {held.name: "same"} and later.due(root)
    assert later.read(root)[0].priority == 7
    play("")
    assert names(root) == []


def test_the_more_urgent_one_comes_first_and_the_same_one_is_not_left_twice(root):
    slow, urgent = leave(root, priority=-1), leave(root, name="urgent", cwd="/tmp")
    assert names(root) == ["urgent", "control-of-x"]
    later.prioritise(root, [slow], 5)
    later.hold(root, [slow, urgent])
    assert names(root) == ["control-of-x", "urgent"]
    assert leave(root).name == "control-of-x"  # as it is asked for now
    assert [(one.priority, one.hold) for one in later.read(root)] == [(0, False), (0, True)]


def test_one_whose_folder_is_gone_says_so(root, finished):
    run, play = finished
    leave(root, after=[run.run_id], cwd="/no/such/folder")
    play("")
    assert "/no/such/folder" in later.read(root)[0].error


def test_one_that_no_process_can_be_given_fails_alone(root, finished):
    run, play = finished
    leave(root, after=[run.run_id], cwd="a\0b")
    leave(root, after=[run.run_id])
    play("")
    (left,) = later.read(root)
    assert left.cwd == "a\0b" and "null" in left.error


def test_one_whose_queue_process_was_killed_is_carried_out_again(root, finished, capfd):
    run, play = finished
    play("print('begun')")
    leave(root, after=[run.run_id])
    killed = later.Commands(root, print)
    killed.start(Turns(root, Limits(), {}))
    assert killed.busy and names(root) == ["control-of-x"]
    play("print('begun again')")
    assert "control-of-x: begun again" in capfd.readouterr().out and names(root) == []
    while killed.busy:
        select.select(killed.filenos(), [], [])
        killed.collect()
    assert names(root) == []


def test_many_are_carried_out_a_few_at_a_time(root, finished, monkeypatch):
    run, play = finished
    for number in range(5):
        leave(root, name=f"c{number}", after=[run.run_id])
    most, start = [], later.Commands.start

    def counted(self, turns):
        start(self, turns)
        most.append(len(self._going))

    monkeypatch.setattr(later.Commands, "start", counted)
    play("")
    assert max(most) == later.AT_ONCE and names(root) == []


def test_one_that_was_dropped_while_it_went_on_is_not_back(root, finished, stage):
    run, play = finished
    made = leave(root, after=[run.run_id])
    file = root / "queue" / "later" / f"{made.name}.json"
    play(f"import os, sys; os.unlink({str(file)!r}); sys.exit('failed')")
    assert names(root) == []
