"""The command `lthtui compare`: groups of runs side by side, as a table or as data."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import UsageError
from engine.repetition import Repetition
from lthtui import baseline, completion, overrides, settings, tracking
from lthtui.commands import Json, Root, Tracking
from lthtui.commands.saying import say
from lthtui.comparison import Comparison, compare, describe, matching
from lthtui.rows import Choice, Gain, Row, Spread
from lthtui.runview import LevelView, RunView
from lthtui.significance import TESTS, Test
from lthtui.text import clean_line


class Form(StrEnum):
    """How the table is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("compare")(compare_runs)


Arguments = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... [FIELD=VALUE]...",
        autocompletion=completion.runs_and_fields,
        help="Runs, groups (by 6 or more characters of their id), experiments or spec files,"
        " with the overrides they were run with.",
    ),
]
OfLevel = Annotated[
    str, typer.Option(help="Level to read: winning, best, last, dense, or a number.")
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        help="Method, label or its first words, to show gains over; costs are relative to the"
        " first. May be given several times; by default dense, of runs that are not named too.",
    ),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Write a Markdown table.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV, numbers in full.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="A file instead of the table: .md or .tex with tests and settings that differ,"
        " .csv with the values of all runs, .png, .svg or .pdf with the curves.",
    ),
]
OfTest = Annotated[
    str, typer.Option(help="How groups are tested in files: paired, wilcoxon or unpaired.")
]


