"""How a person names a run: any unique part of its id, `@last`, or `name-s0`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui.text import clean_line

LAST = "@last"
SHOWN = 10  # runs that a message lists
_ID = re.compile(r"\d{8}-(?P<name>.+)-[0-9a-f]{6}-s(?P<seed>\d+)(-\d+)?")


def find(root: Path, words: Iterable[str]) -> list[RunDirectory]:
    """The runs that are meant, each once, in the order of `words`.

    Raises:
        UsageError: a word means no run, or several; the message lists near or matching ones.
    """
    known = _known(root)
    found = dict.fromkeys(_one(root, known, word) for word in words)
    return [RunDirectory(root / "runs" / run) for run in found]


def every(root: Path) -> list[RunDirectory]:
    """All runs of a root, the oldest first."""
    runs = [RunDirectory(root / "runs" / name) for name in _known(root)]
    return sorted(runs, key=lambda run: (run.spec_file.stat().st_mtime_ns, run.run_id))


def short(run_ids: Sequence[str]) -> dict[str, str]:
    """By run id, the shortest name that tells these runs apart: `name-s0`, or else the id."""
    names = {run: _short(run) for run in run_ids}
    count = Counter(names.values())
    return {run: clean_line(name if count[name] == 1 else run) for run, name in names.items()}


def _known(root: Path) -> list[str]:
    try:
        names = os.listdir(root / "runs")
    except FileNotFoundError:
        return []
    return sorted(name for name in names if (root / "runs" / name / "spec.yaml").is_file())


def _one(root: Path, known: list[str], word: str) -> str:
    if not known:
        raise UsageError(f"there are no runs in {root}; `lthtui run SPEC` makes one")
    if word == LAST:
        return every(root)[-1].run_id
    if word in known:
        return word
    matches = [run for run in known if _short(run) == word] or [run for run in known if word in run]
    if len(matches) == 1:
        return matches[0]
    shown = clean_line(word)
    if not matches:
        raise UsageError(f"no run '{shown}'{_near(known, word)}")
    more = f"\n  and {len(matches) - SHOWN} more" if len(matches) > SHOWN else ""
    listed = "".join(f"\n  {clean_line(run)}" for run in matches[-SHOWN:])
    raise UsageError(f"'{shown}' means {len(matches)} runs; write more of the id:{listed}{more}")


def _near(known: list[str], word: str) -> str:
    names = {name: run for run in known for name in (run, _short(run))}
    near = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {clean_line(near[0])}?" if near else "; `lthtui list` shows all"


def _short(run: str) -> str:
    parts = _ID.fullmatch(run)
    return f"{parts['name']}-s{parts['seed']}" if parts else run
