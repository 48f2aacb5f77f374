"""Curves that evaluations leave in their documents, as charts: a line for each ticket.

What is no such document raises whatever reading it comes upon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lthtui.charts import Chart, How, Panel, Series
from lthtui.colours import PALETTE
from lthtui.evaluationtable import DENSE, TICKET
from lthtui.text import clean_line

Documents = Mapping[str, Any]  # by what their tickets are called
POINTS = 3  # from which on numbers say more as a line
GREY = "#808080"


@dataclass(frozen=True, eq=False)
class Still(Panel):
    """A chart whose lines are as they were measured: nothing is to be averaged, and x is one."""

    drawn: Chart = field(default_factory=Chart)

    def chart(self, how: How | None = None) -> Chart:
        """The chart, with the scale of y that was chosen."""
        scale = (how or How()).scales.get(self.y_label, self.drawn.y_scale)
        return replace(self.drawn, y_scale=scale)


def calibration(found: Documents) -> Panel:
    """A reliability diagram: how often what was said with some confidence was right."""
    lines = [Series("as often as said", [0.0, 1.0], [0.0, 1.0], GREY, faint=True)]
    for head, document in found.items():
        filled = [one for one in document["test"]["bins"] if one["images"]]
        lines.append(_line(head, head, filled, "confidence", "accuracy"))
    return _still(lines, "confidence (faint: as it should be)", "accuracy", x_unit="percent")


def selective(found: Documents) -> Panel:
    """The share of mistakes among the images that are answered for."""
    lines = [
        _line(head, head, document["curve"], "coverage", "risk") for head, document in found.items()
    ]
    return _still(lines, "images answered for", "error among these", x_unit="percent")


def connectivity(found: Documents) -> Panel:
    """The error along straight lines, and faintly without statistics taken anew."""
    lines = [one for head, document in found.items() for one in _between(head, head, document)]
    return _still(lines, "share of this network in the mixture", "test error", x_unit="percent")


def instability(found: Documents) -> Panel:
    """The error between two copies, by how long the ticket was trained before they parted."""
    lines = []
    for head, document in found.items():
        for at, (after, line) in enumerate(document.items()):
            label = f"{head} after {after}" if len(document) > 1 else head
            colour = PALETTE[(at + 2) % len(PALETTE)] if len(document) > 1 else None
            lines += _between(clean_line(label), head, line, colour)
    return _still(lines, "share of the second copy in the mixture", "test error", x_unit="percent")


def attack(found: Documents) -> Panel | None:
    """Accuracy by how far pixels may be moved; None for one or two distances."""
    lines = [
        _line(head, head, document["results"], "epsilon", "accuracy")
        for head, document in found.items()
    ]
    several = max(len(line.x) for line in lines) >= POINTS
    return _still(lines, "epsilon (grey levels of 255)", "accuracy") if several else None


def colour_of(head: str) -> str:
    """The colour of a ticket's line, the same in every chart."""
    if head in (TICKET, DENSE):
        return PALETTE[(TICKET, DENSE).index(head)]
    return PALETTE[2 + int(head.rpartition(" ")[2]) % (len(PALETTE) - 2)]


def _line(label: str, head: str, points: Iterable[Mapping[str, Any]], x: str, y: str) -> Series:
    rows = [(float(one[x]), float(one[y])) for one in points]
    return Series(label, [row[0] for row in rows], [row[1] for row in rows], colour_of(head))


def _between(
    label: str, head: str, document: Mapping[str, Any], colour: str | None = None
) -> list[Series]:
    """Errors along a line."""
    shares, errors, kept = (
        [float(one) for one in document[key]]
        for key in ("share", "error", "error_without_recalibration")
    )
    line = Series(label, shares, errors, colour or colour_of(head))
    faint = replace(line, y=kept, faint=True)
    return [line] if kept == errors else [faint, line]


def _still(lines: Sequence[Series], x_label: str, y_label: str, **units: Any) -> Panel:
    drawn = Chart(series=lines, x_label=x_label, y_label=y_label, y_unit="percent", **units)
    return Still(y_label=y_label, drawn=drawn)
