"""Metrics of runs as a table that other programs read: one row for each value, CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from engine.errors import LthError
from engine.events import Tail
from engine.rundir import RunDirectory
from engine.schema import metrics_of, step_of
from lthtui import identity, placing
from lthtui.notes import Subject
from lthtui.records import RunSummary
from lthtui.store import Store

FORMS = (".csv", ".parquet")
_AT_ONCE = 65_536  # rows that are held in memory


class Row(NamedTuple):
    """One value of a metric.

    Attributes:
        run_id: the id of its folder, or MLflow's of a run without one.
        group: what runs that differ in nothing but their seed have in common; empty for others'.
        step: MLflow's: epochs of the whole run, level, or count.
        level: None where the metric belongs to no level; `epoch` likewise.
        time: when it was measured, in seconds since 1970.
        value: NaN and infinities as such.
    """

    run_id: str
    name: str
    group: str
    seed: int | None
    metric: str
    step: int
    level: int | None
    epoch: int | None
    time: float
    value: float


def rows(subjects: Iterable[Subject], store: Store, metrics: Iterable[str] = ()) -> Iterator[Row]:
    """All values of runs: from their journals, or the store for those that only it knows.

    Args:
        metrics: patterns of the names that are wanted, such as `level/*`; none means all.

    Raises:
        StoreError: the store cannot be read.
        OSError, ValueError: a run's spec cannot be read.
    """
    patterns = [*metrics]

    def wanted(name: str) -> bool:
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    for one in subjects:
        if isinstance(one, RunDirectory):
            yield from _told(one, wanted)
        else:
            yield from _stored(one, store, wanted)


def write(found: Iterable[Row], file: Path) -> int:
    """Write rows to a .csv or .parquet file, whole or not at all; how many there were.

    Raises:
        UsageError: its name has another ending, or its folder is missing.
        LthError: Parquet files cannot be written here.
        OSError: the file cannot be written.
    """
    placing.check(file, FORMS)
    count = 0

    def fill(aside: Path) -> None:
        nonlocal count
        if file.suffix.lower() == ".parquet":
            count = _write_parquet(found, aside)
            return
        with aside.open("w", newline="") as target:
            count = write_csv(found, target)

    placing.place(file, fill, overwrite=True)
    return count


def write_csv(found: Iterable[Row], target: IO[str]) -> int:
    """Write rows as CSV with a line of names; how many there were."""
    writer, count = csv.writer(target, lineterminator="\n"), 0
    writer.writerow(Row._fields)
    for row in found:
        writer.writerow(row)
        count += 1
    return count


def _told(run: RunDirectory, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """What a run's journal tells, by the names that MLflow has for it."""
    facts = identity.read(run)
    for event in Tail(run.events_file).read():
        for metric, value in metrics_of(event).items():
            if wanted(metric):
                yield Row(
                    run_id=run.run_id,
                    name=facts.name,
                    group=facts.group,
                    seed=facts.seed,
                    metric=metric,
                    step=step_of(event),
                    level=event.level,
                    epoch=event.epoch,
                    time=event.time,
                    value=float(value),
                )


def _stored(run: RunSummary, store: Store, wanted: Callable[[str], bool]) -> Iterator[Row]:
    """What the store has of a run."""
    for metric in filter(wanted, sorted(run.metrics)):
        curve = store.curve(run.mlflow_run_id, metric)
        points = zip(curve.steps.tolist(), curve.times.tolist(), curve.values.tolist(), strict=True)
        for step, time, value in points:
            yield Row(
                run_id=run.run_id or run.mlflow_run_id,
                name=run.params.get("name") or run.name,
                group=run.group,
                seed=run.seed,
                metric=metric,
                step=step,
                level=step if metric.startswith("level/") else None,
                epoch=step if metric.startswith("epoch/") else None,
                time=time,
                value=value,
            )


def _write_parquet(found: Iterable[Row], file: Path) -> int:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ModuleNotFoundError as error:
        raise LthError(
            f"Parquet needs {error.name}; `pip install pyarrow`, or write .csv"
        ) from None
    kinds: dict[str, Any] = {"time": pa.float64(), "value": pa.float64()}
    kinds |= dict.fromkeys(("run_id", "name", "group", "metric"), pa.string())
    schema = pa.schema([(name, kinds.get(name, pa.int64())) for name in Row._fields])
    left, count = iter(found), 0
    with ParquetWriter(file, schema) as writer:
        while batch := [*islice(left, _AT_ONCE)]:
            columns = [*zip(*batch, strict=True)]
            writer.write_table(pa.table(dict(zip(Row._fields, columns, strict=True)), schema))
            count += len(batch)
    return count
