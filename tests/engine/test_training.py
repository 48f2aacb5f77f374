"""The step and the loop: zeros stay zero, positions are exact, divergence is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from engine import masks, registry
from engine.durations import Duration
from engine.errors import Diverged
from engine.masks import Mask
from engine.plan import Level
from engine.setup import build
from engine.sparsifier import Sparsifier
from engine.spec import RunSpec
from engine.training import EpochResult, Training, train_level

CPU = torch.device("cpu")
OPTIMIZERS = [
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    {"name": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    {"name": "adam", "lr": 0.01, "weight_decay": 0.01},
]


class Plain(Sparsifier[Any]):
    """Does nothing; tests override what they are about."""

    def levels(self) -> list[Level]:
        return [Level(0, 1.0)]


def _training(spec: RunSpec, level: Level | None = None, seed: int = 0) -> Training:
    data = registry.load("datasets", spec.data.name).load(spec.data)
    net = build(spec, data, CPU)
    scores = {name: torch.rand(p.shape, generator=torch.Generator().manual_seed(seed))
              for name, p in masks.prunable(net, "conv").items()}  # fmt: skip
    mask = masks.keep_top(scores, masks.ones(scores).total // 5)
    training = Training(spec, level or Level(0, 1.0), data, net, mask, CPU)
    training.start_optimizer(Plain(spec.sparsifier))
    return training


def _train(training: Training, sparsifier: Sparsifier[Any] | None = None) -> list[EpochResult]:
    results: list[EpochResult] = []
    train_level(training, sparsifier or Plain(None), lambda: None, results.append)
    return results


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pruned_weights_and_their_momentum_stay_exactly_zero(
    optimizer: dict[str, Any], tiny: Callable[..., RunSpec]
) -> None:
    training = _training(tiny(train={"epochs": 3, "batch_size": 25, "optimizer": optimizer}))
    _train(training)
    for name, parameter in training.prunable().items():
        pruned = ~training.mask[name]
        assert bool((parameter[pruned] == 0).all())
        for buffer in training.optimizer.buffers(name).values():
            assert bool((buffer[pruned] == 0).all())
        assert bool((parameter[~pruned] != 0).all())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_masking_gradients_equals_masking_weights_after_each_step(
    optimizer: dict[str, Any], tiny: Callable[..., RunSpec]
) -> None:
    """The reference: torch's optimizer, weights multiplied by the mask after every step."""
    spec = tiny(train={"epochs": 2, "batch_size": 25, "optimizer": optimizer})
    ours, theirs = _training(spec), _training(spec)
    settings = {k: v for k, v in optimizer.items() if k != "name"}
    kind = torch.optim.SGD if optimizer["name"] == "sgd" else torch.optim.Adam
    reference = kind(theirs.net.parameters(), **settings)
    rates: list[float] = []

    class Reference(Plain):
        def mask_during(self, training: Training) -> tuple[Mask, bool]:
            for group in reference.param_groups:
                group["lr"] = training.learning_rate(training.position)
            rates.append(group["lr"])
            reference.step()
            with torch.no_grad():
                for name, parameter in training.prunable().items():
                    parameter.mul_(training.mask[name])
            return training.mask, True

    assert [r.loss for r in _train(ours)] == pytest.approx(
        [r.loss for r in _train(theirs, Reference(None))], rel=1e-4
    )
    for mine, other in zip(ours.net.parameters(), theirs.net.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-2, atol=1e-4)
    assert rates[0] == 0.1 if optimizer["name"] == "sgd" else 0.01


@pytest.mark.parametrize(
    ("level", "positions", "epochs"),
    [
        (Level(0, 1.0), list(range(12)), [1, 2, 3]),  # 100 images in batches of 25: 4 steps
        (Level(1, 0.8, at=Duration(1), lasts="rest"), list(range(4, 12)), [1, 2]),
        (Level(1, 0.8, at=Duration(0, 6), lasts="rest"), list(range(6, 12)), [1, 2]),
        (Level(1, 0.8, at=Duration(1), lasts="whole"), list(range(4, 16)), [1, 2, 3]),
        (Level(1, 0.8, lasts=Duration(1, 1)), list(range(5)), [1, 2]),
    ],
)
def test_a_level_trains_exactly_its_positions(
    level: Level, positions: list[int], epochs: list[int], tiny: Callable[..., RunSpec]
) -> None:
    training = _training(tiny(), level)
    seen: list[int] = []

    class Watch(Plain):
        def penalty(self, training: Training) -> None:
            seen.append(training.position)

    results = _train(training, Watch(None))
    assert seen == positions
    assert [result.epoch for result in results] == epochs
    assert [result.last for result in results] == [False] * (len(epochs) - 1) + [True]


def test_every_image_is_seen_once_an_epoch_in_an_order_of_its_own(
    tiny: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = _training(tiny())
    seen: list[int] = []
    inputs = training.inputs
    monkeypatch.setattr(training, "inputs", lambda ids: (seen.extend(ids.tolist()), inputs(ids))[1])
    _train(training)
    epochs = [seen[i : i + 100] for i in range(0, 300, 100)]
    assert all(sorted(epoch) == list(range(100)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_last_batch_of_one_image_is_dropped(tiny: Callable[..., RunSpec]) -> None:
    training = _training(tiny(train={"epochs": 1, "batch_size": 33}))
    assert training.steps_per_epoch == 3  # 100 = 3 * 33 + 1
    assert len(_train(training)) == 1


def test_the_mean_loss_and_accuracy_of_an_epoch_weigh_every_image_alike(
    tiny: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = _training(tiny(train={"epochs": 1, "batch_size": 40}))  # batches of 40, 40 and 20
    losses: list[tuple[float, int]] = []
    loss = training.loss

    def watched(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value = loss(logits, targets)
        losses.append((value.item(), len(targets)))
        return value

    monkeypatch.setattr(training, "loss", watched)
    [result] = _train(training)
    assert [count for _, count in losses] == [40, 40, 20]
    assert result.loss == pytest.approx(sum(v * n for v, n in losses) / 100, rel=1e-6)


def test_a_penalty_is_part_of_the_gradient_but_not_of_the_reported_loss(
    tiny: Callable[..., RunSpec],
) -> None:
    class Pull(Plain):
        def penalty(self, training: Training) -> torch.Tensor:
            return sum(p.square().sum() for p in training.prunable().values())  # type: ignore

    plain, pulled = _training(tiny()), _training(tiny())
    first = _train(plain)[0].loss
    assert _train(pulled, Pull(None))[0].loss == pytest.approx(first, rel=0.5)
    norm = [sum(float(p.detach().norm()) for p in t.prunable().values()) for t in (plain, pulled)]
    assert norm[1] < 0.7 * norm[0]


def test_fewer_examples_make_shorter_epochs(tiny: Callable[..., RunSpec]) -> None:
    training = _training(tiny())
    training.use(torch.arange(0, 100, 2))
    assert (training.steps_per_epoch, training.planned.end) == (2, 6)
    assert len(_train(training)) == 3


def test_divergence_names_the_place_and_what_to_do(tiny: Callable[..., RunSpec]) -> None:
    optimizer = {"name": "sgd", "lr": 100.0}
    training = _training(tiny(train={"epochs": 30, "batch_size": 25, "optimizer": optimizer}))
    with torch.no_grad():
        next(iter(training.net.parameters())).mul_(1e38)
    with pytest.raises(Diverged, match=r"epoch 1 of level 0 \(learning rate 100\); lower train"):
        _train(training)
