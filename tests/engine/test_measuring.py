"""What `lthtui plan` measures: real steps of every method, mask updates included."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import SpecError
from engine.measuring import measure
from engine.processes import Process
from engine.spec import RunSpec

Specs = Callable[..., RunSpec]
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "sparsifier",
    [
        {"name": "imp", "levels": 2, "score": "movement"},
        {"name": "rigl", "interval": "2it", "grow_init": "initial"},
        {"name": "snfs", "interval": "1it", "at": "after", "stop": 1.0},
        {"name": "continuous", "rounds": 1, "rewind": "1ep"},
        {"name": "snip", "density": 0.5},
    ],
    ids=lambda settings: settings["name"],
)
def test_methods_are_measured_as_they_train(
    sparsifier: dict[str, Any], tiny: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = tiny(sparsifier=sparsifier)
    before = Process.of(os.getpid()).age
    found = measure(spec, CPU)
    assert found["seconds_per_step"] > 0
    assert found["seconds_to_start"] > before  # it counts from the start of the process
    nominal = {"imp": [1.0, 0.8, 0.64], "continuous": [None, None], "snip": [0.5]}
    expected = nominal.get(spec.sparsifier.name, [0.2])
    assert found["kept"] == [
        pytest.approx(density * found["prunable"], abs=1) if density else None
        for density in expected
    ]
    assert not list(tmp_path.iterdir())


def test_what_only_the_network_shows_to_be_impossible_is_said_before_a_run(tiny: Specs) -> None:
    spec = tiny(sparsifier={"name": "rigl", "interval": "3it", "keep_dense": "re:layer"})
    with pytest.raises(SpecError, match="layers kept dense") as caught:
        measure(spec, CPU)
    assert caught.value.at == "sparsifier.keep_dense"
