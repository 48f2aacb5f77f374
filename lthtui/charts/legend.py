"""The rows above a plot: title, name of y, and a legend that never covers data."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from lthtui.charts.canvas import Row
from lthtui.charts.model import Chart, Look, Series

MORE = len("  +99 more")


def header(chart: Chart, series: Sequence[Series], width: int, most: int, look: Look) -> list[Row]:
    """Flow title, name of y and legend over 1 to `most` rows; what doesn't fit is counted."""
    entries = _titles(chart, look) + _legend(chart, series, look)
    rows: list[Row] = [[]]
    for index, entry in enumerate(entries):
        left = len(entries) - index
        last = len(rows) == most
        room = width - _size(rows[-1]) - 2 - (MORE if last and left > 1 else 0)
        if rows[-1] and _size(entry) > room:
            if last:
                rows[-1].append((f"  +{left} more", look.style(look.label)))
                break
            rows.append([])
        rows[-1] += [("  ", Style()), *entry] if rows[-1] else entry
    return [fitted(row, width) for row in rows]


def fitted(row: Row, width: int) -> Row:
    """The row cut or filled up to a width in cells."""
    cells: Row = []
    for text, style in row:
        text = set_cell_size(text, min(cell_len(text), width))
        width -= cell_len(text)
        cells.append((text, style))
    return [*cells, (" " * width, Style())] if width else cells


def _titles(chart: Chart, look: Look) -> list[Row]:
    titles = ((chart.title, look.text, True), (chart.y_label, look.label, False))
    return [[(look.say(text), look.style(ink, bold))] for text, ink, bold in titles if text]


def _legend(chart: Chart, series: Sequence[Series], look: Look) -> list[Row]:
    named = [one for one in series if one.label and not one.faint]
    label = look.style(look.label)
    entries: list[Row] = [
        [
            (look.swatch(index, len(named)), look.style(one.colour)),
            (" " + look.say(one.label), label),
        ]
        for index, one in enumerate(named)
    ]
    marks = [mark for one in series for mark in one.marks]
    if marks and chart.marks_label:
        glyph = (look.say(marks[0][2]), look.style(look.text, bold=True))
        entries.append([glyph, (" " + look.say(chart.marks_label), label)])
    if chart.baseline is not None:
        entries.append([(look.say(f"╌╌ {chart.baseline_label}"), label)])
    return entries


def _size(row: Row) -> int:
    return sum(cell_len(text) for text, _ in row)
