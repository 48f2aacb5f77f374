"""Longer runs from the command line: derived, refused, queued, said."""

from __future__ import annotations

import json
import shutil

import pytest
from inprocess import finish, project, train

from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import cli, extending, specfiles
from lthtui.launch import lease
from lthtui.monitor import Watched

SPEC = """\
data: {name: digits, per_class: 4, validation: 20}
model: {name: resnet20, width: 4, shortcut: B}
sparsifier: {name: imp, levels: 1, rewind: 1ep}
train: {epochs: 2, batch_size: 20}
tracking: "off"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a spec of IMP that was run with two seeds."""
    return project(tmp_path_factory.mktemp("project"), SPEC)


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """The same, for one test."""
    shutil.copytree(trained, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)
    monkeypatch.setattr(lease, "ensure", lambda root: None)  # nobody dispatches
    return tmp_path / "project"


def run(capsys, *arguments):
    """The exit code, what was written to stdout, and to stderr."""
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def specs(folder):
    """All runs' specs by id."""
    found = sorted((folder / "mlruns" / "runs").iterdir())
    return {path.name: RunDirectory(path).spec() for path in found}


def test_more_levels_and_seeds_are_new_runs_beside_the_old(folder, capsys):
    before = specs(folder)
    code, out, err = run(capsys, "extend", "imp", "sparsifier.levels=3", "--seeds", "3", "-d")
    assert code == 0, err
    new = {name: spec for name, spec in specs(folder).items() if name not in before}
    assert out.split() == sorted(new, key=lambda name: name[-1]) and len(new) == 3
    by_seed = {spec.seed: spec for spec in new.values()}
    sources = {spec.seed: name for name, spec in before.items()}
    assert {seed: spec.extends for seed, spec in by_seed.items()} == {**sources, 2: None}
    wanted = {spec.seed: spec.digest for spec in specfiles.load("imp.yaml", [
        "sparsifier.levels=3", "seeds=0,1,2"])}  # fmt: skip
    assert {seed: spec.digest for seed, spec in by_seed.items()} == wanted
    # 2 epochs of 2 steps, then an epoch of 2 steps a level: 6 of 10 steps are there
    told = "levels 0 to 1 taken over, levels 2 to 3 to train: 4 of 10 steps"
    assert [line for line in err.splitlines() if told in line] == [
        f"{sources[0]}: {told}", f"{sources[1]}: {told}"]  # fmt: skip


def test_weights_that_were_dropped_are_not_promised(folder, capsys):
    code, _, err = run(capsys, "extend", "imp-s0", "sparsifier.levels=2", "keep=[all]", "--dry-run")
    assert code == 0 and "keep has all now, but weights that it dropped stay dropped" in err


def test_more_seeds_alone_leave_what_is_finished(folder, capsys):
    code, out, err = run(capsys, "extend", "imp-s1", "seeds=1,4", "--dry-run", "--json")
    assert code == 0, err
    rows = json.loads(out)["runs"]
    assert [(row["run_id"][-2:], row["action"], row["takes_over"]) for row in rows] == [
        ("s1", "finished", None),
        ("s4", "new", None),
    ]
    assert extending._as_many({3: None, 1: None}, 4) == [1, 3, 0, 2]


def test_a_dry_run_says_what_is_taken_over(folder, capsys):
    code, out, err = run(capsys, "extend", "imp-s0", "sparsifier.levels=2", "--dry-run", "--json")
    (row,) = json.loads(out)["runs"]
    (source,) = [name for name in specs(folder) if name.endswith("s0")]
    assert row["takes_over"] == {"run": source, "levels": 2, "epochs": 0, "steps": 6}
    assert (code, row["action"], row["steps"]) == (0, "new", 8)
    assert len(specs(folder)) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([], "say what it is to have more of"),
        (["sparsifier.levels=1"], "all of that is there already"),
        (["sparsifier.levels=0"], "it has levels 0 to 1 already"),
        (["train.batch_size=4"], "train.batch_size would be other than in the finished run"),
        (["sparsifier.rate=0.5"], "level 1 would keep 50.00% of the weights instead of 80.00%"),
        (["train.epochs=3"], "level 0 would train 6 steps instead of 4"),
        (["seeds=a"], "seeds are whole numbers"),
    ],
)
def test_what_cannot_be_extended_is_refused(folder, capsys, changes, why):
    code, out, err = run(capsys, "extend", "imp-s0", *changes)
    assert (code, out) == (2, "") and why in err, err
    assert len(specs(folder)) == 2


