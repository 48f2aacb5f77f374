"""Networks laid out without memory for their weights: what their shapes rule out, and soon told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from engine import masks, starts
from engine.choice import Choice
from engine.errors import Damaged, DataError, SpecError
from engine.networks import put_head_of
from engine.plugin import Settings
from engine.registry import load
from engine.startspec import Start


def laid_out(model: Settings, classes: int, channels: int, size: int) -> nn.Module:
    """A network whose weights have shapes, but neither values nor memory."""
    if hasattr(model, "init"):  # torch's own first weights: others import much for this device
        model = model.model_copy(update={"init": "random"})
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        net = load("models", model.name).build(model, classes, channels, size)
    assert isinstance(net, nn.Module)
    return net


def refusals(asked: Iterable[Mapping[str, Any]]) -> list[dict[str, str] | None]:
    """What the shapes of networks rule out, as a training would refuse it.

    Args:
        asked: mappings with `model`, `loss`, `start` and `sparsifier`, as in a spec, and the
            images' `classes`, `channels` and `size`.

    Returns:
        For each, None, or the `message` of what is refused, and `at`, the field to change.
    """
    return [_refusal(**one) for one in asked]


def _refusal(
    model: Any, loss: Any, start: Any, sparsifier: Any, classes: int, channels: int, size: int
) -> dict[str, str] | None:
    network, settings = Choice("models").resolve(model), Choice("sparsifiers").resolve(sparsifier)
    method = load("sparsifiers", settings.name).Sparsifier(settings)
    try:
        net = laid_out(network, classes, channels, size)
        with torch.device("meta"):
            put_head_of(Choice("losses").resolve(loss), net, classes)
        method.check_shapes(masks.prunable(net, getattr(settings, "prunable", "conv")))
        starts.check(net, Start.model_validate(start), network.name)
    except SpecError as error:
        return {"message": str(error), "at": error.at}
    except (DataError, Damaged) as error:
        return {"message": str(error), "at": "start"}
    return None
