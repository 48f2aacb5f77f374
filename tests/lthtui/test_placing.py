"""A file that was asked for is there whole or not at all, and takes no other's place."""

from __future__ import annotations

import os

import disks
import pytest

from engine.errors import LthError, UsageError
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
        with pytest.raises(LthError, match=r"/out\.csv: no room; nothing was written"):
            placing.place(tmp_path / "out.csv", fail, overwrite)
        assert names(tmp_path) == []


def test_on_a_full_disk_the_file_that_was_there_stays_and_is_the_one_that_is_named(tmp_path):
    with disks.mounted(tmp_path / "disk", 1) as disk:
        file = disk.folder / "out.csv"
        file.write_text("before")
        disk.fill()
        with pytest.raises(LthError) as caught:
            placing.place(file, lambda aside: aside.write_bytes(bytes(9999)), overwrite=True)
        assert str(caught.value) == f"{file}: No space left on device; nothing was written"
        assert names(disk.folder) == ["filler", "out.csv"] and file.read_text() == "before"
        disk.remount("ro")
        with pytest.raises(LthError, match=r"/out\.csv: Read-only file system; nothing was"):
            placing.place(file, lambda aside: aside.write_bytes(b"new"), overwrite=True)


def test_what_cannot_be_read_meanwhile_is_named_itself(tmp_path):
    with pytest.raises(FileNotFoundError, match="source"):
        placing.place(tmp_path / "out.csv", lambda _: (tmp_path / "source").read_bytes())


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "out.csv").mkdir()
    for refuse in (
        lambda file: placing.check(file, [".csv"]),
        lambda file: placing.place(file, lambda aside: aside.write_text("new"), overwrite=True),
    ):
        with pytest.raises(UsageError, match="out.csv is a folder; name a file in it"):
            refuse(tmp_path / "out.csv")
    assert names(tmp_path) == ["out.csv"] and names(tmp_path / "out.csv") == []


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
