"""A file that was asked for is there whole or not at all, and takes no other's place."""

from __future__ import annotations

import os

import pytest

from engine.errors import UsageError
from lthtui import placing


def names(folder):
    return sorted(os.listdir(folder))


def test_nothing_stands_there_before_all_is_written(tmp_path):
    seen = []

    def write(aside):
        aside.write_text("whole")
        seen.append((aside.suffix, (tmp_path / "out.csv").exists()))

    assert placing.place(tmp_path / "out.csv", write) == tmp_path / "out.csv"
    assert seen == [(".csv", False)]
    assert names(tmp_path) == ["out.csv"] and (tmp_path / "out.csv").read_text() == "whole"


def test_what_fails_leaves_nothing_and_no_other_file_is_touched(tmp_path):
    def fail(aside):
        aside.write_text("half")
        raise OSError("no room")

    for overwrite in (False, True):
        with pytest.raises(OSError, match="no room"):
            placing.place(tmp_path / "out.csv", fail, overwrite)
        assert names(tmp_path) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_left_as_it_is(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "out.csv"

    def write(aside):
        aside.write_text("ours")
        file.write_text("theirs")

    with pytest.raises(UsageError, match="exists already; it was left"):
        placing.place(file, write)
    assert names(tmp_path) == ["out.csv"] and file.read_text() == "theirs"
    placing.place(file, lambda aside: aside.write_text("ours"), overwrite=True)
    assert file.read_text() == "ours"
    file.unlink()
    placing.place(file, lambda aside: aside.write_text("new"))
    assert file.read_text() == "new" and names(tmp_path) == ["out.csv"]


def refuse(*paths):
    raise PermissionError(1, "Operation not permitted")
