"""What an evaluation is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from engine.dataspec import DataSettings
    from engine.events import LevelEnded
    from engine.images import Batch, Geometry, Images, Splits
    from engine.masks import Mask
    from engine.plan import Level, Plan
    from engine.sources import Source
    from engine.spec import RunSpec
    from engine.tickets import State, Ticket

    Train = Callable[[RunSpec, Level, Splits, State, Mask], nn.Module]


class Logits(Protocol):
    """See `Surroundings.logits`."""

    def __call__(
        self, net: nn.Module, images: Images, geometry: Geometry | None = None
    ) -> Tensor: ...


@dataclass(frozen=True)
class Subject:
    """A ticket and the network that it makes.

    Attributes:
        spec: of the run that made it.
        level: its level in that run.
        ticket: its weights before and after training, on the CPU.
        mask: which weights live, on the device.
        net: makes the trained network on the device, in evaluation mode; a new one each time.
    """

    spec: RunSpec
    level: int
    ticket: Ticket
    mask: Mask
    net: Callable[[], nn.Module]


@dataclass(frozen=True)
class Surroundings:
    """What all tickets of a run are evaluated with.

    Attributes:
        splits: all images of the run, on the device.
        plan: how its levels were trained.
        device: where networks are.
        history: what every level of the run ended with, in order.
        kept: the levels whose tickets are there.
        at: gives the ticket of a kept level.
        other: gives the ticket of any run, on this device. Its network may be for other images.
        logits: what a network says of images: float32 [N, classes] on the CPU, in the run's own
            arithmetic, so that counts are those of its levels. Images come at the size that
            networks see, of the run's own data set unless a geometry says otherwise.
        features: what a network's classifier is given of a split (train, val or test) of any data
            set: float32 [N, features] on the CPU, images normalised as the run's own. Training
            images are shown as in a test.
        says: the same for a batch, with gradients: of a network, makes what gives logits, float32
            [B, classes] on the device, of images [B, C, size, size] in 0..255 there.
        images: loads another data set, on the device.
        shifted: reads other images of CIFAR-10's classes below a folder, for the CPU: `cifar10_2`,
            or `cifar10_c` of a corruption and a severity.
        plain: shows a batch of training images as test images are shown.
        train: trains a network on; see `engine.retraining.train`.
        tick: raises Stopped where the run was asked to stop. `logits`, `features` and `says` call
            it batch by batch, and `train` step by step; so does what is slow beside these.
    """

    splits: Splits
    plan: Plan
    device: torch.device
    history: tuple[LevelEnded, ...]
    kept: tuple[int, ...]
    at: Callable[[int], Subject]
    other: Callable[[Source], Subject]
    logits: Logits
    features: Callable[[nn.Module, Splits, str], Tensor]
    says: Callable[[nn.Module], Callable[[Tensor], Tensor]]
    images: Callable[[DataSettings], Splits]
    shifted: Callable[..., Images]
    plain: Callable[[Batch], Batch]
    train: Train
    tick: Callable[[], None]


@dataclass(frozen=True)
class Context:
    """The ticket that is evaluated, and what there is besides.

    Attributes:
        subject: the ticket.
        around: what all tickets of the run are evaluated with.
        rng: a named stream of random numbers, the same in every process.
    """

    subject: Subject
    around: Surroundings
    rng: Callable[..., torch.Generator]

    @property
    def level(self) -> int:
        """The ticket's level."""
        return self.subject.level

    @property
    def mask(self) -> Mask:
        """Which weights live, on the device."""
        return self.subject.mask

    @property
    def splits(self) -> Splits:
        """All images of the run, on the device."""
        return self.around.splits

    def net(self) -> nn.Module:
        """A new copy of the trained network, on the device, in evaluation mode."""
        return self.subject.net()

    def logits(self, net: nn.Module, images: Images) -> Tensor:
        """What a network says of images: float32 [N, classes] on the CPU."""
        return self.around.logits(net, images)


@dataclass(frozen=True)
class Result:
    """What an evaluation found: numbers by name, and JSON documents by file name."""

    metrics: dict[str, float]
    files: dict[str, Any]
