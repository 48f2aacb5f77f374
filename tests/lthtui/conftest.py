"""Fixtures for what runs beside lthtui."""

from __future__ import annotations

import pytest
from staging import PLAY, staged
from storing import copy_store

from lthtui.cli import main
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


@pytest.fixture
def root(tmp_path, monkeypatch, template):
    """A root whose store exists, and which commands take."""
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path / "mlruns"))
    return copy_store(template, tmp_path / "mlruns")


@pytest.fixture
def command(capsys):
    """Give a command; its exit code, what it wrote, and what it said."""

    def command(*words):
        capsys.readouterr()
        code = main([*words])
        return code, *capsys.readouterr()

    return command
