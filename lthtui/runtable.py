"""The table of `lthtui list`: runs as lines, controls under each run that they control."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from lthtui import people, runnames
from lthtui.aligned import aligned
from lthtui.identity import Identity
from lthtui.text import clean_line

HEADER = ("RUN", "METHOD", "STATUS", "LEVELS", "KEPT", "VAL", "TEST")
CONTROL = "└ "  # before the runs that control the one above
SAME = "= "  # before a run that has a line already, where it stands for something else, too
NAME = 30  # characters of a name that somebody gave a run
METHOD = 20  # characters of a method that a narrow table keeps


def lines(runs: Sequence[dict[str, Any]], width: int | None, nested: bool = True) -> Iterator[str]:
    """Runs with their labels, one a line, cut where they would be wider than `width`.

    Controls are `nested` right behind the run that they control, or all runs in the order given.

    Whose they are is shown where somebody else's are among them, and names where some have one.
    """
    shared = people.others(run["user"] for run in runs)
    named = any(run["display_name"] for run in runs)
    header = (*HEADER, *["USER"] * shared, *["NAME"] * named)
    table = [header, *(_row(run, shared, named) for run in (_nested(runs) if nested else runs))]
    if width is not None:
        table = _narrowed(table, width)
    yield from aligned(table[0], table[1:])


def same(run: dict[str, Any], besides: Identity, label: str) -> dict[str, Any]:
    """A run as what else it stands for."""
    controls = besides.controls.shown if besides.controls else None
    return {**run, "controls": controls, "label": label, "same": True}


def _narrowed(table: Sequence[Sequence[str]], width: int) -> list[Sequence[str]]:
    """Methods are cut first, down to a few words, and then runs' names, but no id or seed."""
    longest = [max(map(len, column)) for column in zip(*table, strict=True)]
    room = width - sum(longest[2:]) - 2 * (len(longest) - 1)
    method = max(min(longest[1], room - longest[0]), min(longest[1], METHOD))
    return [
        (_cut_run(run, room - method), _cut(label, method), *rest) for run, label, *rest in table
    ]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _cut_run(run: str, width: int) -> str:
    lead = run[:2] if run.startswith((CONTROL, SAME)) else ""
    return lead + runnames.trimmed(run.removeprefix(lead), width - len(lead))


def _nested(runs: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Runs in their order, but controls right behind the run that they control."""
    known = {run["run_id"] for run in runs}
    below = defaultdict(list)
    for run in runs:
        source = run["controls"] and run["controls"]["run"]
        below[source if source in known else None].append(run)
    waiting = below[None][::-1]
    while waiting:
        yield (run := waiting.pop())
        if "same" not in run:
            waiting += below[run["run_id"]][::-1]


def _row(run: dict[str, Any], shared: bool, named: bool) -> Sequence[str]:
    won = run["winning"] or {}
    shares = (won.get("density"), won.get("val_accuracy"), won.get("test_accuracy"))
    lead = SAME if "same" in run else CONTROL if run["controls"] else ""
    return (
        f"{lead}{clean_line(run['run_id'])}",
        run["label"],
        "stalled" if run["stalled"] else run["status"],
        str(len(run["levels"])),
        *("–" if share is None else f"{share:.2%}" for share in shares),
        *([clean_line(run["user"])] if shared else []),
        *([_cut(clean_line(run["display_name"] or ""), NAME)] if named else []),
    )
