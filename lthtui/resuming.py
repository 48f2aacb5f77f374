"""Makes a spec file that goes on from a ticket of runs: their settings, and the ticket to train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from engine import registry
from engine.errors import UsageError
from engine.rundir import RunDirectory
from engine.sources import Level, Source
from lthtui import cloning, runnames, sources, yamlfile
from lthtui.board import percent
from lthtui.sources import Unfinished
from lthtui.text import clean_line

NAME = 64  # characters of a spec's name
SHORTEST = 8  # digits of a group that name it


def resume(root: Path, runs: Sequence[RunDirectory], level: Level) -> str:
    """The text of a spec that trains the tickets of a level of runs, one for each of their seeds.

    What else can be done with a ticket stands beside what is done with it. The tag of clones names
    the first run.

    Raises:
        UsageError: as `cloning.clone`, or there is no such ticket, and why.
        LthError: a spec or a ticket cannot be read.
    """
    whole = cloning.settings(runs)
    reference = _reference(root, runs, level)
    taken = [_taken(root, run, level) for run in runs]
    method = runs[0].spec().sparsifier.name
    notes = [*taken, f"Taken from there: all settings but those of {method}."]
    if isinstance(whole.get("select", {}).get("level"), int):
        left = whole["select"].pop("level")
        notes.append(f"Left out: select.level {left}, as this trains one level only.")
        if not whole["select"]:
            del whole["select"]
    whole.pop("sparsifier", None)
    first = {key: whole.pop(key) for key in ("version", "experiment")}
    lines = [*(f"# {clean_line(one, 1000)}" for one in notes), yamlfile.dump(first).rstrip()]
    lines += ["sparsifier:", "  name: ticket", f"  source: {yamlfile.dump_inline(reference)}"]
    lines += [f"  {one}" for one in _choices()]
    return "\n".join([*lines, yamlfile.dump(whole) + cloning.repeated(runs)])


def stem(run: RunDirectory, level: Level) -> str:
    """A name for such a spec."""
    end = "-ticket" if level == "best" else f"-level-{level}"
    return run.spec().name[: NAME - len(end)] + end


def _choices() -> Iterator[str]:
    """What is done with a ticket, a line for each choice with the others behind it."""
    settings = registry.load("sparsifiers", "ticket").Settings
    fields = {
        name: (field.default, [one for one in get_args(field.annotation) if one != field.default])
        for name, field in settings.model_fields.items()
        if field.default in get_args(field.annotation) and isinstance(field.default, str)
    }
    width = max(len(f"{name}: {default}") for name, (default, _) in fields.items())
    for name, (default, others) in fields.items():
        yield f"{f'{name}: {default}':<{width}}  # or {', '.join(others)}"


def _reference(root: Path, runs: Sequence[RunDirectory], level: Level) -> str:
    """The ticket as a spec names it, of each repetition its own.

    Raises:
        UsageError: nothing names these runs, and no others.
    """
    if len(runs) == 1:
        return f"{runs[0].run_id}:{level}"
    spec = runs[0].spec()
    for word in (spec.name, spec.group[:SHORTEST]):
        if all(_names(root, word, run) for run in runs):
            return f"{word}:{level}"
    raise UsageError(
        f"'{clean_line(spec.name)}' does not mean these runs only; go on from one of them"
    )


def _names(root: Path, word: str, run: RunDirectory) -> bool:
    try:
        return runnames.paired(root, word, run.spec().repetition).path == run.path
    except UsageError:
        return False


def _taken(root: Path, run: RunDirectory, level: Level) -> str:
    """What is taken of a run, in words."""
    try:
        found = sources.resolved(Source(run.run_id, level), run.spec().repetition, root)
    except Unfinished:
        which = "the picked level" if level == "best" else f"level {level}"
        return f"Goes on from {which} of {run.run_id} once that has finished."
    kept = f"{percent(found.kept / found.total)}, {found.kept:,} of {found.total:,} weights"
    return f"Goes on from level {found.level} of {run.run_id}: {kept}."
