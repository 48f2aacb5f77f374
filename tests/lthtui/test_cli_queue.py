import json
import re
import time

import pytest
from staging import FINISH, PLAY

from engine.rundir import Status, status
from lthtui.cli import main
from lthtui.launch import entries, later, limits
from lthtui.launch.later import Later

DIVERGED = {"kind": "run_ended", "status": "failed", "error": "NaN", "cause": "diverged"}


@pytest.fixture
def here(here, monkeypatch):
    """A current folder with play.yaml and other.yaml, and a root of its own."""
    monkeypatch.setenv("LTHTUI_USER", "alice")
    other = PLAY.replace("rate: 0.5", "rate: 0.25").replace("play", "other")
    (here.folder / "other.yaml").write_text(other)
    return here


@pytest.fixture
def command(capsys):
    """Give a command; its exit code, and what it wrote without what differs from day to day."""

    def command(*words):
        capsys.readouterr()
        code = main([*words])
        said = capsys.readouterr()
        return code, re.sub(r"\d{8}-(\w+)-[0-9a-f]{6}", r"\1", said.out + said.err).splitlines()

    return command


def states(here):
    return [status(run).value for run in here.runs()]


def test_the_queue_is_listed_in_the_order_in_which_runs_are_due(idle, command, capsys):
    assert command("queue") == (0, ["nothing waits"])
    assert command("queue", "--json") == (0, ["[]"])
    main(["run", "play.yaml", "seeds=0,1", "-d"])
    main(["run", "other.yaml", "-d", "--priority", "2", "--hold"])
    main(["run", "other.yaml", "seeds=1", "-d", "--priority", "-1", "--after", "play-s1"])
    nobody = "nobody starts it; `lthtui release` calls the queue process"
    code, lines = command("queue")
    assert [line.split(maxsplit=2) for line in lines] == [
        ["RUN", "PRIORITY", "WHY"],
        ["other-s0", "2", "held; `lthtui release` lets it go"],
        ["play-s0", "0", nobody],
        ["play-s1", "0", nobody],
        ["other-s1", "-1", "after play-s1"],
    ]
    capsys.readouterr()
    assert main(["queue", "--json"]) == 0
    first, *_, last = json.loads(capsys.readouterr().out)
    (source,) = [run.run_id for run in idle.runs() if "play" in run.run_id and "s1" in run.run_id]
    assert last | {"name": "", "run_id": ""} == {
        "name": "",
        "run_id": "",
        "command": None,
        "priority": -1,
        "user": "alice",
        "after": [source],
        "hold": False,
        "job": None,
        "reason": f"after {source}",
        "error": None,
    }
    assert first["hold"] and first["run_id"].startswith("20") and "other" in first["run_id"]


def test_names_of_users_do_not_reach_the_terminal_as_they_are(idle, command, monkeypatch):
    monkeypatch.setenv("LTHTUI_USER", "\x1b]0;x\x07bob")
    main(["run", "play.yaml", "-d"])
    monkeypatch.setenv("LTHTUI_USER", "alice")
    _, (_, line) = command("queue")
    assert r"\x1b]0;x\x07bob" in line


def test_hold_release_and_priority(idle, command):
    main(["run", "play.yaml", "seeds=0,1", "-d"])
    assert command("hold", "play") == (0, ["play-s0 held", "play-s1 held"])
    assert command("release", "play-s1") == (0, ["play-s1 released"])
    assert command("priority", "3", "play-s0") == (0, ["play-s0 has priority 3"])
    assert command("priority", "--", "-2", "play-s1") == (0, ["play-s1 has priority -2"])
    found = {entry.run_id[-2:]: (entry.hold, entry.priority) for entry in entries.read(idle.root)}
    assert found == {"s0": (True, 3), "s1": (False, -2)}
    assert command("cancel", "play-s0")[0] == 0
    assert command("hold", "play-s0") == (0, ["play-s0 does not wait: it is stopped"])


def test_two_runs_exchange_turns(idle, command):
    main(["run", "play.yaml", "seeds=0..2", "-d"])
    main(["priority", "3", "play-s0"])
    assert command("exchange", "play-s0", "play-s2") == (0, ["play-s0 and play-s2 exchanged turns"])
    found = [(entry.run_id[-2:], entry.priority) for entry in entries.read(idle.root)]
    assert found == [("s2", 3), ("s1", 0), ("s0", 0)]
    code, lines = command("exchange", "play-s0", "s0")
    assert code == 2 and lines == ["lthtui: play-s0 and s0 are the same run; name two"]
    main(["cancel", "play-s1"])
    assert command("exchange", "play-s2", "play-s1") == (
        0,
        ["play-s1 does not wait: it is stopped"],
    )
    first = next(run for run in idle.runs() if run.run_id.endswith("s0"))
    entries.change(first, job="7")
    assert "play-s0 is in Slurm's own queue" in command("exchange", "play-s2", "play-s0")[1][0]
    assert [entry.run_id[-2:] for entry in entries.read(idle.root)] == ["s2", "s0"]
    entries.change(first, job=None)


