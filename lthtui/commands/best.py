"""The command `lthtui best`: which configuration validation images pick, and on how many tries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError
from lthtui import overrides, settings
from lthtui.commands import Json, Root, Tracking
from lthtui.commands.compare import Arguments, known_runs
from lthtui.commands.saying import say
from lthtui.counting import counted
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.best import Best, Split
    from lthtui.rows import Row

HEADER = ("picked by", "configuration", "group", "n", "level", "kept %", "val %", "test %")
BALANCED = (*HEADER[:-2], "balanced val %", "balanced test %")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("best")(best_of)


def best_of(
    arguments: Arguments,
    split: Annotated[
        str, typer.Option(help="Images that pick: val, or test, which is optimistic.")
    ] = "val",
    as_json: Json = False,
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """Pick the best configuration of a sweep by its mean validation accuracy over its runs.

    Where all runs pick their levels by balanced accuracy, configurations compete by it, too.
    Beside it stands what test images would have picked, and by how much that flatters. There is
    one pick for each set of images.
    """
    by = _split(split)
    from lthtui import best, choosing

    names, changes = overrides.separate(arguments)
    folder = settings.use(root)
    known, trouble = known_runs(folder, tracking_uri)
    chosen = choosing.choose(folder, known, names, changes)
    runs = [*chosen.runs.values()]
    found, notes = best.find(runs, choosing.labelled(runs), by)
    for note in [*([trouble] if trouble else []), *chosen.notes, *notes]:
        say(note)
    if not found:
        instead = "; --split test picks by test images, which is optimistic" * (by == "val")
        raise UsageError(f"none of {counted(len(runs), 'run')} can be picked by {by}{instead}")
    if as_json:
        typer.echo(json.dumps(best.describe(found, notes, by)))
        return
    for one in found:
        for line in _lines(one):
            typer.echo(line)


def _split(text: str) -> Split:
    match text:
        case "val" | "test":
            return text
    raise UsageError(f"--split {clean_line(text)}: give val or test")


def _lines(found: Best) -> Iterator[str]:
    from lthtui.aligned import aligned
    from lthtui.runview import PLAIN

    plain = found.metric == PLAIN
    by = "" if plain else f", by {found.metric.replace('_', ' ')} as levels are picked"
    yield f"{found.images}, {found.tries}{by}"
    rows = [_row(found.split, found.picked, found.metric)]
    if found.other is not None:
        rows.append(_row("test" if found.split == "val" else "val", found.other, found.metric))
    yield from aligned(HEADER if plain else BALANCED, rows)
    yield _verdict(found)


def _row(split: str, row: Row, metric: str) -> Sequence[str]:
    from lthtui.labels import SHORT
    from lthtui.report import spread

    levels = [one.level for one in row.results]
    return (
        split,
        row.label,
        row.first.group[:SHORT],
        str(len(levels)),
        " ".join(str(level.index) for level in levels),
        spread(level.density for level in levels),
        *(spread(level.scored(on, metric) for level in levels) for on in ("val", "test")),
    )


def _verdict(found: Best) -> str:
    """What picking by test images is worth, in words."""
    points = None if found.optimism is None else f"{100 * found.optimism:.2f} points"
    if found.split == "test" and found.same:
        return "picked on test images; validation images pick the same"
    if found.split == "test":
        against = f" by {points}" if points else "; nobody can say by how much"
        return f"picked on test images, so its test accuracy is optimistic{against}"
    if points is None:
        return "what test images would have picked is not known"
    if found.same:
        return "best on test would have said the same"
    return f"best on test would have said {_called(found)}: optimism of {points}"


def _called(found: Best) -> str:
    assert found.other is not None
    alike = found.other.first.group == found.picked.first.group
    return "other levels of it" if alike else found.other.label
