"""What logging costs training in the steady state: `pytest -m benchmark -s`."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from engine.events import EpochEnded, Tail
from engine.rundir import RunDirectory

pytestmark = pytest.mark.benchmark
EPOCHS, STEADY, TURNS = 240, 120, 3


def _epoch_seconds(folder: Path, tracking: str) -> float:
    """Median seconds between the ends of epochs, in the second half of a run."""
    directory = RunDirectory(folder / "runs" / "run")
    directory.path.mkdir(parents=True)
    spec = {
        "name": "cost",
        "data": {"name": "digits", "per_class": 80, "validation": 100},
        "model": {"name": "resnet20", "width": 16},
        "train": {"epochs": EPOCHS, "batch_size": 50, "evaluate": {"every": 10}},
        "sparsifier": "dense",
        "tracking": tracking,
    }
    directory.spec_file.write_text(json.dumps(spec))
    command = [sys.executable, "-P", "-m", "engine", str(directory.path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    times = [e.time for e in Tail(directory.events_file).read() if isinstance(e, EpochEnded)]
    steady = times[STEADY:]
    return statistics.median(b - a for a, b in zip(steady, steady[1:], strict=False))


def test_cost_of_logging_as_a_fraction_of_training(tmp_path: Path) -> None:
    """A run that is mirrored into MLflow against one that is not, in turns."""
    times: dict[str, list[float]] = {"local": [], "off": []}
    for turn in range(TURNS):
        for tracking, seconds in times.items():
            seconds.append(_epoch_seconds(tmp_path / f"{tracking}{turn}", tracking))
    logged, plain = (statistics.median(seconds) for seconds in times.values())
    print(f"\nlogging: {json.dumps({'fraction_of_training': round(logged / plain - 1, 4)})}")
    assert logged > 0 and plain > 0
