"""The command `lthtui worth`: how much of a gain is pruning's, and what a ticket rests on."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError
from lthtui import overrides, settings
from lthtui.commands import Json, Root, Tracking
from lthtui.commands.compare import Arguments, Markdown, known_runs
from lthtui.commands.saying import say
from lthtui.counting import counted

if TYPE_CHECKING:
    from lthtui.paired import Difference
    from lthtui.rows import Spread
    from lthtui.sanity import Check
    from lthtui.worth import Worth

WIDTH = 80  # columns of text
NOTHING = "–"
LEFT = "What was not run:"
Table = tuple[Sequence[str], list[Sequence[str]]]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("worth")(worth_of)


def worth_of(
    arguments: Arguments,
    margin: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=100.0,
            help="Percentage points that a ticket may be better by and still count as no better.",
        ),
    ] = 1.0,
    markdown: Markdown = False,
    as_json: Json = False,
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """Say what a ticket's gain is worth: what of it is pruning's, and what the ticket rests on.

    The gain over dense is split by controls, seed by seed: null has as many trainings and picks
    without pruning, budget one dense training as long. Then the sanity checks: whether the ticket
    is better than with other places, weights or labels. `lthtui control RUN --kind split,sanity`
    runs all that is needed.
    """
    if markdown and as_json:
        raise UsageError("give one of --markdown, --json")
    from lthtui import choosing, worth, worthwords

    names, changes = overrides.separate(arguments)
    folder = settings.use(root)
    known, trouble = known_runs(folder, tracking_uri)
    chosen = choosing.choose(folder, known, names, changes)
    runs = [*chosen.runs.values()]
    found, notes = worth.found(runs, choosing.labelled(runs), known, margin / 100)
    for note in [*([trouble] if trouble else []), *chosen.notes, *notes]:
        say(note)
    if not found:
        raise UsageError(f"no ticket in {counted(len(runs), 'run')}; name finished ones that prune")
    if as_json:
        typer.echo(json.dumps(worthwords.describe(found, notes)))
        return
    for line in _joined(_markdown(one) if markdown else _text(one) for one in found):
        typer.echo(line)


def _joined(parts: Iterable[Iterable[str]]) -> Iterator[str]:
    for index, lines in enumerate(parts):
        if index:
            yield ""
        yield from lines


def _text(worth: Worth) -> Iterator[str]:
    from lthtui import worthwords
    from lthtui.aligned import aligned

    yield _head(worth)
    for table in _tables(worth):
        yield ""
        yield from aligned(*table)
    for sentence in worthwords.said(worth):
        yield ""
        yield from textwrap.wrap(sentence, WIDTH)
    if commands := worthwords.commands(worth):
        yield ""
        yield LEFT
        yield from commands  # whole, so that they can be copied


def _markdown(worth: Worth) -> Iterator[str]:
    from lthtui import worthwords
    from lthtui.exports import markdown_text

    yield f"### {markdown_text(_head(worth))}"
    for header, rows in _tables(worth):
        yield ""
        yield f"| {' | '.join(header)} |"
        yield "|---" + "|---:" * (len(header) - 1) + "|"
        yield from (f"| {' | '.join(map(markdown_text, row))} |" for row in rows)
    for sentence in worthwords.said(worth):
        yield ""
        yield markdown_text(sentence)
    if commands := worthwords.commands(worth):
        yield from ("", LEFT, "")
        yield from (f"    {command}" for command in commands)


def _head(worth: Worth) -> str:
    from engine.repetition import unit
    from lthtui.labels import SHORT
    from lthtui.runview import PLAIN

    many = counted(len(worth.results), unit(one.run.repetition for one in worth.results))
    levels = " ".join(str(one.level.index) for one in worth.results)
    by = "" if worth.metric == PLAIN else f", by {worth.metric.replace('_', ' ')}"
    return f"{worth.label} ({worth.group[:SHORT]}), {many}, tickets of levels {levels}{by}"


def _tables(worth: Worth) -> Iterator[Table]:
    """What there is to show, all in percent or percentage points."""
    yield _split(worth)
    yield _picks(worth)
    yield _checks(worth.checks)


def _split(worth: Worth) -> Table:
    from lthtui.worth import PARTS, ROLES

    rows: list[Sequence[str]] = []
    for role in ROLES:
        spread = worth.spread(role)
        rows.append((role, _accuracy(spread), "", "", _count(spread)))
    for name, (mine, other, what) in PARTS.items():
        part = worth.parts[name]
        rows.append((f"{mine} - {other}: {what}", *_figures(part), _count(part.spread)))
    return ("test accuracy", "% ± std", "95 % interval", "p Holm", "n"), rows


def _picks(worth: Worth) -> Table:
    from lthtui.paired import Difference
    from lthtui.rows import Spread

    dense, rows = worth.accuracies["dense"], list[Sequence[str]]()
    for pick in worth.picks:
        ticket, null = pick.accuracies["ticket"], pick.accuracies["null"]
        gain, pruning = (Difference.of(ticket, other).spread for other in (dense, null))
        both = _accuracy(Spread.of(ticket.values())), _accuracy(Spread.of(null.values()))
        rows.append((f"best on {pick.split}", *both, _points(gain), _points(pruning)))
    return ("picked", "ticket", "null", "ticket - dense", "ticket - null"), rows


def _checks(found: Sequence[Check]) -> Table:
    from lthtui.sanity import WORDS

    header = ("control", "ticket - it", "95 % interval", "p Holm", "n", "verdict")
    rows: list[Sequence[str]] = []
    for check in found:
        verdict = WORDS[check.verdict]
        if check.seeds:
            verdict += f" (n ≈ {check.seeds})"
        figures = _figures(check.difference) if check.difference else (NOTHING,) * 3
        spread = check.difference.spread if check.difference else None
        rows.append((check.kind, *figures, _count(spread), verdict))
    return header, rows


def _figures(one: Difference) -> tuple[str, str, str]:
    from lthtui.worthwords import points

    interval = " to ".join(map(points, one.interval)) if one.interval else NOTHING
    p = one.finding.holm
    return _points(one.spread), interval, NOTHING if p is None else f"{p:.3f}"


def _accuracy(spread: Spread | None) -> str:
    return _written(spread, lambda value: f"{100 * value:.2f}")


def _points(spread: Spread | None) -> str:
    from lthtui.worthwords import points

    return _written(spread, points)


def _written(spread: Spread | None, form: Callable[[float], str]) -> str:
    if spread is None:
        return NOTHING
    mean = form(spread.mean)
    return mean if spread.deviation is None else f"{mean} ± {100 * spread.deviation:.2f}"


def _count(spread: Spread | None) -> str:
    return str(spread.count) if spread else "0"
