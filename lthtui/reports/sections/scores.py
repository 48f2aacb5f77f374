"""Scores besides accuracy: by class, over test images, of probabilities, and when abstaining."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lthtui.reports import beside, figures
from lthtui.reports.beside import Line
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Block, Figure, Section
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.significance import mean

BOTH: tuple[Which, Which] = ("dense", "ticket")
TOP = re.compile("test top(?!1$)[0-9]+")


def build(subject: Subject) -> Section | Absent:
    """Tables and figures of what was evaluated."""
    blocks = [*_accuracies(subject), *_probabilities(subject), *_abstaining(subject)]
    if blocks:
        return Section("Scores", tuple(blocks))
    asked = ("--with", "accuracy,calibration,selective", "--level", "dense,best")
    title = "Accuracy by class with intervals over test images, calibration, selective prediction"
    return Absent(title, (subject.command("evaluate", *asked),))


def _accuracies(subject: Subject) -> Iterator[Block]:
    for number, label in enumerate(subject.evaluations.called("accuracy")):
        which = f"-{number}" if number else ""
        tops = {
            metric
            for run in subject.runs
            if (made := subject.evaluations.of(run, label))
            for metric in made.metrics
            if TOP.fullmatch(metric)
        }
        lines = [
            Line(label, "test top1", "accuracy %"),
            Line(label, "test top1 low", "its lower end over test images %", tested=False),
            Line(label, "test top1 high", "its upper end over test images %", tested=False),
            *(Line(label, one, f"{one.removeprefix('test ')} %") for one in sorted(tops)),
            Line(label, "test balanced", "balanced over classes %"),
            Line(label, "test worst class", "worst class %"),
        ]
        caption = (
            "Accuracy on test images. Its ends are those of a bootstrap interval over test images"
            " (95 % unless set otherwise), mean over runs: how far other test images would move"
            " one run's number; of seeds they say nothing."
        )
        found = beside.table(subject, f"scores{which}", caption, lines)
        if found is not None:
            yield found
        yield from _classes(subject, label, f"classes{which}")


def _classes(subject: Subject, label: str, name: str) -> Iterator[Figure]:
    """Accuracy by class for data sets with few classes, and the confusions of tickets."""
    sets: dict[tuple[str, ...], list[Row]] = {}
    for row in subject.methods:
        known = by_class(subject, row, label, "ticket") or by_class(subject, row, label, "dense")
        if 1 < len(known) <= FEW:
            sets.setdefault(tuple(known), []).append(row)
    for number, (classes, rows) in enumerate(sets.items()):
        which = f"-{number + 1}" if len(sets) > 1 else ""
        yield _bars(subject, rows, label, classes, f"{name}{which}")
        for row in rows:
            table = confusion(subject, row, label, len(classes))
            if table:
                yield _confused(
                    row,
                    classes,
                    table,
                    f"confusion-{row.first.group[:8]}{name.removeprefix('classes')}",
                )


FEW = 20  # classes whose names fit a figure


def by_class(subject: Subject, row: Row, label: str, which: Which) -> dict[str, tuple[float, ...]]:
    """Accuracy by class over repetitions; classes without test images are left out."""
    found: dict[str, tuple[float, ...]] = {}
    for document in _tests(subject, row, label, which):
        for one in document["classes"]:
            if one["accuracy"] is not None:
                found[one["class"]] = (*found.get(one["class"], ()), one["accuracy"])
    return found


def confusion(subject: Subject, row: Row, label: str, classes: int) -> list[list[float]]:
    """Share of each class's images taken for each class, over all runs' picked tickets."""
    total = [[0.0] * classes for _ in range(classes)]
    for document in _tests(subject, row, label, "ticket"):
        for i, line in enumerate(document["confusion"]):
            for j, count in enumerate(line):
                total[i][j] += count
    sums = [sum(line) for line in total]
    if not any(sums):
        return []
    return [[one / (size or 1) for one in line] for line, size in zip(total, sums, strict=True)]


def _tests(subject: Subject, row: Row, label: str, which: Which) -> list[dict[str, Any]]:
    """What documents say of test images, of those that say what is needed."""
    read = subject.evaluations.documents(row.runs, label, "accuracy.json", which)
    found = [document.get("test") for document in read.values() if isinstance(document, dict)]
    return [one for one in found if isinstance(one, dict) and _counted(one)]


def _counted(test: dict[str, Any]) -> bool:
    classes, confused = test.get("classes"), test.get("confusion")
    if not isinstance(classes, list) or not isinstance(confused, list):
        return False
    known = all(isinstance(one, dict) and {"class", "accuracy"} <= one.keys() for one in classes)
    return known and {len(confused), *map(len, confused)} == {len(classes)}


def _bars(
    subject: Subject, rows: Sequence[Row], label: str, classes: Sequence[str], name: str
) -> Figure:
    shown = [
        (row, which, found)
        for row in rows
        for which in BOTH
        if (found := by_class(subject, row, label, which))
    ]

    def draw(canvas: Any) -> None:
        axes, wide = canvas.subplots(), 0.8 / len(shown)
        for at, (row, which, found) in enumerate(shown):
            heights = [mean(found.get(one, (0.0,))) for one in classes]
            half = [reach(found.get(one, ()), subject.spread) or 0.0 for one in classes]
            x = [index + (at + 0.5) * wide - 0.4 for index in range(len(classes))]
            fill = figures.bars(look(subject, row).colour, which)
            axes.bar(x, heights, wide, yerr=half, label=f"{row.label}, {which}", **fill)
        figures.ticks(axes.xaxis, classes, rotation=30, ha="right")
        figures.percent(axes.yaxis)
        axes.grid(visible=False, axis="x")
        axes.set_ylim(bottom=0)
        axes.set(ylabel="test accuracy (%)")
        figures.below(canvas)

    return Figure(name, "Test accuracy by class, mean over runs.", draw, (7.0, 4.0), spread=True)


def _confused(row: Row, classes: Sequence[str], table: list[list[float]], name: str) -> Figure:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        image = axes.imshow(table, cmap="cividis", vmin=0, vmax=1)
        figures.ticks(axes.xaxis, classes, rotation=90)
        figures.ticks(axes.yaxis, classes)
        axes.grid(visible=False)
        for i, line in enumerate(table):
            for j, share in enumerate(line):
                colour = "black" if share > 0.5 else "white"
                place: Any = {"ha": "center", "va": "center", "fontsize": 6.5, "color": colour}
                axes.text(j, i, f"{100 * share:.0f}", **place)
        axes.set(xlabel="taken for", ylabel="is")
        bar = canvas.colorbar(image, ax=axes, label="test images of the class (%)")
        figures.percent(bar.ax.yaxis)

    caption = f"What the picked tickets take test images for, all runs together: {row.label}."
    return Figure(name, caption, draw, (5.5, 4.6))


def _probabilities(subject: Subject) -> Iterator[Block]:
    for number, label in enumerate(subject.evaluations.called("calibration")):
        which = f"-{number}" if number else ""
        lines = [
            Line(label, "ece", "expected calibration error %", "accuracy", "points"),
            Line(label, "scaled ece", "the same at the fitted temperature %", "accuracy", "points"),
            Line(label, "nll", "negative log-likelihood (nats)", "number", "number"),
            Line(label, "brier", "Brier score", "number", "number"),
            Line(label, "overconfidence", "confidence less accuracy, points", "points", "points"),
            Line(
                label, "temperature", "temperature fitted on validation", "number", "number", False
            ),
        ]
        caption = (
            "Whether probabilities are what they say, on test images (Guo et al. 2017): less is"
            " better, but for the temperature, which is 1 where nothing has to be mended."
        )
        found = beside.table(subject, f"calibration{which}", caption, lines)
        if found is not None:
            yield found
        shown = [
            (row, one, bins)
            for row in subject.methods
            for one in BOTH
            if (bins := reliability(subject, row, label, one))
        ]
        if shown:
            yield _reliability(subject, shown, f"reliability{which}")


def reliability(subject: Subject, row: Row, label: str, which: Which) -> list[tuple[float, float]]:
    """Confidence and accuracy of each bin with images, over the images of all runs."""
    sums: dict[float, tuple[int, float, float]] = {}
    read = subject.evaluations.documents(row.runs, label, "calibration.json", which)
    for document in read.values():
        for one in _bins(document):
            n, confidence, accuracy = sums.get(one["above"], (0, 0.0, 0.0))
            count = one["images"]
            sums[one["above"]] = (
                n + count,
                confidence + count * one["confidence"],
                accuracy + count * one["accuracy"],
            )
    return [(confidence / n, accuracy / n) for n, confidence, accuracy in sums.values()]


def _bins(document: Any) -> list[dict[str, Any]]:
    """The bins with images."""
    try:
        return [one for one in document["test"]["bins"] if one["images"]]
    except (KeyError, TypeError):
        return []


def _reliability(
    subject: Subject, shown: Sequence[tuple[Row, Which, list[tuple[float, float]]]], name: str
) -> Figure:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot([0, 1], [0, 1], color=figures.GREY, linewidth=0.8)
        for row, which, bins in shown:
            pen, (x, y) = look(subject, row), zip(*sorted(bins), strict=True)
            style: Any = {"color": pen.colour, "marker": pen.marker, "markersize": 4}
            style |= {"linestyle": ":" if which == "dense" else pen.dash, "linewidth": 1.2}
            axes.plot(x, y, label=f"{row.label}, {which}", **style)
        figures.percent(axes.xaxis)
        figures.percent(axes.yaxis)
        axes.set(xlabel="confidence (%)", ylabel="accuracy (%)", xlim=(0, 1), ylim=(0, 1))
        figures.below(canvas)

    caption = (
        "Accuracy of test images by how confident the network is, images of all runs together; on"
        " the diagonal probabilities are what they say."
    )
    return Figure(name, caption, draw, (4.8, 4.8))


def _abstaining(subject: Subject) -> Iterator[Block]:
    for number, label in enumerate(subject.evaluations.called("selective")):
        which = f"-{number}" if number else ""
        metrics = {
            metric
            for run in subject.runs
            if (made := subject.evaluations.of(run, label))
            for metric in made.metrics
            if metric.startswith("accuracy at ")
        }
        lines = [
            Line(label, "aurc", "area under risk by coverage %"),
            Line(label, "excess aurc", "of it, above the best order's %"),
            *(
                Line(
                    label,
                    one,
                    f"accuracy on the {100 * float(one.split()[-1]):g} % most sure %",
                    tested=one != "accuracy at 1",
                )
                for one in sorted(metrics)
            ),
        ]
        caption = (
            "Selective prediction on test images: the network answers for those of which it is most"
            " confident (Geifman and El-Yaniv 2017)."
        )
        found = beside.table(subject, f"selective{which}", caption, lines)
        if found is not None:
            yield found
