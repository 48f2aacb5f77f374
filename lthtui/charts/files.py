"""A chart as it is looked at in a file: a picture, or the numbers behind it."""

from __future__ import annotations

import re
from pathlib import Path

from lthtui import placing
from lthtui.charts import figure, sheet
from lthtui.charts.model import Chart, View

FORMS = {
    " ".join(figure.FORMATS): "the chart as it is shown",
    ".csv": "the numbers behind it, all of them",
}


def write(chart: Chart, view: View, file: Path, overwrite: bool = False) -> str:
    """Write a file whose ending says as what; say where it is.

    Raises:
        UsageError: the folder is missing, or the file exists.
        LthError: it cannot be written.
    """

    def fill(aside: Path) -> None:
        if file.suffix.lower() == ".csv":
            aside.write_text(sheet.text(chart), "utf-8")
        else:
            figure.save(chart, aside, view=view)

    return placing.said(placing.place(file, fill, overwrite))


def name(chart: Chart) -> str:
    """A name for a picture of a chart."""
    labels = [one.label for one in chart.series if one.label and not one.faint]
    words = " ".join([*labels[:2], chart.title, chart.y_label])
    return f"{re.sub(r'[^a-zA-Z0-9.]+', '-', words).strip('-.')[:80] or 'chart'}.png"
