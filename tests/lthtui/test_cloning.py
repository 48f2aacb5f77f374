"""A clone of a run makes that run again; a tag names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rundirs import FakeRun

from engine.errors import UsageError
from lthtui import cloning, specfiles, yamlfile


def runs_of(text, stem="other"):
    document = yamlfile.parse(text, stem)
    return [run.spec for run in specfiles.expand_document(document, stem).runs]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sparsifier": {"name": "rigl", "density": 0.1, "interval": "7it"}},
        {"train": {"epochs": 3, "optimizer": "adam", "schedule": {"name": "step", "every": "2ep"}}},
        {"launch": {"devices": "cpu", "memory": "6GiB"}, "tags": {"a": "b"}, "keep": ["all"]},
    ],
)
def test_a_clone_makes_the_same_runs(tmp_path, changes):
    runs = [FakeRun(tmp_path, "one", seed, **{"experiment": "day", **changes}).directory
            for seed in (4, 2)]  # fmt: skip
    text = cloning.clone(runs)
    made = runs_of(text)
    assert [spec.digest for spec in made] == [run.spec().digest for run in reversed(runs)]
    assert {spec.name for spec in made} == {"other"} and {spec.experiment for spec in made} == {
        "day"
    }
    assert made[0].launch == runs[0].spec().launch and made[0].keep == runs[0].spec().keep
    assert made[0].tags == {**runs[0].spec().tags, "cloned_from": runs[0].run_id}
    run_id, before = cloning.origin(tmp_path, yamlfile.parse(text, "x").data)
    assert run_id == runs[0].run_id and cloning.changed(before, made) == []


def test_defaults_are_left_out_and_the_data_is_near(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"name": "digits", "root": str(tmp_path / "data" / "set"), "validation": 300}
    text = cloning.clone([FakeRun(tmp_path, "one", data=data).directory])
    assert text.startswith("# Cloned from ")
    found = yamlfile.parse(text, "x").data
    assert found["data"]["root"] == str(Path("data/set"))
    assert "loss" not in found and "optimizer" not in found.get("train", {})


def test_runs_that_differ_in_more_than_their_seeds_are_no_group(tmp_path):
    pair = [FakeRun(tmp_path, "one", levels=levels).directory for levels in (2, 3)]
    with pytest.raises(UsageError, match="differ in more"):
        cloning.clone(pair)
    with pytest.raises(UsageError, match="no run"):
        cloning.clone([])


def test_sweeps_are_told_as_the_values_that_are_there_now(tmp_path):
    run = FakeRun(tmp_path, "one").directory
    text = cloning.clone([run]) + "vary: {sparsifier.rate: [0.1, 0.3], train.epochs: [4]}\n"
    assert cloning.changed(run.spec(), runs_of(text)) == [("sparsifier.rate", "–", "0.1, 0.3")]


def test_of_another_choice_only_its_own_settings_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"name": "digits", "root": str(tmp_path / "data"), "validation": 300}
    run = FakeRun(tmp_path, "one", data=data).directory
    text = cloning.clone([run])
    (spec,) = runs_of(
        text.replace(
            "  name: imp\n  levels: 5\n", "  name: rigl\n  density: 0.1\n  interval: 2it\n"
        )
    )
    told = {field: (was, now) for field, was, now in cloning.changed(run.spec(), [spec])}
    assert told["sparsifier.name"] == ("imp", "rigl")
    assert told["sparsifier.density"] == ("–", "0.1") and told["sparsifier.alpha"][0] == "–"
    assert "sparsifier.rewind" not in told and "data.root" not in told


def test_an_origin_that_is_gone_or_no_run_is_none(tmp_path):
    for tag in ("20260101-gone-abcdef-s0", "../x", 3):
        assert cloning.origin(tmp_path, {"tags": {"cloned_from": tag}}) is None
    assert cloning.origin(tmp_path, {"tags": "x"}) is None
