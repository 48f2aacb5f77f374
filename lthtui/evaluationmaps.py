"""Numbers that evaluations leave in their documents, as bars and heat maps in lines of text.

What is no such document raises whatever reading it comes upon.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from lthtui.densitymap import in_order, short
from lthtui.evaluationtable import DENSE, NONE, TICKET, rank
from lthtui.fitting import fitted
from lthtui.heat import BLOCKS, Line, Span, bar, painted, wrapped
from lthtui.matrices import parted
from lthtui.picture import drawn
from lthtui.text import clean_line

Documents = Mapping[str, Any]  # by what their tickets are called
Values = Mapping[str, Mapping[str, float | None]]  # by ticket, by row
ROW = 18  # cells of the name of a row of a map
NAMES, FIGURES, BAR = 28, 9, 24  # cells of a name, of a number and of a bar, at most
CLASSES = 20  # of a table of confusions that is written out
BLANK: Line = ()


def corruptions(found: Documents, width: int) -> Iterator[Line]:
    """Accuracy by corruption and severity, and the corruption error (CE), relative to dense."""
    right = {head: _right(document) for head, document in found.items()}
    most = max(value for rows in right.values() for row in rows.values() for value in row) or 1.0
    for head in _ticket_first(found):
        document = found[head]
        severities = "".join(f"{one:>4} " for one in document["severities"])
        clean = 1 - float(document["clean error"]["ticket"])
        title = f"{head}: accuracy in % by severity; {100 * clean:.1f} on clean images"
        yield from _title(title, width)
        yield (Span(f"{'':{ROW}} {severities}  mean    CE", "dim"),)
        for name, row in right[head].items():
            cells = tuple(painted(f"{100 * one:>4.0f} ", one / most) for one in row)
            relative = document["relative to dense"].get(name)
            beside = NONE if relative is None else f"{float(relative):.2f}"
            yield (
                Span(f"{fitted(name, ROW, right=False)} "),
                *cells,
                Span(f" {100 * fmean(row):>5.1f}  {beside}"),
            )
        yield BLANK


def classes(found: Documents, width: int) -> Iterator[Line]:
    """Accuracy by class on test images, and what is taken for what by one ticket."""
    values = {
        head: {clean_line(one["class"]): one["accuracy"] for one in document["test"]["classes"]}
        for head, document in found.items()
    }
    yield from bars(values, width, "class", _percent)
    head = _ticket_first(found)[0]
    counts = found[head]["test"]["confusion"]
    names = [*values[head]]
    if len(names) <= CLASSES:
        yield BLANK
        yield from _title(f"{head}: what a class (row) is taken for (column), in %", width)
        yield from _confusions(names, counts)


def likeness(found: Documents, width: int) -> Iterator[Line]:
    """Similarity of layers, within a network and to another one."""
    for head in _ticket_first(found):
        document = found[head]
        for title, layers, matrix in _matrices(document):
            told, maps = parted({"matrix": matrix})
            if not maps:
                raise ValueError("too few layers for a picture")
            yield from _title(f"{head}: {title}", width)
            yield from wrapped(f"{told['matrix']}; from {layers[0]} to {layers[-1]}", width)
            yield from drawn(maps["matrix"], width)
            yield BLANK


def by_layer(key: str | None, shown: Callable[[float], str]) -> Callable[..., Iterator[Line]]:
    """What draws a number of every layer; `key` is its name where a layer has several."""

    def draw(found: Documents, width: int) -> Iterator[Line]:
        values = {
            head: _layers({name: one if key is None else one[key] for name, one in of.items()})
            for head, of in found.items()
        }
        yield from bars(values, width, "layer", shown)

    return draw


def dead(found: Documents, width: int) -> Iterator[Line]:
    """The share of filters of every layer that are dead."""
    values = {
        head: _layers(
            {name: (one["empty"] + one["cut off"]) / one["filters"] for name, one in of.items()}
        )
        for head, of in found.items()
    }
    yield from bars(values, width, "dead filters", _percent)


def overlap(found: Documents, width: int) -> Iterator[Line]:
    """How much of every layer's mask a ticket shares with the other one."""
    values = {
        head: _layers({one["name"]: one["iou"][0][1] for one in document["layers"]})
        for head, document in found.items()
    }
    yield from bars(values, width, "shared", _percent)