def test_what_is_so_already_is_said(idle, command):
    main(["run", "play.yaml", "seeds=0,1", "-d"])
    not_held = "was not held; `lthtui queue` says what it waits for"
    assert command("release", "play-s0") == (0, [f"play-s0 {not_held}"])
    assert command("release", "--all") == (0, ["none of your runs was held"])
    assert command("hold", "play-s0") == (0, ["play-s0 held"])
    assert command("hold", "play") == (0, ["play-s1 held", "play-s0 was held already"])
    assert command("hold", "--all") == (0, ["none of your runs waits unheld"])
    assert command("priority", "0", "play-s0") == (0, ["play-s0 had priority 0 already"])
    assert command("priority", "0", "--all") == (0, ["none of your runs waits with another"])
    assert command("release", "--all") == (0, ["play-s0 released", "play-s1 released"])
    (first,) = [run for run in idle.runs() if run.run_id.endswith("s0")]
    with entries.locked(idle.root):
        entries.change(first, not_before=time.time() + 100)
    assert command("release", "--all") == (0, ["play-s0 released"])
    with entries.locked(idle.root):
        entries.change(first, not_before=time.time() - 1)  # when it was tried again anyway
    assert command("release", "play-s0") == (0, [f"play-s0 {not_held}"])
    with entries.locked(idle.root):
        entries.change(first, job="12")  # which has its turn from the cluster
    code, (line,) = command("hold", "play-s0")
    assert code == 0 and line.startswith("play-s0 is in Slurm's own queue")
    assert not entries.find(first).hold
    first.queue_file.unlink()


def test_commands_that_wait_are_held_released_and_ranked_as_runs(idle, command, capsys):
    main(["run", "play.yaml", "-d"])
    (run,) = idle.runs()
    facts = {"order": 0, "user": "alice", "after": (run.run_id,), "verb": "control"}
    for name in ("one", "two"):
        word = Later(name=name, words=(run.run_id,), experiment="play", **facts)
        later.leave(idle.root, word)
    assert command("hold", "one", "play") == (0, ["one held", "play-s0 held"])
    assert command("hold", "one") == (0, ["one was held already"])
    assert command("priority", "5", "two") == (0, ["two has priority 5"])
    _, (_, *lines) = command("queue")
    assert [line.split(maxsplit=2) for line in lines] == [
        ["play-s0", "0", "held; `lthtui release` lets it go"],
        ["two", "5", "after play-s0"],
        ["one", "0", "held; `lthtui release one` lets it go"],
    ]
    capsys.readouterr()
    assert main(["queue", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["hold"]) for row in rows[1:]] == [("two", False), ("one", True)]
    assert command("release", "two", "one")[1] == [
        "one released",
        "two was not held; `lthtui queue` says what it waits for",
    ]
    assert command("hold", "--experiment", "play")[1] == ["two held", "one held"]
    assert command("release", "--all")[1] == ["two released", "one released", "play-s0 released"]


def test_a_run_that_a_command_has_yet_to_make_is_told_from_a_wrong_name(idle, command):
    main(["run", "play.yaml", "-d"])
    (run,) = idle.runs()
    assert command("hold", "plya") == (2, ["lthtui: no run 'plya'; did you mean play-s0?"])
    facts = {"order": 0, "user": "alice", "after": (run.run_id,), "verb": "control"}
    later.leave(idle.root, Later(name="control-of-play-s0", words=(run.run_id,), **facts))
    code, (line,) = command("hold", "play-reinit")
    assert code == 2 and line.startswith(
        "lthtui: no run 'play-reinit' so far (commands that wait may make it: `lthtui queue`); did"
    )
    for words in (["run", "play.yaml", "--after"], ["control"], ["show"]):
        code, (line,) = command(*words, "control-of-play-s0")
        assert code == 2 and "so far: it is a command that waits to make runs" in line


