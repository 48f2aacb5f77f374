"""The step and the loop: zeros stay zero, positions are exact, divergence is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from stepping import Plain, begun

from engine import images
from engine.durations import Duration
from engine.epochs import EpochResult, train_level
from engine.errors import Diverged
from engine.masks import Mask
from engine.plan import Level, plan
from engine.sparsifier import Sparsifier
from engine.spec import RunSpec
from engine.training import Training

CPU = torch.device("cpu")
OPTIMIZERS = [
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    {"name": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    {"name": "adam", "lr": 0.01, "weight_decay": 0.01},
]


def _train(training: Training, sparsifier: Sparsifier[Any] | None = None) -> list[EpochResult]:
    results: list[EpochResult] = []
    train_level(training, sparsifier or Plain(None), lambda: None, results.append)
    return results


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pruned_weights_and_their_momentum_stay_exactly_zero(
    optimizer: dict[str, Any], tiny: Callable[..., RunSpec]
) -> None:
    training = begun(tiny(train={"epochs": 3, "batch_size": 25, "optimizer": optimizer}))
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
    ours, theirs = begun(spec), begun(spec)
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
    training = begun(tiny(), level)
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
    training = begun(tiny())
    seen: list[int] = []
    shown = training.augmented
    monkeypatch.setattr(
        training, "augmented", lambda ids: (seen.extend(ids.tolist()), shown(ids))[1]
    )
    _train(training)
    epochs = [seen[i : i + 100] for i in range(0, 300, 100)]
    assert all(sorted(epoch) == list(range(100)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_last_batch_of_one_image_is_dropped(tiny: Callable[..., RunSpec]) -> None:
    training = begun(tiny(train={"epochs": 1, "batch_size": 33}))
    assert training.steps_per_epoch == 3  # 100 = 3 * 33 + 1
    assert len(_train(training)) == 1


def test_the_mean_loss_and_accuracy_of_an_epoch_weigh_every_image_alike(
    tiny: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = begun(tiny(train={"epochs": 1, "batch_size": 40}))  # batches of 40, 40 and 20
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

    plain, pulled = begun(tiny()), begun(tiny())
    first = _train(plain)[0].loss
    assert _train(pulled, Pull(None))[0].loss == pytest.approx(first, rel=0.5)
    norm = [sum(float(p.detach().norm()) for p in t.prunable().values()) for t in (plain, pulled)]
    assert norm[1] < 0.7 * norm[0]


def test_fewer_examples_make_shorter_epochs(tiny: Callable[..., RunSpec]) -> None:
    training = begun(tiny())
    training.use(torch.arange(0, 100, 2))
    assert (training.steps_per_epoch, training.planned.end) == (2, 6)
    assert len(_train(training)) == 3


def test_divergence_names_the_place_and_what_to_do(tiny: Callable[..., RunSpec]) -> None:
    optimizer = {"name": "sgd", "lr": 100.0}
    training = begun(tiny(train={"epochs": 30, "batch_size": 25, "optimizer": optimizer}))
    with torch.no_grad():
        next(iter(training.net.parameters())).mul_(1e38)
    with pytest.raises(Diverged, match=r"epoch 1 of level 0 \(learning rate 100\); lower train"):
        _train(training)


def _on_masked_weights(optimizer: dict[str, Any], tiny: Callable[..., RunSpec]) -> Training:
    """A training whose optimizer remembers dense gradients, after two epochs."""
    training = begun(tiny(train={"epochs": 2, "batch_size": 25, "optimizer": optimizer}))
    dense = Plain(None)
    dense.dense_memory = True
    training.start_optimizer(dense)
    _train(training, dense)
    return training


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_dense_memory_remembers_pruned_weights_which_stay_zero(
    optimizer: dict[str, Any], tiny: Callable[..., RunSpec]
) -> None:
    training = _on_masked_weights(optimizer, tiny)
    for name, parameter in training.prunable().items():
        pruned = ~training.mask[name]
        assert bool((parameter[pruned] == 0).all())
        for buffer in training.optimizer.buffers(name).values():
            assert bool((buffer[pruned] != 0).any())


def test_dense_memory_equals_torchs_optimizer_and_a_mask_after_each_step(
    tiny: Callable[..., RunSpec],
) -> None:
    optimizer = OPTIMIZERS[1]
    ours = _on_masked_weights(optimizer, tiny)
    theirs = begun(ours.spec)
    settings = {k: v for k, v in optimizer.items() if k != "name"}
    reference = torch.optim.SGD(theirs.net.parameters(), **settings)
    rates: list[float] = []

    class Reference(Plain):
        def mask_during(self, training: Training) -> tuple[Mask, bool]:
            reference.param_groups[0]["lr"] = training.learning_rate(training.position)
            rates.append(reference.param_groups[0]["lr"])
            reference.step()
            with torch.no_grad():
                for name, p in training.prunable().items():
                    p.mul_(training.mask[name])
            return training.mask, True

    _train(theirs, Reference(None))
    assert len(rates) == 8 and rates[0] != rates[-1]
    for name, p in ours.net.named_parameters():
        torch.testing.assert_close(p, theirs.net.get_parameter(name), rtol=1e-5, atol=1e-6)


class _Dense(Plain):
    def dense_gradients(self, training: Training) -> bool:
        return training.position % 4 == 3


def test_a_steps_cost_is_three_passes_and_a_dense_one_where_gradients_are(
    tiny: Callable[..., RunSpec],
) -> None:
    spec = tiny(train={"epochs": 2, "batch_size": 25})
    training = begun(spec)
    dense, sparse = training.flops.dense, training.flops.sparse(training.mask)
    assert sparse < dense
    _train(training)
    assert training.spent == pytest.approx(8 * 25 * 3 * sparse)
    again = begun(spec)
    _train(again, _Dense(None))
    assert again.spent == pytest.approx(25 * (6 * 3 * sparse + 2 * (2 * sparse + dense)))


def test_predictions_are_plain_and_leave_no_trace(tiny: Callable[..., RunSpec]) -> None:
    training = begun(tiny())
    training.net.train()
    before = {name: t.clone() for name, t in training.net.state_dict().items()}
    found = training.predictions()
    assert torch.equal(found, training.predictions())
    assert training.net.training
    assert all(torch.equal(t, before[name]) for name, t in training.net.state_dict().items())
    training.net.eval()
    data = training.data
    with torch.no_grad():
        logits = training.net(images.normalise(data.train.x, data.geometry))
    assert torch.equal(found, logits.argmax(1))
    assert training.spent == 2 * len(data.train) * training.flops.sparse(training.mask)


def test_a_stretched_level_has_fewer_epochs_and_earlier_milestones(
    tiny: Callable[..., RunSpec],
) -> None:
    train = {
        "epochs": 10,
        "batch_size": 25,
        "warmup": "2ep",
        "schedule": {"name": "multistep", "milestones": ["5ep", "9ep"]},
    }
    training = begun(tiny(train=train))
    training.use(torch.arange(50), stretch=0.5)
    assert training.steps_per_epoch == 2 and training.planned.end == 10
    rates = [training.learning_rate(position) for position in range(10)]
    # warm-up of one epoch, then milestones int(2.5) = 2 and int(4.5) = 4 epochs
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.001, 0.001])


def test_a_multiplier_stretches_the_plan(tiny: Callable[..., RunSpec]) -> None:
    train = {"epochs": 3, "batch_size": 25, "multiplier": 2.0}
    spec = tiny(train=train, sparsifier={"name": "imp", "levels": 1, "rewind": "4ep"})
    laid_out = plan(spec, 100)
    assert [one.steps for one in laid_out.levels] == [24, 8]
    assert begun(spec).planned.end == 24
    assert spec.train.whole == spec.train.model_copy(update={"epochs": 6, "multiplier": 1.0})
