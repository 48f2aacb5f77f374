"""Which part of its weights every layer keeps at every level, as a map to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from rich.cells import cell_len

from lthtui import heat
from lthtui.board import percent
from lthtui.heat import Line, Span
from lthtui.text import clean_line
from lthtui.verdict import PICKED

NAME = 28  # cells of a layer's name at most
LAST = 5  # cells of the last densities at least
FLOOR = 1e-3  # the density that is drawn like none
FIGURE = 6  # cells of a density in figures
SCARCE = f"<{percent(FLOOR)}"
Kept = Mapping[str, int]  # weights that live, by layer


@dataclass(frozen=True)
class DensityMap:
    """Densities by layer and level; of several runs, their mean where a level is known.

    Attributes:
        totals: weights of each layer.
        picked: levels that a run picked.
        densities: by layer and level.
        trouble: why there is less than there should be, in one line.
    """

    totals: Mapping[str, int] = field(default_factory=dict)
    levels: tuple[int, ...] = ()
    picked: frozenset[int] = frozenset()
    densities: Mapping[tuple[str, int], float] = field(default_factory=dict)
    trouble: str = ""


def gather(
    runs: Sequence[Mapping[int, Kept]],
    totals: Mapping[str, int],
    picked: Iterable[int] = (),
    trouble: str = "",
) -> DensityMap:
    """The map of runs of one network, from the weights that their layers keep at each level."""
    levels = sorted({level for run in runs for level in run})
    found: dict[tuple[str, int], float] = {}
    for level in levels:
        known = [run[level] for run in runs if level in run]
        for name, total in totals.items():
            shares = [kept[name] / total for kept in known if total and name in kept]
            if shares:
                found[name, level] = fmean(shares)
    return DensityMap(totals, tuple(levels), frozenset(picked), found, trouble)


def lines(found: DensityMap, width: int) -> list[Line]:
    """The map as lines: densities in figures where there is room, or else as blocks.

    Where not even one cell a level has room, some levels are left out, never the last.
    """
    if not found.levels:
        return heat.wrapped(found.trouble or "no level has ended yet", width)
    names = {name: short(name, NAME) for name in found.totals}
    lead = max(cell_len(name) for name in names.values()) + 2
    cell, levels = _fit(width - lead, found.levels)
    least = max(min(found.densities.values(), default=1.0), FLOOR)
    room = width - lead - cell * len(levels)  # behind the levels
    last = {name: _newest(found, name) for name in names}
    wide = max(LAST, *(len(percent(density)) for density in last.values()))
    title = _behind("last", "weights", wide, room)
    drawn: list[Line] = [(Span(" " * lead), *_head(found, levels, cell, room, title))]
    for name, called in names.items():
        cells = [_cell(found.densities.get((name, level)), cell, least) for level in levels]
        lead_span = Span(called + " " * (lead - cell_len(called)))
        text = _behind(percent(last[name]), f"{found.totals[name]:,}", wide, room)
        ending = (Span(text, "failed" if last[name] == 0 else ""),) if text else ()
        drawn.append((lead_span, *cells, *ending))
    drawn.append(())
    drawn.append(_legend(least))
    if found.trouble:
        drawn += heat.wrapped(found.trouble, width, "failed")
    return drawn


def short(name: str, most: int) -> str:
    """A layer's name without what all have, cut in its middle to `most` characters."""
    found = clean_line(name.removesuffix(".weight"))
    return found if len(found) <= most else f"{found[: most // 2 - 1]}…{found[-most // 2 :]}"


def in_order(names: Iterable[str]) -> list[str]:
    """Names of layers, those with numbers in the order of these: 2 before 10."""

    def key(name: str) -> list[str | tuple[int, str]]:
        parts = re.split(r"(\d+)", name)  # every second one is a number; longer ones are greater
        return [(len(part), part) if at % 2 else part for at, part in enumerate(parts)]

    return sorted(names, key=key)


def figures(density: float) -> str:
    """A density in at most five cells."""
    return SCARCE if 0 < density < FLOOR else percent(density)


def _head(found: DensityMap, levels: Sequence[int], cell: int, room: int, behind: str) -> Line:
    """The numbers of levels, picked ones marked, or of blocks the first and last; and `behind`."""
    if cell < FIGURE:
        most = cell * len(levels) + (2 if behind else room)  # the first two cells behind are blank
        first, last = levels[0], levels[-1]
        names = (f"L{first} to L{last}", f"L{first}-{last}", f"L{last}", "")
        text = next(name for name in names if len(name) <= most)
        whole = text.ljust(cell * len(levels)) + behind[max(len(text) - cell * len(levels), 0) :]
        return (Span(whole, "dim"),)
    marks = ((level, PICKED if level in found.picked else "") for level in levels)
    heads = (
        Span(f"{mark}L{level}".rjust(cell - 1) + " ", "winning" if mark else "dim")
        for level, mark in marks
    )
    return (*heads, Span(behind, "dim"))


def _fit(room: int, levels: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Cells for a level, and the levels that have room."""
    for cell in (FIGURE, 2, 1):
        if cell * len(levels) <= room:
            return cell, levels
    step = -(-len(levels) // max(room, 1))
    return 1, levels[::-1][::step][::-1]


def _cell(density: float | None, width: int, least: float) -> Span:
    if density is None:
        return Span(" " * width)
    if not density:
        return Span("·".rjust(width, " " if width == FIGURE else "·"), "failed")
    share = heat.logarithmic(density, least)
    if width == FIGURE:
        return heat.painted(figures(density).rjust(width - 1) + " ", share)
    return heat.block(share, width)


def _newest(found: DensityMap, name: str) -> float | None:
    """A layer's density at the last level that is known of it."""
    known = (found.densities.get((name, level)) for level in reversed(found.levels))
    return next((one for one in known if one is not None), None)


def _behind(last: str, weights: str, wide: int, room: int) -> str:
    """The two last columns, or as many of them as there is room for; the first is that wide."""
    text = f"  {last:>{wide}}"
    whole = f"{text}  {weights:>11}"
    return next((one for one in (whole, text) if len(one) <= room), "")


def _legend(least: float) -> Line:
    steps = [heat.block(step / 7) for step in range(8)]
    return (
        Span(f"kept, log scale  {percent(least)} ", "dim"),
        *steps,
        Span(f" {percent(1.0)}", "dim"),
        Span("  · none left", "dim"),
    )
