"""Whether the disk has room for a run: what it takes at most, against what nobody else claims."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path

from engine import filesystems
from engine.events import RunStarted, parse
from engine.footprint import used_bytes
from engine.launchspec import show_size
from engine.rundir import RunDirectory, last_end
from lthtui import identity

RESERVE = 200 * 2**20  # bytes that stay free for MLflow, logs and everything else
SHARE = 0.05  # the reserve's largest share of a small file system
FIRST = 20  # lines of a journal that may come before the run's beginning: warnings
SEARCHED = 50  # newest runs among which one of the same network is looked for


def shortage(
    root: Path, directory: RunDirectory, running: Iterable[RunDirectory] = ()
) -> str | None:
    """Why a run had better not start yet, in a few words; None where there is room.

    Takes milliseconds: ask for the run whose turn it is, not for all that wait.

    Args:
        running: runs that may still write what they take at most.
    """
    try:
        disk = filesystems.of(root)
    except OSError:
        return None  # whoever writes there will say what is wrong
    reserve = min(RESERVE, SHARE * disk.size)
    promised = sum(_still(one) for one in running if one.run_id != directory.run_id)
    needed = _still(directory) + promised + reserve
    if disk.free >= needed:
        return None
    return f"disk: {show_size(disk.free)} free, {show_size(round(needed))} needed"


def expected(directory: RunDirectory) -> int:
    """Bytes that a run takes at most, as it said itself or another of its network did; 0 if none.

    Only a worker can count them, for that takes the network.
    """
    own = _said(directory)
    if own is not None:
        return own
    try:
        return _of_network(directory.path.parent, _network(directory.path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return 0


def _still(directory: RunDirectory) -> int:
    """Bytes that a run may still write: hardly any once it is only evaluated."""
    ended = last_end(directory)
    if ended and ended.status == "finished":
        return 0
    return max(0, expected(directory) - used_bytes(directory.path))


def _said(directory: RunDirectory) -> int | None:
    """What a run's own worker counted; None before it did."""
    try:
        with directory.events_file.open("rb") as journal:
            found = (parse(line) for line in islice(journal, FIRST))
            begun = next((event for event in found if isinstance(event, RunStarted)), None)
    except OSError:
        return None
    return begun.peak_bytes if begun else None


@lru_cache(1000)
def _of_network(runs: Path, asked: str) -> int:
    """What the newest run of a network that says so takes at most.

    Raises:
        LookupError: none says so yet, which is not remembered.
    """
    for path in _newest(runs):
        try:
            alike = _network(path) == asked
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue
        if alike and (said := _said(RunDirectory(path))) is not None:
            return said
    raise LookupError(asked)


@lru_cache(10_000)
def _network(path: Path) -> str:
    """What a run's size depends on. Raises many errors where it can't be read."""
    asked = json.loads((path / identity.FILE).read_bytes())["asked"]
    return json.dumps({key: asked.get(key) for key in ("model", "sparsifier", "keep")})


def _newest(runs: Path) -> list[Path]:
    """The newest runs of a root, by the dates that their names begin with."""
    return [runs / name for name in sorted(os.listdir(runs), reverse=True)[:SEARCHED]]
