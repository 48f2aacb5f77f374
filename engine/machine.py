"""The machine a run trains on: its device, its threads, and what makes its arithmetic."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

import torch

from engine.rundir import RunDirectory
from engine.spec import RunSpec


def device(spec: RunSpec) -> torch.device:
    """The GPU that this process may see, or the CPU."""
    if spec.launch.devices == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", 0)


def settle(directory: RunDirectory, spec: RunSpec) -> int:
    """Fix the number of CPU threads, which results depend on, and return it.

    The launcher's word counts first (OMP_NUM_THREADS), then what an earlier attempt used.
    """
    launch = directory.launch()
    known = launch.threads if launch else spec.launch.share(len(os.sched_getaffinity(0)))
    threads = int(os.environ.get("OMP_NUM_THREADS") or known)
    torch.set_num_threads(threads)
    keep_memory()
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    convolutions.fp32_precision = "ieee"  # fp32 means it: no TF32 behind its back
    return threads


def keep_memory() -> None:
    """Have the C library keep freed memory for the next step instead of giving it back.

    By default glibc returns the large blocks of a step's activations to the system and faults them
    in again, page by page, in the next step: a fifth of the time of a small network's step.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(mmap_threshold, 32 << 20)  # the largest value that it takes
        mallopt(trim_threshold, 1 << 30)


def environment(on: torch.device, threads: int) -> dict[str, str | int | float | bool | None]:
    """What a run remembers about the machine; bit-equality is claimed only where it is equal."""
    commit, dirty = _git()
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(on) if on.type == "cuda" else "cpu",
        "threads": threads,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "git_commit": commit,
        "git_dirty": dirty,
    }


def _git() -> tuple[str | None, bool | None]:
    """The commit of the program's own checkout, and whether it was changed since."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None, None
    commit = _git_says(here, "rev-parse", "HEAD")
    changes = _git_says(here, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git_says(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
