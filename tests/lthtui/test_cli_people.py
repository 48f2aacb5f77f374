"""People who share an account: whose runs bulk commands take, and what lists say of them."""

import json
import re

import pytest

from engine.rundir import RunDirectory, status, write_json
from lthtui import people, runnames
from lthtui.cli import main
from lthtui.launch import later, lease, stopping

SPEC = """\
data: {name: digits, per_class: 5, validation: 100}
model: {name: resnet20, width: 4}
sparsifier: {name: imp, rate: 0.5, levels: 1, rewind: init}
train: {epochs: 2, batch_size: 50}
tracking: "off"
launch: {retries: 0, devices: cpu}
"""


@pytest.fixture
def shared(stage, monkeypatch):
    """A root where alice, bob and carol each have a run that waits; nobody dispatches."""
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    for seed, name in enumerate(("alice", "bob", "carol")):
        (stage.folder / f"{name}.yaml").write_text(SPEC)
        monkeypatch.setenv("LTHTUI_USER", name)
        main(["run", f"{name}.yaml", "experiment=play", f"seeds={seed}", "-d"])
    monkeypatch.setenv("LTHTUI_USER", "alice")
    return stage


@pytest.fixture
def command(capsys):
    """Give a command; its exit code, and the lines that it wrote, with short names of runs."""

    def command(*words):
        capsys.readouterr()
        code = main([*words])
        said = capsys.readouterr()
        lines = re.sub(r"\d{8}-(\w+)-[0-9a-f]{6}-s\d", r"\1", said.err + said.out).splitlines()
        return code, lines

    return command


def states(here):
    return {run.run_id.split("-")[1]: status(run).value for run in here.runs()}


def of(here, name) -> RunDirectory:
    (run,) = runnames.seeds(here.root, name)
    return run


LEFT = "2 runs of bob and carol were left alone; --user NAME or --user '*' takes them"


@pytest.mark.parametrize("which", [["--all"], ["--experiment", "play"]])
def test_bulk_commands_take_ones_own_runs_and_say_what_others_have(shared, command, which):
    assert command("hold", *which) == (0, [LEFT, "alice held"])
    assert command("release", *which) == (0, [LEFT, "alice released"])
    assert command("priority", "2", *which) == (0, [LEFT, "alice has priority 2"])
    assert command("pause", *which) == (0, [LEFT, "alice paused"])
    assert command("resume", *which) == (0, ["alice queued"])
    assert command("cancel", *which) == (0, [LEFT, "alice stopped"])
    assert states(shared) == {"alice": "stopped", "bob": "queued", "carol": "queued"}
    assert command("cancel", *which) == (0, [LEFT, "none of your runs waits or runs"])


def test_a_user_or_all_of_them_can_be_named(shared, command):
    assert command("cancel", "--all", "--user", "bob") == (0, ["bob stopped"])
    assert command("cancel", "--all", "--user", "bob")[1] == ["no run of bob waits or runs"]
    assert command("pause", "--experiment", "play", "--user", "*")[1] == [
        "alice paused",
        "carol paused",
    ]
    assert command("pause", "--all", "--user", "*")[1] == ["no run waits or runs"]
    code, (line,) = command("cancel", "bob", "--user", "bob")
    assert code == 2 and "--user goes with --all or --experiment" in line


def test_runs_that_never_started_stay_their_owners(shared, command):
    stopping.cancel(shared.runs())  # now no queue has them, and no attempt tells whose they are
    assert command("resume", "--all")[1] == [LEFT, "alice queued"]


def test_who_started_a_run_last_has_it(shared, command):
    run = of(shared, "bob")
    stopping.cancel([run])
    assert command("resume", "bob") == (0, ["bob queued"])  # named, it is taken anyway
    assert people.of(run) == "alice"
    assert command("hold", "--all")[1] == [
        "1 run of carol was left alone; --user carol takes it",
        "alice held",
        "bob held",
    ]


def test_failed_runs_of_others_are_not_tried_again(shared, command):
    for run in shared.runs():
        run.queue_file.unlink()
        process = {"pid": 2**22, "start": 1, "boot": "gone", "host": ""}
        owner = run.run_id.split("-")[1]
        write_json(
            run.launch_file,
            {
                "attempt": 1,
                "backend": "local",
                "process": process,
                "device": "cpu",
                "threads": 1,
                "time": 1.0,
                "user": owner,
            },
        )
        write_json(run.exit_file, {"attempt": 1, "code": -9, "time": 2.0})
        (run.path / "identity.json").unlink()
    assert {*states(shared).values()} == {"failed"}
    assert command("retry", "--all") == (0, [LEFT, "alice queued"])
    assert command("retry", "--all", "--user", "carol") == (0, ["carol queued"])
    assert states(shared)["bob"] == "failed"


def test_a_run_that_names_nobody_counts_as_ones_own(shared, command):
    for run in shared.runs():
        run.queue_file.unlink()
        (run.path / "identity.json").unlink()
    assert command("resume", "--all")[1] == ["alice queued", "bob queued", "carol queued"]


def test_commands_that_wait_for_runs_have_an_owner_too(shared, command, monkeypatch):
    source = of(shared, "carol").run_id
    for name in ("alice", "bob"):
        word = later.Later(
            name=f"control-of-{name}", order=0, user=name, after=(source,), verb="control"
        )
        later.leave(shared.root, word)
    left = "1 waiting command of bob was left alone; --user bob takes it"
    for verb, did in (("hold", "held"), ("release", "released")):
        code, lines = command(verb, "--all")
        assert lines[0] == left and f"control-of-alice {did}" in lines
    assert "control-of-alice dropped" in command("cancel", "--all")[1]
    assert command("cancel", "control-of-bob") == (0, ["control-of-bob dropped"])


def test_lists_say_whose_runs_are_only_where_somebody_else_has_some(shared, command, capsys):
    code, lines = command("list")
    assert [line.split()[-1] for line in lines] == ["USER", "alice", "bob", "carol"]
    code, lines = command("queue")
    assert [line.split()[2] for line in lines] == ["USER", "alice", "bob", "carol"]
    assert "user        bob" in command("show", "bob")[1]
    capsys.readouterr()
    main(["list", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [one["user"] for one in found] == ["alice", "bob", "carol"]
    for name in ("bob", "carol"):
        stopping.cancel([of(shared, name)])
        for file in sorted(of(shared, name).path.rglob("*")):
            file.unlink()
        (shared.root / "runs" / found[["alice", "bob", "carol"].index(name)]["run_id"]).rmdir()
    for verb in ("list", "queue"):
        assert not any("USER" in line for line in command(verb)[1])
    assert not any(line.startswith("user") for line in command("show", "alice")[1])
