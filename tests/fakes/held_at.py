"""A worker that stops itself at a named moment, so that a test can look at it or kill it there.

`held_at.py RUN_DIR MOMENT`: at the moment the process gets SIGSTOP, and goes on after SIGCONT as if
nothing had happened. Checkpoints are due after every seventh step instead of by the clock. Moments
around a change to a file are found by Python's audit events, which come just before the change.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from fnmatch import fnmatch

EVERY = 7  # steps between checkpoints
STEPS = {  # the level and the schedule position right after a step
    "in the middle of an epoch": (0, 33),
    "before an epoch's result": (0, 70),
    "early in the next level": (1, 25),
}
CHANGES = {  # the audit event, and the path in the run's folder that is about to change
    "half a rewind point": ("open", "rewind/.000000020.*.tmp/manifest.json"),
    "a rewind point not in place": ("os.rename", "rewind/.000000020.*.tmp"),
    "half a checkpoint": ("open", "partial/.000-000000035.*.tmp/manifest.json"),
    "a checkpoint not in place": ("os.rename", "partial/.000-000000035.*.tmp"),
    "a checkpoint too many": ("shutil.rmtree", "partial/000-000000035"),
    "a checkpoint half removed": ("os.rmdir", "partial/000-000000042"),
    "half a level": ("open", "levels/.00.*.tmp/manifest.json"),
    "a level not in place": ("os.rename", "levels/.00.*.tmp"),
    "a level not reported": ("open", "levels"),  # synced after the rename in it
    "checkpoints of a finished level": ("shutil.rmtree", "partial"),
    "half a level taken over": ("open", "levels/.01.*.tmp/manifest.json"),
    "a level taken over not in place": ("os.rename", "levels/.01.*.tmp"),
    "all levels taken over, none noted": ("open", ".extends.json.*.tmp"),
}
LINES = {
    "half a line in the journal": (b'"kind":"epoch_ended"', b'"epoch":5,'),
    "half a line of a level taken over": (b'"kind":"ticket_saved"', b'"level":1,'),
}


def hold():
    os.kill(os.getpid(), signal.SIGSTOP)


def hold_after_step(moment):
    """Wrap what the engine does after every step; this also sets when checkpoints are due."""
    from engine.levelrun import LevelRun

    whole = LevelRun._tick

    def tick(run):
        run.saved_at = math.inf if run.training.position % EVERY else -math.inf
        whole(run)
        if (run.index, run.training.position) == STEPS.get(moment):
            hold()

    LevelRun._tick = tick


def hold_before_change(folder, moment):
    if moment not in CHANGES:
        return
    wanted, pattern = CHANGES[moment]
    held = []

    def hook(event, arguments):
        if event == wanted and not held and isinstance(arguments[0], str | os.PathLike):
            if fnmatch(os.fspath(arguments[0]), f"{folder}/{pattern}"):
                held.append(True)
                hold()

    sys.addaudithook(hook)


def hold_within_line(moment):
    from engine import events

    whole = events._write_all

    def write(file, data):
        if moment in LINES and all(part in data for part in LINES[moment]):
            half = len(data) // 2
            whole(file, data[:half])
            hold()
            data = data[half:]
        whole(file, data)

    events._write_all = write


def main(folder, moment):
    from engine import verbs

    assert moment in {**STEPS, **CHANGES, **LINES}, moment
    hold_after_step(moment)
    hold_before_change(folder, moment)
    hold_within_line(moment)
    return verbs.main([folder])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
