"""What every evaluation must do: find numbers, leave the network alone, and cost no run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import run

from engine import levels, outstanding, registry
from engine.errors import Inapplicable
from engine.evaluations import layer_density
from engine.evaluationspec import EvaluationSettings
from engine.events import Evaluated, EvaluationFailed, LevelEnded, RunEnded
from engine.rundir import RunDirectory
from engine.spec import RunSpec
from lthtui.evaluationlook import DRAWN, look

NAMES = registry.names("evaluations")
ELSEWHERE = {"cifar10_2"}  # of images that are not there
LESS: dict[str, dict[str, Any]] = {  # of what would take minutes, or says nothing of digits
    "corruptions": {"severities": [3], "images": 20},
    "latency": {"batches": [1], "repeats": 3},
    "pgd": {"steps": 1, "images": 20},
    "shared_sources": {"alike": "any"},
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ELSEWHERE])
def test_it_reports_every_level_and_changes_nothing(
    name: str, tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    listed = [{"name": name, "levels": ["all"], **LESS.get(name, {})}]
    spec = tiny(evaluate=listed, keep=["all"])
    with_it = run_folder(spec, "with")
    without = run_folder(tiny(keep=["all"]), "without")
    events = run(with_it)
    found = [e for e in events if isinstance(e, Evaluated)]
    run(without)
    assert not [e for e in events if isinstance(e, EvaluationFailed)]
    assert [e.level for e in found] == [0, 1, 2]
    assert {e.name for e in found} == {spec.evaluate[0].label}
    assert all(math.isfinite(v) for e in found for v in e.metrics.values())
    assert all((with_it.path / file).is_file() for e in found for file in e.files)
    _can_be_looked_at(with_it, found)
    for level in range(3):
        mine, other = levels.ticket(with_it, level), levels.ticket(without, level)
        assert mine.card["sha256"] == other.card["sha256"]


def _can_be_looked_at(directory: RunDirectory, found: list[Evaluated]) -> None:
    """The app draws those of their documents that it says it draws."""
    for file in {Path(file).name for e in found for file in e.files} & {*DRAWN}:
        documents = {
            f"level {e.level}": json.loads((directory.path / path).read_bytes())
            for e in found
            for path in e.files
            if Path(path).name == file
        }
        assert look(file, documents) is not None, file


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_name_tickets_and_tell_two_of_them_apart(name: str) -> None:
    settings = registry.load("evaluations", name).Settings()
    assert isinstance(settings, EvaluationSettings) and settings.label == name
    assert type(settings)(levels=(3,)).label == name


def test_layer_densities_are_those_of_the_mask(
    tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    directory = run_folder(tiny(evaluate=["layer_density"]))
    run(directory)
    found = json.loads((directory.evaluations / "02" / "layer_density.json").read_text())
    mask = levels.mask(directory, 2)
    assert {n: (f["kept"], f["total"]) for n, f in found.items()} == {
        n: (int(m.sum()), m.numel()) for n, m in mask.items()
    }


def test_one_that_fails_costs_only_itself(
    tiny: Callable[..., RunSpec],
    run_folder: Callable[..., RunDirectory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(settings: Any, context: Any) -> Any:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(layer_density, "evaluate", broken)
    directory = run_folder(tiny(evaluate=["layer_density"]))
    events = run(directory)
    failed = [(e.level, e.name, e.error) for e in events if isinstance(e, EvaluationFailed)]
    assert failed == [(n, "layer_density", "RuntimeError: no such thing") for n in range(3)]
    assert not any(isinstance(e, RunEnded) and e.status == "failed" for e in events)
    assert levels.ticket_path(directory, 2) is not None


def test_one_that_does_not_apply_has_not_failed_and_is_not_tried_again(
    tiny: Callable[..., RunSpec],
    run_folder: Callable[..., RunDirectory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(settings: Any, context: Any) -> Any:
        raise Inapplicable("these images have no layers")

    monkeypatch.setattr(layer_density, "evaluate", none)
    directory = run_folder(tiny(evaluate=["layer_density"], keep=["all"]))
    events = run(directory)
    found = [(e.level, e.metrics, e.inapplicable) for e in events if isinstance(e, Evaluated)]
    assert found == [(n, {}, "these images have no layers") for n in range(3)]
    assert not [e for e in events if isinstance(e, EvaluationFailed)]
    assert outstanding.left(directory, directory.spec()) == []


def test_the_picked_ticket_is_evaluated_once_it_is_known(
    tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    listed = [{"name": "layer_density", "levels": ["dense", "best"]}]
    events = run(run_folder(tiny(evaluate=listed, select={"level": 1})))
    told = [f"{e.kind} {e.level}" for e in events if isinstance(e, Evaluated | LevelEnded)]
    ended = [f"level_ended {level}" for level in range(3)]
    assert told == [ended[0], "evaluated 0", *ended[1:], "evaluated 1"]


def test_what_is_asked_for_while_a_run_trains_is_made_at_its_end(
    tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    directory = run_folder(tiny())
    asked = layer_density.Settings(levels=("last",))

    def stopping() -> bool:
        outstanding.ask(directory, [asked])
        return False

    found = [e for e in run(directory, stopping) if isinstance(e, Evaluated)]
    assert [(e.level, e.name) for e in found] == [(2, "layer_density")]
