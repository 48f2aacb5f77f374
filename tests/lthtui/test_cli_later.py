"""Commands on runs that have yet to finish: waited for, or left with the queue and carried out."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import pytest
from inprocess import project
from staging import FINISH
from waiting import PATIENCE

from engine.rundir import Status, status
from lthtui import identity
from lthtui.cli import main
from lthtui.commands import awaiting
from lthtui.desk import Desk
from lthtui.launch import entries, later, lease, queue
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.entries import Entry

SOURCE = """\
data: {name: digits, per_class: 10, validation: 100}
model: {name: resnet20, width: 4, shortcut: B}
sparsifier: {name: imp, levels: 1, rate: 0.5, rewind: init}
train: {epochs: 1, batch_size: 50}
select: {level: last}
keep: [best, last]
tracking: "off"
launch: {retries: 0}
"""
AGAIN = SOURCE.replace(
    "{name: imp, levels: 1, rate: 0.5, rewind: init}", "{name: ticket, source: imp}"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A root with two finished runs of IMP."""
    return project(tmp_path_factory.mktemp("project"), SOURCE)


@pytest.fixture
def here(trained, stage, monkeypatch):
    """The same as the current folder; workers are played."""
    shutil.copytree(trained, stage.folder, dirs_exist_ok=True)
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    monkeypatch.setenv("COLUMNS", "200")
    (stage.folder / "again.yaml").write_text(AGAIN)
    return stage


def sources(here):
    return [run for run in here.runs() if identity.read(run).name == "imp"]


def unfinish(run, hold=True):
    """Have a finished run wait, as if it had not finished yet."""
    entry = Entry(run_id=run.run_id, order=1, hold=hold, launch=run.spec().launch)
    with entries.locked(run.root):
        entries.write(run.root, entry)
    assert status(run) == Status.QUEUED


def finish_again(run):
    run.queue_file.unlink()
    assert status(run) == Status.FINISHED


def dispatch(here):
    Dispatcher(here.root).run(lease.take(here.root))


def made(here, name):
    return [run for run in here.runs() if identity.read(run).name == name]


def listed(capsys):
    capsys.readouterr()
    assert main(["queue", "--json"]) == 0
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def test_a_run_is_left_with_the_queue_and_made_when_its_own_source_has_finished(idle, capsys):
    first, second = sources(idle)
    for run in (first, second):
        unfinish(run)
    assert main(["run", "again.yaml", "seeds=0,1", "--detach"]) == 0
    said = capsys.readouterr()
    left = f"run-of-again-s0 is left with the queue, after {first.run_id}"
    assert said.out == "" and left in said.err
    rows = listed(capsys)
    assert rows["run-of-again-s1"]["reason"] == f"after {second.run_id}"
    assert (rows["run-of-again-s1"]["run_id"], rows["run-of-again-s1"]["command"]) == (None, "run")
    (idle.folder / "again.yaml").write_text("no spec any more")  # what was asked stays as it was
    dispatch(idle)
    assert made(idle, "again") == []
    finish_again(second)
    dispatch(idle)
    (run,) = made(idle, "again")
    assert (status(run), run.spec().seed) == (Status.FINISHED, 1)
    assert run.spec().sparsifier.source.run == second.run_id
    assert [one.name for one in later.read(idle.root)] == ["run-of-again-s0"]
    assert not [*(idle.root / "queue" / "later").glob("*-s1*")]


