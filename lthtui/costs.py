"""What a run will cost in time and disk, from a few steps that the worker program really takes."""

from __future__ import annotations

import math
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import USAGE, LthError, UsageError
from engine.growth import fixed
from engine.plan import Plan
from engine.spec import RunSpec
from lthtui.specfiles import write
from lthtui.text import clean_line

PATIENCE_SECONDS = 900


class Measurement(BaseModel):
    """What `python -P -m engine measure SPEC_FILE` reports about this machine.

    Attributes:
        kept: weights that live in each level; None where only training will tell.
        seconds_to_start: from the start of the worker program to its first step.
        ticket_bytes: size of one level's ticket.
        peak_bytes: disk that a run takes at most while it runs.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    parameters: int
    prunable: int
    kept: tuple[int | None, ...]
    seconds_per_step: float
    seconds_per_validation: float
    seconds_per_test: float
    seconds_to_start: float
    ticket_bytes: int
    peak_bytes: int
    device: str
    threads: int = 1


@dataclass(frozen=True)
class Cost:
    """An estimate for one run: seconds alone on its device, bytes that stay, bytes at the peak."""

    seconds: float
    disk_bytes: int
    peak_bytes: int


def measure(spec: RunSpec, command: Sequence[str] = ()) -> Measurement:
    """Have the worker program time a few steps of a spec; takes seconds and leaves nothing behind.

    `command` replaces the worker program's; `measure` and the path of a spec are appended.

    Raises:
        LthError: it failed; the message is its last line.
    """
    from lthtui.launch.backends.local import worker_command

    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(write(spec))
        arguments = [*(command or worker_command()), "measure", str(file)]
        try:
            done = subprocess.run(
                arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise LthError(
                f"measuring took more than {PATIENCE_SECONDS} s; use --quick to plan without it"
            ) from None
    try:
        return Measurement.model_validate_json(done.stdout)
    except ValidationError:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        why = clean_line(lines[-1], 500) if lines else f"exit code {done.returncode}"
        if done.returncode == USAGE:
            raise UsageError(why) from None
        raise LthError(f"measuring failed: {why}; use --quick to plan without it") from None


def estimate(spec: RunSpec, plan: Plan, measured: Measurement) -> Cost:
    """Multiply what was measured by what is planned."""
    validations, tests = scorings(spec, plan)
    seconds = (
        measured.seconds_to_start
        + plan.steps * measured.seconds_per_step
        + validations * measured.seconds_per_validation
        + tests * measured.seconds_per_test
    )
    kept = spec.most_kept(len(plan.levels))
    kept += not fixed(spec, plan)  # its last checkpoint, which is about as large
    return Cost(seconds, kept * measured.ticket_bytes, measured.peak_bytes)


def scorings(spec: RunSpec, plan: Plan) -> tuple[int, int]:
    """How often a run scores its validation images, and its test images."""
    cadence, select = spec.train.evaluate, spec.select
    due = 0
    for level in plan.levels:
        epochs = math.ceil(level.steps / plan.steps_per_epoch)
        regular = epochs // cadence.every if cadence.every else 0
        last = range(max(1, epochs - cadence.last + 1), epochs + 1)
        due += regular + sum(not cadence.every or epoch % cadence.every > 0 for epoch in last)
    on_test = cadence.test == "epoch" or (select.split == "test" and select.epoch == "best")
    return due, len(plan.levels) + (due if on_test else 0)
