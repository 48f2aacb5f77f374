"""Roots that doctor is shown, and what it says of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mirrored import run_of

from engine import relocation, verbs
from engine.rundir import RunDirectory
from engine.tracking import sync
from lthtui.cli import main


@pytest.fixture(scope="session")
def logged_once(tmp_path_factory, template) -> Path:
    """A root with a finished run that MLflow knows."""
    root = tmp_path_factory.mktemp("logged") / "mlruns"
    root.mkdir()
    shutil.copy(template, root)
    relocation.relocate(root).backup.unlink()
    sync(run_of(root).start().train(3).end().directory)
    return root


@pytest.fixture
def root(tmp_path, logged_once, monkeypatch) -> Path:
    """A copy of it that stands on its own."""
    root = tmp_path / "mlruns"
    shutil.copytree(logged_once, root)
    relocation.relocate(root).backup.unlink()
    monkeypatch.setenv("LTHTUI_ROOT", str(root))
    return root


@pytest.fixture
def run(root) -> RunDirectory:
    """The run in it."""
    (path,) = (root / "runs").iterdir()
    return RunDirectory(path)


def ask(arguments):
    """What the worker program answers, without the seconds that it takes to import MLflow."""
    options = verbs._parser().parse_args(arguments)
    return verbs.VERBS[options.verb](options)


@pytest.fixture
def doctor(root, capfd, monkeypatch):
    """Has `lthtui doctor` look at the root; gives its exit code and what it found."""
    monkeypatch.setattr("lthtui.commands.doctor.ask", ask)

    def look(*options: str) -> tuple[int, list[dict], list[dict]]:
        capfd.readouterr()
        code = main(["doctor", "--json", *options])
        report = json.loads(capfd.readouterr().out)
        wrong = [found for found in report["findings"] if found["severity"] != "fine"]
        return code, wrong, report["treated"]

    return look
