"""Whole runs of sparse training: resumed anywhere, their metrics, their cost, their length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from inprocess import run

from engine import levels
from engine.errors import Stopped
from engine.events import EpochEnded, LevelEnded, MaskChanged, RunStarted
from engine.experiment import Experiment
from engine.masks import Mask
from engine.rundir import RunDirectory
from engine.sparsifiers._churn import Churn
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def spec(tiny: Specs) -> Callable[..., RunSpec]:
    """A method that updates its mask at steps 2, 5, 8, 11 and 14 of 20."""

    def make(name: str, **settings: Any) -> RunSpec:
        updates = {} if name == "static" else {"interval": "3it"}
        sparsifier = {"name": name, "prunable": "conv+linear", **updates, **settings}
        train = {"epochs": 5, "batch_size": 25, "evaluate": {"every": 1}}
        return tiny(sparsifier=sparsifier, train=train, keep=["all"])

    return make


def _run(directory: RunDirectory, events: list[Any], stopping: Callable[[], bool]) -> None:
    Experiment(directory, directory.spec(), CPU, events.append, lambda: None, stopping, {}).run()


def _torn(directory: RunDirectory) -> list[Any]:
    events: list[Any] = []
    for attempt in range(100):
        calls = iter(range(2 + attempt % 3))
        try:
            _run(directory, events, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            return events
        except Stopped:
            continue
    pytest.fail("the run never ended")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("set", {"structure": "channel", "redistribute": "gradient", "grow_init": "initial"}),
        ("snfs", {"grow_init": "normal", "regrown": "zero", "at": "after"}),
        ("rigl", {"redistribute": "momentum", "grow_init": "uniform"}),
    ],
)
def test_resuming_anywhere_changes_neither_tickets_nor_metrics(
    name: str, settings: dict[str, Any], spec: Specs, run_folder: Folders
) -> None:
    wanted = spec(name, **settings)
    whole, torn = run_folder(wanted, "whole"), run_folder(wanted, "torn")
    events, pieces = run(whole), _torn(torn)
    files = [(d.level(0) / levels.TICKET).read_bytes() for d in (whole, torn)]
    assert files[0] == files[1]
    found = [
        {e.epoch: e.metrics for e in some if isinstance(e, EpochEnded)} for some in (events, pieces)
    ]
    assert found[0] == found[1] and len(found[0]) == 5
    steps = [e.step for e in events if isinstance(e, MaskChanged)]
    assert steps == [3, 6, 9, 12, 15]  # steps taken when it had changed


def test_churn_and_survival_are_counted(spec: Specs, run_folder: Folders) -> None:
    """Updates are at steps 2 | 5 | 8, 11 | 14 | -, epochs having four steps."""
    directory = run_folder(spec("set"))
    found = [e.metrics for e in run(directory) if isinstance(e, EpochEnded)]
    assert ["grown_survival" in metrics for metrics in found] == [False, True, True, True, False]
    churn = [metrics["mask_churn"] for metrics in found]
    # an update exchanges at most 0.3 of the weights and one more per layer; the third epoch has two
    assert all(0 < share < 0.35 for share in (*churn[:2], churn[3]))
    assert 0 < churn[2] < 0.7 and churn[4] == 0
    assert all(0 <= metrics["grown_survival"] <= 1 for metrics in found[1:4])


def test_churn_by_hand() -> None:
    def mask(*bits: int) -> Mask:
        return Mask({"a": torch.tensor(bits).bool()})

    churn = Churn(mask(1, 1, 1, 0, 0, 0))
    churn.updated(mask(1, 1, 1, 0, 0, 0), mask(1, 0, 0, 0, 0, 0), mask(1, 0, 0, 1, 1, 0))
    churn = Churn.load(churn.state_dict(), CPU)
    churn.updated(mask(1, 0, 0, 1, 1, 0), mask(0, 0, 0, 1, 0, 0), mask(0, 1, 0, 1, 0, 1))
    churn = Churn.load(churn.state_dict(), CPU)
    found = churn.metrics(mask(0, 1, 0, 1, 0, 1))  # of it, 1 lived before; of two grown, one stays
    assert found == {"mask_churn": pytest.approx(2 / 3), "grown_survival": 0.5}
    assert churn.metrics(mask(0, 1, 0, 1, 0, 1)) == {"mask_churn": 0.0}


def _cost(directory: RunDirectory) -> tuple[float, float, float]:
    """Training operations per image shown, and the dense and the sparse forward pass."""
    events = run(directory)
    started = next(e for e in events if isinstance(e, RunStarted))
    ended = next(e for e in events if isinstance(e, LevelEnded))
    assert started.flops is not None and ended.training_flops is not None
    assert ended.inference_flops is not None
    shown = started.images["train"] * ended.epochs
    return ended.training_flops / shown, started.flops, ended.inference_flops


@pytest.mark.parametrize(
    ("name", "settings", "updates"),
    [
        ("static", {}, 0),
        ("set", {}, 0),
        ("set", {"grow_init": "gradient"}, 5),
        ("rigl", {"interval": "4it", "stop": 1.0}, 5),
        ("rigl", {}, 5),
        ("rigl", {"interval": "5it", "stop": 0.5, "at": "after"}, 2),
        ("rigl", {"memory": "dense"}, 20),
        ("snfs", {"redistribute": "none"}, 20),
    ],
)
def test_training_costs_what_the_papers_count(
    name: str, settings: dict[str, Any], updates: int, spec: Specs, run_folder: Folders
) -> None:
    """Of 20 steps, those with dense gradients cost 2 sparse passes and a dense one, others 3."""
    wanted = spec(name, **settings)
    per_image, dense, sparse = _cost(run_folder(wanted))
    share = updates / 20
    assert sparse < 0.6 * dense
    expected = share * (2 * sparse + dense) + (1 - share) * 3 * sparse
    assert per_image == pytest.approx(expected, rel=1e-12)
    if settings == {"interval": "4it", "stop": 1.0}:  # RigL's formula, with the update as a step
        interval = 4
        formula = (2 * sparse + dense + 3 * sparse * (interval - 1)) / interval
        assert per_image == pytest.approx(formula, rel=1e-12)


def test_a_longer_training_stretches_the_updates(spec: Specs, run_folder: Folders) -> None:
    wanted = spec("rigl", start="3it", stop="9it")
    train = wanted.train.model_copy(update={"multiplier": 2.0})
    directory = run_folder(wanted.model_copy(update={"train": train}))
    changes = [e.step for e in run(directory) if isinstance(e, MaskChanged)]
    assert changes == [9, 12, 15, 18]  # steps 8, 11, 14 and 17 of 40, between 6 and 18
