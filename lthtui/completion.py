"""Words that a shell may complete: runs, experiments, levels, spec files, fields, filters.

Typer asks the functions here, for the arguments and options of commands that name them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.errors import LthError

if TYPE_CHECKING:
    from lthtui.runview import RunView

NEWEST = 2000  # runs that are offered, or looked into for their experiments


def words() -> list[str]:
    """The words before the one that is being typed, without the program's name."""
    if "COMP_WORDS" in os.environ:
        return os.environ["COMP_WORDS"].split("\n")[1 : int(os.environ["COMP_CWORD"])]
    typed = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = typed.split()
    return words[1 : None if typed.endswith(" ") else -1]


def matching(words: Iterable[str], incomplete: str) -> list[str]:
    """Words that a terminal can show and that begin as is asked for, each once."""
    return [one for one in dict.fromkeys(words) if one.startswith(incomplete) and one.isprintable()]


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs, or their ids where a name does not do."""
    from lthtui import runnames

    return _runs(ctx, incomplete, runnames.RUNS)


def any_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """As `runs`, or those in the trash where the options speak of it."""
    from lthtui import runnames, trash

    within = ctx.params.get("restore") or ctx.params.get("empty")
    return _runs(ctx, incomplete, trash.FOLDER if within else runnames.RUNS)


def runs_and_fields(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs, and fields of their specs."""
    named = [word for word in ctx.params.get("arguments") or () if "=" not in word]
    fields = _fields(_root(ctx) / "runs", named[:1], ctx, incomplete) if named else []
    return [*runs(ctx, incomplete), *fields]


def specs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Spec files, and fields of the first that is named."""
    named = [word for word in ctx.params.get("arguments") or () if "=" not in word]
    found = _fields(Path(), named[:1], ctx, incomplete) if named else []
    return [*found, *_files(incomplete)] if incomplete or not named else found


def data_sets(incomplete: str) -> list[str]:
    """Names of data sets."""
    from lthtui import datalist

    return matching(datalist.names(), incomplete)


def images(incomplete: str) -> list[str]:
    """Data sets and spec files."""
    return [*data_sets(incomplete), *_files(incomplete)]


def augmentations(incomplete: str) -> list[str]:
    """Names of augmentations."""
    from engine import registry

    return matching(["spec", *registry.names("augmentations")], incomplete)


def spec(incomplete: str) -> list[str]:
    """Spec files."""
    return _files(incomplete)


def experiments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Experiments of the newest runs."""
    from lthtui import runnames

    found: Counter[str] = Counter()
    root = _root(ctx)
    for run in runnames.ids(root)[-NEWEST:]:
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            identity = json.loads((root / "runs" / run / "identity.json").read_bytes())
            found[str(identity["experiment"])] += 1
    found.update(run.experiment for run in _stored(ctx))
    return matching(sorted(found), incomplete)


def fields(ctx: typer.Context, incomplete: str) -> list[str]:
    """Fields of runs, between commas."""
    from lthtui import askedwords

    return matching(askedwords.names(incomplete, partial(_settings, ctx)), incomplete)


def filters(ctx: typer.Context, incomplete: str) -> list[str]:
    """Fields of runs with operators, and their values."""
    from lthtui import askedwords

    def values(field: str) -> list[str]:
        return experiments(ctx, "") if field == "experiment" else []

    found = askedwords.terms(incomplete, partial(_settings, ctx), values)
    return matching(found, incomplete)


def levels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Levels of the run that is named."""
    from lthtui import runnames

    numbers: set[int] = set()
    for word in words()[1:]:
        with contextlib.suppress(LthError):
            found = runnames.seeds(_root(ctx), word)
            numbers = {int(one.name) for run in found for one in run.levels.glob("[0-9]*")}
            break
    return matching(["best", "last", *map(str, sorted(numbers))], incomplete)


def _root(ctx: typer.Context) -> Path:
    """The root that is meant; options are not known yet where an option's value is typed."""
    from lthtui import settings

    given = ctx.params.get("root") or (ctx.parent and ctx.parent.params.get("root"))
    typed = words()
    if not given and "--root" in typed[:-1]:
        given = typed[typed.index("--root") + 1]
    return settings.root(Path(given) if given else None)


def _runs(ctx: typer.Context, incomplete: str, among: str) -> list[str]:
    from lthtui import runnames

    known = runnames.ids(_root(ctx), among)[-NEWEST:]
    if incomplete[:1].isdecimal():
        return matching(known, incomplete)
    names = [*runnames.short(known).values()]
    if among == runnames.RUNS:
        names += [run.display_name or run.name for run in _stored(ctx)]
    shared = Counter(map(runnames.named, known))
    several = [name for name, count in shared.items() if name and count > 1]
    return matching([*([runnames.LAST] if known else []), *several, *names], incomplete)


def _stored(ctx: typer.Context) -> list[RunView]:
    """The runs that only the root's store knows."""
    from lthtui import rootruns

    with contextlib.suppress(LthError, OSError):
        return rootruns.stored_only(_root(ctx))
    return []


def _settings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Settings of the newest run."""
    from lthtui import fieldwords, runnames

    if "." not in incomplete:  # whole blocks, and what only files have
        return []
    with contextlib.suppress(LthError, OSError, ValueError):
        return fieldwords.words(_root(ctx) / runnames.RUNS, runnames.LAST, [], incomplete)
    return []


def _files(incomplete: str) -> list[str]:
    """Spec files and folders; what is in a folder where it is the only one."""
    from lthtui import specpaths

    start = incomplete or "specs/"
    folder, _, name = start.rpartition("/")
    place = Path(f"{folder}/" if folder or start.startswith("/") else ".").expanduser()
    found = []
    with contextlib.suppress(OSError):
        for one in sorted(os.scandir(place), key=lambda one: one.name):
            shown = f"{folder}/{one.name}" if "/" in start else one.name
            if not one.name.startswith(name) or one.name.startswith("."):
                continue
            if one.is_dir():
                found.append(f"{shown}/")
            elif one.name.endswith((".yaml", ".yml")):
                found.append(shown)
    if len(found) == 1 and found[0].endswith("/") and found[0] != incomplete:
        return _files(found[0]) or found
    bare = [path.stem for path in specpaths.within(specpaths.FOLDER)] if "/" not in start else []
    return [*found, *(one for one in bare if one.startswith(incomplete))]


def _fields(place: Path, named: Sequence[str], ctx: typer.Context, incomplete: str) -> list[str]:
    from lthtui import fieldwords

    changes = [word for word in ctx.params.get("arguments") or () if "=" in word]
    return fieldwords.words(place, named[0], changes, incomplete)
