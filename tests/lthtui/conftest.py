"""Fixtures for what runs beside lthtui."""

from __future__ import annotations

import pytest
from staging import PLAY, staged

from lthtui.launch import lease


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A root whose workers play scripts; `play` says what they do."""
    yield from staged(tmp_path, monkeypatch)


@pytest.fixture
def here(stage, monkeypatch):
    """A current folder with play.yaml and a root of its own, in a wide terminal."""
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    monkeypatch.setenv("COLUMNS", "200")
    (stage.folder / "play.yaml").write_text(PLAY)
    return stage


@pytest.fixture
def idle(here, monkeypatch):
    """The same, where nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    return here
