"""What all levels of a run share, and the network they train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine import levels, masks, networks, seeds, starts
from engine.events import Event, Warned
from engine.images import Splits
from engine.plan import Plan
from engine.registry import load
from engine.rundir import RunDirectory
from engine.sparsifier import Host, Sparsifier
from engine.spec import RunSpec


@dataclass(frozen=True)
class Setup:
    """What all levels of a run share.

    Attributes:
        emit: writes an event to the journal.
        sync: puts the journal on the disk; called before every checkpoint.
        stopping: asked after every step; True to save a checkpoint and stop.
        environment: what a ticket remembers about the machine.
    """

    directory: RunDirectory
    spec: RunSpec
    data: Splits
    plan: Plan
    device: torch.device
    emit: Callable[[Event], object]
    sync: Callable[[], None]
    stopping: Callable[[], bool]
    environment: dict[str, str | int | float | bool | None]

    def build(self) -> nn.Module:
        """The network with its first weights, drawn or from elsewhere; the same in every process.

        Raises:
            DataError, SpecError: as `starts.load`.
        """
        net = build(self.spec, self.data, self.device)
        starts.load(net, self.spec)
        return net

    def prunable(self, net: nn.Module) -> dict[str, nn.Parameter]:
        """The weights of a network that may be pruned."""
        return masks.prunable(net, self.spec.prunable)

    def sparsifier(self, level: int) -> Sparsifier[Any]:
        """A new sparsifier for a level, which knows what the level before handed on."""
        settings = self.spec.sparsifier
        made: Sparsifier[Any] = load("sparsifiers", settings.name).Sparsifier(settings)
        made.host = Host(self.warn, self.initial)
        if level:
            made.load_state_dict(levels.carry(self.directory, level - 1).sparsifier)
        return made

    def initial(self, number: int) -> dict[str, torch.Tensor]:
        """The weights that the network begins with under a number of `engine.seeds`."""
        channels, geometry = self.data.train.x.shape[1], self.data.geometry
        classes = len(self.data.train.classes)
        net = networks.build(self.spec, classes, channels, geometry.size, number)
        return dict(net.to(self.device).state_dict())

    def warn(self, message: str) -> None:
        """Report what did not stop the run."""
        self.emit(Warned(message=message))


def build(spec: RunSpec, data: Splits, device: torch.device) -> nn.Module:
    """The network of a spec with weights as they are drawn, the same in every process."""
    channels = data.train.x.shape[1]
    number = seeds.number(spec.seed, "init")
    net = networks.build(spec, len(data.train.classes), channels, data.geometry.size, number)
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def build_for(spec: RunSpec) -> nn.Module:
    """The network of a spec on the CPU, made from the data set's description alone."""
    about = load("datasets", spec.data.name).describe(spec.data)
    number = seeds.number(spec.seed, "init")
    return networks.build(spec, len(about.classes), about.channels, about.size, number)
