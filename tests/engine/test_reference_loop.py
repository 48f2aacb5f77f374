"""IMP against the loop people write: torch.nn.utils.prune, torch.optim, torch's own scheduler."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from torch import Tensor, nn
from torch.nn.utils import prune

from engine import levels, setup
from engine.events import EpochEnded, Event, LevelEnded
from engine.experiment import Experiment
from engine.rundir import RunDirectory
from engine.spec import RunSpec

EPOCHS, RATE, LEVELS, LR, MOMENTUM, DECAY = 4, 0.2, 2, 0.1, 0.9, 5e-4
Batches = list[tuple[Tensor, Tensor]]


@dataclass
class Trained:
    """What the plain loop ends a level with."""

    masks: dict[str, Tensor]
    state: dict[str, Tensor]
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def _plain_loop(
    net: nn.Module, fed: list[Batches], rewind: int, after: str, full: bool
) -> list[Trained]:
    """Train, prune with torch, go back, train again; `fed` holds each level's batches in order."""
    layers = {f"{n}.weight": m for n, m in net.named_modules() if isinstance(m, nn.Conv2d)}
    point: dict[str, Tensor] = {}
    done = []
    for level, batches in enumerate(fed):
        optimizer = torch.optim.SGD(net.parameters(), LR, MOMENTUM, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
        first = rewind if level else 0
        optimizer.zero_grad()
        for _ in range(first):
            optimizer.step()  # moves nothing; torch warns of a schedule that goes first
            schedule.step()
        per_epoch = len(batches) // (EPOCHS if full or not level else EPOCHS - first)
        trained = Trained({}, {})
        for start in range(0, len(batches), per_epoch):
            trained.rates.append(optimizer.param_groups[0]["lr"])
            losses = []
            for x, y in batches[start : start + per_epoch]:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net.train()(x), y)
                loss.backward()
                optimizer.step()
                losses.append((loss.item(), len(y)))
            schedule.step()
            trained.losses.append(sum(v * n for v, n in losses) / sum(n for _, n in losses))
            if level == 0 and start == (rewind - 1) * per_epoch:
                point = deepcopy(net.state_dict())
        with torch.no_grad():
            net.eval()(batches[-1][0])  # as evaluating does: torch prunes what was last used
        masks = {n: getattr(m, "weight_mask", torch.ones_like(m.weight)) for n, m in layers.items()}
        trained.masks = {n: m.bool().clone() for n, m in masks.items()}
        trained.state = _without_pruning(net.state_dict())
        done.append(trained)
        kind = prune.L1Unstructured
        prune.global_unstructured([(m, "weight") for m in layers.values()], kind, amount=RATE)
        if after == "rewind":
            net.load_state_dict({**net.state_dict(), **_as_pruned(point, layers)})
    return done


