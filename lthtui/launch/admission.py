"""Whether a run may join those that hold places on a device: the rules, and reasons for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from engine.launchspec import show_size
from lthtui.launch import nvml
from lthtui.launch.devices import CPU, Device
from lthtui.launch.occupancy import Occupancy


class Holder(BaseModel):
    """What a place's file says about the run that holds it.

    Attributes:
        threads: CPU threads that it uses.
        per_device: how many runs it accepts on its device, itself included.
        memory: bytes of its GPU that it will use at most; None if it did not say.
        alone: whether it shares its device with no other run, whatever else it says.
        divided: whether its threads are its share of the cores (`threads: auto`).
        before: bytes of its GPU that others than our runs had when it was placed.
        user, priority, visible: of its entry in the queue, should it have to be queued again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    run_id: str
    threads: int
    per_device: int
    memory: int | None = None
    alone: bool = False
    divided: bool = False
    before: int = 0
    user: str = ""
    priority: int = 0
    visible: str | None = None


@dataclass(frozen=True)
class Full:
    """Why a run got no place.

    Attributes:
        reason: for people, such as `GPU 1: 2 of 2 places taken`.
        ours: whether room comes only when a run of ours ends, so that nobody need look before.
    """

    reason: str
    ours: bool


def refusal(
    device: Device, holder: Holder, others: Sequence[Holder], most: int | None = None
) -> Full | None:
    """Why a run may not join the others of ours on a device; None if it may.

    `most` is the limit that somebody set for the device.
    """
    return _by_number(device, others, most) or _by_company(device, holder, others)


def driver_refusal(device: Device, holder: Holder, found: Occupancy | None) -> Full | None:
    """Why a GPU is no place for a run as things are there; None if it is one.

    Where strangers compute, only a run goes that said how much memory it needs, if that is free.
    `found` is None if the driver does not say.
    """
    if found is None:
        why = nvml.trouble()
        said = f" ({why})" if why else ""
        return Full(f"{device.title}: the NVIDIA driver says nothing about it{said}", ours=False)
    if found.closed:
        mode = "its compute mode allows no further program (see nvidia-smi --help: --compute-mode)"
        return Full(f"{device.title}: {mode}", ours=False)
    if found.strangers and (holder.memory is None or holder.alone):
        return Full(f"{device.title}: in use by another program {found.strangers}", ours=False)
    if holder.memory is None or found.room is None or holder.memory <= found.room:
        return None
    free = f"{show_size(max(0, found.room))} free, {show_size(holder.memory)} asked for"
    return Full(f"{device.title}: {free}", ours=False)


def _by_number(device: Device, others: Sequence[Holder], most: int | None) -> Full | None:
    if most is None or len(others) < most:
        return None
    return Full(f"{device.title}: limited to {most} at once", ours=True)


def _by_company(device: Device, holder: Holder, others: Sequence[Holder]) -> Full | None:
    runs = (holder, *others)
    if not others:
        return None
    if any(run.alone for run in runs):
        return Full(f"{device.title}: a run that ran out of memory shares it with none", ours=True)
    if device.name == CPU:
        return _by_threads(device, holder, others)
    declared = [run.memory for run in runs if run.memory is not None]
    if device.capacity and len(declared) == len(runs):
        caps = [run.per_device for run in runs if run.per_device > 1]
        return _by_memory(device, declared) or _by_consent(device, others, caps)
    return _by_consent(device, others, [run.per_device for run in runs])


def _by_threads(device: Device, holder: Holder, others: Sequence[Holder]) -> Full | None:
    """Runs that divide the cores count as places, even with more of them than cores."""
    runs = (holder, *others)
    divided = [run.per_device for run in runs if run.divided]
    if divided and len(runs) > min(divided):
        return _by_consent(device, others, divided)
    taken = sum(run.threads for run in others)
    if len(divided) == len(runs) or taken + holder.threads <= device.cores:
        return None
    return Full(f"{device.title}: {taken} of {device.cores} threads taken", ours=True)


def _by_consent(device: Device, others: Sequence[Holder], caps: list[int]) -> Full | None:
    """By what all who have a say in it accept."""
    if not caps or len(others) < min(caps):
        return None
    return Full(f"{device.title}: {len(others)} of {min(caps)} places taken", ours=True)


def _by_memory(device: Device, declared: list[int]) -> Full | None:
    asked, *taken = declared
    if sum(declared) <= device.capacity:
        return None
    what = f"{show_size(sum(taken))} of {show_size(device.capacity)} declared"
    return Full(f"{device.title}: {what}, {show_size(asked)} asked for", ours=True)
