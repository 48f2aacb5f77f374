"""Transfer: what tickets are worth on other images, by a linear probe and by fine-tuning.

Table 4 of the data-efficient tickets paper, and tickets of each data set on each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lthtui.reports import beside
from lthtui.reports.beside import Line
from lthtui.reports.model import Absent, Block, Cell, Number, Section, Table
from lthtui.reports.subject import Subject
from lthtui.rows import Row

NAMES = {
    "linear_probe": "a linear classifier on what the frozen network gives",
    "fine_tune": "the network trained on, its mask as it is",
}
METRIC = "test accuracy"


def build(subject: Subject) -> Section | Absent:
    """Dense beside ticket for every target, and tickets of each method on each target."""
    blocks = [block for name in NAMES for block in _blocks(subject, name)]
    if blocks:
        return Section("Transfer", tuple(blocks))
    asked = ("--with", "linear_probe", "linear_probe.data.name=cifar100", "--level", "dense,best")
    title = "What tickets are worth on other images: a linear probe, fine-tuning"
    return Absent(title, (subject.command("evaluate", *asked),))


def _blocks(subject: Subject, name: str) -> Iterator[Block]:
    labels = subject.evaluations.called(name)
    lines = [
        Line(label, METRIC, f"on {target(label)} %", balanced="test balanced") for label in labels
    ]
    caption = f"Test accuracy of {NAMES[name]} ({name})."
    found = beside.table(subject, name.replace("_", "-"), caption, lines)
    if found is None:
        return
    yield found
    targets = [*dict.fromkeys(label for label in labels if "data:" in label)]
    rows = [row for row in subject.methods if _cells(subject, row, name, targets)]
    if targets and len(rows) + len(targets) > 2:
        yield _matrix(subject, rows, name, targets)


def target(label: str) -> str:
    """The images that an evaluation was made on, and what else it was told."""
    told = label.split(" ")[1:]
    data = next((word.removeprefix("data:") for word in told if word.startswith("data:")), "")
    rest = " ".join(word for word in told if not word.startswith("data:"))
    return f"{data or 'its own images'}{f' ({rest})' if rest else ''}"


def _matrix(subject: Subject, rows: list[Row], name: str, targets: list[str]) -> Table:
    header = ("found on", "method", "itself %", *(f"{target(label)} %" for label in targets))
    lines = ((row.first.dataset, row.label, *_cells(subject, row, name, targets)) for row in rows)
    caption = (
        f"Tickets of each data set on each: test accuracy of {NAMES[name]}. itself: on the images"
        " that it was found on."
    )
    ordered = sorted(lines, key=lambda line: str(line[0]))
    return Table(f"transfer-{name.replace('_', '-')}", caption, header, tuple(ordered))


def _cells(subject: Subject, row: Row, name: str, targets: list[str]) -> tuple[Cell, ...]:
    """What the picked tickets of a method come to; empty where nothing is known."""
    cells = [_own(subject, row, name)]
    cells += [_number(subject, row, label) for label in targets]
    return tuple(cells) if any(cell.values for cell in cells) else ()


def _own(subject: Subject, row: Row, name: str) -> Number:
    """On its own images: as they are, or named."""
    own = re.compile(rf"{name} data:{re.escape(row.first.dataset)}")
    labels = [one for one in subject.evaluations.called(name) if own.fullmatch(one)]
    known = (_number(subject, row, label) for label in (name, *labels))
    return next((number for number in known if number.values), Number(()))


def _number(subject: Subject, row: Row, label: str) -> Number:
    return Number.of(subject.evaluations.values(row.runs, label, METRIC).values(), "accuracy")
