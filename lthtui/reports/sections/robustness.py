"""Robustness: corrupted, newer and attacked test images, and those that training images resemble.

Figures 3, 4 and 9 of the data-efficient tickets paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.corruptions import GROUPS
from engine.repetition import Repetition
from lthtui.reports import beside, figures
from lthtui.reports.beside import Line
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Block, Figure, Section
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.significance import mean

ATTACKS = {"fgsm": "one step of the gradient's sign", "pgd": "projected gradient descent"}
BOTH: tuple[tuple[Which, str], ...] = (("dense", "dense"), ("ticket", "ticket"))


def build(subject: Subject) -> Section | Absent:
    """Tables and figures of what was evaluated."""
    blocks = [
        *_corruptions(subject),
        *_others(subject),
        *(block for name in ATTACKS for block in _attacks(subject, name)),
    ]
    if blocks:
        return Section("Robustness", tuple(blocks))
    title = "Robustness to corruptions, attacks and newer images, dense beside tickets"
    asked = ("--with", "corruptions,fgsm,pgd,cifar10_2,shared_sources", "--level", "dense,best")
    return Absent(title, (subject.command("evaluate", *asked),))


def _corruptions(subject: Subject) -> Iterator[Block]:
    for number, label in enumerate(subject.evaluations.called("corruptions")):
        which = f"-{number}" if number else ""
        lines = [
            Line(label, "clean", "clean images %", tested=False, balanced="clean balanced"),
            Line(label, "mean", "mean of all corruptions %", balanced="mean balanced"),
            *(Line(label, f"mean of {group}", f"{group} %") for group in GROUPS),
            Line(label, "mCE", "mean corruption error, relative to dense", "number", "number"),
        ]
        caption = (
            f"Test accuracy on corrupted images ({label}; Hendrycks and Dietterich 2019): means"
            f" over severities, and over the corruptions of a group.{_made(subject, label)}"
        )
        found = beside.table(subject, f"corruptions{which}", caption, lines)
        if found is not None:
            yield found
        if any(_documents(subject, row, label, w) for row in subject.methods for w, _ in BOTH):
            yield _severities(subject, label, f"corruptions-severity{which}")
            yield _each(subject, label, f"corruptions-each{which}")


def _made(subject: Subject, label: str) -> str:
    """Where the corrupted images came from, if all say the same."""
    told = {bool(one.get("published")) for one in subject.evaluations.every(label)}
    if told == {True}:
        return " The images are those of the published files."
    return " The images were made here from the test images." if told == {False} else ""


def _severities(subject: Subject, label: str, name: str) -> Figure:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for row in subject.methods:
            pen = look(subject, row)
            for which, said in BOTH:
                found = _by_severity(subject, row, label, which)
                if not found:
                    continue
                x, means, halves = [*found], [], []
                for values in found.values():
                    means.append(mean(values))
                    halves.append(reach(tuple(values), subject.spread) or 0.0)
                dashed: Any = ":" if which == "dense" else pen.dash
                style: Any = {"color": pen.colour, "linestyle": dashed, "marker": pen.marker}
                text = f"{row.label}, {said}"
                axes.errorbar(x, means, halves, markersize=4, linewidth=1.2, label=text, **style)
        axes.set_xticks(range(6))
        figures.percent(axes.yaxis)
        axes.set(xlabel="severity (0: clean images)", ylabel="test accuracy (%)")
        figures.below(canvas)

    caption = "Test accuracy against the severity of corruptions, mean over all corruptions."
    return Figure(name, caption, draw, (5.5, 4.2), spread=True)


def _by_severity(subject: Subject, row: Row, label: str, which: Which) -> dict[int, list[float]]:
    """Accuracy of each run by severity; 0 is without."""
    found: dict[int, list[float]] = {}
    for document in _documents(subject, row, label, which).values():
        errors = [*document["errors"]["ticket"].values()]
        found.setdefault(0, []).append(1 - document["clean error"]["ticket"])
        for at, severity in enumerate(document["severities"]):
            found.setdefault(severity, []).append(1 - mean([one[at] for one in errors]))
    return dict(sorted(found.items()))


def _each(subject: Subject, label: str, name: str) -> Figure:
    """Every corruption's accuracy, as bars of all methods with a value."""
    shown = [
        (row, which, f"{row.label}, {said}")
        for row in subject.methods
        for which, said in BOTH
        if _documents(subject, row, label, which)
    ]
    names = list(dict.fromkeys(_names(subject, label, [row for row, *_ in shown])))

    def draw(canvas: Any) -> None:
        axes, wide = canvas.subplots(), 0.8 / len(shown)
        for at, (row, which, text) in enumerate(shown):
            heights, halves = [], []
            for corruption in names:
                values = subject.evaluations.values(row.runs, label, corruption, which)
                heights.append(mean([*values.values()]) if values else 0.0)
                halves.append(reach(tuple(values.values()), subject.spread) or 0.0)
            x = [index + (at + 0.5) * wide - 0.4 for index in range(len(names))]
            fill = figures.bars(look(subject, row).colour, which)
            axes.bar(x, heights, wide, yerr=halves, label=text, **fill)
        axes.set_xticks(range(len(names)), [one.replace("_", " ") for one in names], rotation=60)
        for tick in axes.get_xticklabels():
            tick.set_horizontalalignment("right")
        figures.percent(axes.yaxis)
        axes.grid(visible=False, axis="x")
        axes.set_ylim(bottom=0)
        axes.set(ylabel="test accuracy (%)")
        figures.below(canvas)

    caption = "Test accuracy by corruption, mean over severities."
    return Figure(name, caption, draw, (8.0, 4.5), spread=True)


