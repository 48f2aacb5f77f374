"""What people change of a run reaches MLflow once, and what is edited there stays."""

from __future__ import annotations

import json
import shutil

import pytest
from mirrored import mlflow_run, run_of

from engine import link, noted, relocation, schema
from engine.errors import Foreign
from engine.lifecycle import note
from engine.noted import Change, Noted
from engine.rundir import write_json
from engine.tracking import sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


def client(report):
    from mlflow import MlflowClient

    return MlflowClient(report.tracking_uri)


def test_a_change_counts_until_mlflow_was_told_of_it():
    changed = Noted(changes={"a": Change(value="1", order=5), "b": Change(value=None, order=7)})
    assert changed.newest == 7
    assert changed.over({"a": "0", "b": "0", "c": "0"}) == {"a": "1", "c": "0"}
    assert changed.over({"a": "0", "b": "0", schema.NOTED: "6"}) == {"a": "0", schema.NOTED: "6"}
    assert changed.over({"a": "0", "b": "0", schema.NOTED: "7"})["b"] == "0"
    assert changed.over({"a": "0", schema.NOTED: "soon"})["a"] == "1"


def test_changes_are_ordered_even_where_the_clock_goes_back(root, monkeypatch):
    directory = run_of(root).directory
    noted.change(directory, {"a": "1", "b": "1"})
    monkeypatch.setattr("time.time_ns", lambda: 3)
    noted.change(directory, {"a": None})
    found = noted.read(directory).changes
    assert found["a"].value is None and found["b"].value == "1"
    assert found["a"].order == found["b"].order + 1


def test_a_damaged_file_is_read_as_empty_and_never_overwritten(root):
    directory = run_of(root).directory
    (directory.path / noted.FILE).write_text('{"changes": {"a": 3}}')
    assert noted.read(directory).newest == 0
    with pytest.raises(Foreign, match="move it away"):
        noted.change(directory, {"a": "1"})
    assert (directory.path / noted.FILE).read_text() == '{"changes": {"a": 3}}'


def test_what_was_changed_before_a_run_began_is_there_with_it(root):
    run = run_of(root, tags={"kind": "old", "plain": "x"})
    directory = run.directory
    noted.change(directory, {schema.NOTE: "*hm*", "kind": None, schema.NAME: "mine"})
    run.start().train(1)
    found = mlflow_run(sync(directory))
    assert found.info.run_name == "mine"
    assert found.data.tags[schema.NOTE] == "*hm*"
    assert found.data.tags["plain"] == "x" and "kind" not in found.data.tags
    assert link.read(directory).noted == noted.read(directory).newest


def test_what_is_edited_in_mlflow_afterwards_stays(root):
    directory = run_of(root).start().train(1).end().directory
    noted.change(directory, {schema.NOTE: "first", "a": "1"})
    report = sync(directory)
    client(report).set_tag(report.mlflow_run_id, schema.NOTE, "edited there")
    client(report).delete_tag(report.mlflow_run_id, "a")
    noted.change(directory, {"b": "2"})
    assert note(directory)["tags"][schema.NOTE] == "edited there"
    tags = mlflow_run(sync(directory)).data.tags
    assert (tags[schema.NOTE], tags["b"], "a" in tags) == ("edited there", "2", False)


def test_a_store_that_is_made_anew_and_one_behind_are_told_again(root, template):
    directory = run_of(root).start().train(1).end().directory
    noted.change(directory, {schema.NOTE: "kept", schema.ARCHIVED: "true"})
    sync(directory)
    for file in root.glob("mlflow.db*"):
        file.unlink()
    assert mlflow_run(sync(directory)).data.tags[schema.NOTE] == "kept"
    for file in root.glob("mlflow.db*"):
        file.unlink()
    shutil.copy(template, root)
    relocation.relocate(root).backup.unlink()
    assert note(directory) == {"tags": None}  # which a sync brings over
    assert mlflow_run(sync(directory)).data.tags[schema.ARCHIVED] == "true"


def test_telling_again_after_a_kill_in_between_changes_nothing(root):
    directory = run_of(root).start().train(1).end().directory
    report = sync(directory)
    before = link.read(directory)
    noted.change(directory, {schema.NOTE: "kept", schema.NAME: "mine"})
    told = note(directory)["tags"]
    write_json(directory.mlflow_file, before.model_dump())  # as if it was killed before
    client(report).delete_tag(report.mlflow_run_id, schema.NOTED)
    assert note(directory)["tags"] == told
    assert json.loads(directory.mlflow_file.read_text())["noted"] == noted.read(directory).newest


def test_a_run_that_mlflow_does_not_have_keeps_its_changes(root):
    directory = run_of(root, tracking="off").start().train(1).end().directory
    noted.change(directory, {"a": "1"})
    assert note(directory) == {"tags": None}
    assert mlflow_run(sync(directory)).data.tags["a"] == "1"
