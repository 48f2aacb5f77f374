"""The cost of a ticket, against counts by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from engine import tickets
from engine.evaluations import cost, overlap
from engine.events import LevelEnded
from engine.images import Images
from engine.masks import Mask
from engine.sources import Source
from engine.startspec import Start

IMAGES = Images(torch.zeros(2, 1, 2, 2).byte(), torch.tensor([0, 1]), ("a", "b"), ("x", "y"))


def net():
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))


def ended(level, **more):
    fields = {"density": 1.0, "kept": 18, "total": 18, "epochs": 1, "seconds": 10.0 + level}
    return LevelEnded(level=level, **{**fields, **more})


def measured(context, history, level=1):
    mask = Mask({"0.weight": torch.ones(2, 1, 1, 1).bool(), "3.weight": torch.zeros(2, 8).bool()})
    mask["3.weight"][0, :3] = True
    rewind = net().state_dict()
    made = context(net, IMAGES, mask=mask, rewind=rewind, level=level, history=history)
    return made, cost.evaluate(cost.Settings(), made)


def test_weights_bytes_and_operations_by_hand(context):
    made, found = measured(context, ())
    file, _ = tickets.serialise(made.subject.ticket)
    assert found.metrics == {
        "parameters": 2 + 2 + 4 + 18,  # convolution, its biases, normalisation, linear map
        "parameters kept": 26 - 13,
        "prunable": 18,
        "prunable kept": 5,
        # mean, variance and a count of 8 bytes belong to the state, too
        "dense bytes": 4 * (26 + 4) + 8,
        "packed bytes": 4 * (13 + 4) + 8 + 1 + 2,
        "ticket bytes": len(file),
        "inference FLOPs dense": 2 * (2 * 4 + 16),
        "inference FLOPs": 2 * (2 * 4 + 3),
    }


def test_all_levels_up_to_the_tickets_count_with_it(context):
    costs = [{"training_flops": 100.0 * 2**at, "joules": 7.0, "search": not at} for at in range(3)]
    history = tuple(ended(at, **more) for at, more in enumerate(costs))
    _, found = measured(context, history)
    spent = {
        name: value for name, value in found.metrics.items() if name.startswith(("tr", "s", "j"))
    }
    assert spent == {
        "training FLOPs": 200.0,
        "training FLOPs with search": 300.0,
        "seconds": 11.0,
        "seconds with search": 21.0,
        "joules": 7.0,
        "joules with search": 14.0,
    }
    document = found.files["cost.json"]
    assert [one["search"] for one in document["levels"]] == [True, False]
    assert document["not counted"] == []


def test_runs_that_it_starts_from_are_named_and_those_that_are_only_compared_with_are_not(
    context, tiny
):
    made, _ = measured(context, ())
    first, other = (
        Source(run=name, pick=2, level=2, sha256="0" * 64) for name in ("first", "other")
    )
    spec = tiny()
    spec = spec.model_copy(
        update={
            "start": Start(ticket=first),
            "evaluate": (overlap.Settings(other=other),),
        }
    )
    made = replace(made, subject=replace(made.subject, spec=spec))
    document = cost.evaluate(cost.Settings(), made).files["cost.json"]
    assert document["not counted"] == [{"setting": "start.ticket", "run": "first", "level": 2}]


def test_what_is_not_known_of_every_level_is_left_out(context):
    _, found = measured(context, (ended(0), ended(1, training_flops=5.0, device_seconds=3.0)))
    assert "training FLOPs" not in found.metrics and "device seconds" not in found.metrics
    assert found.metrics["seconds with search"] == pytest.approx(21.0)
