"""Spec files are written in one step, and never over what somebody else wrote."""

from __future__ import annotations

import os

import pytest

from engine.errors import UsageError
from lthtui import drafts
from lthtui.drafts import Draft


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "specs" / "x.yaml"
    file.parent.mkdir()
    file.write_text("a: 1\n")
    return file


def test_what_is_on_disk_is_only_replaced_if_it_is_as_it_was_read(file):
    assert drafts.write(str(file), "a: 2\n", "a: 1\n") is None
    assert file.read_text() == "a: 2\n"
    assert drafts.write(str(file), "a: 3\n", "a: 1\n") == "a: 2\n"
    assert file.read_text() == "a: 2\n"
    assert drafts.write(str(file), "a: 3\n", None) == "a: 2\n"
    assert [one.name for one in file.parent.iterdir()] == ["x.yaml"]


def test_a_new_file_is_made_with_its_folder_and_as_others_are(tmp_path):
    file = tmp_path / "specs" / "y.yaml"
    assert drafts.write(str(file), "b: 1\r\n", None) is None
    assert file.read_bytes() == b"b: 1\r\n"
    other = tmp_path / "other"
    other.touch()
    assert file.stat().st_mode == other.stat().st_mode


def test_a_file_that_went_is_written_again_and_its_rights_stay(file):
    file.chmod(0o640)
    drafts.write(str(file), "a: 2\n", "a: 1\n")
    assert file.stat().st_mode & 0o777 == 0o640
    file.unlink()
    assert drafts.write(str(file), "a: 4\n", "a: 2\n") is None
    assert file.read_text() == "a: 4\n"


def test_a_link_stays_a_link(file, tmp_path):
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    drafts.write(str(link), "a: 5\n", "a: 1\n")
    assert link.is_symlink() and file.read_text() == "a: 5\n"


def test_a_read_only_file_stays_as_it_is_though_its_folder_could_be_written_to(file):
    file.chmod(0o444)
    with pytest.raises(UsageError, match="x.yaml is read-only; save a copy"):
        drafts.write(str(file), "a: 2\n", "a: 1\n")
    assert file.read_text() == "a: 1\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_said(file):
    file.parent.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        drafts.write(str(file), "a: 2\n", "a: 1\n")


def test_what_is_no_text_is_refused(tmp_path):
    file = tmp_path / "z.yaml"
    long = b"a" * (drafts.MAX_BYTES + 1)
    for raw, words in ((b"a\n\xff", "z.yaml:2: not UTF-8"), (long, "larger than")):
        file.write_bytes(raw)
        with pytest.raises(UsageError, match=words):
            drafts.read(str(file))
    with pytest.raises(UsageError, match="cannot be read"):
        drafts.read(str(tmp_path / "none.yaml"))


def test_only_what_was_typed_is_something_to_save():
    assert not Draft("x", "a\r\nb", "a\nb").modified
    assert Draft("x", "a", "a\n").modified and Draft("x", "a\n", "b\n").modified
    assert Draft("x", None, "").modified


def test_names_that_are_taken_get_a_number(file):
    folder = file.parent
    assert drafts.free(folder, "y", []) == "y"
    assert drafts.free(folder, "x", [str(folder / "x-2.yaml")]) == "x-3"
