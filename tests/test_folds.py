"""Folds and seeds of a real sweep, as the command line groups, names, compares and clones them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import mean, stdev

import pytest
from inprocess import train

from engine.events import LevelEnded, Tail
from lthtui import cloning, identity, runnames, specfiles, yamlfile
from lthtui.cli import main
from lthtui.launch import queue

SPEC = """\
experiment: folds
data: {name: digits, folds: 2, per_class: 5}
model: {name: resnet20, width: 4, shortcut: B}
train: {epochs: 1, batch_size: 25}
tracking: "off"
sparsifier: dense
seeds: [0, 1]
vary: {data.fold: [0, 1]}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds with two seeds each."""
    folder = tmp_path_factory.mktemp("folds")
    (folder / "folds.yaml").write_text(SPEC)
    train(folder / "mlruns", folder / "folds.yaml")
    return folder / "mlruns"


def said(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main([*words, "--root", str(root)]) == 0
    return capsys.readouterr().out


def test_they_stand_in_one_row_with_their_mean_and_deviation(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = [
        event.test_accuracy
        for run in runnames.every(root)
        for event in Tail(run.events_file).read()
        if isinstance(event, LevelEnded) and event.test_accuracy is not None
    ]
    [group] = json.loads(said(root, capsys, "compare", "folds", "--json"))["groups"]
    assert group["test_accuracy"]["n"] == len(scores) == 4
    assert group["test_accuracy"]["mean"] == pytest.approx(mean(scores))
    assert group["test_accuracy"]["std"] == pytest.approx(stdev(scores))
    told = [(run["fold"], run["seed"]) for run in group["runs"]]
    assert told == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_names_tell_the_fold(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [run] = runnames.find(root, ["folds-f1-s0"])
    assert run.run_id.endswith("-f1-s0") and run.run_id in said(root, capsys, "list")
    shown = said(root, capsys, "show", "folds-f1-s0").splitlines()
    assert "fold        1" in shown and "seed        0" in shown
    assert len(runnames.seeds(root, "folds")) == 4
    wanted = identity.read(run).repetition
    assert runnames.paired(root, "folds", wanted).run_id == run.run_id


def test_a_run_from_before_ids_told_folds_is_found_and_grouped(root: Path, tmp_path: Path) -> None:
    [spec, *_] = [run.spec() for run in runnames.find(root, ["folds-f1-s0"])]
    [run] = runnames.find(root, ["folds-f1-s0"])
    old = tmp_path / "runs" / run.run_id.replace("-f1-s0", "-s0")
    old.mkdir(parents=True)
    (old / "spec.yaml").write_bytes(run.spec_file.read_bytes())
    stored = json.loads(identity.Identity.of(spec).model_dump_json(exclude={"grouping"}))
    (old / "identity.json").write_text(json.dumps({**stored, "group": "a group of its own"}))
    [found] = queue.preview(tmp_path, [spec])
    assert found.directory.run_id == old.name
    assert identity.read(found.directory).group == spec.group


def test_a_clone_makes_the_same_runs(root: Path) -> None:
    runs = runnames.seeds(root, "folds")
    text = cloning.clone(runs)
    made = specfiles.expand_document(yamlfile.parse(text, "clone"), "clone").runs
    assert [run.spec.digest for run in made] == [run.spec().digest for run in runs]
    with pytest.raises(Exception, match="choose one fold"):
        cloning.clone(runs[1:])


def test_files_have_a_column_of_folds(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said(root, capsys, "compare", "folds", "-o", str(tmp_path / "folds.csv"))
    rows = csv.DictReader(io.StringIO((tmp_path / "folds.csv").read_text()))
    found = [(row["fold"], row["seed"]) for row in rows if row["measure"] == "test accuracy"][:4]
    assert found == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]
