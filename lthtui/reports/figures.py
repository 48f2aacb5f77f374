"""Figures of a report as files, by matplotlib, which is slow to import.

The same report gives the same bytes. Text stays text in SVG and PDF.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from lthtui.charts.figure import SHARP, STYLE
from lthtui.reports.model import Figure

GREY, RULE = "#333333", "#cccccc"
LOOK: Any = {
    **STYLE,
    "svg.hashsalt": "lthtui",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "font.size": 9,
}
_DATED: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
FORMS = (*_DATED,)


def drawn(figure: Figure) -> dict[str, bytes]:
    """A figure as SVG, PDF and PNG, by these names."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(LOOK):
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        return {form: _saved(canvas.savefig, form) for form in FORMS}


def _saved(save: Callable[..., None], form: str) -> bytes:
    target = io.BytesIO()
    save(target, format=form, dpi=SHARP, metadata=_DATED[form])
    return target.getvalue()


def beside(axes: Any) -> None:
    """A legend right of the axes, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def percent(axis: Any) -> None:
    """Have an axis of fractions tell percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