def test_commands_take_runs_an_experiment_or_all(idle, command):
    main(["run", "play.yaml", "seeds=0,1", "-d"])
    main(["run", "other.yaml", "-d"])
    assert command("cancel", "--experiment", "play") == (0, ["play-s0 stopped", "play-s1 stopped"])
    assert command("cancel", "--all") == (0, ["other-s0 stopped"])
    assert command("resume", "--all")[1] == ["play-s0 queued", "play-s1 queued", "other-s0 queued"]
    assert command("pause", "play-s0", "other") == (0, ["play-s0 paused", "other-s0 paused"])
    assert command("resume", "--experiment", "play", "--hold", "--priority", "4")[1] == [
        "play-s0 queued"
    ]
    (held,) = [entry for entry in entries.read(idle.root) if entry.hold]
    assert (held.priority, "play" in held.run_id) == (4, True)
    assert command("cancel", "play-s0", "play-s0")[1] == ["play-s0 stopped"]


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "retry", "hold", "release"])
def test_what_is_meant_has_to_be_said_in_one_way(idle, command, verb):
    main(["run", "play.yaml", "-d"])
    for words in ([], ["play", "--all"], ["--all", "--experiment", "play"]):
        code, (line,) = command(verb, *words)
        assert (code, line) == (2, "lthtui: name runs, or give --experiment NAME, or --all")
    code, (line,) = command(verb, "--experiment", "plya")
    assert code == 2 and line.startswith("lthtui: no run of an experiment 'plya' in ")
    assert command(verb, "nobody")[0] == 2
    assert states(idle) == ["queued"]


def test_nothing_is_made_where_there_are_no_runs(idle, command):
    nothing = {"cancel": "waits or runs", "release": "waits", "retry": "failed or was lost"}
    for verb, what in nothing.items():
        assert command(verb, "--all") == (0, [f"none of your runs {what}"])
        assert command(verb, "play")[0] == 2
    assert not idle.root.exists()


def test_groups_are_stopped_while_they_run_and_wait(here, command):
    here.play({"print": "on"}, {"sleep": 600})
    main(["run", "play.yaml", "seeds=0..3", "-d"])
    here.wait(lambda: "running" in states(here))
    code, lines = command("pause", "--experiment", "play")
    assert lines == [f"play-s{seed} paused" for seed in range(4)]
    assert states(here) == ["paused"] * 4
    here.play(FINISH)
    assert command("resume", "--all")[0] == 0
    for run in here.runs():
        here.until(run, Status.FINISHED)
    assert command("cancel", "--all") == (0, ["none of your runs waits or runs"])
    assert command("retry", "play-s0") == (0, ["play-s0 is finished"])


def test_retry_leaves_alone_what_would_fail_again(here, command):
    here.play(s0=[{"emit": DIVERGED}, {"exit": 1}], s1=[{"exit": 1}], s2=[FINISH])
    main(["run", "play.yaml", "seeds=0,1,2"])
    here.play(FINISH)
    code, lines = command("retry", "--all")
    assert code == 1
    assert "play-s1 queued" in lines and not any("s2" in line for line in lines)
    (vain,) = [line for line in lines if "s0" in line]
    assert "lower learning rate; --force tries it all the same" in vain
    here.until(here.runs()[1], Status.FINISHED)
    assert command("retry", "play-s0", "--force") == (0, ["play-s0 queued"])
    here.until(here.runs()[0], Status.FINISHED)


def test_limits_are_set_shown_and_lifted(idle, command):
    assert command("limit") == (0, ["no limits are set"])
    assert command("limit", "2", "--user", "alice") == (0, ["person alice: 2 at once"])
    assert command("limit", "1", "--device", "cpu")[1][-1] == "device cpu: 1 at once"
    assert command("limit", "0", "--user", "*")[1][1] == "person *: 0 at once"
    assert command("limit", "none", "--user", "alice")[0] == 0
    known = limits.read(idle.root)
    assert (known.users, known.devices) == ({"*": 0}, {"cpu": 1})


def test_a_limit_of_somebody_who_is_not_known_says_so(idle, command):
    nobody = "nobody has the login carol, or has queued anything as that yet"
    assert command("limit", "2", "--user", "carol") == (0, ["person carol: 2 at once", nobody])
    assert command("limit", "none", "--user", "carol") == (0, ["no limits are set"])
    assert command("limit", "2", "--user", "root") == (0, ["person root: 2 at once"])


@pytest.mark.parametrize(
    "words",
    [
        ["2"],
        ["2", "--user", "a", "--device", "cpu"],
        ["--user", "a"],
        ["many", "--user", "a"],
        ["-1", "--user", "a"],
        ["10001", "--user", "a"],
    ],
)
def test_a_limit_that_is_none_is_refused(idle, command, words):
    assert command("limit", *words)[0] == 2
    assert not idle.root.exists()
