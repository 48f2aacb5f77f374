"""Layers: how much of each a ticket keeps, and how that comes about level by level.

Figure 6 of the data-efficient tickets paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lthtui.densitymap import in_order
from lthtui.reports import figures
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Figure, Number, Section, Table
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.significance import mean

LABEL = "layer_density"
Densities = dict[str, tuple[float, ...]]  # by layer, in their order, over repetitions


def build(subject: Subject) -> Section | Absent:
    """A table, a picture of tickets by layer, and one of a run's levels for each network."""
    rows = [row for row in subject.methods if densities(subject, row)]
    if not rows:
        asked = ("--with", LABEL, "--level", "all")
        return Absent("Density of each layer", (subject.command("evaluate", *asked),))
    networks: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        networks.setdefault(tuple(densities(subject, row)), []).append(row)
    pictures = []
    for number, alike in enumerate(networks.values()):
        which = f"-{number + 1}" if len(networks) > 1 else ""
        pictures.append(_by_layer(subject, alike, f"layers{which}"))
        if len(_levels(subject, alike[0])) > 1:
            pictures.append(_by_level(subject, alike[0], f"layers-levels{which}"))
    return Section("Layers", (_table(subject, rows), *pictures))


def densities(subject: Subject, row: Row, which: Which = "ticket") -> Densities:
    """What a method keeps of each layer; runs whose layers are others' are left out."""
    found: Densities = {}
    read = subject.evaluations.documents(row.runs, LABEL, f"{LABEL}.json", which)
    for document in read.values():
        layers = _layers(document)
        if layers and (not found or found.keys() == layers.keys()):
            found = {name: (*found.get(name, ()), value) for name, value in layers.items()}
    return {name: found[name] for name in in_order(found)}


def _layers(document: Any) -> dict[str, float]:
    """By layer, what is kept; empty where a document says something else."""
    try:
        return {str(name): float(layer["density"]) for name, layer in document.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _table(subject: Subject, rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        found = densities(subject, row)
        each = [*zip(*found.values(), strict=True)]
        names = [*found]
        means = {name: mean(values) for name, values in found.items()}
        lines.append(
            (
                row.label,
                Number.of((one.level.density for one in row.results), "density"),
                Number.of(map(min, each), "density"),
                Number.of(map(max, each), "density"),
                Number.of((one[0] for one in each), "density"),
                Number.of((one[-1] for one in each), "density"),
                min(names, key=lambda name: means[name]),
            )
        )
    header = (
        *("method", "kept %", "sparsest layer %", "densest layer %", "first layer %"),
        *("last layer %", "sparsest on average"),
    )
    caption = "Share of its weights that each layer of the picked tickets keeps."
    return Table("layers", caption, header, tuple(lines))


def _by_layer(subject: Subject, rows: Sequence[Row], name: str) -> Figure:
    layers = [*densities(subject, rows[0])]
    rows, rest = figures.few(rows)

    def draw(canvas: Any) -> None:
        axes, x = canvas.subplots(), range(len(layers))
        for row in rows:
            found, pen = [*densities(subject, row).values()], look(subject, row)
            means = [mean(values) for values in found]
            half = [reach(values, subject.spread) or 0.0 for values in found]
            line: Any = {"color": pen.colour, "linestyle": pen.dash, "marker": pen.marker}
            axes.plot(x, means, markersize=4, linewidth=1.2, label=row.label, **line)
            low, high = ([m + s * h for m, h in zip(means, half, strict=True)] for s in (-1, 1))
            axes.fill_between(x, low, high, color=pen.colour, alpha=0.15, linewidth=0)
        figures.ticks(axes.xaxis, layers, rotation=90, fontsize=6.5)
        axes.set_ylim(bottom=0)
        figures.percent(axes.yaxis)
        axes.set(ylabel="weights kept (%)")
        figures.below(canvas)

    caption = "Share of its weights that each layer of the picked tickets keeps, in their order."
    return Figure(name, f"{caption}{rest}", draw, (7.0, 4.6), spread=True)


def _levels(subject: Subject, row: Row) -> list[int]:
    """The levels that all runs of a method have looked at."""
    every = sorted({level.index for run in row.runs for level in run.ended_levels})
    return [level for level in every if densities(subject, row, level)]


def _by_level(subject: Subject, row: Row, name: str) -> Figure:
    levels = _levels(subject, row)
    found = [densities(subject, row, level) for level in levels]
    layers = [*found[0]]
    table = [
        [mean(one[layer]) if layer in one else float("nan") for one in found] for layer in layers
    ]

    def draw(canvas: Any) -> None:
        from matplotlib.colors import LogNorm

        axes = canvas.subplots()
        lowest = min((value for line in table for value in line if value > 0), default=1e-3)
        norm = LogNorm(min(lowest, 0.99), 1.0)
        image = axes.imshow(table, aspect="auto", cmap="viridis", norm=norm)
        axes.set_xticks(range(len(levels)), [str(level) for level in levels])
        figures.ticks(axes.yaxis, layers, fontsize=6.5)
        axes.grid(visible=False)
        axes.set(xlabel="level")
        bar = canvas.colorbar(image, ax=axes, label="weights kept (%)")
        figures.percent(bar.ax.yaxis)

    caption = f"Share of its weights that each layer keeps, by level: {row.label}, mean over runs."
    return Figure(name, caption, draw, (5.0, 1.5 + 0.16 * len(layers)))
