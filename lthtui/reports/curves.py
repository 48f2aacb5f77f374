"""Curves of accuracy against sparsity, as matplotlib draws them: a mean, a band, and picks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lthtui.reports.model import Spread
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.runview import PLAIN, RunView
from lthtui.significance import mean


@dataclass(frozen=True)
class Curve:
    """What a line is called and drawn with; `dash` and `marker` as matplotlib takes them."""

    label: str
    colour: str
    dash: Any
    marker: str


def curve(axes: Any, row: Row, drawn: Curve, spread: Spread, metric: str = PLAIN) -> None:
    """A group's mean on test images by level with its band, and the tickets of single runs.

    Diamonds are filled where a ticket beats dense on the images that select.
    """
    levels: dict[int, list[tuple[float, float]]] = {}
    for run in row.runs:
        for index, density, value in _points(run, metric):
            levels.setdefault(index, []).append((density, value))
    shown = [found for _, found in sorted(levels.items())]
    x = [mean([density for density, _ in found]) for found in shown]
    y = [mean([value for _, value in found]) for found in shown]
    half = [reach(tuple(value for _, value in found), spread) or 0.0 for found in shown]
    line: Any = {"color": drawn.colour, "linestyle": drawn.dash, "linewidth": 1.3}
    axes.plot(x, y, marker=drawn.marker, markersize=4, label=drawn.label, **line)
    low, high = ([a + sign * b for a, b in zip(y, half, strict=True)] for sign in (-1, 1))
    axes.fill_between(x, low, high, color=drawn.colour, alpha=0.15, linewidth=0)
    for one in row.results:
        score = one.level.scored("test", metric)
        if score is not None and one.level.sparse:
            _diamond(axes, one.level.density, score, drawn.colour, one.run.won)


def _points(run: RunView, metric: str) -> Iterator[tuple[int, float, float]]:
    for level in run.ended_levels:
        score = level.scored("test", metric)
        if score is not None and not level.search and level.density > 0:
            yield level.index, level.density, score


def _diamond(axes: Any, x: float, y: float, colour: str, won: bool | None) -> None:
    edge: Any = {"markerfacecolor": colour, "markeredgecolor": "white"}
    if not won:
        edge = {"markerfacecolor": "white", "markeredgecolor": colour}
    axes.plot([x], [y], marker="D", markersize=5, linestyle="", **edge)
