"""The command that runs a spec as it was changed makes the same runs as the changed text."""

from __future__ import annotations

import shlex

import pytest

from lthtui import form, specfiles, yamlfile
from lthtui.commandline import command

SAVED = """\
data: {name: digits, per_class: 20, validation: 300}
model: resnet20
sparsifier: {name: imp, rate: 0.2, levels: 2}
seeds: [0, 1]
"""


def wanted(edits):
    text = SAVED
    for key, typed in edits.items():
        knobs = {knob.key: knob for knob in form.knobs(yamlfile.parse(text, "x").data)}
        text = form.put(text, knobs[key], typed)
    return text


def told(text):
    read = [yamlfile.parse(one, "x").data for one in (SAVED, text)]
    return command("specs/my x.yaml", *read)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({}, []),
        ({"sparsifier.rate": "0.3"}, ["sparsifier.rate=0.3"]),
        ({"sparsifier.rate": "0.1, 0.3"}, ["sparsifier.rate=0.1,0.3"]),
        ({"seeds": "0..2"}, ["seeds=0..2"]),
        ({"seeds": "4, 5"}, ["seeds=4,5"]),
        ({"model.width": "4"}, ["model.width=4"]),
        ({"train.optimizer": "adam"}, ["train.optimizer=adam"]),
        ({"train.optimizer": "adam", "train.optimizer.lr": "0.01"},
         ["train.optimizer={name: adam, lr: 0.01}"]),
        ({"tags": "{a: 'b, c'}"}, ["tags={a: 'b, c'}"]),
        ({"keep": "[all]"}, ["keep=[all]"]),
        ({"train.epochs": "3", "train.optimizer.lr": "0.5"},
         ["train.epochs=3", "train.optimizer={name: sgd, lr: 0.5}"]),
    ],
)  # fmt: skip
def test_it_says_the_same_as_the_text(edits, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "my x.yaml").write_text(SAVED)
    text = wanted(edits)
    said = shlex.split(told(text))
    assert said == ["lthtui", "run", "specs/my x.yaml", *words]
    document = yamlfile.parse(text, "x")
    asked = [run.spec for run in specfiles.expand_document(document, "my-x").runs]
    assert [run.spec for run in specfiles.expand("specs/my x.yaml", words).runs] == asked


def test_what_no_override_says_has_to_be_saved():
    assert told(wanted({"sparsifier.rate": ""})) is None
    assert told(wanted({"sparsifier": "rigl"})) is not None
    assert told(SAVED.replace("seeds: [0, 1]\n", "")) is None
    assert told(SAVED.replace("levels: 2", "levels: null")) is None
