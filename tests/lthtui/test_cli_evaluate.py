"""`lthtui evaluate`: tickets of finished runs are measured by workers, and nothing else changes."""

from __future__ import annotations

import json
import shutil

import pytest
from inprocess import IMP, project

from engine import outstanding
from engine.events import Evaluated, Tail
from engine.rundir import RunDirectory, Status, status


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of a run of three levels, of which 1 is not kept: the picked one is the last."""
    return project(tmp_path_factory.mktemp("evaluate"), IMP)


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    """A copy of it, as the current folder."""
    shutil.copytree(trained, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path / "project" / "mlruns"))
    return tmp_path / "project" / "mlruns"


def runs(root):
    """By seed."""
    paths = (root / "runs").iterdir()
    return [RunDirectory(path) for path in sorted(paths, key=lambda path: path.name[-1])]


def evaluated(run):
    return [(e.level, e.name) for e in Tail(run.events_file).read() if isinstance(e, Evaluated)]


def test_tickets_of_all_seeds_are_evaluated_once(here, command):
    code, out, err = command("evaluate", "imp", "--with", "layer_density")
    assert code == 0, err
    header, *lines = out.splitlines()[1:]
    assert header.split() == ["evaluation", "metric", "ticket"]
    assert [line.split()[:2] for line in lines] == [
        ["layer_density", "lowest"],
        ["layer_density", "highest"],
    ]
    assert [evaluated(run) for run in runs(here)] == [[(2, "layer_density")]] * 2
    assert [status(run) for run in runs(here)] == [Status.FINISHED] * 2
    first, second = runs(here)
    for detach in (), ("--detach",):
        code, again, err = command("evaluate", "imp", "--with", "layer_density", *detach)
        assert (code, again) == (0, f"{first.run_id}\n{second.run_id}\n" if detach else out)
        assert "imp-s1 has them already; nothing is made again" in err and "--again" not in err
    assert [evaluated(run) for run in runs(here)] == [[(2, "layer_density")]] * 2


def test_seeds_that_are_compared_with_their_own_of_another_group_are_one_evaluation(here, command):
    code, out, err = command("evaluate", "imp", "--with", "overlap", "overlap.other=imp")
    assert code == 0, err
    first, second = runs(here)
    own = f"overlap other:imp-{first.spec().group[:6]}:best"
    assert evaluated(first) == evaluated(second) == [(2, own)]
    assert out.count(own) == 3 and "±" in out
    code, _, err = command("evaluate", "imp", "--with", "overlap", "overlap.other=imp-s0")
    assert code == 0, err
    assert evaluated(first) == [(2, own)]  # s0 is its own, which was made before
    assert evaluated(second) == [(2, own), (2, own.replace(":best", "-s0:best"))]


def test_a_run_shows_what_was_evaluated(here, command):
    first, _ = runs(here)
    with first.events_file.open("a") as journal:
        for level, value in ((0, 0.5), (2, 0.25)):
            found = Evaluated(level=level, name="fgsm epsilon:4", metrics={"accuracy": value})
            journal.write(found.model_dump_json(exclude_none=True) + "\n")
    shown = command("show", first.run_id)[1].splitlines()
    assert "evaluation      metric    dense   ticket" in shown
    assert "fgsm epsilon:4  accuracy  50.00%  25.00%" in shown
    (_, last) = json.loads(command("show", first.run_id, "--json")[1])["evaluations"]
    assert (last["level"], last["name"], last["metrics"]) == (
        2,
        "fgsm epsilon:4",
        {"accuracy": 0.25},
    )


def test_a_spec_that_lists_more_than_it_did_is_evaluated_and_not_trained_again(here, command):
    before = [run.events_file.stat().st_size for run in runs(here)]
    (here.parent / "imp.yaml").write_text(IMP + "evaluate: [{name: layer_density, levels: [last]}]")
    code, _, err = command("run", "imp.yaml", "seeds=0")
    assert code == 0, err
    first, second = runs(here)
    assert evaluated(first) == [(2, "layer_density")] and evaluated(second) == []
    new = first.events_file.read_bytes()[before[0] :].splitlines()
    assert {json.loads(line)["kind"] for line in new} <= {
        "evaluation_started",
        "evaluated",
        "sampled",
    }


def test_one_that_fails_says_so_and_costs_the_run_nothing(here, command):
    first, _ = runs(here)
    ticket = first.level(2) / "ticket.safetensors"
    whole = ticket.read_bytes()
    ticket.write_bytes(whole[:-1] + b"?")
    code, _, err = command("evaluate", first.run_id, "--with", "layer_density")
    assert code == 1 and "level 2 not evaluated: layer_density: " in err
    assert "give the command again" in err and status(first) == Status.FINISHED
    ticket.write_bytes(whole)
    assert command("evaluate", first.run_id)[0] == 0
    assert evaluated(first) == [(2, "layer_density")]


def test_a_ticket_of_another_run_is_told_and_not_taken_for_this_run_s(here, command):
    first, second = runs(here)
    shutil.rmtree(first.level(2))
    shutil.copytree(second.level(2), first.level(2))
    code, _, err = command("evaluate", first.run_id, "--with", "layer_density")
    ours, theirs = (run.spec().digest[:6] for run in (first, second))
    assert code == 1 and f"with the digest {theirs}, but" in err and f"spec.yaml has {ours}:" in err
    assert evaluated(first) == [] and status(first) == Status.FINISHED


def test_one_that_does_not_apply_is_no_failure_and_says_why(here, command):
    why = "CIFAR-10.2 has CIFAR-10's classes; this run is on digits"
    first, _ = runs(here)
    code, out, err = command("evaluate", first.run_id, "--with", "cifar10_2")
    assert code == 0 and f"level 2 cifar10_2 does not apply: {why}" in err
    assert out.splitlines()[1:] == [f"cifar10_2 does not apply: {why}"]
    assert "give the command again" not in err and "not evaluated" not in err
    (made,) = json.loads(command("show", first.run_id, "--json")[1])["evaluations"]
    assert (made["metrics"], made["inapplicable"]) == ({}, why)
    again = command("evaluate", first.run_id, "--with", "cifar10_2")[2]
    assert "nothing is made again" in again and evaluated(first) == [(2, "cifar10_2")]


def test_one_number_is_a_list_of_it(here, command):
    first, _ = runs(here)
    code, _, err = command("evaluate", first.run_id, "--with", "fgsm", "fgsm.epsilon=4")
    assert code == 0, err
    assert evaluated(first) == [(2, "fgsm epsilon:4.0")]


def test_what_keeps_all_of_a_run_from_being_evaluated_is_said_of_each(here, command):
    first, _ = runs(here)
    drawn = json.loads(first.subset_file.read_text())
    first.subset_file.write_text(json.dumps({**drawn, "sha256": "of other images"}))
    code, _, err = command("evaluate", first.run_id, "--with", "layer_density,overlap")
    assert code == 1 and status(first) == Status.FINISHED
    told = [line for line in err.splitlines() if " not evaluated: " in line]
    assert [line.split()[5] for line in told] == ["layer_density:", "overlap:"]
    assert all("now gives other training or validation images" in line for line in told)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--with", "layer_densty"], "did you mean layer_density?"),
        (["--with", "layer_density", "layer_density.x=1"], "layer_density.x: unknown"),
        (["--with", "layer_density", "fgsm.epsilon=1"], "fgsm.epsilon: not one of --with"),
        (["--with", "layer_density", "--level", "1"], "has not kept the weights of level 1; kept:"),
        (
            ["--with", "layer_density", "--level", "0,2"],
            "has not kept the weights of level 0; kept: 2",
        ),
        (["--with", "layer_density", "--level", "9"], "has no level 9, only 0 to 2"),
        (["--with", "layer_density", "--level", "beast"], "did you mean best?"),
        (["--level", "best"], "--level says nothing without --with"),
        (["--with", "overlap", "overlap.other=nobody"], "no run 'nobody'"),
        (
            ["--with", "overlap", "overlap.other=none/t.safetensors"],
            "none/t.safetensors: No such file or directory; name another ticket",
        ),
        (
            ["--with", "overlap", "overlap.other=./imp.yaml"],
            "imp.yaml: not a ticket file of this program; name another ticket",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_starts(words, why, here, command):
    code, _, err = command("evaluate", "imp", *words)
    assert code == 2 and why in err
    assert not any((run.path / outstanding.FILE).exists() for run in runs(here))


def test_tickets_of_a_run_that_was_stopped_are_not_final(here, command):
    first, _ = runs(here)
    text = first.events_file.read_text().replace('"status":"finished"', '"status":"stopped"')
    first.events_file.write_text(text)
    code, _, err = command("evaluate", first.run_id, "--with", "layer_density")
    assert code == 2 and f"lthtui resume {first.run_id}" in err


def test_what_waits_for_a_person_is_not_said_to_have_been_missed(here, command):
    first, _ = runs(here)
    code, _, err = command("evaluate", first.run_id, "--with", "layer_density", "--hold")
    assert code == 75 and status(first) == Status.QUEUED
    assert f"{first.run_id} waits: held" in err and "give the command again" not in err
    err = command("evaluate", "imp-s0", "--with", "layer_density", "--detach")[2]
    assert "imp-s0 runs or waits already, and makes them in the end" in err


def test_an_experiment_means_all_its_groups_but_controls_and_what_is_not_final(here, command):
    first, _ = runs(here)
    for number, changed in enumerate(({}, {"controls": {"run": "x", "level": 2, "kind": "null"}})):
        copy = here / "runs" / f"20260101-imp-{number}00000-s0"
        shutil.copytree(first.path, copy)
        facts = json.loads((copy / "identity.json").read_text())
        told = {**facts, "group": f"{number}" * 64, "digest": f"{number}" * 64, **changed}
        (copy / "identity.json").write_text(json.dumps(told))
    stopped = RunDirectory(here / "runs" / "20260101-imp-000000-s0")
    text = stopped.events_file.read_text().replace('"status":"finished"', '"status":"stopped"')
    stopped.events_file.write_text(text)
    code, out, err = command("evaluate", "imp", "--with", "layer_density", "--detach", "--hold")
    assert code == 0 and len(out.split()) == 2
    assert f"left out: {stopped.run_id} is stopped" in err
    control = RunDirectory(here / "runs" / "20260101-imp-100000-s0")
    assert not (control.path / outstanding.FILE).exists()
