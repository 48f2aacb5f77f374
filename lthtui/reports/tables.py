"""Tables of a report as files: Markdown, LaTeX, and CSV with every figure in full."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from lthtui import latex as tex
from lthtui.counting import counted
from lthtui.exports import markdown_text
from lthtui.reports.model import SPREADS, UNITS, Cell, Number, Spread, Table
from lthtui.reports.wording import reach, said
from lthtui.significance import mean

LONG = 40  # letters of a cell that fill several lines
CSV_HEADER = ("line", "row", "column", "text", "mean", "spread", "n", "values", "unit")


def markdown(table: Table, spread: Spread) -> str:
    """A table with its caption above."""
    lines = [f"{markdown_text(caption(table, spread))}", ""]
    lines.append(_line(map(markdown_text, table.header)))
    lines.append("|---" + "|---:" * (len(table.header) - 1) + "|")
    lines += [_line(_markdown_cells(table, row, spread)) for row in table.rows]
    return "\n".join(lines) + "\n"


def latex(table: Table, spread: Spread) -> str:
    r"""A table that `\ref{tab:NAME}` refers to."""
    columns = [_column(table, at) for at in range(len(table.header))]
    rows = ([*_latex_cells(table, row, spread)] for row in table.rows)
    told = caption(table, spread)
    lines = tex.floats(columns, table.header, rows, told, f"tab:{table.name}")
    return "\n".join([tex.NEEDS, *lines]) + "\n"


def wraps(table: Table, at: int) -> bool:
    """Whether a column has texts that fill several lines."""
    texts = (row[at] for row in table.rows)
    return any(isinstance(text, str) and len(text) > LONG for text in texts)


def _column(table: Table, at: int) -> str:
    """How LaTeX sets a column."""
    return tex.WRAPPED if wraps(table, at) else "r" if at else "l"


def values(table: Table, spread: Spread) -> str:
    """A line for each cell that says something: numbers in full, in the units of the run.

    What negative numbers have in front is a hyphen, which programs read.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for line, (first, *cells) in enumerate(table.rows, start=1):
        head = _plain(first, spread)
        for column, cell in zip(table.header[1:], cells, strict=True):
            if isinstance(cell, str):
                text = cell.replace("−", "-")
                writer.writerow([line, head, column, text, *[""] * 5])
            elif cell.values:
                half = reach(cell.values, spread)
                rest = [
                    "" if half is None else half,
                    len(cell.values),
                    " ".join(map(repr, cell.values)),
                    UNITS.get(cell.kind, ""),
                ]
                writer.writerow([line, head, column, "", mean(cell.values), *rest])
    return file.getvalue()


FORMS: dict[str, Callable[[Table, Spread], str]] = {".md": markdown, ".tex": latex, ".csv": values}


def caption(table: Table, spread: Spread) -> str:
    """What a table's caption says, and what stands in its cells."""
    counts = {*_counts(table)}
    if max(counts, default=0) < 2:
        return f"{table.caption}{' Of single runs: without a spread.' if 1 in counts else ''}"
    but = ", or as many as stand in brackets" if len(counts - {0}) > 1 else ""
    how = SPREADS[spread]
    return f"{table.caption} {how[0].upper()}{how[1:]} over {counted(usual(table), 'run')}{but}."


def usual(table: Table) -> int:
    """Of how many values most figures are the mean; the larger number of two that are as common."""
    known = Counter(count for count in _counts(table) if count)
    return max(known, key=lambda count: (known[count], count), default=0)


def _counts(table: Table) -> Iterator[int]:
    """Over how many runs figures are; what a test says is of none."""
    for row in table.rows:
        for cell in row:
            if isinstance(cell, Number) and cell.kind != "p":
                yield len(cell.values)


def _plain(cell: Cell, spread: Spread) -> str:
    return cell if isinstance(cell, str) else said(cell, spread).text


def _markdown_cells(table: Table, row: Sequence[Cell], spread: Spread) -> Iterator[str]:
    for cell in row:
        if isinstance(cell, str):
            yield markdown_text(cell)
            continue
        text = markdown_text(said(cell, spread, usual(table)).text)
        yield f"**{text}**" if cell.best else text


def _latex_cells(table: Table, row: Sequence[Cell], spread: Spread) -> Iterator[str]:
    for cell in row:
        text = tex.text(cell if isinstance(cell, str) else said(cell, spread, usual(table)).text)
        yield rf"\textbf{{{text}}}" if isinstance(cell, Number) and cell.best else text


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
