"""Gradual pruning: the published densities at every update, exact counts, and the least weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from inprocess import run

from engine import densities, levels
from engine.errors import SpecError
from engine.events import EpochEnded, LevelEnded, LevelStarted, MaskChanged, RunStarted
from engine.masks import Mask
from engine.rundir import RunDirectory
from engine.sparsifiers import gradual
from engine.spec import RunSpec
from engine.training import Training

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
# of 20 steps: updates at 3, 7, 11 and 15, of which the last one reaches the density
UPDATES = {"interval": "4it", "start": "1it", "stop": "17it"}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def spec(tiny: Specs) -> Callable[..., RunSpec]:
    def make(select: dict[str, Any] | None = None, **settings: Any) -> RunSpec:
        train = {"epochs": 5, "batch_size": 25, "evaluate": {"every": 1}}
        sparsifier = {"name": "gradual", "density": 0.2, **UPDATES, **settings}
        return tiny(sparsifier=sparsifier, train=train, keep=["all"], select=select or {})

    return make


def _density(step: int) -> float:
    return 0.2 if step == 15 else 0.2 + 0.8 * (1 - (step - 1) / 16) ** 3


@pytest.mark.parametrize("at", ["instead", "after"])
def test_the_density_follows_the_cubic_and_ends_exactly(
    at: str, spec: Specs, run_folder: Folders
) -> None:
    events = run(run_folder(spec(at=at)))
    [begun] = [e for e in events if isinstance(e, LevelStarted)]
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    changes = [e for e in events if isinstance(e, MaskChanged)]
    assert begun.kept == begun.total and ended.kept == round(0.2 * ended.total)
    assert [e.step for e in changes] == [4, 8, 12, 16]
    assert [e.kept for e in changes] == [
        round(_density(step) * ended.total) for step in (3, 7, 11, 15)
    ]
    shown = [e.metrics["mask_density"] for e in events if isinstance(e, EpochEnded)]
    assert shown == [e.density for e in changes] + [ended.density]


@pytest.mark.parametrize("settings", [{}, {"keep_dense": "first"}, {"allocation": "uniform"}])
def test_the_least_weights_go_and_never_return(
    settings: dict[str, Any], spec: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Mask] = []
    during = gradual.Sparsifier.mask_during

    def watched(self: Any, training: Training) -> Any:
        changed = during(self, training)
        if changed is None:
            return None
        before, mask = training.mask, changed[0]
        weights = {n: p.detach().abs() for n, p in training.prunable().items()}
        names = list(mask)[1:] if "keep_dense" in settings else list(mask)
        groups = [[n] for n in names] if "allocation" in settings else [names]
        for group in groups:
            stay = torch.cat([weights[n][mask[n]] for n in group])
            gone = torch.cat([weights[n][before[n] & ~mask[n]] for n in group])
            assert len(gone) and float(stay.min()) >= float(gone.max()) > 0
        assert all(not bool((mask[n] & ~before[n]).any()) for n in mask)
        if "keep_dense" in settings:
            assert bool(mask["conv1.weight"].all())
        found.append(mask)
        return changed

    monkeypatch.setattr(gradual.Sparsifier, "mask_during", watched)
    run(run_folder(spec(**settings)))
    assert len(found) == 4


@pytest.mark.parametrize("allocation", ["uniform", "er", "erk"])
def test_each_layer_goes_down_to_its_own_density_by_the_same_schedule(
    allocation: str, spec: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, int]] = []
    during = gradual.Sparsifier.mask_during

    def watched(self: Any, training: Training) -> Any:
        changed = during(self, training)
        if changed is not None:
            found.append({name: int(alive.sum()) for name, alive in changed[0].items()})
        return changed

    monkeypatch.setattr(gradual.Sparsifier, "mask_during", watched)
    directory = run_folder(spec(allocation=allocation))
    run(directory)
    saved = levels.mask(directory, 0)
    mask = {name: saved[name] for name in found[0]}  # in the network's order
    shapes = {name: tuple(alive.shape) for name, alive in mask.items()}
    final = densities.counts(shapes, 0.2, allocation)
    assert found[-1] == final
    for name, alive in mask.items():
        share = 1 - (1 - 6 / 16) ** 3  # of its prunings, at step 7
        assert found[1][name] == alive.numel() - round((alive.numel() - final[name]) * share)


def test_a_step_costs_three_passes_at_the_density_it_has(spec: Specs, run_folder: Folders) -> None:
    """With a single prunable layer, its counts give the operations of every step by hand."""
    events = run(run_folder(spec(prunable="re:layer1.0.conv1")))
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    dense = next(e for e in events if isinstance(e, RunStarted)).flops
    assert dense is not None and ended.inference_flops is not None
    layer = 2 * ended.total * 8 * 8  # each weight is used on every pixel of digits
    shares = [1.0] * 4  # of the layer, for the steps up to each update and after the last
    for change in (e for e in events if isinstance(e, MaskChanged)):
        shares += [change.kept / ended.total] * 4
    assert len(shares) == 20
    passes = sum(3 * (dense - layer * (1 - share)) for share in shares)
    assert ended.training_flops == pytest.approx(25 * passes, rel=1e-12)
    assert ended.inference_flops == pytest.approx(dense - layer * (1 - shares[-1]), rel=1e-12)


def test_a_best_epoch_is_one_of_the_final_density(spec: Specs, run_folder: Folders) -> None:
    directory = run_folder(spec(select={"epoch": "best"}))
    [ended] = [e for e in run(directory) if isinstance(e, LevelEnded)]
    assert ended.scored_epoch in (4, 5)  # the last update is in the fourth
    ticket = levels.ticket(directory, 0)
    assert ticket.mask.kept == round(0.2 * ticket.mask.total)


@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_layers_that_cannot_stay_dense_are_refused_at_the_start(
    allocation: str, spec: Specs, run_folder: Folders
) -> None:
    directory = run_folder(spec(keep_dense="re:layer", allocation=allocation))
    with pytest.raises(SpecError, match="layers kept dense") as caught:
        run(directory)
    assert caught.value.at == "sparsifier.keep_dense"
