"""How a person names a run: any unique part of its id, `@last`, or `name-s0`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from engine.errors import UsageError
from engine.repetition import WRITTEN, Repetition, listed, names, unit
from engine.rundir import RunDirectory
from lthtui import identity
from lthtui.text import clean_line

LAST = "@last"
RUNS, TRASH = "runs", "trash"  # folders below a root
SHOWN = 10  # runs that a message lists
_ID = re.compile(rf"\d{{8}}-(?P<name>.+)-[0-9a-f]{{6}}-(?P<which>{WRITTEN})(-\d+)?")
_TAIL = re.compile(rf"[0-9a-f]{{6}}-{WRITTEN}(-\d+)?$")  # what no id is cut into


class Absent(UsageError):
    """There is no run that is called so."""


def find(root: Path, words: Iterable[str], among: str = RUNS) -> list[RunDirectory]:
    """The runs that are meant, each once, in the order of `words`.

    Args:
        among: the folder below the root that they are in.

    Raises:
        UsageError: a word means no run, or several; the message lists near or matching ones.
    """
    known = ids(root, among)
    found = dict.fromkeys(_one(root, known, word, among) for word in words)
    return [RunDirectory(root / among / run) for run in found]


def paired(root: Path, word: str, repetition: Repetition) -> RunDirectory:
    """The run that is meant, where a name, a group or part of an id may stand for several.

    Args:
        word: as for `find`; or a spec's name, or at least 6 digits that begin a group, for the run
            that is this repetition; or else the one with its seed, but never another fold's.

    Raises:
        UsageError: it means no run, or several.
    """
    known = ids(root)
    if word == LAST or word in known or names_seed(word):
        return find(root, [word])[0]
    alike = [run for run in known if named(run) == word] or _of_group(root, known, word)
    mine = _pairs(root, alike, repetition)
    if alike and not mine:
        known_as = {_repetition(root, run): run for run in reversed(alike)}
        others = sorted(known_as)
        raise UsageError(
            f"no run '{clean_line(word)}' has {listed([repetition], others)}, only"
            f" {', '.join(names(others, [repetition]))};"
            f" write {clean_line(_short(known_as[others[0]]))} to take that one for every"
            f" {unit([repetition, *others])}"
        )
    if not alike:
        mine = [run for run in known if word in run]
        mine = (mine[1:] and _pairs(root, mine, repetition)) or mine
    if len(mine) == 1:
        return RunDirectory(root / "runs" / mine[0])
    return RunDirectory(root / "runs" / _meant(root, known, mine, word))


def seeds(root: Path, word: str, among: str = RUNS) -> list[RunDirectory]:
    """The run that is meant, or all repetitions where a name, a group or a part means those.

    Args:
        among: as for `find`.

    Raises:
        UsageError: it means no run, or runs of several groups.
    """
    known = ids(root, among)
    called = [run for run in known if named(run) == word]
    alike = called or _of_group(root, known, word) or [run for run in known if word in run]
    if word == LAST or word in known or names_seed(word) or (len(alike) < 2 and not called):
        return find(root, [word], among)
    runs = [RunDirectory(root / among / run) for run in alike]
    if len({identity.read(run).group for run in runs}) > 1:
        _meant(root, known, alike, word)
    newest = {_repetition(root, run.run_id, among): run for run in runs}
    return [newest[one] for one in sorted(newest)]


def names_seed(word: str) -> bool:
    """Whether what names a run ends with a seed, as in `name-s0`."""
    return re.search(r"-s\d+(-\d+)?$", word) is not None


def every(root: Path, among: str = RUNS) -> list[RunDirectory]:
    """All runs of a root, the oldest first; without those that are taken away meanwhile."""
    found = []
    for name in ids(root, among):
        run = RunDirectory(root.absolute() / among / name)
        with suppress(FileNotFoundError):
            found.append((run.spec_file.stat().st_mtime_ns, name, run))
    return [run for _, _, run in sorted(found, key=lambda one: one[:2])]


def experiment(run: RunDirectory) -> str:
    """The experiment of a run; empty where its spec cannot be read."""
    try:
        return identity.read(run).experiment
    except (OSError, ValueError):
        return ""


def groups(root: Path, name: str) -> dict[str, list[RunDirectory]]:
    """The groups of an experiment that are no controls, each with its newest repetitions."""
    found: dict[str, dict[Repetition, RunDirectory]] = {}
    for run in every(root):
        try:
            facts = identity.read(run)
        except (OSError, ValueError):
            continue
        if facts.experiment == name and facts.controls is None:
            found.setdefault(facts.group, {})[facts.repetition] = run
    return {group: [runs[one] for one in sorted(runs)] for group, runs in found.items()}


def named(run: str) -> str:
    """A run's name without its repetition, from its id; empty for other folders."""
    parts = _ID.fullmatch(run)
    return parts["name"] if parts else ""


