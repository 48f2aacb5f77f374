"""What there is to know of runs at a glance: who they are, how far, how good, and how they are set.

Everything is known from the table of runs and from the spec that is shown of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lthtui import columns, heat, verdict
from lthtui.board import Group
from lthtui.fields import Field
from lthtui.heat import Line, Span
from lthtui.loglines import LogLine
from lthtui.runview import RunView
from lthtui.table import NOTHING

FACTS = (  # blocks of what is said, each by its label and the field that it is the value of
    (("status", "status"), ("level", "level"), ("eta", "eta"), ("took", "duration")),
    (("kept", "density"), ("val", "val"), ("test", "test"), ("gain", "gain")),
    (("loss", "epoch/train_loss"), ("val loss", "epoch/val_loss")),
    (("queued", "created"), ("device", "device"), ("user", "user")),
)


def lines(
    runs: Sequence[RunView], group: Group, settings: Sequence[LogLine], width: int
) -> list[Line]:
    """The facts that are known, and below them the settings that are not by default."""
    found = heat.wrapped(verdict.name(group, runs), width, "name")
    if standing := verdict.standing(runs):
        found += heat.wrapped(standing, width)
    for block in FACTS:
        known = [one for label, name in block for one in _fact(label, name, runs, group, width)]
        found += [(), *known] if known else []
    if settings:
        found += [(), *heat.wrapped("not by default", width)]
        shared = [one for one in settings if not (runs[1:] and one.text.startswith("seed:"))]
        found += [_setting(one, width) for one in shared]
    return found


def _fact(
    label: str, name: str, runs: Sequence[RunView], group: Group, width: int
) -> Iterator[Line]:
    field = Field.parse(name)
    one = len(runs) == 1
    cell = columns.cell(field, runs[0], group) if one else columns.summary(field, group)
    if cell.text and cell != NOTHING:
        lead, *rest = heat.fact(label, cell.text, width)
        yield (lead[0], Span(lead[1].text, cell.tone))
        yield from rest


def _setting(line: LogLine, width: int) -> Line:
    """A line of the spec, its key and its default dim; cut where it is too long."""
    text, spans, at = line.text, [], 0
    text = text if len(text) <= width else f"{text[: width - 1]}…"
    for start, end, _ in line.colours:
        spans += [Span(text[at:start]), Span(text[start:end], "dim")]
        at = end
    return (*spans, Span(text[at:]))
