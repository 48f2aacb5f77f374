"""Accuracy: dense beside tickets, by who picks them, and against how much is kept."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine import registry
from engine.repetition import Repetition, listed, overlap
from lthtui import best, significance
from lthtui.reports import figures
from lthtui.reports.curves import Curve, curve
from lthtui.reports.model import Figure, Number, Section, Table
from lthtui.reports.subject import Subject, look
from lthtui.rows import Result, Row
from lthtui.runview import BALANCED, PLAIN, LevelView, RunView

HEADER = (
    *("method", "n", "kept %", "dense %", "picked on val %", "gain", "p"),
    *("picked on test %", "optimism"),
)
_NAMES = {
    PLAIN: "Test accuracy",
    BALANCED: "Balanced accuracy (the mean over classes) on test images",
}
_AXES = {PLAIN: "test accuracy", BALANCED: "balanced test accuracy"}


def build(subject: Subject) -> Section:
    """The main table, and accuracy against sparsity."""
    said = (*_images(subject), *_tries(subject), *_voted(subject))
    tables = [
        _table(subject, rows, metric) for metric in _NAMES if (rows := subject.told_by(metric))
    ]
    drawn = [figure for metric in _NAMES for figure in _figure(subject, metric)]
    return Section("Accuracy", (*said, *tables, *drawn))


def _images(subject: Subject) -> Iterator[str]:
    """The images that the runs had, once of those that had as many."""
    from lthtui import provenance

    started = provenance.read(subject.runs)
    found: dict[str, list[RunView]] = {}
    for run in subject.runs:
        attempts = started.get(run.run_id)
        counts = attempts[-1].images if attempts else {}
        if counts:
            words = ", ".join(f"{count:,} {split}" for split, count in counts.items())
            found.setdefault(f"{run.dataset}: {words} images", []).append(run)
    for words, runs in found.items():
        repetitions = {run.repetition for run in runs}
        yield f"{words}; {listed(sorted(repetitions), repetitions)}.{_drawn(runs)}"


def _drawn(runs: Sequence[RunView]) -> str:
    """That all seeds share images that were drawn once, of which their spread says nothing."""
    some = any(run.params.get("data.per_class") or _share(run) != "1.0" for run in runs)
    seeds = {run.repetition for run in runs}
    if not some or len({one[:3] for one in seeds}) > 1 or len(seeds) < 2:
        return ""
    return " All train on the same draw of images: spreads are those of training alone."


def _share(run: RunView) -> str:
    return run.params.get("data.fraction", "1.0")


def _tries(subject: Subject) -> Iterator[str]:
    """How many configurations a method was trained with, where not all of them are shown."""
    shown = {row.first.group: row.first.experiment for row in subject.methods}
    known = [run for run in subject.known if run.experiment in shown.values()]
    tried = {run.group: run for run in known if run.ended_levels and not run.controls}
    on = best.images([*tried.values()])
    kinds: dict[tuple[str, ...], list[str]] = {}
    for group, run in tried.items():
        kind = (run.experiment, run.sparsifier, run.model, on[group])
        kinds.setdefault(kind, []).append(group)
    for (experiment, sparsifier, model, images), groups in kinds.items():
        some = sum(group in shown for group in groups)
        if 0 < some < len(groups):
            yield (
                f"{experiment} has {len(groups)} configurations of {sparsifier} with {model} on"
                f" {images}, of which {some} {'is' if some == 1 else 'are'} shown here:"
                f" `lthtui best {shlex.quote(experiment)}` says what validation images pick."
            )


def _voted(subject: Subject) -> Iterator[str]:
    """Which methods learn no classes, and what their accuracy is then."""
    losses = {row.label: row.first.params.get("loss.name") for row in subject.methods}
    known = registry.names("losses")
    found = [
        label
        for label, loss in losses.items()
        if loss in known and hasattr(registry.load("losses", loss), "VIEWS")
    ]
    if found:
        yield (
            "Accuracy of what trains without labels is that of a vote of the nearest training"
            f" images (Wu et al. 2018): {', '.join(found)}."
        )


def _table(subject: Subject, methods: Sequence[Row], metric: str) -> Table:
    on_val, on_test = (_by_group(subject.compared(split).rows) for split in ("val", "test"))
    tested = significance.holm(
        [_tested(subject, on_val[row.first.group], metric) for row in methods]
    )
    rows = []
    for row, finding in zip(methods, tested, strict=True):
        picked = on_val[row.first.group].results
        val, test = (_tests(by[row.first.group].results, metric) for by in (on_val, on_test))
        dense = subject.dense(row, metric)
        rows.append(
            (
                row.label,
                str(len(row.results)),
                Number.of((one.level.density for one in picked or row.results), "density"),
                Number.of((dense.get(one) for one in val or dense), "accuracy"),
                Number.of(val.values(), "accuracy"),
                Number.of((val[one] - dense[one] for one in val if one in dense), "points"),
                Number.p(finding),
                Number.of(test.values(), "accuracy"),
                Number.of((test[one] - val[one] for one in test if one in val), "points"),
            )
        )
    caption = (
        f"{_NAMES[metric]} of the dense network, and of the tickets that validation images pick of"
        " all levels. Gain: ticket less dense, run by run; p: paired t-test of it, Holm-corrected"
        " over the methods. Beside it what picking by test images would have reported, and by how"
        " much that flatters."
    )
    return Table(metric.replace("_", "-"), caption, HEADER, tuple(rows))


def _by_group(rows: Iterable[Row]) -> Mapping[str, Row]:
    return {row.first.group: row for row in rows}


def _tests(results: Iterable[Result], metric: str) -> dict[Repetition, float]:
    found = {one.run.repetition: one.level.scored("test", metric) for one in results}
    return {one: value for one, value in found.items() if value is not None}


def _tested(subject: Subject, row: Row, metric: str) -> significance.Finding | None:
    """The gain of what was picked; None where that is dense in every run."""
    if not any(one.level.sparse for one in row.results):
        return None
    mine, dense = _tests(row.results, metric), subject.dense(row, metric)
    return significance.test(mine, dense, "paired", overlap(mine.keys() & dense.keys()))


def _levels(row: Row) -> list[LevelView]:
    return [level for run in row.runs for level in run.ended_levels]


def _figure(subject: Subject, metric: str) -> Iterator[Figure]:
    """Of the methods that pruned something, if there are such."""
    told = subject.told_by(metric)
    rows, rest = figures.few([row for row in told if any(one.sparse for one in _levels(row))])
    if not rows:
        return

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for row in rows:
            pen = look(subject, row)
            drawn = Curve(row.label, pen.colour, pen.dash, pen.marker)
            curve(axes, row, drawn, subject.spread, metric)
        known = (level.density for row in rows for level in _levels(row))
        figures.sparsity(axes, known)
        figures.percent(axes.yaxis)
        axes.set(ylabel=f"{_AXES[metric]} (%)")
        figures.below(canvas)

    caption = (
        f"{_NAMES[metric]} against the share of prunable weights that is kept: mean over runs with"
        " its band. Diamonds are the"
        " picked tickets of single runs, filled where they win: where they beat dense on the images"
        f" that select.{rest}"
    )
    yield Figure(f"{metric.replace('_', '-')}-density", caption, draw, (6.5, 5.0), spread=True)
