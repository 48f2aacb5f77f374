"""Training a network once more outside its run, for an evaluation: nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from engine import networks, seeds
from engine.epochs import train_level
from engine.images import Splits
from engine.masks import Mask
from engine.plan import Level
from engine.registry import load
from engine.spec import RunSpec
from engine.tickets import State
from engine.training import Training


def train(
    spec: RunSpec,
    level: Level,
    data: Splits,
    state: State,
    mask: Mask,
    *,
    device: torch.device,
    tick: Callable[[], None],
) -> nn.Module:
    """Train from given weights under a mask that stays; returns the network in evaluation mode.

    Args:
        spec: how; another seed draws another order and augmentation.
        level: where in the learning-rate schedule it begins, and how long it lasts.
        data: on what, on the device.
        state: a whole state dict, from which what has another shape in this network is left out:
            that is drawn anew.
        tick: called after every step.

    Raises:
        Stopped: `tick` said so; nothing was saved.
        Diverged: the loss became NaN or infinite.
    """
    classes, channels = len(data.train.classes), data.train.x.shape[1]
    number = seeds.number(spec.seed, "init")
    net = networks.build(spec, classes, channels, data.geometry.size, number)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    own = net.state_dict()
    fits = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    net.load_state_dict({**own, **fits})
    training = Training(spec, level, data, net, mask, device)
    dense = load("sparsifiers", "dense")
    sparsifier = dense.Sparsifier(dense.Settings(prunable=spec.prunable))
    sparsifier.attach(training)
    training.start_optimizer(sparsifier)

    train_level(training, sparsifier, tick, lambda result: None)
    training.take_average()
    return net.eval()
