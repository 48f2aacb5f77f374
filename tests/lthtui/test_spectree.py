"""Where an error is shown whose cause was varied, searched or overridden: there."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from lthtui.specfiles import expand
from lthtui.yamlfile import FileError

SPEC = """\
data: {name: digits, per_class: 10, validation: 300}
model: {name: resnet20, width: 8}
train:
  epochs: 3
  optimizer:
    name: sgd
    momentum: 0.9
sparsifier:
  name: imp
  density: 0.1
  levels: 4
"""
LINE = SPEC.count("\n") + 1
# ¦ stands before the column that must be named in the line that is added
ADDED = {
    "a value of several": (
        "vary: {sparsifier.levels: [2, ¦0]}",
        "density below 1 needs at least one level",
    ),
    "each value": ("vary: {sparsifier.rate: [¦0.1, ¦0.2]}", "give two of the three"),
    "a choice": (
        "vary: {sparsifier.name: [imp, ¦dense]}",
        "to leave sparsifier.density out, set sparsifier in place of sparsifier.name",
    ),
    "another block": ("vary: {train.epochs: [¦1, 3]}", "rewind 2ep lies at or beyond the end"),
    "a whole block": ("vary: {sparsifier: [imp, ¦{name: imp, levels: 0, density: 0.1}]}", "level"),
    "the field that is named": (
        "vary: {sparsifier.levels: [2, ¦0], sparsifier.scope: [layer]}",
        "density below 1 needs at least one level",
    ),
    "what is searched": (
        "search: {over: {sparsifier.rate: [¦0.1, ¦0.4]}}",
        "give two of the three",
    ),
}
OVERRIDDEN = {
    "fields that exclude each other": (
        ["train.optimizer.momentum=0", "train.optimizer.nesterov=true"],
        "train.optimizer.nesterov=true: nesterov needs momentum",
    ),
    "what the images say": (["data.validation=100000"], "data.validation=100000: data.validation"),
    "a choice": (
        ["train.optimizer.name=adam"],
        "train.optimizer.name=adam: unknown field 'momentum'",
    ),
    "what makes another field idle": (
        ["sparsifier.length=full", "sparsifier.after=continue"],
        "sparsifier.length=full: length has no effect",
    ),
    "what lies in another block": (["train.epochs=1"], "train.epochs=1: rewind 2ep lies at"),
    "what was said last": (
        ["sparsifier.levels=3", "sparsifier.levels=0"],
        "sparsifier.levels=0: density below 1",
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def problems(text, *changes):
    Path("x.yaml").write_text(text)
    with pytest.raises(FileError) as caught:
        expand("x.yaml", changes)
    return caught.value.problems


@pytest.mark.parametrize("case", ADDED)
def test_what_varies_or_is_searched_is_shown_where_it_is_listed(case):
    marked, words = ADDED[case]
    parts = marked.split("¦")
    columns = [len("".join(parts[: end + 1])) + 1 for end in range(len(parts) - 1)]
    found = problems(SPEC + marked.replace("¦", "") + "\n")
    assert [(one.source, one.mark.line, one.mark.column) for one in found] == [
        ("x.yaml", LINE, column) for column in columns
    ]
    assert all(words in one.message for one in found)


@pytest.mark.parametrize("case", OVERRIDDEN)
def test_what_is_overridden_is_shown_as_the_override(case):
    changes, words = OVERRIDDEN[case]
    [found] = problems(SPEC, *changes)
    assert str(found).startswith(f"override {words}") and found.mark is None


def test_what_is_wrong_in_the_file_stays_there_whatever_is_overridden():
    wrong = SPEC.replace("  levels: 4\n", "  levels: 4\n  rate: 0.5\n")
    [found] = problems(wrong, "sparsifier.scope=layer", "train.epochs=9", "name=y")
    assert (found.mark.line, found.source) == (8, "x.yaml")
    [found] = problems(SPEC + "modl: 3\n", "name=y", "sparsifier.name=imp")
    assert (found.mark.line, found.mark.column) == (LINE, 1)


def test_a_block_that_varies_is_not_blamed_for_a_field_set_within_it():
    varied = SPEC + "vary: {sparsifier: [{name: imp, density: 0.1}]}\n"
    [found] = problems(varied, "sparsifier.levels=0")
    assert str(found).startswith("override sparsifier.levels=0: density below 1")


def test_an_error_about_a_run_is_placed_at_its_cause():
    Path("x.yaml").write_text(SPEC + "vary: {sparsifier.prunable: [conv, re:layer3]}\n")
    first, second = expand("x.yaml").runs
    error = SpecError("prunable 're:layer3' matches no weights", "sparsifier.prunable")
    assert str(second.problem(error)).startswith(f"x.yaml:{LINE}:36: prunable")
    assert str(first.problem(SpecError("too few images", "data"))).startswith("x.yaml:1:1: too")
