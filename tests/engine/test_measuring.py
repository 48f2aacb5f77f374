"""What `lthtui plan` measures: real steps of every method, mask updates included."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from engine import verbs
from engine.errors import OK, USAGE, SpecError
from engine.measuring import measure, pace
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


def test_the_pace_is_taken_from_when_all_are_told_to_begin(tiny: Specs) -> None:
    spec, began = tiny(), []
    found = pace(spec, CPU, 0.05, lambda: began.append(time.perf_counter()))
    assert len(began) == 1
    batch = spec.train.batch_size
    assert found["images_per_second"] * found["seconds_per_step"] == pytest.approx(batch)
    assert found["seconds_per_step"] < time.perf_counter() - began[0]


def test_a_worker_that_nobody_tells_to_begin_ends(
    tiny: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(tiny().model_dump(mode="json")))
    monkeypatch.setattr("sys.stdin", io.StringIO("go\n"))
    assert verbs.main(["pace", str(file), "0.01"]) == OK
    ready, report = capsys.readouterr().out.splitlines()
    assert ready == "ready" and json.loads(report)["images_per_second"] > 0
    assert verbs.main(["pace", str(file), "0.01"]) == USAGE  # nothing more comes in
    assert capsys.readouterr().out == "ready\n"


def test_what_only_the_network_shows_to_be_impossible_is_said_before_a_run(tiny: Specs) -> None:
    spec = tiny(sparsifier={"name": "rigl", "interval": "3it", "keep_dense": "re:layer"})
    with pytest.raises(SpecError, match="layers kept dense") as caught:
        measure(spec, CPU)
    assert caught.value.at == "sparsifier.keep_dense"
