"""What a command prints about runs that have ended: results, failures, and what to type next."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence

from engine.errors import USAGE
from engine.rundir import Status
from lthtui import report, runnames
from lthtui.board import Group
from lthtui.labels import distinguish
from lthtui.loglines import shown
from lthtui.monitor import Watched
from lthtui.runview import view
from lthtui.signs import spelled
from lthtui.text import clean, clean_line

LOG_LINES = 10  # of a failed run's log
CHART = (100, 20)  # the most columns and rows of the curve
RESUMABLE = (Status.STOPPED, Status.PAUSED, Status.FAILED, Status.LOST)


def results(runs: Sequence[Watched]) -> None:
    """Print the curve (on a terminal), the levels and the tickets to stdout."""
    groups = report.grouped([view(run) for run in runs], _labels(runs))
    if sys.stdout.isatty():
        _draw(groups)
    names = runnames.short([clean_line(run.run_id) for run in runs])  # as groups have them
    for line in (*report.tables(groups), *report.tickets(groups, names)):
        print(_printable(line))


def failures(runs: Sequence[Watched]) -> None:
    """Print to stderr why runs failed, the end of their logs, and what to do."""
    names = runnames.short([run.run_id for run in runs])
    for run in runs:
        if error := run.error():
            _say(f"{names[run.run_id]} {run.status}: {error}")
            for line in _last_lines(run, error):
                _say(f"  | {line}")


def _refused(run: Watched) -> bool:
    """Whether a worker said that what was asked cannot be done, so that resuming won't help."""
    left = run.directory.exit()
    return run.status == Status.FAILED and left is not None and left.code == USAGE


def next_steps(runs: Sequence[Watched]) -> None:
    """Print to stderr what to type next."""
    refused = [run.run_id for run in runs if _refused(run)]
    if refused:
        _say("change the spec or the images as said above, and run it again")
    left = [r.run_id for r in runs if r.status in RESUMABLE and r.run_id not in refused]
    if left:
        _say(f"go on from the last checkpoint with: lthtui resume {' '.join(left)}")
    if failed := [run.run_id for run in runs if run.error()]:
        _say(f"the whole log{' of the first' if failed[1:] else ''}: lthtui logs {failed[0]}")
    done = [run for run in runs if run.status == Status.FINISHED]
    behind = [run.run_id for run in done if not run.mirrored()]
    if behind:
        _say(f"MLflow lacks some of this; nothing is lost: lthtui sync {' '.join(behind)}")
    if done:
        _say("next:")
        _say(f"  lthtui show {done[0].run_id}")
        if kept := [run.run_id for run in done if (won := run.progress.winning) and won.ticket]:
            _say(f"  lthtui ticket export {kept[0]} -o ticket.safetensors")
        _say("  lthtui mlflow")
        _say("  lthtui  # all runs, in a terminal app")


def _labels(runs: Sequence[Watched]) -> dict[str, str]:
    """Names of groups by what tells them apart; a lone group keeps its spec's name."""
    first = {run.identity.group: run for run in reversed(runs)}
    if len(first) == 1:
        return {}
    specs = {group: run.directory.spec().model_dump(mode="json") for group, run in first.items()}
    differ = distinguish(specs)
    several = len({run.identity.name for run in runs}) == 1
    return {
        group: differ[group] if several and differ[group] else f"{run.identity.name} {group[:6]}"
        for group, run in first.items()
    }


def _draw(groups: Sequence[Group]) -> None:
    from rich.console import Console

    from lthtui.charts import ASCII, PLAIN, Look, render, to_rich

    chart = report.curves(groups)
    if chart is None:
        return
    console = Console(highlight=False, markup=False, emoji=False)
    coloured = Look() if console.color_system and not console.no_color else PLAIN
    look = coloured if _unicode() else ASCII
    width, height = min(console.width, CHART[0]), min(max(console.height - 4, 8), CHART[1])
    console.print(to_rich(render(chart, width, height, look)), end="\n\n")


def _last_lines(run: Watched, error: str) -> Iterator[str]:
    """The end of a run's log, without the lines that only repeat the error."""
    try:
        with run.directory.log_file.open("rb") as file:
            lines = (line.removesuffix(b"\n") for line in file)
            told = (one for one in lines if not clean(one.decode(errors="replace")).endswith(error))
            yield from map(shown, deque(told, LOG_LINES))
    except OSError:
        return


def _unicode() -> bool:
    return "utf" in (sys.stdout.encoding or "").lower()


def _printable(line: str) -> str:
    """The line in characters that stdout can show."""
    text = clean(line)
    return text if _unicode() else spelled(text)


def _say(message: str) -> None:
    print(clean(message), file=sys.stderr, flush=True)
