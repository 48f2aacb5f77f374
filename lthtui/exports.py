"""A contrast of groups as a file: Markdown, LaTeX, CSV with each run's values, or a picture."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from lthtui import latex as tex
from lthtui import placing, written
from lthtui.contrast import Contrast
from lthtui.differences import ABSENT, Setting
from lthtui.written import Written

if TYPE_CHECKING:
    from lthtui.charts import Chart
    from lthtui.charts.model import View

PICTURES = (".png", ".svg", ".pdf")
CSV_HEADER = (
    *("group", "label", "measure", "density", "draw", "fold", "seed", "value", "std", "n"),
    *("difference", "p", "p_holm"),
)
_MARKDOWN = re.compile(r"([\\`*_|<>\[\]$&~])")


@dataclass(frozen=True)
class Material:
    """What can be exported.

    Attributes:
        settings: those to be written beside the figures.
        chart, view: as on screen; None where there is nothing to draw.
    """

    contrast: Contrast
    settings: Sequence[Setting] = ()
    chart: Chart | None = None
    view: View | None = None


def save(material: Material, file: Path, overwrite: bool = False) -> Path:
    """Write a file whose ending says as what; its absolute path.

    Raises:
        UsageError: the ending is none of `FORMS`, there is nothing to draw, the folder is missing,
            or the file exists.
        OSError: it cannot be written.
    """
    check(file)
    return placing.place(file, lambda aside: _write(material, aside), overwrite)


def written_to(material: Material, file: Path, overwrite: bool = False) -> str:
    """As `save`; says where the file is."""
    return placing.said(save(material, file, overwrite))


def check(file: Path) -> None:
    """Refuse a file of another ending.

    Raises:
        UsageError: the ending is none of `FORMS`.
    """
    placing.check(file, FORMS)


def markdown(material: Material) -> str:
    """Two tables and notes."""
    contrast = material.contrast
    lines = [*_markdown_table(contrast, _markdown_cells(contrast)), ""]
    if said := [*_said(contrast)]:
        lines += [*(f"{markdown_text(line)}  " for line in said), ""]
    if material.settings:
        rows = ([one.key, *(value or ABSENT for value in one.values)] for one in material.settings)
        lines += _markdown_table(contrast, ([*map(markdown_text, row)] for row in rows))
    return "\n".join(lines).rstrip() + "\n"


def latex(material: Material) -> str:
    r"""Two tables; the caption tells the test."""
    contrast = material.contrast
    header = ["", *contrast.labels]
    caption = " ".join(f"{line.rstrip('.')}." for line in _said(contrast))
    columns, cells = ["l", *"r" * len(contrast.labels)], _latex_cells(contrast)
    lines = [tex.NEEDS, *tex.floats(columns, header, cells, caption, "tab:groups")]
    if material.settings:
        columns = ["l"] * len(header)
        rows = ([one.key, *(value or ABSENT for value in one.values)] for one in material.settings)
        cells = ([*map(tex.text, row)] for row in rows)
        lines += ["", *tex.floats(columns, header, cells, "Settings.", "tab:settings")]
    return "\n".join(lines) + "\n"


def values(material: Material) -> str:
    """CSV: a line for each value, and one without a seed for mean, deviation and test."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    contrast = material.contrast
    for line in contrast.lines:
        density = "" if line.measure.density is None else line.measure.density
        for group, label, found in zip(contrast.groups, contrast.labels, line.entries, strict=True):
            head = (group, label, line.measure.name, density)
            for which, value in found.values.items():
                writer.writerow([*head, *which.told.values(), value, "", "", "", "", ""])
            if found.values:
                one = found.finding
                tested = (one.difference, one.p, one.holm) if one else (None, None, None)
                writer.writerow(
                    [*head, "", "", "", found.mean, found.deviation, len(found.values), *tested]
                )
    return text.getvalue()


def _write(material: Material, file: Path) -> None:
    write = _TEXTS.get(file.suffix.lower())
    if write is not None:
        file.write_text(write(material), "utf-8")
        return
    if material.chart is None:
        raise UsageError("there is nothing to draw yet; choose .md, .tex or .csv")
    from lthtui.charts.figure import save as draw

    draw(material.chart, file, view=material.view)


_TEXTS: dict[str, Callable[[Material], str]] = {".md": markdown, ".tex": latex, ".csv": values}
FORMS = (*_TEXTS, *PICTURES)


def _said(contrast: Contrast) -> Iterator[str]:
    """What has to be known to read the table."""
    yield "Mean ± sample standard deviation (runs); best mean in bold"
    if contrast.tested:
        yield f"{contrast.tested[0].upper()}{contrast.tested[1:]}: {written.LEGEND}"
    yield from contrast.notes


def _entries(contrast: Contrast) -> Iterator[tuple[str, list[tuple[Written, bool]]]]:
    for line in contrast.lines:
        cells = [(written.entry(line.measure, one), one.best) for one in line.entries]
        yield written.name(line.measure), cells


def _markdown_cells(contrast: Contrast) -> Iterator[list[str]]:
    for name, entries in _entries(contrast):
        cells = []
        for found, best in entries:
            text = markdown_text(replace(found, count="", stars="").joined(" ± "))
            text = f"**{text}**" if best else text
            more = f" ({found.count})" if found.count else ""
            cells.append(f"{text}{more}{markdown_text(found.stars)}")
        yield [markdown_text(name), *cells]


def _markdown_table(contrast: Contrast, rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| | {' | '.join(map(markdown_text, contrast.labels))} |"
    yield "|---" + "|---:" * len(contrast.labels) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def markdown_text(text: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", " ")


def _latex_cells(contrast: Contrast) -> Iterator[list[str]]:
    for name, entries in _entries(contrast):
        cells = []
        for found, best in entries:
            text = tex.text(replace(found, count="", stars="").joined(" ± "))
            text = rf"\textbf{{{text}}}" if best else text
            stars = f"$^{{{found.stars}}}$" if found.stars else ""
            more = rf" {{\scriptsize({found.count})}}" if found.count else ""
            cells.append(f"{text}{stars}{more}")
        yield [tex.text(name), *cells]
