"""A search as a user runs it, with real training: a density is met, and its trials are compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SPEC = """\
data: {name: digits, per_class: 10, validation: 100}
model: {name: resnet20, width: 4, shortcut: B}
sparsifier: {name: imp, levels: 1, rewind: init}
train: {epochs: 2, batch_size: 50, evaluate: {every: 1}}
tracking: "off"
search: {over: {sparsifier.rate: [0.2, 0.4]}, goal: {density: 0.6, tolerance: 0.001}, at_once: 2}
"""


def test_a_density_is_searched_and_the_trials_are_compared(tmp_path: Path) -> None:
    def lthtui(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lthtui", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=180,
            env={k: v for k, v in os.environ.items() if not k.startswith("LTHTUI")},
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    (tmp_path / "find.yaml").write_text(SPEC)
    found = lthtui("search", "find.yaml", "--json", "--write", "best.yaml")
    assert [trial["values"]["sparsifier.rate"] for trial in found["trials"]] == [0.2, 0.4]
    scores = [trial["score"] for trial in found["trials"]]
    assert scores == pytest.approx([0.8, 0.6], abs=1e-4)
    assert (found["best"], found["met"]) == (2, True)
    (best,) = found["trials"][1]["run_ids"]

    again = lthtui("run", "best.yaml", "--json")  # its run is known by its settings, and finished
    assert [run["run_id"] for run in again["runs"]] == [best]

    groups = lthtui("compare", "find", "--level", "last", "--json")["groups"]
    assert [group["label"] for group in groups] == ["imp rate=0.2", "imp rate=0.4"]
    for group, kept in zip(groups, scores, strict=True):
        dense, ticket = next(
            run["levels"] for run in found["runs"] if run["run_id"] == group["runs"][0]["run_id"]
        )
        gain = ticket["test_accuracy"] - dense["test_accuracy"]
        assert group["gains"]["dense"] == {"mean": gain, "std": None, "n": 1, "paired": True}
        training = dense["training_flops"] + ticket["training_flops"]
        assert group["training_flops_ratio"] == pytest.approx(training / dense["training_flops"])
        assert kept < group["inference_flops_ratio"] < 1  # the last layer is not pruned