def test_only_finished_runs_on_the_same_images_are_extended(folder, capsys):
    (run_folder,) = [path for path in (folder / "mlruns/runs").iterdir() if path.name[-1] == "0"]
    directory = RunDirectory(run_folder)
    subset = directory.subset_file.read_text()
    directory.subset_file.write_text('{"sha256": "0"}')
    assert "other images" in run(capsys, "extend", "imp-s0", "sparsifier.levels=2")[2]
    directory.subset_file.write_text(subset)
    directory.events_file.write_bytes(b"")
    code, _, err = run(capsys, "extend", "imp-s0", "sparsifier.levels=2")
    assert code == 2 and "only a finished run can be extended" in err


def test_new_seeds_would_need_starts_of_their_own(folder, capsys):
    (started,) = train(folder / "mlruns", "imp.yaml", "name=started", "start=imp-s0")
    code, out, err = run(capsys, "extend", "started-s0", "--seeds", "2")
    assert (code, out) == (2, "")
    assert f"{started.run_id} starts from a ticket that is its own seed's; new seeds need" in err
    code, _, err = run(capsys, "extend", "started-s0", "sparsifier.levels=2", "--dry-run")
    assert code == 0 and "levels 0 to 1 taken over" in err


def test_a_run_that_ended_by_its_own_rule_would_end_there_again(folder):
    (ready,) = specfiles.expand(
        "imp.yaml", ["sparsifier.levels=5", "sparsifier.stop_below=0.1"]
    ).runs
    (old,) = specfiles.load("imp.yaml", ["sparsifier.levels=3", "sparsifier.stop_below=0.1"])
    (source,) = train(folder / "mlruns", "imp.yaml", "sparsifier.levels=3",
                      "sparsifier.stop_below=0.1")  # fmt: skip
    shutil.rmtree(source.level(3))
    with pytest.raises(UsageError, match="ended after level 2 by its own rule"):
        extending._compared(ready, source, old)


def test_run_points_at_levels_that_are_trained_already(folder, capsys):
    code, out, err = run(capsys, "run", "imp.yaml", "sparsifier.levels=3", "seeds=0,1", "--dry-run")
    (source,) = [name for name in specs(folder) if name.endswith("s0")]
    hints = [line for line in err.splitlines() if "are trained already" in line]
    assert hints == [
        f"levels 0 to 1 of imp are trained already in {source}; `lthtui extend {source}"
        " sparsifier.levels=3` takes them over"
    ]
    code, out, err = run(capsys, "run", "imp.yaml", "sparsifier.levels=3", "--again", "--dry-run")
    assert "trained already" not in err
    code, out, err = run(capsys, "run", "imp.yaml", "sparsifier.score=random", "--dry-run")
    assert code == 0 and "trained already" not in err


def test_what_a_run_extends_is_shown(folder, capsys):
    run(capsys, "extend", "imp-s0", "sparsifier.levels=2", "-d")
    (new,) = [name for name, spec in specs(folder).items() if spec.extends]
    directory = RunDirectory(folder / "mlruns" / "runs" / new)
    source = directory.spec().extends
    waiting = {"run": source, "levels": None, "epochs": None}
    assert Watched(directory).describe()["extends"] == waiting
    directory.queue_file.unlink()
    finish(directory)
    assert f"extends     {source} (levels 0 to 1)\n" in run(capsys, "show", new)[1]
    described = json.loads(run(capsys, "show", new, "--json")[1])
    assert described["extends"] == {"run": source, "levels": 2, "epochs": 0}
    assert [level["level"] for level in described["levels"]] == [0, 1, 2]
