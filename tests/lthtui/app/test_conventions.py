"""What holds for all of the app: keys, sizes of files, and what a first frame may import."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import manyruns
from rundirs import FakeRun
from textual.binding import Binding
from textual.dom import DOMNode

import lthtui.screens
import lthtui.widgets
from lthtui.app import LthApp

FORBIDDEN = {f"ctrl+{key}" for key in "basqzj"}  # tmux, screen, flow control, job control, newline


def nodes():
    """The app's own classes that may have bindings."""
    found = [LthApp]
    for package in (lthtui.screens, lthtui.widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found += [
                value
                for value in vars(importlib.import_module(module.name)).values()
                if isinstance(value, type)
                and issubclass(value, DOMNode)
                and value.__module__ == module.name
            ]
    return found


def bindings():
    return [(node.__name__, one) for node in nodes() for one in node.__dict__.get("BINDINGS", ())]


def test_every_key_can_be_remapped_by_a_name_of_its_own():
    assert all(isinstance(one, Binding) and one.id for _, one in bindings())
    ids = [one.id for _, one in bindings()]
    assert len(set(ids)) == len(ids) > 30


def test_no_key_belongs_to_tmux_or_the_terminal():
    keys = {key for _, one in bindings() for key in one.key.split(",")}
    assert keys & FORBIDDEN == set()


async def test_no_key_of_the_app_is_taken_by_the_toolkits_quit(running, root):
    async with running() as pilot:
        assert "ctrl+q" not in pilot.app.screen.active_bindings


def test_screens_stay_small():
    folder = Path(lthtui.screens.__path__[0])
    lengths = {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.py")}
    assert max(lengths.values()) <= 300, lengths


def imported(code):
    """Modules of a clean interpreter after running some code."""
    heavy = ("numpy", "pydantic", "yaml", "torch", "torchvision", "mlflow", "typer", "engine.spec")
    names = (*heavy, "lthtui.launch.entries", "lthtui.launch.queue")
    report = f"import sys; print(*(name for name in {names} if name in sys.modules))"
    run = [sys.executable, "-c", f"{code}\n{report}"]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()


def test_the_first_frame_imports_only_the_toolkit(tmp_path):
    code = "from pathlib import Path; from lthtui.app import build_app;"
    code += f" build_app(Path({str(tmp_path)!r}))"
    assert imported(code) == []


def test_the_first_board_waits_for_neither_charts_nor_the_queue(tmp_path):
    FakeRun(tmp_path, "done").start().train(2).end()
    code = "from pathlib import Path; from lthtui.desk import Desk;"
    code += f" assert Desk(Path({str(tmp_path)!r}), Path('specs')).poll().runs"
    assert imported(code) == ["pydantic"]


def test_the_first_curve_of_a_store_waits_for_nothing_that_reads_folders(tmp_path, template):
    manyruns.store(template, tmp_path, 1)
    code = "from pathlib import Path; from lthtui.desk import Desk;"
    code += f" desk = Desk(Path({str(tmp_path)!r}), Path('specs')); runs = desk.poll().runs;"
    code += " assert any(desk.histories.read([*runs.values()], ['epoch/val_loss']).values());"
    code += " desk.poll()"
    assert imported(code) == ["numpy"]


def test_looking_at_runs_imports_neither_torch_nor_mlflow(tmp_path):
    code = (
        "from pathlib import Path; from lthtui.desk import Desk; import lthtui.plots;"
        f" desk = Desk(Path({str(tmp_path)!r}), Path('specs'));"
        " assert desk.poll() is not None; path = 'specs/quickstart.yaml';"
        " assert desk.specs.look(path, desk.specs.read(path), None).runs"
    )
    assert set(imported(code)) & {"torch", "torchvision", "mlflow"} == set()
