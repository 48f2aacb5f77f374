"""How many runs should share a device: 1, 2, 4... at once are tried for some seconds each."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError

from engine.errors import LthError
from engine.spec import RunSpec
from lthtui import specfiles
from lthtui.launch import devices
from lthtui.launch.devices import CPU, Device
from lthtui.text import clean_line

MOST = 16
ENOUGH = 0.95  # of the best total is as good as the best: fewer runs at once end sooner each
SPARE = 0.9  # of the memory that is free may be used to find out


@dataclass(frozen=True)
class Row:
    """What so many runs at once get done.

    Attributes:
        runs: how many shared the device.
        threads: CPU threads of each.
        images_per_second: of all together, in training.
        seconds_per_step: of each, on average.
        memory: bytes that each took: on a GPU of its memory, otherwise of the machine's; 0 if the
            driver does not tell.
    """

    runs: int
    threads: int
    images_per_second: float
    seconds_per_step: float
    memory: int


class Pace(BaseModel):
    """What the worker program's verb `pace` reports."""

    images_per_second: float
    seconds_per_step: float


def advise(
    spec: RunSpec,
    device: Device,
    *,
    seconds: float = 3.0,
    patience: float = 120.0,
    command: Sequence[str] = (),
) -> list[Row]:
    """Train 1, 2, 4... runs of a spec at once for some seconds each; nothing of it is kept.

    On the CPU each gets its share of the cores (`threads: auto`), on a GPU what the spec says. It
    ends once twice as many runs get no more done, have no memory, or no core each, or after
    `patience` seconds. The device should be idle. `command` replaces the worker program's.

    Raises:
        LthError: not even one run can be trained; the message is its last line.
    """
    deadline = time.monotonic() + patience
    rows: list[Row] = []
    for runs in _counts(device):
        if rows and (_memory(device) * SPARE < rows[-1].memory * runs or _settled(rows)):
            break
        try:
            rows.append(
                _try(_sharing(spec, device, runs), device, runs, seconds, deadline, command)
            )
        except LthError:
            if not rows:
                raise
            break
    return rows


def recommended(rows: Sequence[Row]) -> int:
    """The fewest runs at once that get nearly as much done as any number."""
    best = max(row.images_per_second for row in rows)
    return next(row.runs for row in rows if row.images_per_second >= ENOUGH * best)


def _counts(device: Device) -> Iterator[int]:
    runs = 1
    while runs <= min(MOST, device.cores or MOST):
        yield runs
        runs *= 2


def _settled(rows: Sequence[Row]) -> bool:
    """Whether the last doubling was of no use."""
    return len(rows) > 1 and recommended(rows) != rows[-1].runs


def _sharing(spec: RunSpec, device: Device, runs: int) -> RunSpec:
    """The spec as it would be run beside others."""
    fixed = "auto" if device.name == CPU else spec.launch.threads
    launch = spec.launch.model_copy(update={"threads": fixed, "per_device": runs})
    threads = launch.share(devices.cores())
    return spec.model_copy(update={"launch": launch.model_copy(update={"threads": threads})})


def _try(
    spec: RunSpec,
    device: Device,
    runs: int,
    seconds: float,
    deadline: float,
    command: Sequence[str],
) -> Row:
    """Start so many, wait until all are ready, let them train, and add up."""
    free = _memory(device)
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder, ExitStack() as stack:
        file = Path(folder) / "spec.yaml"
        file.write_text(specfiles.write(spec))
        log = stack.enter_context(open(Path(folder) / "log.txt", "w+b"))
        arguments = [*(command or _command()), "pace", str(file), str(seconds)]
        try:
            workers = [_start(stack, arguments, device, log) for _ in range(runs)]
            for worker in workers:
                _read(worker, deadline)
            memory = _taken(device, free, workers)
            for worker in workers:
                _tell(worker)
            paces = [
                Pace.model_validate_json(_read(worker, deadline + seconds)) for worker in workers
            ]
        except (OSError, ValidationError) as error:
            raise LthError(f"{runs} at once can't be measured: {_why(log, error)}") from None
    return Row(
        runs=runs,
        threads=spec.launch.share(devices.cores()),
        images_per_second=sum(pace.images_per_second for pace in paces),
        seconds_per_step=sum(pace.seconds_per_step for pace in paces) / runs,
        memory=memory,
    )


def _why(log: IO[bytes], error: Exception) -> str:
    """The last that a worker said, or what went wrong with it."""
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines()
    return clean_line(said[-1] if said else f"{error}", 500)


def _command() -> list[str]:
    from lthtui.launch.backends.local import worker_command

    return worker_command()


def _start(
    stack: ExitStack, arguments: Sequence[str], device: Device, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """A worker that ends with `stack` at the latest."""
    process = stack.enter_context(
        subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            env={**os.environ, **devices.environment(device.name)},
        )
    )
    stack.callback(process.kill)
    return process


def _read(worker: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The next line that a worker says.

    Raises:
        OSError: it ended, or there was none in time.
    """
    assert worker.stdout
    word = select.poll()
    word.register(worker.stdout, select.POLLIN)
    ready = word.poll(1000 * max(0.0, deadline - time.monotonic()))
    line = worker.stdout.readline() if ready else b""
    if not line.endswith(b"\n"):
        raise OSError("it took too long" if not ready else "it ended without a word")
    return line


def _tell(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin
    worker.stdin.write(b"go\n")


def _memory(device: Device) -> int:
    """Bytes that are free for runs: of the GPU, or of the machine."""
    if device.name != CPU:
        load = devices.load(device)
        return load.free if load else 0
    import psutil

    return int(psutil.virtual_memory().available)


def _taken(device: Device, free: int, workers: Sequence[subprocess.Popen[bytes]]) -> int:
    """Bytes that each worker has taken of what was free before."""
    if device.name != CPU:
        return max(0, free - _memory(device)) // len(workers)
    pages = [Path(f"/proc/{worker.pid}/statm").read_text().split()[1] for worker in workers]
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE") // len(workers)