def filled(found: Documents, width: int) -> Iterator[Line]:
    """How many images were predicted with how much confidence."""
    for head, document in found.items():
        counts = [int(one["images"]) for one in document["test"]["bins"]]
        most = max(counts) or 1
        blocks = "".join(
            BLOCKS[(len(BLOCKS) - 1) * one // most] if one else " " for one in counts[:width]
        )
        yield (
            Span(f"{head:<10}", "dim"),
            Span(blocks, "name"),
            Span("  images by confidence", "dim"),
        )


def attacks(found: Documents, width: int) -> Iterator[Line]:
    """Accuracies by how far pixels were moved."""
    values = {
        head: {f"epsilon {float(one['epsilon']):g}": one["accuracy"] for one in document["results"]}
        for head, document in found.items()
    }
    yield from bars(values, width, "accuracy", _percent)


def bars(values: Values, width: int, what: str, shown: Callable[[float], str]) -> Iterator[Line]:
    """A row for each name, with the number of every ticket that has room and one's as a bar."""
    rows = list(dict.fromkeys(name for of in values.values() for name in of))
    name = min(max(map(len, [what, *rows])), NAMES)
    room = max((width - name - BAR // 2) // (FIGURES + 1), 1)
    first = sorted(values, key=lambda head: (head != TICKET, rank(head)))
    heads = sorted(first[:room], key=rank)
    drawn = _ticket_first(values)[0]
    known = [abs(float(one)) for one in values[drawn].values() if one is not None]
    most, long = max(known, default=0.0) or 1.0, min(width - name - len(heads) * (FIGURES + 1), BAR)
    columns = "".join(f" {head:>{FIGURES}}" for head in heads)
    yield (Span(f"{what:<{name}}{columns}", "dim"), Span(f" {drawn}"[: max(long, 0)], "dim"))
    for row in rows:
        cells = [values[head].get(row) for head in heads]
        text = "".join(f" {NONE if one is None else shown(float(one)):>{FIGURES}}" for one in cells)
        value = values[drawn].get(row)
        end = (Span(" "), bar(abs(float(value or 0)) / most, max(long - 2, 1)))
        yield (Span(fitted(row, name, right=False)), Span(text), *end)


def _layers(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Numbers of layers by their names without what all have, in the order of these."""
    return {short(name, NAMES): values[name] for name in in_order(values)}


def _confusions(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Iterator[Line]:
    """Each class (a row) and in percent what it is taken for (columns in the same order)."""
    for name, row in zip(names, counts, strict=True):
        total = sum(row) or 1
        cells = tuple(painted(f"{100 * one / total:>3.0f} ", one / total) for one in row)
        yield (Span(f"{fitted(name, ROW, right=False)} "), *cells)


def _matrices(document: Mapping[str, Any]) -> Iterator[tuple[str, list[str], Any]]:
    layers = [clean_line(one) for one in document["layers"]]
    other = document.get("other")
    if other:
        beside = clean_line(other["name"])
        yield f"layers (rows) and those of {beside} (columns)", layers, other["across"]
    yield "layers within the network", layers, document["within"]


def _right(document: Mapping[str, Any]) -> dict[str, list[float]]:
    errors = document["errors"]["ticket"]
    return {clean_line(name): [1 - float(one) for one in row] for name, row in errors.items()}


def _ticket_first(found: Mapping[str, object]) -> list[str]:
    """Tickets in the order of what they tell: the picked one, others, and dense."""
    return sorted(found, key=lambda head: (head != TICKET, head == DENSE))


def _title(text: str, width: int) -> Iterator[Line]:
    return ((Span(part, bold=True),) for part in textwrap.wrap(text, max(width, 10)))


def _percent(value: float) -> str:
    return f"{100 * value:.2f}%"


def plain(value: float) -> str:
    """A number that is no share."""
    return f"{value:.3g}"


density = by_layer("density", _percent)
norms = by_layer("norm", plain)
ratios = by_layer(None, plain)
