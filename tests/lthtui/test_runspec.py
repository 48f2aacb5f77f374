"""What there is to show of a run's spec, and the command line that asks for the run again."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from maskfiles import NETWORK, draw, write_ticket
from rundirs import FakeRun

from lthtui import runspec, specfiles, yamlfile

FILE = """\
# why this spec is
name: one
experiment: day
data: {name: digits, validation: 300}
model: resnet20
sparsifier: {name: imp, levels: 5, rate: 0.2}
train: {epochs: 4}
seeds: [0, 1]
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path / "mlruns"))
    path = Path("specs/one.yaml")
    path.parent.mkdir()
    path.write_text(FILE)
    return path


def run(seed=0, **changes):
    return FakeRun(Path("mlruns"), "one", seed, **changes).directory


def test_resolved_has_every_setting_and_the_rest_only_what_is_not_by_default(file):
    directory = run(train={"epochs": 4, "optimizer": {"name": "adam"}})
    found = runspec.of_run(directory, [])
    resolved, short, written = found.texts.values()
    assert yamlfile.parse(resolved, "x").data["train"]["optimizer"]["name"] == "adam"
    assert "weight_decay" in resolved and resolved == written
    lines = [line.strip() for line in short.splitlines()]
    assert "epochs: 4  # by default 200" in lines and "levels: 5" in lines
    assert "name: adam  # by default sgd" in lines and "validation: 300  # by default 0.1" in lines
    assert not any(line.startswith("loss") for line in lines)
    # what is shown makes the same run
    (made,) = specfiles.expand_document(yamlfile.parse(short, "x"), "x").runs
    assert made.spec.digest == directory.spec().digest


def test_settings_of_a_run_made_before_a_setting_are_resolved_with_todays_default(file):
    directory = run()
    text = directory.spec_file.read_text()
    directory.spec_file.write_text(text.replace("checkpoint: 30.0\n", ""))
    texts = runspec.of_run(directory, []).texts
    assert "checkpoint: 30.0" in texts["resolved"] and "checkpoint" not in texts["as written"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sparsifier": {"name": "imp", "levels": 5, "rate": 0.2}, "seed": 1}, "seeds=1"),
        ({"sparsifier": {"name": "imp", "levels": 2, "rate": 0.2}}, "sparsifier.levels=2 seeds=0"),
        ({"train": {"epochs": 4, "optimizer": {"name": "adam"}}}, None),
        (
            {"sparsifier": {"name": "rigl", "density": 0.1, "interval": "2it"}, "keep": ["all"]},
            None,
        ),
    ],
)
def test_the_command_line_makes_the_same_run(file, changes, said):
    directory = run(**changes)
    made = shlex.split(runspec.command(directory, [str(file)]))
    assert made[:2] == ["lthtui", "run"]
    (spec,) = specfiles.load(made[2], made[3:])
    assert spec.digest == directory.spec().digest
    if said is not None:
        assert made[2:] == ["specs/one.yaml", *said.split()]


def test_a_run_of_no_known_file_is_asked_for_by_its_own_spec(file):
    directory = run(sparsifier={"name": "imp", "levels": 5, "rate": 0.2})
    own = f"lthtui run mlruns/runs/{directory.run_id}/spec.yaml"
    swept = FILE + "vary: {sparsifier.rate: [0.2, 0.3]}\n"  # which no override takes out
    for text in (swept, "name: [", "name: other\ndata: digits\nmodel: resnet20\n"):
        file.write_text(text)
        assert runspec.command(directory, [str(file), "specs/gone.yaml"]) == own


def test_a_ticket_is_named_as_its_spec_named_it(file):
    first = FakeRun(Path("mlruns"), "first", levels=2).start().train(3).end()
    ticket = first.directory.level(2) / "ticket.safetensors"
    spec = first.directory.spec().model_dump(mode="json")
    write_ticket(ticket, draw(NETWORK, 0.64), level=2, spec=spec)
    file.write_text(FILE.replace("{name: imp, levels: 5, rate: 0.2}", "{name: ticket}"))
    whole = yamlfile.parse(FILE, "one").data
    whole["sparsifier"] = {"name": "ticket", "source": f"{first.run_id}:2"}
    document = yamlfile.parse(yamlfile.dump(whole), "one")
    (found, _) = specfiles.expand_document(document, "one").runs
    settings = found.spec.sparsifier.model_dump(mode="json")
    directory = run(sparsifier=settings, controls=found.spec.controls)
    made = shlex.split(runspec.command(directory, [str(file)]))
    assert made[-2:] == [f"sparsifier.source={first.run_id}:2", "seeds=0"] or made[2] != str(file)
    (again,) = specfiles.load(made[2], made[3:])
    assert again.digest == directory.spec().digest


def test_what_mlflow_knows_of_a_spec_is_shown_as_text(file):
    texts = runspec.of_params({"train.epochs": "4", "x": "\x1b[2J[bold]"}).texts
    assert texts == {"resolved": "train.epochs: 4\nx: \\x1b[2J[bold]"}
    assert runspec.of_params({}).texts == {}


def test_keys_and_comments_are_told_apart():
    (head, key, item) = runspec.lines("# why\n  lr: 0.1  # by default 0.2\n  - conv")
    assert head.colours == ((0, 5, "dim"),)
    assert key.colours == ((2, 5, "name"), (9, 27, "dim"))
    assert item.colours == ()
