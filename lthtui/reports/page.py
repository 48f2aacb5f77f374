"""A report as one HTML page that needs no other file: figures and tables are within it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from lthtui.reports import tables
from lthtui.reports.model import Block, Cell, Details, Figure, Report, Section, Table
from lthtui.reports.wording import said

STYLE = """
:root { color-scheme: light; background: #fff; }
body {
  font: 16px/1.5 system-ui, sans-serif; color: #222; overflow-wrap: break-word;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
}
h1, h2 { line-height: 1.2; }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
nav ul { columns: 2 15rem; padding-left: 1.2rem; }
table {
  border-collapse: separate; border-spacing: 0; min-width: min(36rem, 100%);
  font-size: .85rem; font-variant-numeric: tabular-nums;
}
caption, figcaption {
  text-align: left; color: #555; font-size: .85rem; padding: .4rem 0;
  max-width: min(50rem, 100vw - 3rem);
}
th, td {
  padding: .2rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e5e5e5;
}
th:first-child, td:first-child {
  text-align: left; white-space: normal; min-width: 7.5rem;
  position: sticky; left: 0; background: #fff;
}
.text { text-align: left; white-space: normal; min-width: 12rem; }
thead th { border-bottom: 1.5px solid #222; vertical-align: bottom; white-space: normal; }
.wide { overflow-x: auto; margin: 1.5rem 0; }
figure { margin: 1.5rem 0; overflow-x: auto; }
img { max-width: 100%; }
pre { background: #f6f6f6; padding: .6rem .8rem; overflow-x: auto; font-size: .8rem; }
@media (max-width: 45rem) {
  img { max-width: 42rem; }
  .text { min-width: 8rem; }
  th:first-child, td:first-child { max-width: 9rem; overflow-wrap: anywhere; }
}
@media print {
  nav { display: none; }
  .wide, figure, pre { overflow: visible; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  table { font-size: .6rem; }
  tr, figure, img { break-inside: avoid; }
  h2, caption, thead { break-after: avoid; }
  img { max-width: 100%; max-height: 85vh; }
  details.left::details-content { content-visibility: visible; block-size: auto; }
}
"""


def page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The page.

    Args:
        pictures: SVG by the names of figures.
    """
    sections = (_section(index, one, report, pictures) for index, one in enumerate(report.sections))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(report.title)}</h1>",
            f"<pre>{escape(report.command)}</pre>",
            *_notes(report),
            *_contents(report),
            *sections,
            *_absent(report),
            "</body></html>",
        ]
    )


def _notes(report: Report) -> Iterator[str]:
    """What the numbers leave out."""
    if not report.notes:
        return
    lines = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    notes = f"{len(report.notes)} notes on what is left out" if report.notes[1:] else "Left out"
    yield f'<details class="left"><summary>{notes}</summary><ul>{lines}</ul></details>'


def _contents(report: Report) -> Iterator[str]:
    yield "<nav><ul>"
    for index, section in enumerate(report.sections):
        yield f'<li><a href="#s{index}">{escape(section.title)}</a></li>'
    yield "</ul></nav>"


def _section(index: int, section: Section, report: Report, pictures: Mapping[str, bytes]) -> str:
    blocks = (_block(block, report, pictures) for block in section.blocks)
    return "\n".join([f'<h2 id="s{index}">{escape(section.title)}</h2>', *blocks])


def _block(block: Block, report: Report, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Table():
            return _table(block, report)
        case Figure():
            data = base64.b64encode(pictures[block.name]).decode()
            source, alt = f"data:image/svg+xml;base64,{data}", escape(block.said(report.spread))
            return (
                f'<figure id="{block.name}"><img src="{source}" alt="{alt}">'
                f"<figcaption>{alt}</figcaption></figure>"
            )
        case Details():
            return (
                f"<details><summary>{escape(block.title)}</summary>"
                f"<pre>{escape(block.text)}</pre></details>"
            )
    return f"<p>{escape(block)}</p>"


def _table(table: Table, report: Report) -> str:
    wrapped = [' class="text"' * tables.wraps(table, at) for at in range(len(table.header))]
    head = "".join(
        f'<th scope="col"{how}>{escape(name)}</th>'
        for name, how in zip(table.header, wrapped, strict=True)
    )
    rows = "\n".join(_row(row, wrapped, table, report) for row in table.rows)
    caption = escape(tables.caption(table, report.spread))
    return (
        f'<div class="wide"><table id="{table.name}"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>"
    )


def _row(row: Sequence[Cell], wrapped: Sequence[str], table: Table, report: Report) -> str:
    cells = zip(row, wrapped, strict=True)
    return f"<tr>{''.join(_cell(cell, how, table, report) for cell, how in cells)}</tr>"


def _cell(cell: Cell, how: str, table: Table, report: Report) -> str:
    if isinstance(cell, str):
        return f"<td{how}>{escape(cell)}</td>"
    text = escape(said(cell, report.spread, tables.usual(table)).text)
    shown = escape(", ".join(f"{value:.6g}" for value in cell.values), quote=True)
    return f'<td title="{shown}">{f"<b>{text}</b>" if cell.best else text}</td>'


def _absent(report: Report) -> Iterator[str]:
    """What the report would have more, and how."""
    if not report.absent:
        return
    yield "<h2>Not in this report</h2>"
    for one in report.absent:
        commands = "\n".join(one.commands)
        yield f"<p>{escape(one.title)}</p><pre>{escape(commands)}</pre>"
