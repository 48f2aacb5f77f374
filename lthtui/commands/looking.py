"""Commands that look at runs: list, show, logs."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.rundir import RunDirectory, status
from lthtui import completion, people, runnames, settings, tracking
from lthtui.aligned import aligned
from lthtui.commands import Json, Root, Tracking
from lthtui.commands.meant import Run
from lthtui.commands.saying import say
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from lthtui.identity import Identity
    from lthtui.rootruns import Known


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (show, logs):
        app.command()(command)
    app.command("list")(list_runs)


Filter = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="FILTER",
        autocompletion=completion.filters,
        help="Only runs that are so, as in 'method:imp* and val>60% and not status=failed'.",
    ),
]
Sort = Annotated[
    str,
    typer.Option(
        metavar="FIELDS",
        autocompletion=completion.fields,
        help="Sort by these, as in `-val,density`; - is downward.",
    ),
]
Columns = Annotated[
    str,
    typer.Option(
        metavar="FIELDS",
        autocompletion=completion.fields,
        help="Show these, as in `name,val,sparsifier.rate,best(epoch/val_loss)`; `help` names all.",
    ),
]
Archived = Annotated[
    bool, typer.Option("--archived", help="Also runs that `lthtui archive` put aside.")
]


def list_runs(
    wanted: Filter = "",
    sort: Sort = "",
    columns: Columns = "",
    archived: Archived = False,
    as_json: Json = False,
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """List runs, the oldest first.

    A field is one of name, id, status, seed, experiment, sparsifier, dataset, model, level,
    density, val, test, gain (of test accuracy over dense; which tickets win is decided by val),
    best_level, size (of its ticket, in bytes), eta, created, duration, user, device, note, error
    and archived, a setting such as train.optimizer.lr, tags.KEY, or a metric such as
    level/val_accuracy, of which best(..), min(..) and max(..) are more than its newest value.
    val@5%, test@5% and gain@5% are those of the level that keeps about 5% of the weights, at most
    12% more or fewer; any share can be asked for. A filter compares fields by = != < <= > >= with
    numbers, 60%, 1h30m, 2026-11-20 or -24h, by : with text and *, by ~ and !~ with regular
    expressions; terms stand side by side or between and, or, not and brackets.
    """
    from lthtui import browsed, browsing, listing, rootruns
    from lthtui.launch import queue
    from lthtui.notebook import Book

    folder = settings.root(root)
    if address := tracking.listed(folder, tracking_uri):
        browsing.list_runs(address, wanted, sort, columns, archived, as_json)
        return
    queue.rouse(folder)
    with closing(Book(folder)) as book:
        book.refresh()
        curves = listing.needs_curves(wanted, sort, columns)
        extremes = browsed.extremes(wanted, sort, columns)
        every = rootruns.known(folder, book, curves, extremes, say)
    aside = archived or "archived" in wanted
    known = [run for run in every if aside or not run.facts["archived"]]
    hidden = len(every) - len(known)
    besides = [(run, one) for run in known for one in run.identities[1:]]
    labels = _label(known, [one for _, one in besides])
    table = None
    if wanted or sort or columns:
        known, table = _arranged(known, labels, wanted, sort, columns)
    if as_json:
        typer.echo(json.dumps([run.facts for run in known]))
        return
    if hidden:
        say(f"{hidden} archived; --archived shows all")
    if table is not None and table[1:]:
        _echo(aligned(table[0], table[1:]))
        return
    if not known:
        if not hidden:
            say("no run is like that" if wanted else "no runs yet; `lthtui run SPEC` makes one")
        return
    again = [(run, one) for run, one in besides if run in known]
    _draw(known, again, labels, nested=not sort)


Labels = Mapping[tuple[str, str], str]  # by experiment and group


def _label(known: Sequence[Known], besides: Sequence[Identity]) -> Labels:
    """Find out what groups are called, and have each run's facts say so."""
    from lthtui.labels import by_experiment

    labels = by_experiment([*(one for run in known for one in run.identities[:1]), *besides])
    for run in known:
        own = run.facts["sparsifier"] or run.facts["name"]
        run.facts["label"] = labels.get((run.facts["experiment"], run.facts["group"]), own)
    return labels


def _draw(
    known: Sequence[Known],
    again: Sequence[tuple[Known, Identity]],
    labels: Labels,
    nested: bool,
) -> None:
    """Write the table, with runs once more where they stand for something else as well."""
    from lthtui import runtable

    others = [
        runtable.same(run.facts, one, labels[one.experiment, one.group]) for run, one in again
    ]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    _echo(runtable.lines([*(run.facts for run in known), *others], width, nested=nested))
    if others:
        say(f"{runtable.SAME}a run that stands in this list already, for this as well")