def short(run_ids: Sequence[str]) -> dict[str, str]:
    """By run id, the shortest name that tells these runs apart: `name-s0`, or else the id."""
    names = {run: _short(run) for run in run_ids}
    count = Counter(names.values())
    return {run: clean_line(name if count[name] == 1 else run) for run, name in names.items()}


def trimmed(run: str, width: int) -> str:
    """A run's id cut to `width` characters, but never into its last digits and its seed.

    What follows the ellipsis is a part of the id, which names the run as well.
    """
    last = _TAIL.search(run)
    if len(run) <= width or not last:
        return run
    return f"…{run[min(len(run) - width + 1, last.start()) :]}"


def ids(root: Path, among: str = RUNS) -> list[str]:
    """The ids of all runs of a root, sorted."""
    try:
        names = os.listdir(root / among)
    except (FileNotFoundError, NotADirectoryError):
        return []
    runs = os.path.join(root, among)
    return sorted(name for name in names if os.path.isfile(os.path.join(runs, name, "spec.yaml")))


def _one(root: Path, known: list[str], word: str, among: str) -> str:
    if not known and among != RUNS:
        raise UsageError(f"there are no runs in {root / among}")
    if not known:
        raise Absent(f"there are no runs in {root}; `lthtui run SPEC` makes one")
    if word == LAST:
        return every(root, among)[-1].run_id
    if word in known:
        return word
    matches = [run for run in known if _short(run) == word] or [run for run in known if word in run]
    return _meant(root, known, matches, word)


def _meant(root: Path, known: list[str], matches: list[str], word: str) -> str:
    if len(matches) == 1:
        return matches[0]
    shown = clean_line(word)
    if not matches:
        raise Absent(f"no run '{shown}'{_so_far(root, word)}{_near(known, word)}")
    more = f"\n  and {len(matches) - SHOWN} more" if len(matches) > SHOWN else ""
    listed = "".join(f"\n  {clean_line(run)}" for run in matches[-SHOWN:])
    raise UsageError(f"'{shown}' means {len(matches)} runs; write more of the id:{listed}{more}")


def _so_far(root: Path, word: str) -> str:
    """That a run may be there only once a command that waits has made it."""
    from lthtui.launch import later

    waiting = [one.name for one in later.read(root)]
    if word in waiting:
        return " so far: it is a command that waits to make runs, as `lthtui queue` says"
    return " so far (commands that wait may make it: `lthtui queue`)" if waiting else ""


def _near(known: list[str], word: str) -> str:
    names = {name: run for run in known for name in (run, _short(run))}
    near = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {clean_line(near[0])}?" if near else "; `lthtui list` shows all"


def _of_group(root: Path, known: list[str], word: str) -> list[str]:
    """Runs whose group begins with these hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{6,64}", word):
        return []
    return [run for run in known if _group(RunDirectory(root / "runs" / run)).startswith(word)]


def _group(run: RunDirectory) -> str:
    """A run's group; empty where its spec cannot be read."""
    try:
        return identity.read(run).group
    except (OSError, ValueError):
        return ""


def _repetition(root: Path, run: str, among: str = RUNS) -> Repetition:
    """Which repetition a run is; by its id alone where its spec cannot be read."""
    try:
        return identity.read(RunDirectory(root / among / run)).repetition
    except (OSError, ValueError):
        parts = _ID.fullmatch(run)
        return Repetition(seed=int(parts["which"].rpartition("s")[2]) if parts else -1)


def _pairs(root: Path, runs: Iterable[str], wanted: Repetition) -> list[str]:
    """Those that are this repetition, or where none is, those with its seed.

    Another fold's are never meant: they trained on what this one is validated on.
    """
    found = {run: _repetition(root, run) for run in runs}
    same = [run for run, one in found.items() if one == wanted]
    alike = {run: one for run, one in found.items() if not (one.folds and wanted.folds)}
    return same or [run for run, one in alike.items() if one.seed == wanted.seed]


def _short(run: str) -> str:
    parts = _ID.fullmatch(run)
    return f"{parts['name']}-{parts['which']}" if parts else run


def trashed(root: Path) -> set[str]:
    """The ids of runs in the trash."""
    try:
        return {*os.listdir(root / TRASH)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
