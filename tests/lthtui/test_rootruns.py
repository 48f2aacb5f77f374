"""Roots in which some runs have a folder and others only the store: commands show both."""

from __future__ import annotations

import json

import manyruns
import pytest
from rundirs import FakeRun

from lthtui.cli import main


@pytest.fixture
def mixed(tmp_path, monkeypatch, template):
    """A root with a run of its own, and six that only its store knows, in two groups."""
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path))
    manyruns.store(template, tmp_path, 6)
    FakeRun(tmp_path, "own").start().train(1).end()
    return tmp_path


STORED = [*manyruns.runs(6)]
LAST = STORED[-1]  # alone in its group and its experiment


def said(capsys, *arguments):
    code = main([*arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_all_runs_are_listed_the_oldest_first(mixed, capsys):
    _, out, _ = said(capsys, "list", "--json")
    runs = json.loads(out)
    names = [run["run_id"] for run in runs]
    assert sorted(names) == sorted([*STORED, *(run for run in names if "own" in run)])
    assert [run for run in names if "own" not in run] == STORED
    assert {run["directory"] is None for run in runs} == {True, False}
    _, out, _ = said(capsys, "list")
    assert LAST in out and "-own-" in out
    _, out, _ = said(capsys, "list", "--filter", "experiment=default", "--columns", "id,seed")
    assert out.split()[2::2] == STORED


def test_a_run_that_only_the_store_knows_is_shown_and_compared_by_its_name(mixed, capsys):
    for word in (LAST, LAST[9:]):
        code, out, _ = said(capsys, "show", word, "--json")
        assert code == 0 and json.loads(out)["run_id"] == LAST
    code, _, err = said(capsys, "show", "nothing")
    assert code == 2 and "no run 'nothing'" in err
    code, out, _ = said(capsys, "compare", LAST, "own", "--json")
    assert code == 0 and len(json.loads(out)["groups"]) == 2


def test_an_experiment_that_only_the_store_has_is_meant_as_a_whole(mixed, capsys):
    asked = ("metrics", "--experiment", "Default", "--metric", "level/val_accuracy")
    code, out, err = said(capsys, *asked)
    assert code == 0 and len(out.splitlines()) == 1
    assert "6 stored runs of somebody were left alone; --user somebody" in err
    code, out, _ = said(capsys, *asked, "--user", "somebody")
    assert code == 0 and {line.split(",")[0] for line in out.splitlines()[1:]} == {*STORED}
    code, _, err = said(capsys, "metrics", "--experiment", "e9")
    assert code == 2 and "no run of an experiment 'e9'" in err


def test_a_store_that_cannot_be_read_hides_no_run_with_a_folder(mixed, capsys):
    (mixed / "mlflow.db").write_bytes(b"no store" * 100)
    code, out, err = said(capsys, "list")
    assert code == 0 and "-own-" in out and LAST not in out
    assert "only runs with a folder" in err and "mlflow.db" in err


def test_what_is_in_the_trash_is_not_shown_as_the_stores(mixed, capsys):
    (mixed / "trash" / LAST).mkdir(parents=True)
    _, out, _ = said(capsys, "list")
    assert LAST not in out and STORED[0] in out