def _arranged(
    known: list[Known], labels: Labels, wanted: str, sort: str, columns: str
) -> tuple[list[Known], list[list[str]] | None]:
    """The runs that are asked for, in their order, and the table of their columns if any are."""
    from lthtui import listing

    by_group = {group: label for (_, group), label in labels.items()}
    asked = listing.Listing([run.view() for run in known], by_group)
    runs = asked.arranged(asked.found(wanted), sort)
    by_id = {run.facts["run_id"]: run for run in known}
    table = asked.table(runs, columns) if columns else None
    return [by_id[run.run_id] for run in runs], table


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def show(
    name: Run, as_json: Json = False, root: Root = None, tracking_uri: Tracking = None
) -> None:
    """Show one run: what it is, its levels, its winning ticket."""
    from lthtui import browsing, epilogue, evaluationtable, extending, rootruns, runview
    from lthtui.labels import method
    from lthtui.launch import queue
    from lthtui.monitor import Watched
    from lthtui.runview import RunView

    folder = settings.root(root)
    if address := tracking.listed(folder, tracking_uri):
        browsing.show(address, name, as_json)
        return
    queue.rouse(folder)
    found = rootruns.meant(folder, name)
    if isinstance(found, RunView):
        browsing.tell(found, as_json)
        return
    watched = Watched(found)
    watched.refresh()
    facts = watched.describe()
    if as_json:
        typer.echo(json.dumps(facts))
        return
    drawn = ["draw"] if facts["draw"] else []
    drawn += ["fold"] if facts["fold"] is not None else []
    keys = ["run_id", "status", "experiment", *drawn, "seed", "sparsifier", "dataset", "model"]
    keys.append("directory")
    for key in [*keys, "user"] if people.others([facts["user"]]) else keys:
        value = method(watched.identity.asked) if key == "sparsifier" else facts[key]
        typer.echo(f"{key:<12}{clean_line(str(value), 1000)}")
    controls = [*filter(None, [facts["controls"], *facts["also_controls"]])]
    for line in dict.fromkeys("{run}, level {level}: {kind}".format(**one) for one in controls):
        typer.echo(f"{'controls':<12}{clean_line(line)}")
    if facts["extends"]:
        typer.echo(f"{'extends':<12}{clean_line(extending.told(facts['extends']))}")
    for line in _noted(facts):
        typer.echo(line)
    typer.echo()
    epilogue.results([watched])
    for line in evaluationtable.lines([runview.view(watched)]):
        typer.echo(line)
    epilogue.failures([watched])


def _noted(facts: dict[str, Any]) -> Iterator[str]:
    """What people noted of a run."""
    if facts["display_name"]:
        yield f"{'shown as':<12}{clean_line(facts['display_name'], 1000)}"
    if facts["archived"]:
        yield f"{'archived':<12}yes"
    if facts["tags"]:
        tags = " ".join(f"{key}={value}" for key, value in facts["tags"].items())
        yield f"{'tags':<12}{clean_line(tags, 1000)}"
    if facts["note"]:
        yield "\n" + clean(facts["note"])


def logs(
    name: Run,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    lines: Annotated[
        int | None, typer.Option("-n", "--lines", min=0, help="Only so many of the last lines.")
    ] = None,
    root: Root = None,
) -> None:
    """Show what a run's worker wrote."""
    (directory,) = runnames.find(settings.root(root), [name])
    for line in _log(directory, lines, follow):
        typer.echo(line)


def _log(directory: RunDirectory, lines: int | None, follow: bool) -> Iterator[str]:
    """The lines of a log; with `follow`, also those to come until the run has ended for good."""
    from lthtui.launch import retrying
    from lthtui.loglines import shown

    while follow and not directory.log_file.exists() and retrying.goes_on(directory):
        time.sleep(0.1)
    if not directory.log_file.exists():
        say(f"{directory.run_id} has no log yet: it is {status(directory)}")
        return
    with directory.log_file.open("rb") as file:
        for line in deque(file, lines) if lines is not None else file:
            yield shown(line.removesuffix(b"\n"))
        while follow:
            going = retrying.goes_on(directory)  # asked first, or its last lines might be missed
            for line in _grown(file):
                yield shown(line)
            if not going:
                return
            time.sleep(0.1)


def _grown(file: Any) -> Iterator[bytes]:
    """Lines that were completed since the last call."""
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), 1)
            return
        yield line.removesuffix(b"\n")
