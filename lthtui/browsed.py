"""What commands tell of a store that is browsed: its runs, read once, by name and as JSON."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from engine.errors import UsageError, some
from lthtui import columns, storedruns, strangers, views
from lthtui.fields import Misread
from lthtui.filtering import Filter
from lthtui.records import RunSummary
from lthtui.runview import LevelView, RunView
from lthtui.store import Store
from lthtui.text import clean_line

LAST = "@last"


def read(address: str, metrics: Collection[str] = ()) -> dict[str, RunView]:
    """All runs of a store by their ids, the oldest first.

    Args:
        metrics: those of which the extremes are wanted; a server is asked for each run's.

    Raises:
        StoreError: it cannot be read.
    """
    with closing(Store(address)) as store:
        runs = store.runs()
        tickets = defaultdict(list)
        for ticket in store.tickets() if any(map(strangers.is_ours, runs)) else ():
            tickets[ticket.mlflow_run_id].append(ticket)
        found = storedruns.views(reversed(runs), tickets)
        extremes = {key: _extremes(store, runs, key) for key in metrics}
    for name, run in found.items():
        known = {key: of[run.stored] for key, of in extremes.items() if run.stored in of}
        found[name] = replace(run, extremes=known) if known else run
    return found


def summaries(address: str, words: Sequence[str], experiment: str | None) -> list[RunSummary]:
    """The runs that are named, or all of an experiment, as the store has them.

    Raises:
        UsageError: a word names none, or several.
        StoreError: the store cannot be read.
    """
    with closing(Store(address)) as store:
        found = {storedruns.key_of(run): run for run in store.runs(experiment)}
    runs = storedruns.views(found.values(), {})
    chosen = [find(runs, word).run_id for word in words] if words else [*runs]
    by_id = {run.run_id: found[key] for key, run in zip(found, runs.values(), strict=True)}
    return [by_id[run] for run in dict.fromkeys(chosen)]


def find(runs: Mapping[str, RunView], word: str) -> RunView:
    """The run that is meant by a part of its id, here or in MLflow, its name, or `@last`.

    Raises:
        UsageError: that is none, or several.
    """
    if word == LAST and runs:
        return max(runs.values(), key=lambda run: run.created)
    named = [run for run in runs.values() if word in (run.run_id, run.stored)]
    named = named or [run for run in runs.values() if word in (run.name, run.display_name)]
    named = named or [run for run in runs.values() if word in run.run_id or word in run.stored]
    if len(named) == 1:
        return named[0]
    shown = clean_line(word)
    if not named:
        raise UsageError(f"the store has no run '{shown}'; `lthtui list` shows all")
    ids = some([run.run_id for run in named])
    raise UsageError(f"'{shown}' means {len(named)} runs: {ids}; write more of the id")


def extremes(wanted: str, sort: str, headings: str) -> set[str]:
    """Metrics of which more than the newest value is asked for; what can't be read asks none."""
    found = set()
    with suppress(Misread):
        found |= {one for one in Filter.parse(wanted).fields}
    with suppress(Misread):
        found |= {one.field for one in views.orders(sort)}
    with suppress(Misread):
        found |= {one.field for one in columns.parse(headings)}
    return {one.key for one in found if one.reducer != "last"}


def describe(run: RunView) -> dict[str, Any]:
    """The JSON object that stands for a run everywhere, and its params and newest metrics."""
    won = run.winning if run.final else None
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "group": run.group,
        "family": run.family or None,
        "digest": None,
        **run.repetition.told,
        "seed": run.seed if run.seeded else None,
        "status": run.status,
        "stalled": False,
        "user": run.user,
        "directory": None,
        "mlflow_run_id": run.stored,
        "sparsifier": run.sparsifier or None,
        "dataset": run.dataset or None,
        "model": run.model or None,
        "controls": run.controls.shown if run.controls else None,
        "also_controls": [],
        "extends": {"run": run.extends, "levels": None, "epochs": None} if run.extends else None,
        "flops": run.flops,
        "levels": [_level(level) for level in run.ended_levels],
        "winning": _winning(run, won) if won else None,
        "error": run.error or None,
        "note": run.note,
        "display_name": run.display_name or None,
        "archived": run.archived,
        "tags": dict(run.tags),
        "params": dict(run.params),
        "metrics": {key: _number(value) for key, value in run.metrics.items()},
    }


def _extremes(
    store: Store, runs: Sequence[RunSummary], key: str
) -> Mapping[str, tuple[float, float]]:
    """By MLflow's ids; of a server those of the newest runs that have the metric."""
    if not store.uri.startswith("http"):
        return store.extremes(key)
    have = [run.mlflow_run_id for run in storedruns.newest(runs, key)]
    found = {id: storedruns.extremes(store.curve(id, key)) for id in have}
    return {id: pair for id, pair in found.items() if pair is not None}


def _level(level: LevelView) -> dict[str, Any]:
    return {
        "level": level.index,
        "density": level.density,
        "kept": level.kept,
        "total": level.total,
        "epochs": None,
        "val_accuracy": level.val,
        "test_accuracy": level.test,
        "val_balanced_accuracy": level.val_balanced,
        "test_balanced_accuracy": level.test_balanced,
        "seconds": level.seconds,
        "inference_flops": level.inference_flops,
        "training_flops": level.training_flops,
        "device_seconds": level.device_seconds,
        "joules": level.joules,
        "ticket": None,
    }


def _winning(run: RunView, level: LevelView) -> dict[str, Any]:
    return {
        "level": level.index,
        "density": level.density,
        "val_accuracy": level.val,
        "test_accuracy": level.test,
        "ticket": None,
        "beats_dense": run.beats_dense,
    }


def _number(value: float) -> float | str:
    """What JSON has no number for is text, as MLflow's servers write it."""
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
