"""Tickets as sources and their controls, from the command line: found, refused, derived, run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from inprocess import IMP, KINDS, finish, project, train

from engine import levels
from engine.repetition import Repetition
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.tickets import Ticket
from lthtui import cli, identity, runnames, specfiles
from lthtui.launch import lease
from lthtui.sources import resolved

WRITTEN = [*KINDS[:6], "label_noise", *KINDS[6:]]  # what labels needs stands before it
TICKET = """\
data: {name: digits, per_class: 10, validation: 100}
model: {name: resnet20, width: 4, shortcut: B}
sparsifier:
  name: ticket
  source: SOURCE
train: {epochs: 2, batch_size: 25, evaluate: {every: 1}}
select: {level: last}
tracking: "off"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a spec of IMP that was run with two seeds."""
    return project(tmp_path_factory.mktemp("project"), IMP)


@pytest.fixture
def folder(trained, monkeypatch):
    monkeypatch.chdir(trained)
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield trained
    torch.set_num_threads(before)


@pytest.fixture
def copy(folder, tmp_path, monkeypatch):
    """A copy of the folder, to be damaged."""
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def spec(source: str, name: str = "again.yaml") -> Path:
    Path(name).write_text(TICKET.replace("SOURCE", source))
    return Path(name)


def runs(root: Path) -> list[RunDirectory]:
    return [run for run in runnames.every(root) if identity.read(run).name == "imp"]


def test_seeds_pair_with_their_own_sources(folder):
    first, second = runs(folder / "mlruns")
    found = specfiles.expand(spec("imp"), ["seeds=0,1"])
    assert [one.spec.sparsifier.source.run for one in found.runs] == [first.run_id, second.run_id]
    assert found.notes == ()
    [one, two] = [one.spec for one in found.runs]
    assert one.group == two.group and one.digest != two.digest
    for made, run in ((one, first), (two, second)):
        assert made.controls is not None and made.controls.kind == "retrain"
        assert made.controls.source.level == 2 and made.family == run.spec().family


@pytest.mark.parametrize("word", ["imp-s1", "RUN", "imp-s1:2", "PATH"])
def test_one_source_for_all_seeds(folder, word):
    run = runs(folder / "mlruns")[1]
    path = run.level(2) / levels.TICKET
    made = specfiles.load(
        spec(word.replace("RUN", run.run_id).replace("PATH", str(path))), ["seeds=0,1"]
    )
    assert {one.sparsifier.source.run for one in made} == {run.run_id}
    assert {one.sparsifier.source.path for one in made} == {str(path)}
    assert len({one.digest for one in made}) == 2 and len({one.group for one in made}) == 1


def test_a_part_that_only_one_run_has_says_which_seed_it_took(folder):
    run = runs(folder / "mlruns")[1]
    part = run.run_id.split("-")[2]
    expansion = specfiles.expand(spec(part))
    assert expansion.notes == (f"sparsifier.source: seed 0 takes its ticket from {run.run_id}",)


def test_a_resolved_spec_is_a_spec_and_the_same_run(folder, tmp_path):
    [made] = specfiles.load(spec("imp"))
    (tmp_path / "spec.yaml").write_text(specfiles.write(made))
    [again] = specfiles.load(tmp_path / "spec.yaml")
    assert again == made


def test_a_ticket_trained_on_other_images_is_no_control(folder):
    [made] = specfiles.load(spec("imp"), ["data.per_class=5"])
    assert made.controls is None and made.sparsifier.source.level == 2


REFUSED = {
    "imp:0": "has not kept the weights of level 0; kept: 2. Run it again with keep: [all]",
    "imp:7": "has no level 7, only 0 to 2; kept: 2",
    "nothing": "no run 'nothing'; `lthtui list` shows all",
    "20260101": "'20260101' means 2 runs; write more of the id",
    "imp-s7": "no run 'imp-s7'; did you mean imp-s",
    "imp:middle": "'imp:middle' names no ticket; write RUN, RUN:LEVEL",
    "here/ticket.safetensors": "here/ticket.safetensors: No such file",
}


@pytest.mark.parametrize("word", REFUSED)
@pytest.mark.parametrize("command", [["check"], ["plan", "--quick"], ["run"]])
def test_sources_that_are_not_there_are_refused_at_their_place(folder, capsys, word, command):
    path = spec(word)
    seeds = ["seeds=0,2"] if word == "20260101" else []
    assert cli.main([*command, str(path), *seeds]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{path}:5:") and REFUSED[word] in error


def test_other_refusals_say_what_to_do(folder, capsys):
    wrong = {
        ("imp", "seeds=5"): "no run 'imp' has seed 5, only 0, 1; write imp-s0 to take that one",
        ("imp", "model.width=8"): "is of another network: model.width is 4 there, 8 here",
        ("imp", "model=resnet32"): "is of another network: model.name is resnet20 there, resnet32",
        ("imp", "sparsifier.weights_source=imp:0"): "has not kept the weights of level 0",
        ("''",): "source is missing: the ticket to train, as RUN",
    }
    for (word, *changes), words in wrong.items():
        assert cli.main(["check", str(spec(word)), *changes]) == 2
        assert words in capsys.readouterr().err


def test_damaged_moved_and_unfinished_sources_are_refused(copy, capsys):
    [first, second] = runs(copy / "mlruns")
    resolved_spec = copy / "resolved.yaml"
    resolved_spec.write_text(specfiles.write(specfiles.load(spec("imp-s1"))[0]))
    ticket = first.level(2) / levels.TICKET
    data = bytearray(ticket.read_bytes())
    data[-1] ^= 1
    ticket.write_bytes(data)
    second.events_file.write_bytes(
        second.events_file.read_bytes().rpartition(b'{"kind":"run_ended"')[0]
    )
    for word, words in (
        ("imp-s0", "differ from the checksum"),
        ("imp-s1", "tickets are not final"),
    ):
        assert cli.main(["check", str(spec(word))]) == 2
        assert words in capsys.readouterr().err
    (second.level(2) / levels.TICKET).write_bytes(
        (first.level(2) / levels.TICKET).read_bytes()[:-1]
    )
    assert cli.main(["check", str(resolved_spec)]) == 2
    assert "differ from the checksum" in capsys.readouterr().err


def test_a_ticket_that_was_replaced_is_not_taken_for_the_one_that_was_found(copy, capsys):
    [first, second] = runs(copy / "mlruns")
    Path("resolved.yaml").write_text(specfiles.write(specfiles.load(spec("imp-s0"))[0]))
    shutil.copy(second.level(2) / levels.TICKET, first.level(2) / levels.TICKET)
    assert cli.main(["check", "resolved.yaml"]) == 2
    assert "no longer the ticket that was found before" in capsys.readouterr().err


def test_a_root_that_moved_is_found_again_by_the_runs_id(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "mlruns", tmp_path / "old" / "mlruns")
    monkeypatch.chdir(tmp_path / "old")
    Path("resolved.yaml").write_text(specfiles.write(specfiles.load(spec("imp-s0"))[0]))
    monkeypatch.chdir(tmp_path)
    Path("old").rename("new")
    monkeypatch.chdir("new")
    [made] = specfiles.load("resolved.yaml")
    assert Path(made.sparsifier.source.path).is_relative_to(tmp_path / "new")


def test_every_control_is_derived_run_and_linked(folder, capsys):
    root = folder / "mlruns"
    assert cli.main(["control", "imp", "--write", "controls"]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [file.name for file in files] == [f"imp-{kind}.yaml" for kind in WRITTEN]
    both = ("same_layer", "small_dense", "null")
    made = {
        kind: train(root, file, "seeds=0,1" if kind in both else "seeds=0")
        for kind, file in zip(WRITTEN, files, strict=True)
    }
    first, second = runs(root)
    sources = {run.run_id: levels.ticket(run, 2) for run in (first, second)}
    for kind, found in made.items():
        assert len({identity.read(run).group for run in found}) == 1, kind
        assert identity.read(found[0]).family == identity.read(first).family, kind
    whole = levels.ticket(made["budget"][0], 0)
    assert whole.mask.kept == whole.mask.total and whole.card["epoch"] == 4  # 2 and twice 1
    trained = sorted(folder.name for folder in made["null"][0].levels.iterdir())
    assert trained == ["00", "01", "02"]
    ticket = sources[first.run_id]
    limit = _size(levels.ticket(first, 2)) - ticket.mask.total + ticket.mask.kept
    small = levels.ticket(made["small_dense"][0], 0)
    assert small.mask.kept == small.mask.total and 0.4 * limit < _size(small) <= limit
    for kind in ("same_layer", "random", "uniform", "erk", "reinit", "shuffle", "labels"):
        for run, source in zip(made[kind], sources.values(), strict=False):
            assert levels.ticket(run, 0).mask.kept == source.mask.kept
    assert cli.main(["list", "--json"]) == 0
    listed = {run["run_id"]: run for run in json.loads(capsys.readouterr().out)}
    for kind, found in made.items():
        for run, source in zip(found, (first, second), strict=False):
            wanted = {"run": source.run_id, "level": 2, "kind": kind}
            assert listed[run.run_id]["controls"] == wanted
    assert listed[first.run_id]["controls"] is None
    null = listed[made["null"][0].run_id]["winning"]
    assert (null["level"], null["density"], null["beats_dense"]) == (2, 1.0, None)


def test_controls_stand_behind_what_they_control(folder, capsys):
    assert cli.main(["list"]) == 0
    rows = [line.split()[0:2] for line in capsys.readouterr().out.splitlines()[1:]]
    heads = [row[0] for row in rows if row[0] != "└"]
    assert len(heads) == 2 and len(rows) in (2, 16)
    if len(rows) == 16:
        assert [row[0] for row in rows[1:12]] == ["└"] * 11
        assert all(row[1].endswith("-s0") for row in rows[1:12])


def test_controls_of_what_is_no_ticket_and_other_mistakes(folder, capsys):
    for arguments, words in (
        (["imp", "--level", "0"], "has not kept the weights of level 0"),
        (["imp", "--level", "first"], "give best, last or a level's number"),
        (["imp", "--kind", "nul"], "no control 'nul'; all, split, sanity, or same_layer, random"),
        (["imp", "--write", "x", "train.epochs=3"], "--write takes no overrides"),
        (["train.epochs=3"], "no run given"),
        (["imp-s5"], "no run 'imp-s5'"),
    ):
        assert cli.main(["control", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_overrides_and_a_dry_run(folder, capsys):
    done = cli.main(["control", "imp-s0", "--kind", "null,erk", "--dry-run", "train.epochs=3"])
    assert done == 0
    null, erk = capsys.readouterr().out.splitlines()
    assert "-imp-null-" in null and "3 levels, 7 epochs" in null
    assert "-imp-erk-" in erk and "1 level, 2 epochs" in erk


def test_a_group_and_each_of_its_seeds_are_controlled_once(folder, capsys):
    digits = [run.run_id.split("-")[-2] for run in runs(folder / "mlruns")]
    assert identity.read(runs(folder / "mlruns")[0]).group.startswith(digits[0])
    for words in (digits, ["imp", "imp-s1"]):
        arguments = ["control", *words, "--level", "last", "--kind", "all,same_layer,reinit"]
        assert cli.main([*arguments, "--dry-run"]) == 0
        said = capsys.readouterr()
        planned = [line.split()[0] for line in said.out.splitlines()]
        later = said.err.count(" would start after ")  # labels, where the mask is not there yet
        assert len(planned) == len(set(planned)) == 2 * len(WRITTEN) - later
    assert cli.main(["control", f"{digits[0]}-s0", "--kind", "reinit", "--dry-run"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_controls_of_the_whole_run_are_one_group_whichever_level_is_asked_for(folder, capsys):
    groups = {}
    for level in ("0", "2", "last"):  # level 0 is dense, and its weights are not kept
        written = f"whole-{level}"
        arguments = ["control", "imp", "--level", level, "--kind", "null,budget"]
        assert cli.main([*arguments, "--write", written]) == 0
        for kind in ("null", "budget"):
            specs = specfiles.load(f"{written}/imp-{kind}.yaml")
            groups.setdefault(kind, set()).update(spec.group for spec in specs)
    assert {kind: len(found) for kind, found in groups.items()} == {"null": 1, "budget": 1}
    capsys.readouterr()
    assert cli.main(["control", "imp", "--level", "0", "--kind", "small_dense,null"]) == 2
    error = capsys.readouterr().err
    assert "no small_dense: " in error and "has not kept the weights of level 0" in error
    assert error.endswith("possible: --kind null,budget\n")
    assert cli.main(["control", "imp", "--level", "7", "--kind", "null"]) == 2
    assert "has no level 7, only 0 to 2" in capsys.readouterr().err


def groups(capsys, *arguments: str) -> dict[str, dict]:
    """By label, the groups of a comparison."""
    capsys.readouterr()
    assert cli.main(["compare", *arguments, "--json"]) == 0
    return {one["label"]: one for one in json.loads(capsys.readouterr().out)["groups"]}


def seeds(group: dict) -> list[int]:
    return [run["seed"] for run in group["runs"]]


def control(root: Path, *arguments: str) -> None:
    """Run controls as `lthtui control` does, but in this process."""
    assert cli.main(["control", *arguments, "--detach"]) == 0
    for file in sorted(root.glob("queue/*.json")):
        file.unlink()
        finish(RunDirectory(root / "runs" / file.stem))


NULL = "sparsifier={name: dense, levels: 2, rewind: 1ep}"


@pytest.fixture
def alone(copy, monkeypatch):
    """The root of a copy with nothing but the two runs of IMP; no queue process is started."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    root = copy / "mlruns"
    for run in runnames.every(root):
        if identity.read(run).name != "imp":
            shutil.rmtree(run.path)
    return root