def test_controls_are_left_with_the_queue(idle, capsys):
    first, second = sources(idle)
    unfinish(first)
    command = ["control", "imp", "--kind", "reinit,shuffle", "-d", "train.epochs=2", "--priority=3"]
    assert main([*command, "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert [run["controls"]["run"] for run in done["runs"]] == [second.run_id] * 2
    assert done["later"] == [{"name": "control-of-imp-s0", "after": [first.run_id]}]
    assert main([*command, "--json"]) == 0  # asked again, it is there once
    assert len(later.read(idle.root)) == 1
    assert main(["control", "imp-s0", "--kind", "shuffle", "-d"]) == 0
    assert [one.name for one in later.read(idle.root)][1] == "control-of-imp-s0-2"
    assert main(["cancel", "control-of-imp-s0-2"]) == 0
    finish_again(first)
    dispatch(idle)
    runs = [*made(idle, "imp-reinit"), *made(idle, "imp-shuffle")]
    assert sorted(run.spec().seed for run in runs) == [0, 0, 1, 1]
    assert {status(run) for run in runs} == {Status.FINISHED}
    assert {run.spec().train.epochs for run in runs} == {2}
    assert later.read(idle.root) == []
    before = len(idle.runs())
    assert main(command) == 0  # as when it is carried out once more
    dispatch(idle)
    assert len(idle.runs()) == before and {run.launch().attempt for run in runs} == {1}


def test_a_command_that_fails_says_why_until_it_is_released(idle, capsys):
    first, _ = sources(idle)
    unfinish(first)
    assert main(["control", "imp-s0", "--kind", "reinit", "--level", "7", "-d"]) == 0
    finish_again(first)
    dispatch(idle)
    row = listed(capsys)["control-of-imp-s0"]
    assert f"{first.run_id} has no level 7" in row["error"]
    assert row["reason"].endswith("; `lthtui release control-of-imp-s0` tries it again")
    dispatch(idle)  # it is not tried again by itself
    assert main(["release", "control-of-imp-s0"]) == 0
    assert later.read(idle.root)[0].error is None
    dispatch(idle)
    assert "no level 7" in listed(capsys)["control-of-imp-s0"]["error"]
    assert main(["cancel", "--all"]) == 0
    assert listed(capsys) == {}


def test_it_waits_on_when_its_source_was_stopped(idle, capsys):
    first, _ = sources(idle)
    unfinish(first)
    journal = first.events_file.read_bytes()
    assert main(["run", "again.yaml", "-d"]) == 0
    *others, _ = journal.splitlines(keepends=True)
    first.events_file.write_bytes(b"".join(others))  # it did not finish
    assert main(["cancel", "imp-s0"]) == 0
    dispatch(idle)
    reason = f"after {first.run_id}, which is stopped; `lthtui resume {first.run_id}`"
    assert listed(capsys)["run-of-again-s0"]["reason"] == reason
    first.events_file.write_bytes(journal)
    queue.rouse(idle.root)
    dispatch(idle)
    assert len(made(idle, "again")) == 1


def test_a_spec_may_refer_to_one_before_it_by_name(idle, capsys):
    shutil.rmtree(idle.root)
    assert main(["run", "imp.yaml", "again.yaml", "seeds=0,1", "-d", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    (first, second) = [run["run_id"] for run in done["runs"]]
    names = [(one["name"], tuple(one["after"])) for one in done["later"]]
    assert names == [("run-of-again-s0", (first,)), ("run-of-again-s1", (second,))]
    assert main(["run", "imp.yaml", "again.yaml", "train.epochs=1,2", "-d"]) == 2
    assert "'imp' means 2 runs of this command" in capsys.readouterr().err
    assert main(["run", "imp.yaml", "again.yaml", "--dry-run"]) == 0
    assert f"again-s0 would start after {first}" in capsys.readouterr().err


def test_a_name_means_the_run_that_the_command_makes_and_not_an_older_one(idle, capsys):
    assert main(["run", "imp.yaml", "again.yaml", "model.width=8", "-d", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["later"][0]["after"] == [done["runs"][0]["run_id"]]


@pytest.mark.parametrize(
    "command",
    [
        ["control", "imp-s0", "-d", "--again"],
        ["run", "again.yaml", "-d", "--again"],
        ["control", "imp-s0", "-d", "--kind", "no_such"],
        ["control", "imp-s0", "-d", "--level", "-1"],
        ["control", "imp-s0", "-d", "no field=1"],
        ["control", "imp-s0", "--dry-run"],
        ["check", "again.yaml"],
    ],
)
def test_what_cannot_be_left_is_refused_at_once(idle, command, capsys):
    unfinish(sources(idle)[0])
    assert main(command) == 2
    assert later.read(idle.root) == [] and capsys.readouterr().out == ""


# ---- in the foreground


@pytest.fixture
def waiting(here, monkeypatch):
    """The first source is under way; it ends once a command waits for it."""
    (run, _), real = sources(here), awaiting.wait

    def wait(folder, runs):
        here.allow("go")
        real(folder, runs)

    def begin(*end):
        here.play(**{"-imp-": [{"wait": "go"}, *end], "": [FINISH]})
        unfinish(run, hold=False)
        lease.ensure(here.root)
        here.until(run, Status.RUNNING)
        return run

    monkeypatch.setattr(awaiting, "wait", wait)
    return begin


@pytest.mark.parametrize(
    ("command", "name"),
    [(["run", "again.yaml"], "again"), (["control", "imp-s0", "--kind", "reinit"], "imp-reinit")],
)
def test_a_source_is_waited_for(here, waiting, command, name, capsys):
    source = waiting(FINISH)
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    assert "waiting for imp-s0 to finish; Ctrl-C ends the waiting" in said.err
    assert f"{name}-s0  finished" not in said.err  # events are on stdout
    (run,) = made(here, name)
    *events, last = map(json.loads, said.out.splitlines())
    assert {event["run_id"] for event in events} == {run.run_id}
    assert [one["status"] for one in last["runs"]] == ["finished"]
    assert run.spec().controls.source.run == source.run_id


@pytest.mark.parametrize("command", [["run", "again.yaml"], ["control", "imp-s0"]])
def test_a_source_that_fails_is_the_end_of_it(here, waiting, command, capsys):
    failed = {"kind": "run_ended", "status": "failed", "error": "no"}
    source = waiting({"emit": failed}, {"exit": 1})
    assert main(command) == 1
    said = capsys.readouterr().err
    assert f"{source.run_id} is failed; `lthtui resume {source.run_id}`, then give" in said
    assert len(here.runs()) == 2


def test_what_is_made_first_is_followed_and_then_what_begins_from_it(here, capsys):
    unfinish(sources(here)[0], hold=False)
    assert main(["run", "imp.yaml", "again.yaml", "seeds=0,1", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sorted(run["name"] for run in last["runs"]) == ["again", "again", "imp", "imp"]


def test_ctrl_c_ends_the_waiting_and_leaves_the_source_alone(here, waiting, spawn):
    source = waiting(FINISH)
    client = spawn(
        [sys.executable, "-m", "lthtui", "run", "again.yaml"], stderr=subprocess.PIPE, text=True
    )
    assert "waiting for imp-s0" in client.stderr.readline()
    assert "started on cpu" in client.stderr.readline()  # it listens
    client.send_signal(signal.SIGINT)
    assert client.wait(PATIENCE) == 130
    assert status(source) == Status.RUNNING and len(here.runs()) == 2
    here.allow("go")
    here.until(source, Status.FINISHED)


def test_a_ticket_that_nothing_makes_is_refused_with_how_it_could_be_made(here, command):
    spec = AGAIN.replace("source: imp", "source: nobody")
    (here.folder / "lost.yaml").write_text(spec)
    code, _, said = command("check", "lost.yaml")
    assert code == 2 and "no run 'nobody'" in said
    assert "may stand before this one in one `lthtui run`" in said


def test_controls_that_a_spec_lists_are_run_when_its_runs_have_finished(here, capsys):
    unfinish(sources(here)[0], hold=False)
    assert main(["run", "imp.yaml", "seeds=0,1", "control=reinit,shuffle", "--json"]) == 0
    said = capsys.readouterr()
    last = json.loads(said.out.splitlines()[-1])
    known = {run.run_id for run in sources(here)}
    assert sorted(run["name"] for run in last["runs"] if run["run_id"] not in known) == [
        *("imp-reinit", "imp-reinit", "imp-shuffle", "imp-shuffle")
    ]
    assert {run["controls"]["run"] for run in last["runs"] if run["controls"]} == known
    assert "imp.yaml: controls of every run follow: reinit, shuffle" in said.err


def test_of_a_run_that_failed_no_controls_are_run(here, capsys):
    unfinish(sources(here)[0], hold=False)
    here.play({"emit": {"kind": "run_ended", "status": "failed", "error": "no"}}, {"exit": 1})
    assert main(["run", "imp.yaml", "seeds=0,1", "control=reinit"]) == 1
    assert [run.spec().seed for run in made(here, "imp-reinit")] == [1]


def test_of_a_run_that_can_go_on_the_exit_code_is_its_own(here, capsys):
    unfinish(sources(here)[0], hold=False)
    here.play({"emit": {"kind": "run_ended", "status": "stopped"}}, {"exit": 75})
    assert main(["run", "imp.yaml", "control=reinit"]) == 75
    assert made(here, "imp-reinit") == []


def test_controls_that_a_spec_lists_are_left_with_the_queue(idle, capsys):
    first, second = sources(idle)
    unfinish(first)
    assert main(["run", "imp.yaml", "seeds=0,1", "control=reinit", "-d", "--json"]) == 0
    left = json.loads(capsys.readouterr().out)["later"]
    names = ["control-of-imp-s0", "control-of-imp-s1"]
    assert [(one["name"], one["after"]) for one in left] == [
        (name, [run.run_id]) for name, run in zip(names, (first, second), strict=True)
    ]
    dispatch(idle)
    assert [run.spec().seed for run in made(idle, "imp-reinit")] == [1]
    finish_again(first)
    spec = idle.folder / "imp.yaml"
    spec.write_text(spec.read_text() + "control: [reinit]\n")
    said = Desk(idle.root, idle.folder).submit("imp.yaml")
    assert said.endswith("1 run to be queued once other runs have finished")
    dispatch(idle)
    assert sorted(run.spec().seed for run in made(idle, "imp-reinit")) == [0, 1]
    assert later.read(idle.root) == []
