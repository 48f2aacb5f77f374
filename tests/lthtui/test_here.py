"""A current folder that was removed: nothing that only mentions it fails."""

from __future__ import annotations

import tempfile

import pytest

from lthtui import editing, tracking
from lthtui.here import here


@pytest.fixture
def gone(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert here() == folder
    folder.rmdir()


def test_what_would_be_lost_is_kept_and_paths_are_shown(gone, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert here() is None
    said = editing.kept(b"mine", "note.md")
    (file,) = tmp_path.glob("lthtui-*/note.md")
    assert file.read_bytes() == b"mine" and said.endswith(str(file))
    assert tracking.shown(tmp_path / "mlruns", None) == "~/mlruns"
