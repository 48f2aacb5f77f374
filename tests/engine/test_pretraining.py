"""Runs without labels: two views of each image, scored by the nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from inprocess import run
from pydantic import ValidationError
from stepping import Plain, begun

from engine import levels
from engine.errors import Stopped
from engine.events import EpochEnded, LevelEnded
from engine.images import normalise
from engine.neighbours import Neighbours
from engine.rundir import RunDirectory
from engine.setup import build
from engine.sparsifiers.synflow import Sparsifier
from engine.spec import RunSpec

Specs = Callable[..., RunSpec]
Folders = Callable[..., RunDirectory]


def _spec(tiny: Specs, sparsifier: object = "dense", epochs: int = 2) -> RunSpec:
    return tiny(
        loss={"name": "nt_xent", "projection": 8},
        sparsifier=sparsifier,
        train={"epochs": epochs, "batch_size": 50, "evaluate": {"every": 1}},
        keep=["all"],
    )


def test_a_step_sees_two_views_of_every_image(tiny: Specs) -> None:
    training = begun(_spec(tiny))
    ids = torch.arange(10)
    batch = training.augmented(ids)
    assert len(batch.x) == 20
    assert not torch.equal(batch.x[:10], batch.x[10:])
    plain = begun(tiny())
    training.net.train(), plain.net.train()
    training.take_step(ids, Plain(None))
    plain.take_step(ids, Plain(None))
    assert training.tally.seen == 10
    assert training.shown.logits.shape == (20, 8)
    assert 0 <= int(training.tally.correct) <= 10
    assert training.spent > 1.9 * plain.spent


def test_labels_move_no_weight(tiny: Specs) -> None:
    one, other = begun(_spec(tiny)), begun(_spec(tiny))
    other.data.train.y.copy_(other.data.train.y.flip(0))
    for training in (one, other):
        training.net.train()
        training.take_step(torch.arange(20), Plain(None))
    weights = dict(other.net.named_parameters())
    assert all(torch.equal(p, weights[name]) for name, p in one.net.named_parameters())


def test_scores_are_those_of_the_nearest_training_images(tiny: Specs, run_folder: Folders) -> None:
    directory = run_folder(_spec(tiny))
    events = run(directory)
    ended = next(event for event in events if isinstance(event, LevelEnded))
    last = [event for event in events if isinstance(event, EpochEnded)][-1]
    assert ended.val_accuracy == last.val_accuracy and ended.val_loss == last.val_loss
    data = begun(_spec(tiny)).data
    net = build(_spec(tiny), data, torch.device("cpu")).eval()
    net.load_state_dict(levels.ticket(directory, 0).trained)
    with torch.no_grad():
        train, val = (net(normalise(part.x, data.geometry)) for part in (data.train, data.val))
    assert train.shape == (100, 16)  # features, not projections
    right = Neighbours.of(train, data.train.y, 10)(val).argmax(1) == data.val.y
    assert ended.val_correct == int(right.sum()) > 15  # of 100 in ten classes, hardly trained


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sparsifier": "prac"}, "prac goes by the classes that the network predicts"),
        ({"augmentation": {"name": "basic", "mixup": 1.0}}, "mixup mixes classes"),
        ({"augmentation": {"name": "rand", "cutmix": 1.0}}, "cutmix mixes classes"),
        ({"train": {"epochs": 1, "advprop": {"steps": 1}}}, "advprop attacks what the network"),
    ],
)
def test_what_needs_classes_is_refused(fields: dict, message: str, tiny: Specs) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny(loss="nt_xent", **fields)


@pytest.mark.parametrize("which", ["linear", "conv+linear", "re:."])
def test_the_projection_is_never_pruned(which: str, tiny: Specs) -> None:
    """What is pruned is what a run with labels goes on with, and what operations are counted of."""
    spec = tiny(
        model={"name": "mlp", "hidden": [8, 6]},
        loss={"name": "nt_xent", "projection": 5},
        sparsifier={"name": "synflow", "prunable": which, "iterations": 2, "density": 0.5},
    )
    training = begun(spec)
    assert set(training.prunable()) == {"layers.0.weight", "layers.2.weight"}
    assert set(training.prunable()) == set(training.flops.by_weight)
    mask = Sparsifier(spec.sparsifier).mask_before(training)
    assert mask.total == 64 * 8 + 8 * 6 and mask.kept == mask.total // 2


@pytest.mark.parametrize("sparsifier", [{"name": "imp", "levels": 1, "rewind": "1ep"}, "snip"])
def test_tickets_are_found_without_labels_and_survive_stops(
    sparsifier: object, tiny: Specs, run_folder: Folders
) -> None:
    spec = _spec(tiny, sparsifier)
    whole, torn = run_folder(spec, "whole"), run_folder(spec, "torn")
    run(whole)
    for _ in range(50):
        calls = iter(range(2))
        try:
            run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    last = len(list(whole.levels.iterdir())) - 1
    ticket = levels.ticket(whole, last)
    assert ticket.mask.density < 1
    files = (folder.levels / f"{last:02d}" / levels.TICKET for folder in (whole, torn))
    assert len({file.read_bytes() for file in files}) == 1
