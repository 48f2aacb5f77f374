"""The network that a run trains: the one its spec names, with the head that its loss asks for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from engine import auxiliary
from engine.plugin import Settings
from engine.registry import load
from engine.spec import RunSpec


def build(spec: RunSpec, classes: int, channels: int, size: int, number: int) -> nn.Module:
    """The network on the CPU, with the initial weights of a number of `engine.seeds`.

    Args:
        channels, size: it sees images [channels, size, size].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        net = load("models", spec.model.name).build(spec.model, classes, channels, size)
        assert isinstance(net, nn.Module)
        put_head_of(spec.loss, net, classes)
    if spec.train.advprop.steps:
        auxiliary.split(net)
    return net


def put_head_of(loss: Settings, net: nn.Module, classes: int) -> None:
    """Put the head that a loss asks for, if it does, in the place of a network's classifier."""
    head = getattr(load("losses", loss.name), "head", None)
    if head is not None:
        put_head(net, lambda features: head(loss, features, classes))


def put_head(net: nn.Module, make: Callable[[int], nn.Module]) -> None:
    """Put a head in the place of a network's classifier; `make` is told its number of features."""
    name, classifier = head_of(net)
    net.set_submodule(name, make(classifier.in_features))


def head_of(net: nn.Module) -> tuple[str, nn.Linear]:
    """A network's classifier: the last of its linear maps, and its name."""
    return [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Linear)][-1]
