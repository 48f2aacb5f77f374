"""Finds masks on disk: of levels of runs as a person names them, and of ticket files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine import packed
from engine.errors import UsageError
from engine.packed import Packed
from engine.rundir import RunDirectory
from engine.sources import Level, Source
from lthtui import runnames, runview
from lthtui.monitor import Watched
from lthtui.text import clean_line


def named(root: Path, words: Iterable[str]) -> dict[str, Packed]:
    """The masks that are meant, by names that tell them apart.

    Args:
        words: `RUN` or `RUN:LEVEL`, where a run's name alone means all its seeds and a level is a
            number, `last`, or `best` (the picked one, as without any); or paths of ticket files.

    Raises:
        UsageError: a word means no run or no level.
        Damaged: a mask is missing or broken.
    """
    found: dict[str, Packed] = {}
    levels: dict[tuple[str, int], Packed] = {}
    for word in words:
        source = _read(word)
        if source.path:
            found[clean_line(source.path)] = packed.of_ticket(Path(source.path).expanduser())
            continue
        for run in runnames.seeds(root, source.run):
            at = level(run, source.pick)
            levels[run.run_id, at] = packed.of_level(run.level(at))
    short = runnames.short([*dict.fromkeys(run for run, _ in levels)])
    return {f"{short[run]}:{at}": mask for (run, at), mask in levels.items()} | found


def level(run: RunDirectory, pick: Level) -> int:
    """The number of a level that has ended.

    Raises:
        UsageError: there is none such.
    """
    watched = Watched(run, curves=False)
    watched.refresh()
    seen = runview.view(watched)
    ended = [one.index for one in seen.ended_levels]
    wanted = {"best": seen.winner, "last": max(ended, default=None)}.get(str(pick), pick)
    if wanted in ended:
        return int(wanted)
    has = f"levels {', '.join(map(str, ended))}" if ended else "no level yet"
    raise UsageError(f"{run.run_id} has no level '{pick}' that has ended; it has {has}")


def _read(word: str) -> Source:
    try:
        source = Source.parse(word)
    except ValueError as error:
        raise UsageError(clean_line(str(error), 500)) from None
    if not source.named:
        raise UsageError("no ticket is named; write RUN, RUN:LEVEL or the path of a ticket file")
    return source
