r"""Tables for LaTeX, no wider than the page and in parts that are no higher.

They take `array`, `booktabs` and `graphicx`; captions stand above, as most venues want them.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence

NEEDS = r"% needs \usepackage{array,booktabs,graphicx}"
WRAPPED = r">{\raggedright\arraybackslash}p{.3\linewidth}"  # a column of long texts
LETTERS = 28  # of a line of such a column
HEADED = 16  # letters of a line of a header
HEIGHT = 42  # lines of a float
_FITTED = r"\ifdim\width>\linewidth\linewidth\else\width\fi"  # shrunk, never stretched
_SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
        **{"±": r"$\pm$", "×": r"$\times$", "<": "$<$", ">": "$>$", "|": r"\textbar{}"},
        **{"[": "{[}", "]": "{]}", "*": "{*}", "\n": " "},  # ends of rows take brackets and stars
        **{"–": "--", "−": "$-$", "·": r"\textperiodcentered{}", "…": r"\ldots{}"},
    }
)


def text(raw: str) -> str:
    """Text that LaTeX takes as it is."""
    return raw.translate(_SIGNS)


def floats(
    columns: Sequence[str],
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str,
    label: str,
) -> Iterator[str]:
    r"""The lines of a table, or of the parts of one that no page has room for.

    Args:
        columns: `l`, `r` or `WRAPPED` of each.
        header, caption: text as it is.
        rows: cells as LaTeX takes them.
        label: what `\ref` names it by.
    """
    first, *more = _parts(columns, rows)
    yield from _float(columns, header, first, text(caption), label)
    for number, part in enumerate(more, start=2):
        yield ""
        told = rf"Table~\ref{{{label}}}, continued."
        yield from _float(columns, header, part, told, f"{label}-{number}")


def _float(
    columns: Sequence[str],
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str,
    label: str,
) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"  \centering"
    yield rf"  \caption{{{caption}}}"
    yield rf"  \label{{{label}}}"
    yield r"  \smallskip"  # many classes leave no room below a caption
    yield rf"  \resizebox{{{_FITTED}}}{{!}}{{\begin{{tabular}}{{{''.join(columns)}}}"
    yield r"    \toprule"
    yield rf"    {' & '.join(map(_headed, columns, header))} \\"
    yield r"    \midrule"
    for row in rows:
        yield rf"    {' & '.join(row)} \\"
    yield r"    \bottomrule"
    yield r"  \end{tabular}}"
    yield r"\end{table}"


def _headed(column: str, name: str) -> str:
    """A header's cell, of several lines if it is long."""
    lines = textwrap.wrap(name, HEADED, break_long_words=False, break_on_hyphens=False)
    if len(lines) < 2:
        return text(name)
    align = "l" if column == WRAPPED else column
    broken = r" \\ ".join(map(text, lines))
    return rf"\begin{{tabular}}[b]{{@{{}}{align}@{{}}}}{broken}\end{{tabular}}"


def _parts(
    columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> Iterator[Sequence[Sequence[str]]]:
    """Rows in their order, as many together as there is room for; one part at least."""
    part: list[Sequence[str]] = []
    height = 0
    for row in rows:
        lines = max(map(_lines, columns, row), default=1)
        if part and height + lines > HEIGHT:
            yield part
            part, height = [], 0
        part.append(row)
        height += lines
    yield part


def _lines(column: str, cell: str) -> int:
    """How many lines a cell fills."""
    return max(1, math.ceil(len(cell) / LETTERS)) if column == WRAPPED else 1
