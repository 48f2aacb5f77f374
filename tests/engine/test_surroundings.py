"""What evaluations are given: above all, a stop that reaches what is slow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from engine.errors import Stopped
from engine.experiment import Experiment
from engine.registry import load
from engine.rundir import RunDirectory
from engine.spec import RunSpec
from engine.surroundings import context, surroundings

SLOW = {  # and the function that is then stopped
    "accuracy": "logits",
    "connectivity": "recalibrate",
    **dict.fromkeys(("pgd", "corruptions", "cka", "residual_ratio"), "batch"),
    **dict.fromkeys(("fine_tune", "instability"), "train_level"),
    "latency": "rounds",
    "linear_probe": "_features",
    "shared_sources": "nearest",
}
ASKED = {"shared_sources": {"alike": "any"}}  # as these images are not CIFAR's


def test_what_is_slow_stops_within_itself(
    tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    asks: list[bool] | None = None

    def stopping() -> bool:
        """The second time that an evaluation asks."""
        return asks is not None and (asks.pop() if asks else True)

    imp = {"name": "imp", "levels": 1, "rewind": "1it"}
    train = {"epochs": 1, "batch_size": 25}
    directory = run_folder(tiny(sparsifier=imp, train=train, keep=["all"]))
    cpu = torch.device("cpu")
    made = Experiment(
        directory, directory.spec(), cpu, lambda event: None, lambda: None, stopping, {}
    )
    made.run()
    around = surroundings(made.setup, [finished.ended for finished in made.done])
    for name, function in SLOW.items():
        evaluation = load("evaluations", name)
        asks = [False]
        with pytest.raises(Stopped, match="within an evaluation") as stopped:
            settings = evaluation.Settings(**ASKED.get(name, {}))
            evaluation.evaluate(settings, context(around, around.kept[-1], 0))
        assert function in [entry.name for entry in stopped.traceback], name
