"""What `list`, `show` and `ticket list` say of runs of a store that is browsed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import typer

from lthtui import browsed, columns, listing, suited
from lthtui.aligned import aligned
from lthtui.board import duration, percent
from lthtui.runview import RunView
from lthtui.text import clean, clean_line

_USUAL = "id,name,status,level,density,val,test,created"


def list_runs(
    address: str, wanted: str, sort: str, shown: str, archived: bool, as_json: bool
) -> None:
    """See `lthtui list`."""
    runs = browsed.read(address, browsed.extremes(wanted, sort, shown))
    listed = [*runs.values()]
    if not archived and "archived" not in wanted:
        listed = [run for run in listed if not run.archived]
    hidden = len(runs) - len(listed)
    asked = listing.Listing(listed, _labels(runs))
    found = asked.arranged(asked.found(wanted), sort)
    if as_json:
        typer.echo(json.dumps([browsed.describe(run) for run in found]))
        return
    if hidden:
        typer.echo(f"{hidden} archived; --archived shows all", err=True)
    if not found:
        typer.echo("no run is like that" if wanted else "the store has no runs", err=True)
        return
    header, *lines = asked.table(found, shown or _usual(listed))
    for line in aligned(header, lines):
        typer.echo(line)


def show(address: str, word: str, as_json: bool) -> None:
    """See `lthtui show`."""
    tell(browsed.find(browsed.read(address), word), as_json)


def tell(run: RunView, as_json: bool) -> None:
    """Say all that is known of a run without a folder."""
    facts = browsed.describe(run)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for line in _lines(run, facts):
        typer.echo(line)


def _lines(run: RunView, facts: Mapping[str, object]) -> Iterator[str]:
    keys = ("run_id", "name", "display_name", "status", "experiment", "seed", "sparsifier")
    for key in (*keys, "dataset", "model", "mlflow_run_id", "user", "error"):
        if facts[key] not in (None, ""):
            yield f"{key:<14}{clean_line(str(facts[key]), 1000)}"
    if run.created:
        yield f"{'created':<14}{columns.moment(run.created)}"
    if run.duration is not None:
        yield f"{'duration':<14}{duration(run.duration)}"
    for title, values in (("tags", run.tags), ("params", run.params), ("metrics", run.metrics)):
        if values:
            yield f"\n{title}"
        for key in sorted(values):
            yield f"  {clean_line(key)} = {clean_line(str(values[key]), 200)}"
    if run.levels:
        yield "\nlevels"
        for level in run.ended_levels:
            scores = (f"{name} {score:.2%}" for name, score in _scores(level.val, level.test))
            won = "  picked" if run.final and level.index == run.winner else ""
            yield f"  {level.index}  {percent(level.density)}  {'  '.join(scores)}{won}"
    if run.note:
        yield "\n" + clean(run.note)


def _scores(val: float | None, test: float | None) -> Iterator[tuple[str, float]]:
    for name, score in (("val", val), ("test", test)):
        if score is not None:
            yield name, score


def _usual(runs: Sequence[RunView]) -> str:
    """The columns where nobody asks for any."""
    found = suited.suited(runs)
    if found == columns.DEFAULT:
        return _USUAL if any(run.foreign for run in runs) else _USUAL.replace("name,", "")
    names = [one.field.name for one in found if one.field.name != "name"]
    names = [name for name in names if "," not in name]  # which divides fields
    return ",".join(["id", "name", *names])


def _labels(runs: Mapping[str, RunView]) -> dict[str, str]:
    return {run.group: run.name for run in runs.values()}