def test_shared_controls_are_in_every_group_that_they_belong_to(alone, capsys):
    root, [first, second] = alone, runs(alone)
    [dense] = train(root, "imp.yaml", NULL, "seeds=1", "name=plain", "experiment=imp")
    control(root, "imp-s1", "--level", "2", "--kind", "same_layer")
    [shared] = [run for run in runnames.every(root) if "same_layer" in run.run_id]
    control(root, "imp", "--level", "last", "--kind", "same_layer,null")

    found = groups(capsys, "imp", "--level", "last", "--baseline", "null")
    assert {label: seeds(one) for label, one in found.items()} == {
        "imp": [0, 1],
        "same_layer of imp level 2": [1],
        "same_layer of imp level last": [0, 1],
        "null of imp": [0, 1],
        "dense": [1],
    }
    assert found["imp"]["gains"]["null"]["n"] == 2
    rows = [found[f"same_layer of imp level {level}"] for level in (2, "last")]
    assert rows[0]["group"] != rows[1]["group"]
    for row in rows:
        assert seeds(groups(capsys, row["group"], "--level", "last").popitem()[1]) == seeds(row)

    assert cli.main(["compare", "imp", "--level", "last"]) == 0
    notes = capsys.readouterr().err
    assert f"same_layer of imp level last: {shared.run_id}\n" in notes
    assert f"the same trainings stand in null of imp and dense: {dense.run_id}\n" in notes

    assert cli.main(["list"]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    at = {run: lines.index([run.run_id, "imp"]) for run in (first, second)}
    assert lines.count(["=", dense.run_id]) == lines.count(["=", shared.run_id]) == 1
    assert lines.index(["=", dense.run_id]) > at[second] > at[first]
    assert cli.main(["list", "--json"]) == 0
    listed = {run["run_id"]: run for run in json.loads(capsys.readouterr().out)}
    null = {"run": second.run_id, "level": 2, "kind": "null"}
    assert (listed[dense.run_id]["controls"], listed[dense.run_id]["also_controls"]) == (
        None,
        [null],
    )
    assert cli.main(["show", dense.run_id]) == 0
    assert f"controls    {second.run_id}, level 2: null\n" in capsys.readouterr().out

    control(root, "imp", "--level", "last", "--kind", "same_layer,null")  # nothing is noted twice
    assert "as well as" not in capsys.readouterr().err
    assert groups(capsys, "imp", "--level", "last", "--baseline", "null") == found


def test_a_plain_run_that_was_made_as_a_control_is_in_its_own_group_too(alone, capsys):
    control(alone, "imp", "--kind", "null")
    plain = [NULL, "seeds=0,1", "name=plain", "experiment=imp"]
    assert cli.main(["run", "imp.yaml", *plain, "--detach"]) == 0
    assert not [*alone.glob("queue/*.json")]
    found = groups(capsys, "imp", "--level", "last")
    counted = {label.partition(" root=")[0]: seeds(one) for label, one in found.items()}
    assert counted == {"imp": [0, 1], "null of imp": [0, 1], "dense": [0, 1]}


def test_written_controls_are_short_and_not_overwritten(folder, capsys, tmp_path):
    target = tmp_path / "specs"
    arguments = ["control", "imp", "--kind", "same_layer", "--write", str(target)]
    assert cli.main(arguments) == 0
    written = yaml.safe_load((target / "imp-same_layer.yaml").read_text())
    assert written["sparsifier"] == {"name": "ticket", "source": "imp:best", "mask": "same_layer"}
    assert written["controls"] == {"source": "imp:best", "kind": "same_layer"}
    assert written["seeds"] == [0, 1]
    assert cli.main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


def test_the_source_of_a_run_that_is_named_by_its_group(folder):
    run = runs(folder / "mlruns")[1]
    word = identity.read(run).group[:8]
    assert resolved(Source(word), Repetition(seed=1), folder / "mlruns").run == run.run_id
    found = runnames.seeds(folder / "mlruns", word)
    assert [one.run_id for one in found] == [one.run_id for one in runs(folder / "mlruns")]


def _size(ticket: Ticket) -> int:
    """Parameters of a ticket's network, pruned weights included."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return sum(t.numel() for name, t in ticket.trained.items() if not name.endswith(buffers))
