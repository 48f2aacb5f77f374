"""A real worker that runs out of something at its tenth step.

`starved.py RUN_DIR`: what it runs out of is read from a file `starve` in the run's folder, which is
used up: `memory` of this machine, `device` memory, or `kill` (what the kernel does in the end).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def starve(how: str) -> None:
    import torch

    if how == "memory":
        raise MemoryError
    if how == "device":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str) -> int:
    from engine import verbs
    from engine.levelrun import LevelRun

    order, whole, steps = Path(folder, "starve"), LevelRun._tick, []

    def tick(run: LevelRun) -> None:
        whole(run)
        steps.append(run)
        if len(steps) == 10 and order.exists():
            how = order.read_text()
            order.unlink()
            starve(how)

    LevelRun._tick = tick
    return verbs.main([folder])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
