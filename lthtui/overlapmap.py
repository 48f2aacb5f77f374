"""The overlaps of tickets as a heat map, and what two of them share layer by layer."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len

from engine.overlap import Overlap
from lthtui import heat
from lthtui.board import percent
from lthtui.densitymap import in_order, short
from lthtui.fitting import briefly
from lthtui.heat import Line, Span
from lthtui.overlap import figure
from lthtui.text import clean_line

CELL = 6  # cells of an overlap
LEAD = 12  # cells of a ticket's number and its density
NAME = 22  # cells of a ticket's name at least
LAYER = 24  # cells of a layer's name at most
WIDEST = 30  # cells of a bar


def matrix(found: Overlap, at: tuple[int, int], width: int) -> list[Line]:
    """A line for each ticket; the overlap that the cursor is `at` stands in brackets.

    Names are cut, never figures: the lines may be wider than `width`.
    """
    names = [clean_line(name) for name in found.names]
    brief = briefly(names, max(width - LEAD - CELL * len(names), NAME))
    names = [brief[name] for name in names]
    lead = max(map(cell_len, names), default=0)
    numbers = "".join(f"{number:>{CELL - 1}} " for number in range(1, len(names) + 1))
    drawn: list[Line] = [(Span(" " * (lead + 5) + "  kept " + numbers, "dim"),)]
    for row, name in enumerate(names):
        share = found.kept(row) / max(found.total(), 1)
        head = (
            Span(f"{row + 1:>3}  ", "dim"),
            Span(name + " " * (lead - cell_len(name)), bold=row in at),
            Span(f"{percent(share):>6} ", "dim"),
        )
        cells = (_cell(found, row, column, (row, column) == at) for column in range(len(names)))
        drawn.append((*head, *cells))
    steps = [heat.painted(f" .{step} ", step / 10) for step in (0, 2, 4, 6, 8)]
    legend = (Span(" " * 5 + "IoU ", "dim"), *steps, heat.painted(" 1 ", 1.0))
    return [*drawn, (), legend]


def pair(found: Overlap, one: int, other: int, width: int) -> list[Line]:
    """What two tickets share: in all, and in each layer beside what is to be expected by chance."""
    names = [clean_line(found.names[at]) for at in (one, other)]
    drawn = [*_name("", names[0], width), *_name("and ", names[1], width)]
    for label, text in {
        "overlap": f"{figure(found.iou(one, other))} of those in either are in both",
        "by chance": _chance(found, one, other),
        "in both": f"{found.both(one, other):,} weights{_inside(found, one, other)}",
    }.items():
        drawn += heat.fact(label, text, width)
    drawn.append(())
    layers = {layer: short(layer, LAYER) for layer in in_order(found.totals)}
    lead = max((cell_len(name) for name in layers.values()), default=0) + 1
    room = min(max(width - lead - 14, 4), WIDEST)
    drawn.append((Span(" " * lead + f"{'IoU':>5} {'chance':>7} ", "dim"),))
    for layer, name in layers.items():
        overlap = found.iou(one, other, layer)
        chance = found.by_chance(one, other, layer)
        figures = f"{figure(overlap):>5} {figure(chance):>7} "
        drawn.append((Span(name.ljust(lead)), Span(figures), heat.bar(overlap or 0.0, room)))
    return drawn


def _name(lead: str, name: str, width: int) -> list[Line]:
    """A name in full, on as many lines as it needs."""
    first, *others = textwrap.wrap(name, max(width - len(lead), 10)) or [""]
    return [
        (Span(lead, "dim"), Span(first, bold=True)),
        *((Span(" " * len(lead)), Span(part, bold=True)) for part in others),
    ]


def _cell(found: Overlap, row: int, column: int, here: bool) -> Span:
    value = found.iou(row, column)
    text = f"{figure(value):>{CELL - 2}}"
    return heat.painted(f"[{text}]" if here else f" {text} ", value)


def _chance(found: Overlap, one: int, other: int) -> str:
    by_chance, anywhere = found.by_chance(one, other), found.anywhere(one, other)
    return (
        f"{figure(by_chance)}  with as many in every layer; {figure(anywhere)} in whatever layers"
    )


def _inside(found: Overlap, one: int, other: int) -> str:
    inside = found.within(one, other)
    return "" if inside is None or one == other else f", {percent(inside)} of the sparser one's"
