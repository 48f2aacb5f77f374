"""What shapes rule out is refused where it was written, and only asked about where it may be."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from lthtui.cli import main

HEAD = """\
data: {name: digits, per_class: 20, validation: 300}
model: {name: resnet20, width: 4}
train: {epochs: 3, batch_size: 50}
seeds: [0, 1, 2]
"""
NAMED = HEAD + "sparsifier:\n  name: imp\n  levels: 2\n  prunable: re:layer9\n"
REFUSER = """\
import json, pathlib, sys
assert sys.argv[1] == "lay-out", sys.argv
asked = json.loads(pathlib.Path(sys.argv[2]).read_text())
pathlib.Path("asked.json").open("a").write(json.dumps(asked) + "\\n")
why = {"message": "too little", "at": "sparsifier.density"}
refused = [why if one["sparsifier"].get("density", 1) < 0.02 else None for one in asked]
print(json.dumps({"refusals": refused}))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder with a few specs."""
    monkeypatch.chdir(tmp_path)
    Path("named.yaml").write_text(NAMED)
    Path("plain.yaml").write_text(HEAD)
    for name in ("rigl", "random"):
        settings = f"{{name: {name}, density: 0.1, keep_dense: first}}"
        Path(f"{name}.yaml").write_text(HEAD + f"sparsifier: {settings}\n")
    return tmp_path


@pytest.fixture
def refuser(monkeypatch):
    """A worker program that keeps what it is asked, and refuses densities below 0.02."""
    Path("refuser.py").write_text(REFUSER)
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join([sys.executable, "refuser.py"]))


def asked():
    """What each process was asked."""
    file = Path("asked.json")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize("command", [["run"], ["run", "--dry-run"], ["check"]])
def test_a_network_without_such_layers_is_refused_before_anything_is_queued(
    command, capsys, monkeypatch
):
    if command != ["run"]:  # the real worker program once, which takes seconds
        answer = {"message": "'re:layer9' matches no weights", "at": "sparsifier.prunable"}
        body = f"print({json.dumps({'refusals': [answer]})!r})"
        monkeypatch.setenv("LTHTUI_WORKER", shlex.join([sys.executable, "-c", body]))
    assert main([*command, "named.yaml"]) == 2
    said = capsys.readouterr()
    assert "checking the layers ..." in said.err
    shown = said.err.splitlines()[-3:]
    assert shown[0].startswith("named.yaml:8:13: ") and "matches no weights" in shown[0]
    assert shown[1:] == ["  prunable: re:layer9", " " * 12 + "^"]
    assert not Path("mlruns/runs").exists() and not Path("mlruns/queue").exists()


def test_first_weights_are_looked_at_before_anything_is_queued(refuser):
    Path("w.pth").write_bytes(b"weights")
    assert main(["check", "plain.yaml", "sparsifier=snip", "start=w.pth"]) == 0
    [[one]] = asked()
    assert one["start"]["file"] == str(Path("w.pth").absolute())


def test_what_shapes_cannot_rule_out_starts_no_process(capsys, monkeypatch):
    monkeypatch.setenv("LTHTUI_WORKER", "/nonexistent")
    for spec in ("plain.yaml sparsifier=rigl sparsifier.interval=1ep", "plain.yaml"):
        assert main(["check", *spec.split()]) == 0
        assert main(["run", "--dry-run", *spec.split()]) == 0
    assert "checking" not in capsys.readouterr().err


def test_one_process_is_asked_about_everything_once(capsys, refuser):
    sweep = ["sparsifier.density=0.3,0.01", "sparsifier.interval=3it"]
    assert main(["check", "random.yaml", "plain.yaml", "sparsifier.density=0.3,0.01"]) == 2
    [[first, second]] = asked()  # three seeds are one question; imp to a density is none
    assert (first["sparsifier"]["density"], second["sparsifier"]["density"]) == (0.3, 0.01)
    assert (first["classes"], first["channels"], first["size"]) == (10, 1, 8)
    said = capsys.readouterr()
    assert "override sparsifier.density=0.3,0.01: too little" in said.err
    assert said.out.startswith("plain.yaml: ok, 6 runs")
    assert main(["check", "rigl.yaml", *sweep]) == 2 and len(asked()) == 2


@pytest.mark.parametrize(
    ("settings", "search", "place"),
    [
        ("density: 0.01, ", "{over: {sparsifier.power: [0.5, 2.0]}}", "search.yaml:5:37"),
        ("", "{over: {sparsifier.density: [0.01, 0.2]}}", "search.yaml:6:38"),
    ],
)
def test_a_search_is_refused_before_its_first_trial(settings, search, place, capsys, refuser):
    spec = f"sparsifier: {{name: random, {settings}allocation: er, keep_dense: first}}\n"
    Path("search.yaml").write_text(HEAD + spec + f"search: {search}\n")
    for command in ("check", "search"):
        assert main([command, "search.yaml"]) == 2
        assert f"{place}: too little" in capsys.readouterr().err
    assert not Path("mlruns/runs").exists()