def compare_runs(
    arguments: Arguments,
    level: OfLevel = "winning",
    baselines: Baselines = None,
    markdown: Markdown = False,
    as_csv: Csv = False,
    as_json: Json = False,
    output: Output = None,
    test: OfTest = "paired",
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """Compare methods over their seeds and folds: accuracy, density, cost, gains over baselines.

    In files, groups are tested against the first baseline, or the first group if that is none.
    """
    form = _form(markdown, as_csv, as_json, output)
    read, way = _level(level), _test(test)
    from lthtui.choosing import choose, given, labelled

    names, changes = overrides.separate(arguments)
    folder = settings.use(root)
    known, trouble = known_runs(folder, tracking_uri)
    chosen = choose(folder, known, names, changes)
    runs, over = [*chosen.runs.values()], tuple(dict.fromkeys(baselines or ["dense"]))
    found = compare(runs, labelled(runs), read, over, known, given(runs))
    for note in [*([trouble] if trouble else []), *chosen.notes]:
        say(note)
    if output is None:
        _write(found, form)
    else:
        _export(found, known, way, output)
    for note in found.notes:
        say(note)


def known_runs(folder: Path, tracking_uri: str | None) -> tuple[list[RunView], str]:
    """All runs that can be compared, and what is wrong with the store."""
    from lthtui import browsed
    from lthtui.board import Board
    from lthtui.choosing import standing
    from lthtui.lookout import Lookout

    if address := tracking.browsed(folder, tracking_uri):
        return [*browsed.read(address).values()], ""
    with closing(Lookout(folder)) as lookout:
        board = lookout.look() or Board()
    return [*standing(board.runs.values())], board.trouble


def _form(markdown: bool, as_csv: bool, as_json: bool, output: Path | None) -> Form:
    asked = {Form.MARKDOWN: markdown, Form.CSV: as_csv, Form.JSON: as_json}
    forms = [form for form, wanted in asked.items() if wanted]
    if forms and output is not None:
        raise UsageError(f"give --output or --{forms[0]}; the file's ending says what is written")
    if len(forms) > 1:
        raise UsageError(f"give one of {', '.join(f'--{form}' for form in forms)}")
    return forms[0] if forms else Form.TABLE


def _level(text: str) -> Choice:
    match text:
        case "winning" | "best" | "last" | "dense":
            return text
        case _ if text.isdecimal():
            return int(text)
    raise UsageError(
        f"--level {clean_line(text)}: give winning, best, last, dense or a level's number"
    )


def _test(text: str) -> Test:
    found: Test | None = next((one for one in TESTS if one == text), None)
    if found is None:
        raise UsageError(f"--test {clean_line(text)}: give {', '.join(TESTS)}")
    return found


def _export(found: Comparison, known: Sequence[RunView], test: Test, file: Path) -> None:
    """Write a file; where there is one already, a person is asked, and nobody else is."""
    from lthtui import exports, sides
    from lthtui.colours import colours

    exports.check(file)
    overwrite = file.expanduser().exists() and sys.stdin.isatty() and sys.stderr.isatty()
    if overwrite:
        typer.confirm(f"Overwrite {clean_line(str(file))}?", abort=True, err=True)
    families = {row.first.family for row in found.rows}
    dense = {one: _dense([run for run in known if run.family == one]) for one in families}
    against = [row.first.group for row in matching(found.baselines[0], found.rows)]
    asked = sides.Asked(baseline=next(iter(against), ""), test=test)
    given = colours(row.first.group for row in found.rows)
    seen = sides.of_rows(found.rows, dense, given, asked, found.notes)
    differing = [one for one in seen.settings if one.differs]
    made = exports.Material(seen.contrast, differing, seen.panel.chart())
    say(exports.written_to(made, file, overwrite))


def _dense(runs: Sequence[RunView]) -> dict[Repetition, LevelView]:
    """By repetition, the levels that stand for dense, whatever is compared."""
    return {one: run.dense for one, run in baseline.dense(runs).items() if run.dense}


def _write(found: Comparison, form: Form) -> None:
    match form:
        case Form.JSON:
            typer.echo(json.dumps(describe(found)))
        case Form.CSV:
            csv.writer(sys.stdout, lineterminator="\n").writerows(_records(found))
        case Form.MARKDOWN:
            for line in _markdown(*_cells(found)):
                typer.echo(line)
        case Form.TABLE if sys.stdout.isatty():
            _draw(*_cells(found))
        case Form.TABLE:
            from lthtui.aligned import aligned

            for line in aligned(*_cells(found)):
                typer.echo(line)


def _cells(found: Comparison) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The table in words; percentages, except for costs relative to the first baseline."""
    first = f"× {found.baselines[0]}" if found.baselines else "×"
    gains = [f"over {name}" for name in found.baselines]
    costs = ("train FLOPs", first, "FLOPs/image", first, "time")
    drawn = any(one.spent.joules is not None for row in found.rows for one in row.results)
    header = ("method", "n", "kept %", "test %", *gains, *costs, *(["energy (J)"] * drawn))
    return header, [_row(row, drawn) for row in found.rows]


def _row(row: Row, drawn: bool) -> Sequence[str]:
    from lthtui.board import duration, operations

    def middle(spread: Spread | None) -> float | None:
        return spread.mean if spread else None

    return (
        row.label,
        str(len(row.results)),
        _percent(row.spread(lambda one: one.level.density)),
        _percent(row.spread(lambda one: one.level.test)),
        *(_gain(gain, len(row.results)) for gain in row.gains.values()),
        operations(middle(row.spread(lambda one: one.spent.training_flops))),
        _times(row.cost),
        operations(middle(row.spread(lambda one: one.level.inference_flops))),
        _times(row.inference),
        duration(middle(row.spread(lambda one: one.spent.seconds))),
        *([operations(middle(row.spread(lambda one: one.spent.joules)))] * drawn),
    )


def _percent(spread: Spread | None, form: str = ".2f") -> str:
    if spread is None:
        return "–"
    text = format(100 * spread.mean, form)
    return text if spread.deviation is None else f"{text} ± {100 * spread.deviation:.2f}"


def _gain(gain: Gain | None, seeds: int) -> str:
    """Percentage points; the number of seeds where not all count, or that they are not paired."""
    text = _percent(gain.spread if gain else None, "+.2f")
    if gain is None:
        return text
    if not gain.paired:
        return f"{text} unpaired"
    return text if gain.spread.count == seeds else f"{text} ({gain.spread.count})"


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.3g}"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|---" + "|---:" * (len(header) - 1) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _draw(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    for index, title in enumerate(header):
        table.add_column(title, justify="right" if index else "left", no_wrap=bool(index))
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, emoji=False).print(table)


def _records(found: Comparison) -> Iterator[Sequence[object]]:
    """The groups as JSON has them, a column per number."""
    rows = [dict(_flat("", group)) for group in describe(found)["groups"]]
    yield [*rows[0]] if rows else []
    yield from ([*row.values()] for row in rows)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, item)
    elif isinstance(value, list):
        yield prefix, " ".join(str(run["run_id"]) for run in value)
    else:
        yield prefix, value
