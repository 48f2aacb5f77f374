"""The control with a mask that was found on random labels: two runs, one after the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from inprocess import IMP, finish, train

from engine import checkpoints, levels
from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import cli, controlkinds, desk, identity, runnames, sanity, specfiles
from lthtui.launch import lease


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of IMP, and the specs of its control."""
    folder = tmp_path_factory.mktemp("labels")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("LTHTUI_ROOT", raising=False)
        torch.set_num_threads(1)
        Path("imp.yaml").write_text(IMP)
        train(folder / "mlruns", "imp.yaml", "select.level=best")
        assert cli.main(["control", "imp", "--kind", "labels", "--write", "specs"]) == 0
        torch.set_num_threads(threads)
    return folder


@pytest.fixture
def folder(trained, monkeypatch):
    """That folder; no queue process is started."""
    monkeypatch.chdir(trained)
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield trained
    torch.set_num_threads(before)


def of(root, name):
    [found] = [run for run in runnames.every(root) if identity.read(run).name == name]
    return found


def picked(root):
    run = of(root, "imp")
    return run, json.loads(run.events_file.read_text().splitlines()[-1])["winning"]["level"]


def written(name):
    return yaml.safe_load(Path(f"specs/imp-{name}.yaml").read_text())


def test_only_the_labels_change_and_then_only_the_mask(folder):
    _, level = picked(folder / "mlruns")
    source, noise, labels = yaml.safe_load(IMP), written("label_noise"), written("labels")
    assert noise["data"] == {**source["data"], "random_labels": 1.0}
    assert (noise["sparsifier"], noise["train"]) == (source["sparsifier"], source["train"])
    assert noise["select"] == {"level": level}
    before = {"data.random_labels": 0.0, "select.level": "best"}
    controlled = {"source": "imp:best", "kind": "label_noise", "instead": before}
    assert noise["controls"] == controlled
    assert labels["data"] == source["data"] and labels["train"] == source["train"]
    ticket = {"name": "ticket", "source": "imp-label_noise:best", "weights_source": "imp:best"}
    assert labels["sparsifier"] == ticket
    assert labels["controls"] == {"source": "imp:best", "kind": "labels"}


def test_seeds_that_pick_different_levels_are_one_group(folder):
    path = "specs/imp-label_noise.yaml"
    one, two = (specfiles.load(path, [f"select.level={level}"])[0] for level in (1, 2))
    assert one.group == two.group and one.digest != two.digest
    assert one.family == of(folder / "mlruns", "imp").spec().family


def test_the_second_run_waits_for_the_first_and_is_told_of(folder, capsys):
    assert cli.main(["control", "imp", "--kind", "labels", "--dry-run"]) == 0
    said = capsys.readouterr()
    [noise] = [line.split()[0] for line in said.out.splitlines()]
    assert said.err == f"imp-labels-s0 would start after {noise}\n" and "-label_noise-" in noise


def test_it_takes_the_mask_from_random_labels_and_all_else_from_the_ticket(folder, capsys):
    root = folder / "mlruns"
    assert cli.main(["control", "imp", "--kind", "labels", "--detach"]) == 0
    [entry] = root.glob("queue/*.json")
    noise = RunDirectory(root / "runs" / entry.stem)
    [word] = [json.loads(path.read_text()) for path in root.glob("queue/later/*.json")]
    assert (word["verb"], word["after"]) == ("run", [noise.run_id])
    entry.unlink()
    finish(noise)
    Path("left.yaml").write_text(word["spec"])  # as the queue process does
    [labels] = train(root, "left.yaml")

    source, level = picked(root)
    theirs, found, ours = (
        levels.ticket(run, at) for run, at in ((source, level), (noise, level), (labels, 0))
    )
    assert ours.mask.kept == theirs.mask.kept
    assert all(torch.equal(ours.mask[name], found.mask[name]) for name in ours.mask)
    assert not all(torch.equal(ours.mask[name], theirs.mask[name]) for name in ours.mask)
    [point] = (source.path / "rewind").iterdir()
    start = checkpoints.load(point).tensors["net"]
    for name, mask in ours.mask.items():
        assert torch.equal(ours.rewind[name][mask], start[name][mask])
    assert any(not torch.equal(ours.rewind[n][m], found.rewind[n][m]) for n, m in ours.mask.items())
    facts = identity.read(labels)
    assert facts.family == identity.read(source).family
    assert facts.controls.shown == {"run": source.run_id, "level": level, "kind": "labels"}
    assert identity.read(noise).controls.sets == ("data.random_labels",)

    assert cli.main(["control", "imp", "--kind", "labels", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split()[0] for line in lines] == [noise.run_id, labels.run_id]
    assert all("is finished already" in line for line in lines)


def test_the_app_queues_the_first_and_leaves_the_second(folder):
    root = folder / "mlruns"
    [other] = train(root, "imp.yaml", "seeds=5", "name=other")
    said = desk.Desk(root, folder).control(other.run_id, 2, ["labels"])
    assert said == "1 run queued, 1 run to be queued once other runs have finished"
    [word] = [path for path in root.glob("queue/later/*.json") if "other" in path.name]
    assert json.loads(word.read_text())["name"] == "run-of-other-labels-s5"


def test_groups_of_one_name_do_not_take_each_others_masks(folder, capsys):
    root = folder / "mlruns"
    [wide] = train(root, "imp.yaml", "train.epochs=1", "sparsifier.rewind=init")
    imp = next(r for r in runnames.every(root) if r.run_id != wide.run_id and "-imp-" in r.run_id)
    capsys.readouterr()
    words = [wide.run_id, imp.run_id]
    assert cli.main(["control", *words, "--kind", "labels", "--dry-run", "--again"]) == 0
    said = capsys.readouterr()
    noises = [line.split()[0] for line in said.out.splitlines()]
    after = [line.split()[-1] for line in said.err.splitlines()]
    assert after == noises and len(set(noises)) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("data.random_labels=1", "found its own mask on random labels"),
        ("loss=nt_xent", "trains without labels, so random ones would change nothing"),
    ],
)
def test_where_no_label_was_learnt_there_is_no_such_control(folder, capsys, change, said):
    [run] = train(folder / "mlruns", "imp.yaml", "name=blind", change, "sparsifier.levels=1")
    assert cli.main(["control", run.run_id, "--kind", "labels", "--dry-run"]) == 2
    assert said in capsys.readouterr().err


def test_sets_of_kinds_have_names():
    assert controlkinds.kinds("sanity") == [*sanity.CHECKS]
    assert controlkinds.kinds("split,reinit,null") == ["null", "budget", "reinit"]
    assert controlkinds.kinds("all") == [*controlkinds.KINDS]
    with pytest.raises(UsageError, match="no control 'label_noise'"):
        controlkinds.kinds("label_noise")
