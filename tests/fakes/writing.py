"""`python writing.py ROOT NAME SEED PER_SECOND`: a run that trains for minutes, unless killed.

It writes what a worker writes: its journal, which is synced at the ends of levels, and its log.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rundirs import FakeRun

EPOCHS = 30  # of a level


def main() -> None:
    root, name, seed, rate = sys.argv[1:]
    run = FakeRun(Path(root), name, int(seed), levels=20, epochs=EPOCHS)
    run.start(alive=True)
    for level in range(21):
        run.begin_level(level)
        for epoch in range(1, EPOCHS + 1):
            time.sleep(1 / float(rate))
            run.end_epoch(level, epoch)
            run.log(f"level {level} epoch {epoch} of {EPOCHS}, 312 images/s\n")
        run.end_level(level)
        run.journal.sync()


if __name__ == "__main__":
    main()
