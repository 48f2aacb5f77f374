"""How the documents of an evaluation are looked at: which of them are drawn, and as what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lthtui import evaluationcharts as charts
from lthtui import evaluationmaps as maps
from lthtui.heat import Line

if TYPE_CHECKING:
    from lthtui.charts import Panel

Documents = Mapping[str, Any]  # by what their tickets are called
Lines = Callable[[int], Sequence[Line]]
ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)  # of odd documents


@dataclass(frozen=True)
class Drawing:
    """What a document is drawn as: a chart, lines of text, or both."""

    chart: Callable[[Documents], Panel | None] | None = None
    lines: Callable[[Documents, int], Iterator[Line]] | None = None


DRAWN = {
    "accuracy.json": Drawing(lines=maps.classes),
    "calibration.json": Drawing(charts.calibration, maps.filled),
    "cka.json": Drawing(lines=maps.likeness),
    "connectivity.json": Drawing(charts.connectivity),
    "corruptions.json": Drawing(lines=maps.corruptions),
    "dead_filters.json": Drawing(lines=maps.dead),
    "fgsm.json": Drawing(charts.attack, maps.attacks),
    "instability.json": Drawing(charts.instability),
    "layer_density.json": Drawing(lines=maps.density),
    "overlap.json": Drawing(lines=maps.overlap),
    "pgd.json": Drawing(charts.attack, maps.attacks),
    "residual_ratio.json": Drawing(lines=maps.ratios),
    "selective.json": Drawing(charts.selective),
    "weight_norms.json": Drawing(lines=maps.norms),
}


@dataclass(frozen=True, eq=False)
class Look:
    """What there is to see of an evaluation: a chart, or lines for a width, or both."""

    panel: Panel | None = None
    lines: Lines | None = None


def look(file: str, found: Documents) -> Look | None:
    """Draw the documents of one name; None for those that have no drawing, or are odd."""
    drawing = DRAWN.get(file)
    if drawing is None or not found:
        return None
    of = drawing.lines
    try:
        panel = drawing.chart(found) if drawing.chart else None
        if of is not None:
            list(of(found, 80))  # so that what cannot be drawn is found now
    except ODD:
        return None
    return Look(panel, (lambda width: [*of(found, width)]) if of is not None else None)
