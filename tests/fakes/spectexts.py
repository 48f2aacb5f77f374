"""Spec files as somebody types them, and how a broken one has to be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lthtui.specfiles import load
from lthtui.yamlfile import FileError

GOOD = """\
version: 1
data: {name: digits, per_class: 20, validation: 300}
model: {name: resnet20, width: 4}
sparsifier:
  name: imp
  rate: 0.2
  levels: 3
train:
  epochs: 5
  optimizer: {name: sgd, lr: 0.1}
"""
HEAD = "data: digits\nmodel: resnet20\n"


def spec_file(folder: Path, text: str, name: str = "x") -> str:
    """The path of a new spec in the project in `folder`, relative to it."""
    file = folder / "specs" / f"{name}.yaml"
    file.write_text(text)
    return str(file.relative_to(folder))


def refused_at_its_place(folder: Path, text: str, words: str) -> None:
    """A spec is refused at the column before which ¦ stands in its text, with these words."""
    before, after = text.split("¦")
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    path = spec_file(folder, before + after)
    with pytest.raises(FileError) as caught:
        load(path)
    header, shown, caret = str(caught.value).split("\n")
    assert header.startswith(f"{path}:{line}:{column}: ")
    assert words in header
    assert caret == " " * (column - 1) + "^"
    assert shown.replace("\t", " ") == (before + after).split("\n")[line - 1].replace("\t", " ")
