"""Similarity: how alike layers are in what they tell images apart by (CKA).

Figure 7 of the data-efficient tickets paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from lthtui.reports import beside, figures
from lthtui.reports.beside import Line
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Block, Figure, Section
from lthtui.reports.subject import Subject
from lthtui.rows import Row
from lthtui.significance import mean

Matrix = list[list[float]]


def build(subject: Subject) -> Section | Absent:
    """Means as a table, and maps of layers by layers."""
    blocks: list[Block] = []
    for number, label in enumerate(subject.evaluations.called("cka")):
        blocks += _blocks(subject, label, f"-{number}" if number else "")
    if blocks:
        return Section("Similarity of layers", tuple(blocks))
    asked = ("--with", "cka", "--level", "dense,best")
    title = "How alike layers are, within a network and between networks (CKA)"
    return Absent(title, (subject.command("evaluate", *asked),))


def _blocks(subject: Subject, label: str, which: str) -> Iterator[Block]:
    lines = [
        Line(label, "within", "between layers of one network", "number", "number"),
        Line(label, "diagonal", "between like layers of two networks", "number", "number"),
    ]
    caption = (
        "Linear centred kernel alignment of what layers give for test images (Kornblith et al."
        " 2019; unbiased, in batches), mean over pairs of layers: 1 for layers that tell images"
        " apart alike."
    )
    found = beside.table(subject, f"cka{which}", caption, lines)
    if found is not None:
        yield found
    for row in subject.methods:
        within = [one for one in _maps(subject, row, label, "within") if one]
        if within:
            yield _figure(f"cka-within-{row.first.group[:8]}{which}", row, within, "within")
        across = [one for one in _maps(subject, row, label, "across") if one]
        if across:
            yield _figure(f"cka-across-{row.first.group[:8]}{which}", row, across, "across")


@dataclass(frozen=True)
class Map:
    """A mean over runs.

    Attributes:
        title: whose layers are on the vertical axis.
        layers, others: on the vertical and the horizontal axis.
        of: whose layers are on the horizontal axis.
    """

    title: str
    layers: Sequence[str]
    others: Sequence[str]
    of: str
    values: Matrix


def _maps(subject: Subject, row: Row, label: str, kind: str) -> Iterator[Map | None]:
    for which in ("dense", "ticket"):
        yield similarity(subject, row, label, which, kind)


def similarity(subject: Subject, row: Row, label: str, which: Which, kind: str) -> Map | None:
    """The mean of runs' matrices; of those whose layers are the same."""
    read = subject.evaluations.documents(row.runs, label, "cka.json", which)
    found = [one for document in read.values() if (one := _read(document, kind, str(which)))]
    alike = [one for one in found if (one.layers, one.others) == (found[0].layers, found[0].others)]
    if not alike:
        return None
    first = alike[0]
    values = [
        [_middle([one.values[i][j] for one in alike]) for j in range(len(first.others))]
        for i in range(len(first.layers))
    ]
    return Map(first.title, first.layers, first.others, first.of, values)


def _read(document: Any, kind: str, which: str) -> Map | None:
    """What a document says; None where it says nothing of the kind, or has another shape."""
    try:
        layers, of, others = document["layers"], which, document["layers"]
        values = document["within"]
        if kind == "across":
            other = document["other"]
            of, others, values = other["name"], other["layers"], other["across"]
        values = [[nan if one is None else float(one) for one in line] for line in values]
    except (KeyError, TypeError, ValueError):
        return None
    fits = len(values) == len(layers) and {len(line) for line in values} == {len(others)}
    return Map(which, layers, others, of, values) if fits else None


def _middle(values: Sequence[float]) -> float:
    known = [value for value in values if isfinite(value)]
    return mean(known) if known else nan


def _figure(name: str, row: Row, maps: Sequence[Map], kind: str) -> Figure:
    def draw(canvas: Any) -> None:
        every = canvas.subplots(1, len(maps), squeeze=False)[0]
        for axes, one in zip(every, maps, strict=True):
            image = axes.imshow(one.values, cmap="viridis", vmin=0, vmax=1, origin="lower")
            figures.ticks(axes.xaxis, one.others, rotation=90, fontsize=5)
            figures.ticks(axes.yaxis, one.layers, fontsize=5)
            axes.grid(visible=False)
            axes.set(title=one.title, xlabel=one.of if kind == "across" else "")
        canvas.colorbar(image, ax=every, label="CKA", shrink=0.8)

    said = "of the same network" if kind == "within" else "of another network"
    caption = f"CKA of layers with those {said}, mean over runs: {row.label}."
    return Figure(name, caption, draw, (1.2 + 3.4 * len(maps), 4.0))