def _names(subject: Subject, label: str, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for which, _ in BOTH:
            for document in _documents(subject, row, label, which).values():
                yield from document["errors"]["ticket"]


def _documents(
    subject: Subject, row: Row, label: str, which: Which
) -> Mapping[Repetition, dict[str, Any]]:
    """Those that have what is drawn: another version's may not."""
    read = subject.evaluations.documents(row.runs, label, "corruptions.json", which)
    return {one: found for one, found in read.items() if _drawable(found)}


def _drawable(document: Any) -> bool:
    try:
        errors = document["errors"]["ticket"]
        counts = {len(one) for one in errors.values()}
        clean = document["clean error"]["ticket"]
        return counts == {len(document["severities"])} and isinstance(clean, float | int)
    except (KeyError, TypeError, AttributeError):
        return False


def _others(subject: Subject) -> Iterator[Block]:
    lines = [
        *(
            Line(label, metric, f"{text}{_set(label)}")
            for label in subject.evaluations.called("cifar10_2")
            for metric, text in (("accuracy", "CIFAR-10.2 %"), ("drop", "drop from CIFAR-10"))
        ),
        *(
            line
            for label in subject.evaluations.called("shared_sources")
            for kind, said in (("alike", "near-duplicates"), ("same source", "shared sources"))
            for line in _shared(label, kind, f"{said}{_set(label)}")
        ),
    ]
    caption = (
        "Test accuracy on other test images: newer ones, and those without a near-duplicate, or"
        " another picture of the same source, among the training images."
    )
    found = beside.table(subject, "other-images", caption, lines)
    if found is not None:
        yield found


def _set(label: str) -> str:
    """How an evaluation was set other than by default."""
    told = label.partition(" ")[2]
    return f" ({told})" if told else ""


def _shared(label: str, kind: str, said: str) -> Iterator[Line]:
    yield Line(label, f"{kind} - share", f"test images with {said} %", tested=False)
    for which in ("without", "of these"):
        text = f"{which.removesuffix(' these')} {said} %"
        yield Line(label, f"{kind} - accuracy {which}", text, balanced=f"{kind} - balanced {which}")


def _attacks(subject: Subject, name: str) -> Iterator[Block]:
    for number, label in enumerate(subject.evaluations.called(name)):
        which = f"-{number}" if number else ""
        lines = [*_bounds(subject, label)]
        caption = (
            f"Test accuracy under attack by {ATTACKS[name]} ({label}): pixels moved by at most"
            " epsilon grey levels of 255, and kept within 0 and 255."
        )
        found = beside.table(subject, f"{name}{which}", caption, lines)
        if found is not None:
            yield found


def _bounds(subject: Subject, label: str) -> Iterator[Line]:
    """Accuracy without an attack, and at each epsilon."""
    made = (subject.evaluations.of(run, label) for run in subject.runs)
    names = dict.fromkeys(metric for one in made if one for metric in one.metrics)
    for metric in (one for one in names if "accuracy" in one):
        bound = metric.removeprefix("accuracy at ")
        clean = bound == metric
        text = f"{metric} %" if clean else f"accuracy at epsilon {bound}/255, %"
        balanced = metric.replace("accuracy", "balanced")
        yield Line(label, metric, text, tested=not clean, balanced=balanced)
