"""What every evaluation must do: find numbers, leave the network alone, and cost no run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from inprocess import run

from engine import levels, registry
from engine.evaluations import layer_density
from engine.events import Evaluated, RunEnded, Warned
from engine.rundir import RunDirectory
from engine.spec import RunSpec

NAMES = registry.names("evaluations")


@pytest.mark.parametrize("name", NAMES)
def test_it_reports_every_level_and_changes_nothing(
    name: str, tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    with_it = run_folder(tiny(evaluate=[name], keep=["all"]), "with")
    without = run_folder(tiny(keep=["all"]), "without")
    found = [e for e in run(with_it) if isinstance(e, Evaluated)]
    run(without)
    assert [e.level for e in found] == [0, 1, 2] and {e.name for e in found} == {name}
    assert all(math.isfinite(v) for e in found for v in e.metrics.values())
    assert all((with_it.path / file).is_file() for e in found for file in e.files)
    for level in range(3):
        mine, other = levels.ticket(with_it, level), levels.ticket(without, level)
        assert mine.card["sha256"] == other.card["sha256"]


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
    warned = [e.message for e in events if isinstance(e, Warned)]
    assert len(warned) == 3 and "layer_density of level 0 failed" in warned[0]
    assert not any(isinstance(e, RunEnded) and e.status == "failed" for e in events)
    assert levels.ticket_path(directory, 2) is not None
