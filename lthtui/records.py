"""What an MLflow store holds, as the app reads it: runs, curves and tickets that never change.

All text is as it was stored: whoever shows it passes it through `clean()`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from engine import schema

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

EXACT = 2**53  # the largest step that is the same as a float; points beyond are left out
LATEST = 253_402_300_800  # the year 10000, in seconds since 1970
NAN = float("nan")  # one object for all: collections that hold the same are equal then


@dataclass(frozen=True)
class RunSummary:
    """One run. What only our own runs have is empty or None for others.

    Attributes:
        run_id: the id of its folder; empty for a run that is not ours.
        status: MLflow's word, such as `RUNNING` or `KILLED`.
        start: when it began, in seconds since 1970; `end` likewise.
        metrics: the newest value of each.
    """

    run_id: str
    mlflow_run_id: str
    name: str
    experiment: str
    group: str
    seed: int | None
    sparsifier: str
    dataset: str
    model: str
    status: str
    start: float | None
    end: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """A metric's values in the order of their steps; NaN and infinities as such.

    Attributes:
        steps: int64 [n].
        times: float64 [n], in seconds since 1970.
        values: float64 [n].
    """

    steps: NDArray[int64]
    times: NDArray[float64]
    values: NDArray[float64]


@dataclass(frozen=True)
class TicketRecord:
    """One level of a run, as its LoggedModel tells.

    Attributes:
        created: in seconds since 1970.
        artifacts: where its files are.
        metrics: by their MLflow names, such as `level/val_accuracy`.
    """

    model_id: str
    name: str
    run_id: str
    mlflow_run_id: str
    experiment: str
    level: int
    density: float
    kept: int
    total: int
    sha256: str
    winning: bool
    created: float
    artifacts: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    search: bool = False

    @property
    def val_accuracy(self) -> float | None:
        """On the validation images, as a fraction of 1."""
        return self.metrics.get("level/val_accuracy")

    @property
    def test_accuracy(self) -> float | None:
        """On the test images, as a fraction of 1."""
        return self.metrics.get("level/test_accuracy")


def number(value: float, is_nan: bool = False) -> float:
    """A stored value: MLflow keeps NaN beside a 0, and infinities as the largest floats."""
    if is_nan or value != value:
        return NAN
    if abs(value) >= sys.float_info.max:
        return float("inf") if value > 0 else float("-inf")
    return value


def seconds(milliseconds: int | None) -> float | None:
    """A time of MLflow's in seconds."""
    return None if milliseconds is None else milliseconds / 1000


def summary(
    mlflow_run_id: str,
    name: str,
    experiment: str,
    status: str,
    times: tuple[int | None, int | None],
    metrics: Mapping[str, float],
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> RunSummary:
    """A run from what MLflow has of it; `times` are in milliseconds."""
    return RunSummary(
        run_id=tags.get(schema.RUN_ID, ""),
        mlflow_run_id=mlflow_run_id,
        name=name,
        experiment=experiment,
        group=tags.get(schema.GROUP, ""),
        seed=schema.digits(tags.get(schema.SEED, "")),
        sparsifier=tags.get(schema.SPARSIFIER, ""),
        dataset=tags.get(schema.DATASET, ""),
        model=tags.get(schema.MODEL, ""),
        status=status,
        start=seconds(times[0]),
        end=seconds(times[1]),
        metrics=metrics,
        params=params,
        tags=tags,
    )


def curve(points: Iterable[tuple[int, int, float | None]]) -> Curve:
    """A curve from steps, times in milliseconds, and values as stored; None where one is NaN."""
    import numpy as np

    numbers = chain.from_iterable(points)  # a million points as objects would fill the memory
    table = np.fromiter(numbers, np.float64).reshape(-1, 3)
    values = table[:, 2]
    huge = np.abs(values) >= sys.float_info.max
    values[huge] = np.copysign(np.inf, values[huge])
    if not (np.diff(table[:, 0]) > 0).all():  # a store gives most curves in order
        table = table[np.lexsort((values, table[:, 1], table[:, 0]))]
    return Curve(table[:, 0].astype(np.int64), table[:, 1] / 1000, table[:, 2].copy())


def ticket(
    model_id: str,
    name: str,
    mlflow_run_id: str,
    experiment: str,
    created: int,
    artifacts: str,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
) -> TicketRecord | None:
    """A ticket from a LoggedModel; None for one that is not ours."""
    try:
        level, kept, total = (schema.digits(params[key]) for key in ("level", "kept", "total"))
        if level is None or kept is None or total is None:
            return None
        return TicketRecord(
            model_id=model_id,
            name=name,
            run_id=params["run_id"],
            mlflow_run_id=mlflow_run_id,
            experiment=experiment,
            level=level,
            density=float(params["density"]),
            kept=kept,
            total=total,
            sha256=params.get("sha256", ""),
            winning=tags.get("winning") == "true",
            created=created / 1000,
            artifacts=artifacts,
            metrics=metrics,
            search=params.get("search") == "true",
        )
    except (KeyError, ValueError):
        return None
