"""Makes what evaluations are given, out of a run that has been trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor, nn

from engine import halving, levels, masks, networks, retraining, seeds, tickets
from engine.context import Context, Subject, Surroundings
from engine.datasets import _cifar_shifts
from engine.dataspec import DataSettings
from engine.errors import Stopped
from engine.evaluation import Judge, logits
from engine.events import LevelEnded
from engine.images import Batch, Geometry, Images, Splits, normalise
from engine.plan import Level
from engine.registry import load
from engine.setup import Setup
from engine.sources import Source
from engine.spec import RunSpec
from engine.tickets import Ticket
from engine.training import Training

BATCH = 250  # images whose features are taken at once


def surroundings(setup: Setup, history: Sequence[LevelEnded]) -> Surroundings:
    """What all tickets of a run are evaluated with."""
    device, data = setup.device, setup.data

    def tick() -> None:
        if setup.stopping():
            raise Stopped("stopped within an evaluation, which begins anew when the run goes on")

    def judge(net: nn.Module) -> Judge:
        whole = masks.ones(setup.prunable(net))
        training = Training(setup.spec, Level(0, 1.0), data, net, whole, device)
        return _ticking(training.judge(), tick)

    def said(net: nn.Module, images: Images, geometry: Geometry | None = None) -> Tensor:
        return logits(net, images, geometry or data.geometry, judge(net))

    def says(net: nn.Module) -> Callable[[Tensor], Tensor]:
        judged = judge(net)

        def batch(x: Tensor) -> Tensor:
            with judged.autocast():
                return judged.logits(net(normalise(x, data.geometry))).float()

        return lambda x: batch(x) if torch.is_grad_enabled() else halving.halved(batch, x)

    def at(level: int) -> Subject:
        return _subject(setup.spec, levels.ticket(setup.directory, level), lambda: data, device)

    def other(source: Source) -> Subject:
        ticket = tickets.of(source)
        spec = RunSpec.model_validate(ticket.card["spec"])
        same = (spec.data.name, spec.data.root) == (setup.spec.data.name, setup.spec.data.root)
        theirs = cache(lambda: data if same else _images(spec.data, device))
        return _subject(spec, ticket, theirs, device)

    return Surroundings(
        splits=data,
        plan=setup.plan,
        device=device,
        history=tuple(history),
        kept=tuple(
            ended.level or 0
            for ended in history
            if levels.ticket_path(setup.directory, ended.level or 0)
        ),
        at=at,
        other=other,
        logits=said,
        features=partial(_features, normalised=data.geometry, plain=_plain, tick=tick),
        says=says,
        images=partial(_images, device=device),
        shifted=_shifted,
        plain=_plain,
        train=partial(retraining.train, device=device, tick=tick),
        tick=tick,
    )


def _plain(batch: Batch) -> Batch:
    """See `Surroundings.plain`."""
    none = load("augmentations", "none")
    shown: Batch = none.augment(none.Settings(), batch, seeds.rng(0))
    return shown


def _ticking(judge: Judge, tick: Callable[[], None]) -> Judge:
    """The same judge, which lets a stop through between batches."""

    def logits(outputs: Tensor) -> Tensor:
        tick()
        return judge.logits(outputs)

    return replace(judge, logits=logits)


def context(around: Surroundings, level: int, seed: int) -> Context:
    """What the evaluations of one ticket are given.

    Raises:
        Damaged: the ticket is broken, or was not kept.
    """

    def rng(*key: str | int) -> torch.Generator:
        return seeds.rng(seed, *key, level)

    return Context(around.at(level), around, rng)


def _subject(
    spec: RunSpec, ticket: Ticket, images: Callable[[], Splits], device: torch.device
) -> Subject:
    """A ticket whose network is for images like those that `images` gives."""

    def net() -> nn.Module:
        data = images()
        classes, channels, size = len(data.train.classes), data.train.x.shape[1], data.geometry.size
        made = networks.build(spec, classes, channels, size, seeds.number(spec.seed, "init"))
        made.load_state_dict(ticket.trained)
        made.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return made.eval()

    level = ticket.card.get("level") or 0
    return Subject(spec, level, ticket, ticket.mask.to(device), net)


def _features(
    net: nn.Module,
    data: Splits,
    split: str,
    *,
    normalised: Geometry,
    plain: Callable[[Batch], Batch],
    tick: Callable[[], None],
) -> Tensor:
    """What a network gives its classifier; see `Surroundings`."""
    images: Images = getattr(data, split)
    given: list[Tensor] = []
    watched = networks.head_of(net)[1].register_forward_pre_hook(
        lambda module, inputs: given.append(inputs[0])
    )

    def features(x: Tensor) -> Tensor:
        said = net(x)
        # a head that only training has gives the features themselves
        return (given.pop() if given else said).float().cpu()

    found = []
    try:
        for positions in torch.split(torch.arange(len(images)), BATCH):
            tick()
            batch = images.batch(positions, data.geometry)
            shown = plain(batch) if split == "train" else batch
            with torch.inference_mode():
                found.append(halving.halved(features, normalise(shown.x, normalised)))
    finally:
        watched.remove()
    return torch.cat(found)


def _shifted(name: str, root: str, *which: str | int) -> Images:
    """Images that are only evaluated on.

    Raises:
        DataError: they are not there, or broken.
    """
    readers: dict[str, Callable[..., Images]] = {
        "cifar10_2": _cifar_shifts.cifar10_2,
        "cifar10_c": _cifar_shifts.cifar10_c,
    }
    return readers[name](root, *which)


def _images(settings: DataSettings, device: torch.device) -> Splits:
    """Load a data set.

    Raises:
        DataError: it is not there, or broken.
    """
    found: Splits = load("datasets", settings.name).load(settings)
    return found.to(device)
