"""What a run will cost: a few real steps on this machine, before anything is started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine import masks, seeds, tickets
from engine.evaluation import score
from engine.footprint import peak_bytes
from engine.images import Images, Splits
from engine.plan import Level, Plan, plan
from engine.processes import Process
from engine.registry import load
from engine.rundir import RunDirectory
from engine.setup import Setup
from engine.sparsifier import Sparsifier
from engine.spec import RunSpec
from engine.tickets import Ticket
from engine.training import Training

STEPS = 3
SCORED = 200  # images, enough to time an evaluation by


def measure(spec: RunSpec, device: torch.device) -> dict[str, Any]:
    """Time steps and evaluations of a spec, and size its files. Writes nothing.

    Returns:
        parameters, prunable and kept counts, seconds per step and per evaluation (of validation
        and test images), seconds from the start of this process to its first step, bytes of a
        ticket, and of a run at its peak.
    """
    data, laid_out, training, sparsifier = _ready(spec, device)
    net, mask = training.net, masks.ones(training.prunable())
    ready = Process.of(os.getpid()).age
    ids = torch.arange(min(spec.train.batch_size, len(data.train)))
    training.take_step(ids, sparsifier)  # the first step warms caches up
    steps = _seconds(lambda: training.take_step(ids, sparsifier), STEPS, device)

    def evaluate(split: Images) -> float:
        """Seconds to score a split, from some of its images."""
        some = split.subset(range(min(SCORED, len(split))))
        judge = training.judge()
        preparing = _seconds(training.judge, 1, device)
        once = _seconds(lambda: score(net, some, data.geometry, judge), 1, device)
        return preparing + once * len(split) / len(some)

    state = {name: t.detach().cpu() for name, t in net.state_dict().items()}
    rewind = {name: t.clone() for name, t in state.items()}
    ticket = len(tickets.serialise(Ticket(mask.to("cpu"), rewind, state, {}))[0])
    tensors = sum(t.numel() * t.element_size() for t in state.values())
    return {
        "parameters": sum(p.numel() for p in net.parameters()),
        "prunable": mask.total,
        "kept": _kept(laid_out, mask.total),
        "seconds_per_step": steps,
        "seconds_per_validation": evaluate(data.val) if data.val is not None else 0.0,
        "seconds_per_test": evaluate(data.test),
        "seconds_to_start": ready,
        "ticket_bytes": ticket,
        "peak_bytes": peak_bytes(spec, len(laid_out.levels), tensors, mask.total),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }


def pace(
    spec: RunSpec, device: torch.device, seconds: float, begin: Callable[[], None]
) -> dict[str, Any]:
    """Train for some seconds, beside other processes that `begin` at the same time.

    Returns:
        images per second, and seconds per step.
    """
    data, _, training, sparsifier = _ready(spec, device)
    ids = torch.arange(min(spec.train.batch_size, len(data.train)))
    for _ in range(STEPS):
        training.take_step(ids, sparsifier)
    taken = 0
    _wait(device)
    begin()
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        training.take_step(ids, sparsifier)
        taken += 1
    _wait(device)
    passed = time.perf_counter() - began
    return {"images_per_second": taken * len(ids) / passed, "seconds_per_step": passed / taken}


def _ready(spec: RunSpec, device: torch.device) -> tuple[Splits, Plan, Training, Sparsifier[Any]]:
    """A run just before its first step, with the CPU threads that it would have."""
    torch.set_num_threads(spec.launch.share(len(os.sched_getaffinity(0))))
    data = load("datasets", spec.data.name).load(spec.data).to(device)
    laid_out = plan(spec, len(data.train))
    return data, laid_out, *_begun(spec, data, laid_out, device)


def _begun(
    spec: RunSpec, data: Splits, laid_out: Plan, device: torch.device
) -> tuple[Training, Sparsifier[Any]]:
    """The first level before its first step, as a run begins it; what it says goes unheard."""
    nowhere = RunDirectory(Path())
    setup = Setup(
        nowhere, spec, data, laid_out, device, lambda event: None, lambda: None, lambda: False, {}
    )
    level, net, sparsifier = laid_out.levels[0].level, setup.build(), setup.sparsifier(0)
    initial = {name: t.detach().clone() for name, t in net.state_dict().items()}
    start = sparsifier.weights_before(level, initial, seeds.rng(spec.seed, "start", 0))
    net.load_state_dict(start)
    training = Training(spec, level, data, net, masks.ones(setup.prunable(net)), device)
    sparsifier.attach(training)
    mask = sparsifier.mask_before(training)
    net.load_state_dict(start)
    training.set_mask(mask)
    training.start_optimizer(sparsifier)
    return training, sparsifier


def _kept(laid_out: Plan, total: int) -> list[int | None]:
    """Kept weights per level as the rules of the levels give them; None where nothing says."""
    counts: list[int | None] = []
    rule: Level | None = None  # of the level before
    for level in (planned.level for planned in laid_out.levels):
        kept = None if level.density is None else round(level.density * total)
        before = counts[-1] if counts else None
        if rule is not None and before is not None:
            if rule.rate is not None:
                kept = before - round(rule.rate * before)
            elif rule.target is not None:
                kept = min(before, max(1, round(rule.target * total)))
        counts.append(kept)
        rule = level
    return counts


def _seconds(action: Callable[[], object], times: int, device: torch.device) -> float:
    _wait(device)
    began = time.perf_counter()
    for _ in range(times):
        action()
    _wait(device)
    return (time.perf_counter() - began) / times


def _wait(device: torch.device) -> None:
    """Wait for what a GPU has been told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
