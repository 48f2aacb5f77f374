"""Settings: what methods differ in, in full, and what all have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.schema import UNNAMED
from lthtui import differences, labels
from lthtui.differences import Setting
from lthtui.reports.model import Cell, Details, Section, Table
from lthtui.reports.subject import Subject

BEGUN = "start.ticket."
UNTOLD = ("data.root", "data.seed", "data.fold")  # where images lie, and what repetitions differ in
OTHERS = "all others"


def build(subject: Subject) -> Section | None:
    """A line for each value of what differs, and the rest to unfold; None where none is known."""
    known = differences.settings([row.runs for row in subject.methods])
    told = [one for one in known if _matters(one.key)]
    if not told:
        return None
    apart = _apart(subject, told)
    lines = [line for one in told if one.key in apart for line in _lines(subject, one)]
    caption = (
        "What the methods were set to that not all have, in full: labels name a few of these and"
        " count the others, as +1. Settings of a choice, such as those of an augmentation, are told"
        " where methods that chose the same differ in them."
    )
    table = [Table("settings", caption, ("setting", "value", "methods"), tuple(lines))]
    alike = "\n".join(
        f"{one.key}: {' or '.join(dict.fromkeys(filter(None, one.values)))}"
        for one in told
        if one.key not in apart
    )
    what = "What all were set to" if len(subject.methods) > 1 else "What it was set to"
    return Section("Settings", (*(table if lines else ()), Details(what, alike)))


def _matters(key: str) -> bool:
    """Whether a setting makes results; of a run that another starts from, its name is enough."""
    if key.startswith(BEGUN):
        return key == f"{BEGUN}run"
    return key.partition(".")[0] not in ("version", "controls", *UNNAMED) and key not in UNTOLD


def _apart(subject: Subject, settings: Sequence[Setting]) -> set[str]:
    """Those that tell methods apart; see `labels.told_apart`."""
    groups = [row.first.group for row in subject.methods]
    flat = {
        group: {one.key: one.values[at] for one in settings if one.values[at]}
        for at, group in enumerate(groups)
    }
    return {key for differs in labels.told_apart(flat).values() for key in differs}


def _lines(subject: Subject, setting: Setting) -> Iterator[tuple[Cell, ...]]:
    """The values from the rarest to the most common, with the methods that have them."""
    found: dict[str, list[str]] = {}
    for row, value in zip(subject.methods, setting.values, strict=True):
        found.setdefault(value, []).append(row.label)
    ordered = sorted(found, key=lambda value: len(found[value]))
    for value in filter(None, ordered):
        last = value == ordered[-1] and "" not in found and len(found[value]) > 1
        yield setting.key, value, OTHERS if last else "; ".join(found[value])
