"""The form of a spec as rows of a table: what is set is bright, defaults are dim."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.form import Knob
    from lthtui.yamlfile import Keys

COLUMNS = (Column("field", rank=0), Column("value", rank=1, width=24))


def rows(knobs: Sequence[Knob], folded: Collection[str], wrong: Collection[str] = ()) -> list[Row]:
    """A row for each field that is in no folded block; fields that are `wrong` are marked.

    A folded block is marked for what is wrong in it. All but the knobs are keys.
    """
    inside = {key for one in wrong for key in above(tuple(one.split("."))) if key in folded}
    return [
        _row(knob, knob.key in folded, knob.key in wrong or knob.key in inside)
        for knob in knobs
        if not any(one in folded for one in above(knob.path))
    ]


def above(path: Keys) -> list[str]:
    """The keys of the blocks that a field is in."""
    return [".".join(map(str, path[:end])) for end in range(1, len(path))]


def _row(knob: Knob, folded: bool, wrong: bool) -> Row:
    label = Cell(clean_line(str(knob.path[-1])), "" if knob.given or knob.varied else "dim")
    fold = ("▸" if folded else "▾") if knob.kind == "block" else ""
    value = _value(knob)
    if wrong:
        value = Cell(f"✗ {value.text}", "failed")
    return Row(knob.key, (label, value), len(knob.path) - 1, fold)


def _value(knob: Knob) -> Cell:
    if knob.needed:
        return Cell("needed", "failed")
    if knob.varied:
        return Cell(f"{len(knob.varied)}: {knob.text}", "winning")
    return Cell(knob.text or ("–" if knob.kind != "block" else ""), "name" if knob.given else "dim")


def told(knob: Knob | None) -> str:
    """What a field is for, what it may be, and what it is if nothing is set."""
    if knob is None:
        return ""
    from lthtui.form import written

    options = f" One of {', '.join(knob.options)}." if _unsaid(knob) else ""
    default = written(knob.default)
    end = f" Default {default}." if default and knob.kind != "block" else ""
    whole = " It takes whole blocks in turn: change them in the editor." if knob.fixed else ""
    return clean_line(f"{knob.key}: {knob.about}.{options}{end}{whole}", 1000)


def _unsaid(knob: Knob) -> bool:
    return bool(knob.options) and not all(one in knob.about for one in knob.options)
