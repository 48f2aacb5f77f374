"""The rows above a plot: title, name of y, and a legend that never covers data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from lthtui.charts.canvas import Row
from lthtui.charts.lost import kinds
from lthtui.charts.model import Chart, Look, View
from lthtui.charts.pens import Pen, in_legend
from lthtui.charts.readout import Reading, against, readings
from lthtui.charts.ticks import exact
from lthtui.fitting import briefly

MORE = "  +99 more"
LINE = "line"  # of what a style is about: the label of a line
SWATCH = 3  # cells of a line's sample and the space behind it
SHORTEST = 8  # cells that are left of a line's name, whatever its values need


def header(
    chart: Chart, drawn: Sequence[Pen], view: View, width: int, most: int, look: Look
) -> list[Row]:
    """Flow title, name of y and legend over 1 to `most` rows; what doesn't fit is counted.

    With a cross-hair, the legend gives each line's value there; to show one at least, and how much
    does not fit, names are cut, and what is known of y goes behind.
    """
    read = readings(chart, view)
    for ahead, spare in product((1, 0) if most > 1 else (0,), (0, len(MORE))):
        before, behind = _titles(chart, view, look, ahead)
        legend = _legend(chart, drawn, view, width - spare, read, look)
        entries = [*before, *legend, *behind]
        rows, shown = _flowed(entries, width, most, look)
        told = not read or shown > len(before) + bool(against(chart, view))
        if told and all(_size(row) <= width for row in rows):
            break
    return [fitted(row, width) for row in rows]


def _flowed(entries: Sequence[Row], width: int, most: int, look: Look) -> tuple[list[Row], int]:
    """Entries in 1 to `most` rows, and how many of them have room there."""
    rows: list[Row] = [[]]
    for index, entry in enumerate(entries):
        left = len(entries) - index
        last = len(rows) == most
        room = width - _size(rows[-1]) - 2 - (len(MORE) if last and left > 1 else 0)
        if rows[-1] and _size(entry) > room:
            if last:
                rows[-1].append((f"  +{left} more", look.style(look.label)))
                return rows, index
            rows.append([])
        rows[-1] += [("  ", Style()), *entry] if rows[-1] else entry
    return rows, len(entries)


def fitted(row: Row, width: int) -> Row:
    """The row cut or filled up to a width in cells."""
    cells: Row = []
    for text, style in row:
        text = set_cell_size(text, min(cell_len(text), width))
        width -= cell_len(text)
        cells.append((text, style))
    return [*cells, (" " * width, Style())] if width else cells


def _titles(chart: Chart, view: View, look: Look, ahead: int) -> tuple[list[Row], list[Row]]:
    """What stands before the legend, and what behind it.

    Args:
        ahead: how much of what is known of y goes before the values at a cross-hair.
    """

    def rows(texts: Sequence[str], ink: str, bold: bool = False) -> list[Row]:
        return [[(look.say(text), look.style(ink, bold))] for text in texts if text]

    title, about = rows([chart.title], look.text, bold=True), [chart.y_label, *chart.notes]
    if view.cursor is None:
        return [*title, *rows(about, look.label)], []
    at = rows([f"{chart.x_label} {exact(view.cursor, chart.x_unit)}".strip()], look.text, bold=True)
    return [*title, *rows(about[:ahead], look.label), *at], rows(about[ahead:], look.label)


def _legend(
    chart: Chart,
    drawn: Sequence[Pen],
    view: View,
    width: int,
    read: Mapping[str, Reading],
    look: Look,
) -> list[Row]:
    named = in_legend(drawn)
    if view.pointer is not None:
        pointer, focused = view.pointer, bool(view.focus)
        named.sort(
            key=lambda pen: (focused and not pen.bright, _far(read.get(pen.series.label), pointer))
        )
    entries = _entries(chart, named, view, width, read, look)
    base = against(chart, view) if read else ""
    if base:
        entries.insert(0, [(look.say(f"vs {base}"), look.style(look.label))])
    marks = {glyph for pen in drawn for _, _, glyph in pen.series.marks}
    if marks and chart.marks_label:
        glyph = (look.say(min(marks)), look.style(look.text, bold=True))
        entries.append([glyph, (" " + look.say(chart.marks_label), look.style(look.label))])
    entries += _lost(chart, drawn, look)
    if chart.baseline is not None:
        value = f" {exact(chart.baseline, chart.y_unit)}" if read else ""
        text = look.say(f"╌╌ {chart.baseline_label}{value}")
        entries.append([(text, look.style(look.label))])
    return entries


def _lost(chart: Chart, drawn: Sequence[Pen], look: Look) -> Iterator[Row]:
    """In words, what stands at the edge of the plot for values that have no place in it."""
    for glyph, word in kinds((pen.series.points for pen in drawn), chart.y_scale):
        yield [(look.say(f"{glyph} {word}"), look.style(look.text, bold=True))]


def _entries(
    chart: Chart,
    named: Sequence[Pen],
    view: View,
    width: int,
    read: Mapping[str, Reading],
    look: Look,
) -> list[Row]:
    """Samples of lines, their names, and what the cross-hair reads there.

    A row has room for each, with names that are told apart. Their styles say in `LINE` which line
    it is, for those who point at it.
    """
    values = {label: one.text(chart, view.cursor or 0.0) for label, one in read.items()}
    ends = []
    for pen in named:
        count = f" (n={pen.series.count})" if pen.series.count > 1 else ""
        value = "" if view.cursor is None else f" {values.get(pen.series.label, '–')}"
        ends.append((count, look.say(value)))
    most = width - SWATCH - max((cell_len(count + value) for count, value in ends), default=0)
    shown = briefly((look.say(pen.series.label) for pen in named), max(most, SHORTEST))
    rows = []
    for pen, (count, value) in zip(named, ends, strict=True):
        bold = bool(view.focus) and pen.bright
        swatch = (look.swatch(pen.index, pen.count, pen.dash), look.style(pen.colour))
        name = " " + look.spell(shown[look.say(pen.series.label)]) + count
        row = [swatch, (name, look.style(look.text if bold else look.label, bold))]
        row += [(value, look.style(look.text))] if value else []
        line = Style(meta={LINE: pen.series.label})
        rows.append([(text, style + line) for text, style in row])
    return rows


def _far(reading: Reading | None, pointer: float) -> float:
    """How far from the mouse a line is; one that has no value there is the last."""
    away = abs(reading.y - pointer) if reading else float("inf")
    return away if away == away else float("inf")


def _size(row: Row) -> int:
    return sum(cell_len(text) for text, _ in row)
