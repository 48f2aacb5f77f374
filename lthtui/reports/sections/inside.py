"""Inside the ticket: dead filters, overlaps, norms of weights, residual branches.

Table 6 and Figure 8 of the data-efficient tickets paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from lthtui.reports import beside, figures, masks
from lthtui.reports.beside import Line
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Block, Cell, Figure, Number, Section, Table
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.significance import mean

RATIOS = "residual_ratio"


def build(subject: Subject) -> Section | Absent:
    """Tables and figures of what was evaluated."""
    blocks = [*_filters(subject), *_masks(subject), *_branches(subject)]
    if blocks:
        return Section("Inside the ticket", tuple(blocks))
    asked = ("--with", f"dead_filters,overlap,weight_norms,{RATIOS}", "--level", "dense,best")
    title = "Dead filters, overlaps of masks, norms of weights, residual branches"
    return Absent(title, (subject.command("evaluate", *asked),))


def _filters(subject: Subject) -> Iterator[Block]:
    lines = [
        Line("dead_filters", "density", "weights kept %", "density", tested=False),
        Line(
            "dead_filters",
            "effective density",
            "weights on living paths %",
            "density",
            tested=False,
        ),
        Line("dead_filters", "dead filters", "dead filters %"),
        Line("dead_filters", "collapsed layers", "collapsed layers", "count", "count"),
    ]
    caption = (
        "What lives: a weight on a path of living ones from the image to the outputs (Vysogorets"
        " and Kempe 2023), filters without such a weight, layers without any weight."
    )
    found = beside.table(subject, "dead-filters", caption, lines)
    if found is not None:
        yield found


def _masks(subject: Subject) -> Iterator[Block]:
    """Overlaps with other masks, and ratios of norms: of tickets alone."""
    overlaps = [
        (
            (row.label, f"{label}{_other(subject, row, label)}"),
            [_of(subject, row, label, metric) for metric in _OVERLAP],
        )
        for row in subject.methods
        for label in subject.evaluations.called("overlap")
    ]
    header = ("method", "mask", "IoU %", "IoU by chance %", "of the sparser one %")
    caption = (
        "Weights that live in both masks over those that live in either (IoU), and what masks of"
        " as many weights in every layer share by chance. overlap: with the level before of those"
        " whose weights were kept, which stands behind it; with all weights it is the share kept."
    )
    yield from _table("overlap", caption, header, overlaps)
    yield from masks.table(subject)
    norms = [
        ((row.label,), [_of(subject, row, label, metric, "number") for metric in _NORMS])
        for row in subject.methods
        for label in subject.evaluations.called("weight_norms")
    ]
    caption = (
        "How much larger the weights that tickets keep are than the dense network's at the same"
        " places: means over layers of the ratio of norms, and of mean absolute values. The paper"
        " does not say which of the two its Table 6 has."
    )
    yield from _table("weight-norms", caption, ("method", "norms", "mean absolute"), norms)


def _other(subject: Subject, row: Row, label: str) -> str:
    """Whose mask it was, as documents say."""
    read = subject.evaluations.documents(row.runs, label, "overlap.json")
    names = dict[str, None]()
    for document in read.values():
        with suppress(KeyError, IndexError, TypeError):
            names[str(document["tickets"][1]["name"])] = None
    return f" ({', '.join(names)})" if names else ""


_OVERLAP = ("iou", "iou by chance", "share of the sparser")
_NORMS = ("norm ratio", "mean absolute ratio")


def _of(subject: Subject, row: Row, label: str, metric: str, kind: Any = "accuracy") -> Number:
    return Number.of(subject.evaluations.values(row.runs, label, metric).values(), kind)


def _table(name: str, caption: str, header: tuple[str, ...], found: Any) -> Iterator[Table]:
    """A table of the lines that know anything."""
    lines: list[tuple[Cell, ...]] = []
    for head, numbers in found:
        cells = tuple(numbers)
        if any(cell.values for cell in cells):
            lines.append((*head, *cells))
    if lines:
        yield Table(name, caption, header, tuple(lines))


def _branches(subject: Subject) -> Iterator[Block]:
    lines = [Line(RATIOS, "mean", "mean over blocks", "number", "number")]
    caption = (
        "Norm of the shortcut over that of the branch added to it, mean over test images: the"
        " less, the more a block changes what goes through it."
    )
    found = beside.table(subject, "residual-ratio", caption, lines)
    if found is not None:
        yield found
    networks: dict[tuple[str, ...], list[Row]] = {}
    for row in subject.methods:
        known = ratios(subject, row, "ticket") or ratios(subject, row, "dense")
        if known:
            networks.setdefault(tuple(known), []).append(row)
    for number, rows in enumerate(networks.values()):
        which = f"-{number + 1}" if len(networks) > 1 else ""
        yield _by_block(subject, rows, f"residual-ratio-blocks{which}")


def ratios(subject: Subject, row: Row, which: Which) -> dict[str, tuple[float, ...]]:
    """By block, over repetitions; blocks without a ratio are left out."""
    found: dict[str, tuple[float, ...]] = {}
    read = subject.evaluations.documents(row.runs, RATIOS, f"{RATIOS}.json", which)
    for document in read.values():
        for block, ratio in document.items() if isinstance(document, dict) else ():
            if isinstance(ratio, float | int):
                found[block] = (*found.get(block, ()), float(ratio))
    return found


def _by_block(subject: Subject, rows: list[Row], name: str) -> Figure:
    blocks = [*(ratios(subject, rows[0], "ticket") or ratios(subject, rows[0], "dense"))]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for row in rows:
            pen = look(subject, row)
            shown: tuple[tuple[Which, Any, str], ...]
            shown = (("dense", ":", "dense"), ("ticket", pen.dash, "ticket"))
            for which, dash, said in shown:
                found = ratios(subject, row, which)
                x = [at for at, block in enumerate(blocks) if block in found]
                values = [found[blocks[at]] for at in x]
                if not values:
                    continue
                half = [reach(one, subject.spread) or 0.0 for one in values]
                style: Any = {"color": pen.colour, "linestyle": dash, "marker": pen.marker}
                text = f"{row.label}, {said}"
                axes.errorbar(
                    x, [*map(mean, values)], half, markersize=4, linewidth=1.2, label=text, **style
                )
        figures.ticks(axes.xaxis, blocks, rotation=90, fontsize=6.5)
        axes.set(ylabel="shortcut over branch")
        figures.below(canvas)

    caption = "Norm of the shortcut over that of its residual branch, block by block."
    return Figure(name, caption, draw, (6.0, 4.4), spread=True)