def _without_pruning(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in effect, under their plain names."""
    plain = {n: t.clone() for n, t in state.items() if not n.endswith(("_orig", "_mask"))}
    for name, mask in state.items():
        if name.endswith("_mask"):
            name = name.removesuffix("_mask")
            plain[name] = state[f"{name}_orig"] * mask
    return plain


def _as_pruned(state: dict[str, Tensor], layers: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{n}_orig" if n in layers else n: t.clone() for n, t in state.items()}


@pytest.mark.parametrize(
    ("after", "length", "rewind"),
    [
        ("rewind", "exact", 1),
        ("rewind", "full", 2),
        ("lr_rewind", "exact", 2),
        ("continue", "exact", 0),
    ],
)
@pytest.mark.usefixtures("doubles")
def test_imp_takes_the_path_of_a_plain_loop(
    after: str,
    length: str,
    rewind: int,
    fed: dict[int, Batches],
    tiny: Callable[..., RunSpec],
    run_folder: Callable[..., RunDirectory],
) -> None:
    torch.set_num_threads(1)
    how = {"after": after, "length": length}
    if rewind:
        how["rewind"] = f"{rewind}ep"
    spec = tiny(
        sparsifier={"name": "imp", "rate": RATE, "levels": LEVELS, **how},
        train={
            "epochs": EPOCHS,
            "batch_size": 30,
            "optimizer": {"lr": LR, "momentum": MOMENTUM, "weight_decay": DECAY, "name": "sgd"},
            "schedule": "cosine",
        },
        keep=["all"],
    )
    directory, events = run_folder(spec), []
    cpu = torch.device("cpu")
    run = Experiment(directory, spec, cpu, events.append, lambda: None, lambda: False, {})
    net = setup.build(spec, run.setup.data, cpu).to(memory_format=torch.contiguous_format)
    start = deepcopy(net.state_dict())
    run.run()
    full = length == "full" or after == "continue"
    reference = _plain_loop(net, [fed[i] for i in range(LEVELS + 1)], rewind, after, full)
    for index, expected in enumerate(reference):
        _compare(levels.ticket(directory, index), expected, index)
        _compare_epochs(events, expected, index)
        _compare_scores(events, setup.build(spec, run.setup.data, cpu), expected, index)
    first = levels.ticket(directory, 0)
    assert all(torch.equal(first.rewind[name], tensor) for name, tensor in start.items())


def _scored(
    net: nn.Module, fed: list[Batches], start: dict[str, Tensor], score: str, first: int
) -> list[dict[str, np.ndarray]]:
    """The masks after each level, by sums over its steps, taken with torch's own optimizer."""
    weights = {n: p for n, p in net.named_parameters() if p.ndim == 4}
    masks = {n: np.ones(p.shape, dtype=bool) for n, p in weights.items()}
    found = []
    for batches in fed:
        net.load_state_dict(start)
        optimizer = torch.optim.SGD(net.parameters(), LR, MOMENTUM, weight_decay=DECAY)
        sums = {n: np.zeros(p.shape) for n, p in weights.items()}
        for step, (x, y) in enumerate(batches):
            epoch = (first if found else 0) + step // 4
            rate = LR * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2
            optimizer.param_groups[0]["lr"] = rate
            with torch.no_grad():
                for name, p in weights.items():
                    p.mul_(torch.from_numpy(masks[name]))
            optimizer.zero_grad()
            nn.functional.cross_entropy(net.train()(x), y).backward()
            for name, p in weights.items():
                product = p.grad.numpy() * p.detach().numpy()
                sums[name] += product**2 if score == "taylor" else -rate * product
            optimizer.step()
        living = [(s, n, i) for n, m in masks.items() for i, s in np.ndenumerate(sums[n]) if m[i]]
        living.sort(key=lambda entry: entry[0])
        for _, name, index in living[: round(RATE * len(living))]:
            masks[name][index] = False
        found.append({n: m.copy() for n, m in masks.items()})
    return found


@pytest.mark.parametrize("score", ["movement", "taylor"])
@pytest.mark.usefixtures("doubles")
def test_scores_of_training_are_the_sums_over_each_levels_steps(
    score: str,
    fed: dict[int, Batches],
    tiny: Callable[..., RunSpec],
    run_folder: Callable[..., RunDirectory],
) -> None:
    torch.set_num_threads(1)
    sgd = {"name": "sgd", "lr": LR, "momentum": MOMENTUM, "weight_decay": DECAY}
    spec = tiny(
        sparsifier={"name": "imp", "rate": RATE, "levels": 2, "rewind": "init", "score": score},
        train={"epochs": EPOCHS, "batch_size": 30, "optimizer": sgd, "schedule": "cosine"},
        keep=["all"],
    )
    directory, cpu = run_folder(spec), torch.device("cpu")
    run = Experiment(directory, spec, cpu, lambda e: None, lambda: None, lambda: False, {})
    net = setup.build(spec, run.setup.data, cpu).to(memory_format=torch.contiguous_format)
    start = deepcopy(net.state_dict())
    run.run()
    expected = _scored(net, [fed[0], fed[1]], start, score, first=0)
    for index, masks in enumerate(expected, 1):
        mask = levels.mask(directory, index)
        assert {n: m.numpy().tolist() for n, m in mask.items()} == {
            n: m.tolist() for n, m in masks.items()
        }


def _compare(ticket: Any, expected: Trained, level: int) -> None:
    assert ticket.mask.kept == round(ticket.mask.total * 0.8**level)
    assert ticket.mask.keys() == expected.masks.keys()
    for name, mask in expected.masks.items():
        assert torch.equal(ticket.mask[name], mask), f"level {level}: {name}"
    assert ticket.trained.keys() == expected.state.keys()
    for name, tensor in expected.state.items():
        torch.testing.assert_close(ticket.trained[name], tensor, rtol=1e-6, atol=1e-9)


def _compare_epochs(events: list[Event], expected: Trained, level: int) -> None:
    epochs = [e for e in events if isinstance(e, EpochEnded) and e.level == level]
    assert [e.train_loss for e in epochs] == pytest.approx(expected.losses, rel=1e-9)
    assert [e.learning_rate for e in epochs] == pytest.approx(expected.rates, abs=1e-12)


def _compare_scores(events: list[Event], net: nn.Module, expected: Trained, level: int) -> None:
    """The last 797 digits of scikit-learn's file, scored by scikit-learn's own measures."""
    [ended] = [e for e in events if isinstance(e, LevelEnded) and e.level == level]
    digits = load_digits()
    y = digits.target[-797:]
    net.load_state_dict(expected.state)
    grey = np.floor(digits.images * 255 / 16 + 0.5) / 255  # as stored: 0..255
    x = torch.tensor((grey - grey[:1000].mean()) / grey[:1000].std()).unsqueeze(1)
    with torch.no_grad():
        logits = net.eval()(x[-797:])
    predicted = logits.argmax(1).numpy()
    assert ended.test_correct == accuracy_score(y, predicted, normalize=False)
    assert ended.test_accuracy == pytest.approx(accuracy_score(y, predicted), rel=1e-12)
    balanced = balanced_accuracy_score(y, predicted)
    assert ended.test_balanced_accuracy == pytest.approx(balanced, rel=1e-12)
    assert ended.test_loss == pytest.approx(log_loss(y, logits.softmax(1).numpy()), rel=1e-3)
