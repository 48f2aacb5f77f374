"""The project in which these tests write specs."""

from __future__ import annotations

import pytest
from spectexts import GOOD, spec_file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder with specs/good.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    spec_file(tmp_path, GOOD, "good")
    return tmp_path
