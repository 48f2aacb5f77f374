"""Why each waiting run waits, for whoever lists them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from fcntl import LOCK_SH
from pathlib import Path

from engine.rundir import RunDirectory
from lthtui.launch import copied, entries, later, lease, limits
from lthtui.launch.entries import Entry
from lthtui.launch.later import Later
from lthtui.launch.slots import Ledger
from lthtui.launch.turns import Obstacle, Turns
from lthtui.text import clean_line

NEXT = "waits for its turn"
NOBODY = "nobody starts it; `lthtui release` calls the queue process"


def reasons(root: Path, waiting: Sequence[Entry]) -> dict[str, str]:
    """By run id, why each of these runs waits."""
    attended = dispatched(root)
    noted = _noted(root) if attended else {}
    turns = Turns(root, limits.read(root), _running(root))
    alone = nobody(root)
    found = {}
    for entry in waiting:
        obstacle = turns.obstacle(entry)
        otherwise = noted.get(entry.run_id, NEXT) if attended else alone
        found[entry.run_id] = obstacle.reason if obstacle else otherwise
    return found


def until(root: Path, commands: Sequence[Later]) -> dict[str, str]:
    """By name, what each of these commands waits for."""
    turns = Turns(root, limits.read(root), {})
    otherwise = NEXT if dispatched(root) else nobody(root)
    found = {one.name: later.obstacle(turns, one) for one in commands}
    return {name: why.reason if why else otherwise for name, why in found.items()}


def stuck(root: Path, runs: Iterable[RunDirectory]) -> dict[str, Obstacle]:
    """Those of these runs that wait for something that only a person can do, and for what."""
    turns = Turns(root, limits.read(root), _running(root))
    waiting = filter(None, map(entries.find, runs))
    found = {entry.run_id: turns.stuck(entry) for entry in waiting}
    return {run: why for run, why in found.items() if why}


def dispatched(root: Path) -> bool:
    """Whether a queue process looks after this root's runs on this machine, as far as is known."""
    if not (root / "queue").is_dir():
        return False
    try:
        held = lease.take(root, LOCK_SH)
    except PermissionError:  # somebody else's root
        return True
    except OSError:  # such as on a file system that can only be read
        return False
    if held is None:
        return True
    os.close(held)
    return False


def nobody(root: Path) -> str:
    """Why nothing is started where no queue process is, or only on its way."""
    if source := copied.origin(root):
        return f"was queued in {clean_line(source)}; `lthtui release` starts it here"
    return NEXT if lease.called(root) else NOBODY


def _running(root: Path) -> Counter[str]:
    places = Ledger(lease.slots(root)).places()
    return Counter(place.holder.user for place in places if place.held)


def _noted(root: Path) -> dict[str, str]:
    try:
        noted = json.loads(lease.reasons_file(root).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(run): str(why) for run, why in noted.items()} if isinstance(noted, dict) else {}
