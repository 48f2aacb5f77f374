"""What people noted of runs, as lines: name, tags, who changed what and when, and the note."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from engine import schema
from engine.noted import Change
from lthtui import markup
from lthtui.heat import Line, Span, fact, wrapped
from lthtui.runview import RunView
from lthtui.text import clean, clean_line

LONGEST = 8000  # characters of a value that are shown, as many as MLflow takes
NOTHING = "nothing is noted: N writes a note, # adds tags, f2 gives a name"

Changes = Mapping[str, Mapping[str, Change]]  # by run id and tag, as `NoteDesk.changes` has it


class _Fact(NamedTuple):
    """Something noted of a run: its label, the tag in MLflow that says it, and what that says."""

    label: str
    key: str
    value: str


def lines(runs: Sequence[RunView], changes: Changes, width: int) -> list[Line]:
    """What was noted of runs; once of those of which the same was noted."""
    alike: dict[tuple[Line, ...], list[RunView]] = {}
    for run in runs:
        said = _said(run, changes.get(run.run_id, {}), width)
        alike.setdefault(tuple(said), []).append(run)
    if len(alike) == 1:
        return [*next(iter(alike))]
    found: list[Line] = []
    for noted, some in alike.items():
        seeds = ", ".join(str(run.repetition) for run in some)
        found += [(Span(seeds, "name", bold=True),), *noted, ()]
    return found


def _said(run: RunView, changes: Mapping[str, Change], width: int) -> list[Line]:
    found: list[Line] = []
    for one in _facts(run):
        text = clean_line(one.value, LONGEST)
        if one.label in ("", "tags"):
            text = f"{clean_line(one.key)} = {text}"
        by = _by(changes.get(one.key), one.value)
        found += fact(one.label, f"{text}   ({by})" if by else text, width)
    if run.note:
        by = _by(changes.get(schema.NOTE), run.note) or "in MLflow"
        note = markup.lines(clean(run.note, LONGEST), width)
        found += [*fact("noted", by, width), (), *note]
    return found or wrapped(NOTHING, width)


def _facts(run: RunView) -> Iterator[_Fact]:
    if run.display_name:
        yield _Fact("shown as", schema.NAME, run.display_name)
    if run.archived:
        yield _Fact("archived", schema.ARCHIVED, "true")
    for at, (key, value) in enumerate(sorted(run.tags.items())):
        yield _Fact("" if at else "tags", key, value)


def _by(change: Change | None, value: str) -> str:
    """When and by whom something was changed here; empty if it was changed elsewhere since."""
    if change is None or change.value != value:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(change.order / 1e9))
    return clean_line(f"{when}, {change.user}" if change.user else when)
