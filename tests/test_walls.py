"""The walls between the packages that import-linter cannot see: what is imported when, by whom."""

import graphlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from waiting import PATIENCE

from engine.registry import KINDS, names

ROOT = Path(__file__).resolve().parents[1]
HEAVY = [
    "torch",
    "torchvision",
    "mlflow",
    "pandas",
    "sqlalchemy",
    "sklearn",
    "scipy",
    "matplotlib",
    "optuna",
]
SCREEN = ["textual"]


def imported_by(script: str) -> set[str]:
    """The top-level packages that a clean interpreter holds after a script."""
    script += (
        "\nimport json, sys\nprint(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_spec_is_checked_and_planned_without_anything_heavy(tmp_path):
    spec = tmp_path / "x.yaml"
    spec.write_text("data: digits\nmodel: resnet20\ntrain: {epochs: 4}\n")
    found = imported_by(
        "import lthtui.cli\n"
        "from engine import registry\n"
        "from engine.choice import Choice\n"
        "for kind in registry.KINDS:\n"
        "    for name in registry.names(kind):\n"
        "        Choice(kind).resolve(name).model_dump()\n"
        "from lthtui import specfiles\n"
        f"[run] = specfiles.expand({str(spec)!r}).runs\n"
        "assert len(run.plan.levels) == 16\n"
        "specfiles.write(run.spec)\n"
        f"assert lthtui.cli.main(['plan', '--quick', {str(spec)!r}]) == 0\n"
    )
    assert found.isdisjoint([*HEAVY, *SCREEN])
    assert {"pydantic", "yaml", "typer"} <= found


@pytest.mark.parametrize("kind", KINDS)
def test_every_choice_can_be_described_without_torch(kind):
    lines = [f"import engine.{kind}.{name} as m; m.Settings" for name in names(kind)]
    assert imported_by("\n".join(lines)).isdisjoint(HEAVY)


def test_the_app_is_imported_without_the_engines_weight():
    found = imported_by("import lthtui.app")
    assert "textual" in found and found.isdisjoint(HEAVY)


@pytest.mark.parametrize("desk", ["desk", "notedesk", "ticketdesk", "trashdesk"])
def test_the_apps_desks_are_imported_without_the_command_line(desk):
    assert "typer" not in imported_by(f"import lthtui.{desk}")


def test_no_import_cycles():
    graph = grimp.build_graph("engine", "lthtui", exclude_type_checking_imports=True)
    edges = {
        module: graph.find_modules_directly_imported_by(module) - {module}
        for module in graph.modules
    }
    graphlib.TopologicalSorter(edges).prepare()  # raises CycleError with the cycle


def test_the_terminals_contract_names_every_module_above_floor_0():
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [c["layers"] for c in configuration["contracts"] if c["type"] == "layers"]
    above = {name for floor in layers[:-1] for name in re.split(" [:|] ", floor)}
    forbidden = [c.get("forbidden_modules", []) for c in configuration["contracts"]]
    assert {f"engine.{name}" for name in above} in map(set, forbidden)
