"""A real worker that kills itself, with all that it started, right before its Nth change to a file.

`killed_at.py RUN_DIR`: a file `kill-at` in the run's folder holds N, and is used up; without one
the run goes on to its end. How many changes there were is left in a file `changes`. Changes are
found by Python's audit events, in every thread: start-up, heartbeat, checkpoints, journal, levels.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Counter:
    """Counts changes below a folder, and ends the process group at one of them."""

    def __init__(self, folder: str, last: int | None) -> None:
        self.folder, self.last, self.seen = folder + os.sep, last, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if not writes and event not in CHANGES:
            return
        path = arguments[0]
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder):
            self.seen += 1
            if self.seen == self.last:
                os.killpg(os.getpgrp(), signal.SIGKILL)


def main(*arguments: str) -> int:
    from engine import verbs

    folder = Path(arguments[-1]).absolute()
    if len(arguments) > 1 or not (folder / "spec.yaml").exists():
        return verbs.main([*arguments])
    order = folder / "kill-at"
    last = int(order.read_text()) if order.exists() else None
    order.unlink(missing_ok=True)
    counter = Counter(str(folder), last)
    sys.addaudithook(counter)
    code = verbs.main([str(folder)])
    seen, counter.last = counter.seen, None
    (folder / "changes").write_text(str(seen))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
