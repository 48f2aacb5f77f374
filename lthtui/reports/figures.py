"""Figures of a report as files, by matplotlib, which is slow to import.

The same report gives the same bytes. Text stays text in SVG and PDF.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from lthtui.charts import figure as chart
from lthtui.charts.figure import DASHES, INKS, PAPER, SHARP, STYLE
from lthtui.colours import PALETTE
from lthtui.legible import legible
from lthtui.reports.model import Figure
from lthtui.text import clean_line

GREY, RULE = "#333333", "#cccccc"
CYCLE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe & Ito 2008
MARKERS = "os^vPX<>*h"  # all filled; diamonds are picks
MANY = len(PALETTE) * len(DASHES)  # looks that groups may have
T = TypeVar("T")
LONG = 32  # letters of a name at an axis
ROOM = 1.1  # factor left beside the ends of an axis
APART = 1.5  # factor between densities that are told
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
    "font.size": 9,
}
_DATED: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
FORMS = (*_DATED,)


def drawn(figure: Figure) -> dict[str, bytes]:
    """A figure as SVG, PDF and PNG, by these names."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters of names: shown as boxes
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        return {form: _saved(canvas.savefig, form) for form in FORMS}


def _saved(save: Callable[..., None], form: str) -> bytes:
    target = io.BytesIO()
    save(target, format=form, dpi=SHARP, metadata=_DATED[form])
    return target.getvalue()


def ink(colour: str) -> str:
    """The colour, dark enough to be seen on white paper (contrast 3 as of the Web's guidelines)."""
    return legible(INKS.get(colour, colour), PAPER.paper)


def bars(colour: str, which: object) -> dict[str, Any]:
    """How bars are filled: those of dense networks are hatched, which print shows, too."""
    look: dict[str, Any] = {"edgecolor": colour, "linewidth": 0.6, "error_kw": {"linewidth": 0.6}}
    hatched: dict[str, Any] = {"facecolor": "white", "hatch": "/////"}
    return look | (hatched if which == "dense" else {"facecolor": colour})


def few(methods: Sequence[T]) -> tuple[Sequence[T], str]:
    """As many as have looks of their own, and what a caption says of the others."""
    more = len(methods) > MANY
    rest = f" Drawn are the first {MANY} of {len(methods)} methods." if more else ""
    return methods[:MANY], rest


def below(canvas: Any) -> None:
    """One legend for all axes of a figure, below them, which keep their height."""
    known: dict[str, Any] = {}
    for axes in canvas.axes:
        handles, labels = axes.get_legend_handles_labels()
        known.update(zip(labels, handles, strict=True))
    if known:
        chart.below(canvas, [*known.values()], [*known])


def ticks(axis: Any, names: Sequence[str], **style: Any) -> None:
    """Have an axis tell names, on one line each and no longer than there is room for."""
    lines = [clean_line(name) for name in names]
    short = [line if len(line) <= LONG else f"{line[: LONG - 1]}…" for line in lines]
    axis.set_ticks(range(len(short)), short, **style)


def sparsity(axes: Any, known: Iterable[float]) -> None:
    """Have axes tell kept fractions in percent from dense to sparse, at some that occur."""
    from matplotlib.ticker import FixedLocator, NullLocator

    shown: list[float] = []
    for density in sorted(known, reverse=True):
        if not shown or density < shown[-1] / APART:
            shown.append(density)
    axes.set(xscale="log", xlabel="weights kept (%)")
    if shown:
        axes.set_xlim(shown[0] * ROOM, shown[-1] / ROOM)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    percent(axes.xaxis)


def operations(axis: Any) -> None:
    """Have a logarithmic axis tell numbers of operations, as `2 T`."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from lthtui.board import operations

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: operations(value)))


def percent(axis: Any) -> None:
    """Have an axis of fractions tell percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}"))
