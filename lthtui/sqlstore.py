"""Reading MLflow's SQLite store by SQL: tens of times faster than its client, and no import of it.

The tables are MLflow's own affair. `TESTED` names the versions of them that a parity test compares
with the client's answers.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import schema
from engine.storefile import PATIENCE, reader, version
from lthtui.records import EXACT, Curve, RunSummary, TicketRecord, curve, number, summary, ticket

TESTED = {"dc11669786a5"}  # MLflow 3.17
_NEEDED = {
    "experiments": {"experiment_id", "name", "lifecycle_stage"},
    "runs": {"run_uuid", "name", "status", "start_time", "end_time", "lifecycle_stage"},
    "metrics": {"run_uuid", "key", "step", "timestamp", "value", "is_nan"},
    "latest_metrics": {"run_uuid", "key", "value", "is_nan"},
    "params": {"run_uuid", "key", "value"},
    "tags": {"run_uuid", "key", "value"},
    "logged_models": {"model_id", "experiment_id", "name", "source_run_id", "artifact_location"},
    "logged_model_params": {"model_id", "param_key", "param_value"},
    "logged_model_tags": {"model_id", "tag_key", "tag_value"},
    "logged_model_metrics": {"model_id", "metric_name", "metric_step", "metric_value"},
}
_ACTIVE = """
FROM runs r JOIN experiments e USING (experiment_id)
WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'
"""
_RUNS = f"""
SELECT r.run_uuid, r.name, e.name, r.status, r.start_time, r.end_time {_ACTIVE}
AND (:one IS NULL OR e.name = :one) AND (:known IS NULL OR r.status IN ('RUNNING', 'SCHEDULED')
OR r.run_uuid IN (SELECT value FROM json_each(:known))) ORDER BY r.start_time DESC, r.run_uuid
"""
_LATEST = "SELECT run_uuid, key, value, is_nan FROM latest_metrics"
_THESE = "(SELECT value FROM json_each(?))"
_EXTREMES = f"""
SELECT run_uuid, min(value), max(value) FROM metrics WHERE key = ? AND is_nan = 0
AND abs(step) <= {EXACT} GROUP BY run_uuid
"""
# a step is asked for even where all are wanted: without one, SQLite reads this metric of all runs
_CURVE = f"""
SELECT step, timestamp, iif(is_nan, NULL, value) FROM metrics
WHERE run_uuid = ? AND key = ? AND step > ? AND step <= {EXACT}
"""
_STEPS = "index_metrics_run_uuid_key_step"  # not in stores of old
_METRIC = f"metrics INDEXED BY {_STEPS} WHERE run_uuid = :run AND key = :key AND step BETWEEN"
_ENDS = f"""
SELECT (SELECT min(step) FROM {_METRIC} -{EXACT} AND {EXACT}),
(SELECT max(step) FROM {_METRIC} -{EXACT} AND {EXACT})
"""
# goes from step to step by the index: to read all and leave most out takes six times as long
_SOME = f"""
WITH RECURSIVE at(here) AS (SELECT :first UNION ALL SELECT (
SELECT step FROM {_METRIC} min(here + :every, :last) AND :last ORDER BY step LIMIT 1
) FROM at WHERE here < :last)
SELECT step, timestamp, iif(is_nan, NULL, value) FROM at CROSS JOIN {_METRIC} here AND here
"""
_FIRST = -EXACT - 1
SKETCH = 4096  # points of a sketch; where a metric may have less than 8 times as many, all are read
_NAMES = (schema.RUN_ID, schema.NOTE, schema.NAME, schema.ARCHIVED, schema.NOTED)
_PEOPLES = """
SELECT run_uuid, key, t.value FROM tags t JOIN runs r USING (run_uuid)
WHERE r.lifecycle_stage = 'active'
AND (key NOT LIKE 'lthtui.%' AND key NOT LIKE 'mlflow.%' OR key IN (?, ?, ?, ?, ?))
"""
_TICKETS = """
SELECT m.model_id, m.name, m.source_run_id, e.name, m.creation_timestamp_ms, m.artifact_location
FROM logged_models m JOIN experiments e USING (experiment_id)
LEFT JOIN runs r ON r.run_uuid = m.source_run_id
WHERE m.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'
AND coalesce(r.lifecycle_stage, 'active') = 'active' AND (:one IS NULL
OR e.name = :one) AND (:runs IS NULL OR m.source_run_id IN (SELECT value FROM json_each(:runs)))
ORDER BY m.creation_timestamp_ms DESC, m.model_id
"""
_OF_TICKETS = (
    "SELECT model_id, param_key, param_value FROM logged_model_params WHERE TRUE{}",
    "SELECT model_id, tag_key, tag_value FROM logged_model_tags WHERE TRUE{}",
    "SELECT model_id, metric_name, metric_value, 0 FROM logged_model_metrics"
    " WHERE metric_value IS NOT NULL{} ORDER BY metric_step, metric_timestamp_ms",
)


class SqlReader:
    """Reads one store file and never writes; a connection per call, so any thread may ask.

    Every method raises `sqlite3.Error` where the file is broken or locked for long.
    """

    def __init__(self, file: Path, patience: float = PATIENCE) -> None:
        self._file, self._patience = file, patience
        self._watching = threading.Lock()
        self._watch: tuple[tuple[int, int], sqlite3.Connection] | None = None
        self._closed = False

    def schema_version(self) -> str:
        """MLflow's version of the tables; empty if there is none."""
        with self._open() as store:
            return version(store)

    def has_columns(self) -> bool:
        """Whether there is everything that is read here."""
        with self._open() as store:
            return all(
                columns <= {row[1] for row in store.execute(f"PRAGMA table_info({table})")}
                for table, columns in _NEEDED.items()
            )

    def runs(self, experiment: str | None = None, *, measured: bool = True) -> list[RunSummary]:
        """All runs, or those of one experiment, with or without metrics; newest first."""
        with self._open() as store:
            store.execute("BEGIN")  # one moment in time for all four tables
            found = store.execute(_RUNS, {"one": experiment, "known": None}).fetchall()
            metrics = _grouped(store, _LATEST) if measured else {}
            params, tags = _texts(store, "params"), _texts(store, "tags")
        return _summaries(found, metrics, params, tags)

    def moving(self, known: Sequence[str]) -> tuple[list[RunSummary], list[TicketRecord]]:
        """The runs that are under way or of these ids, and their tickets; read by themselves."""
        with self._open() as store:
            store.execute("BEGIN")
            asked = {"one": None, "known": json.dumps(known)}
            found = store.execute(_RUNS, asked).fetchall()
            these = json.dumps([row[0] for row in found])
            metrics = _grouped(store, f"{_LATEST} WHERE run_uuid IN {_THESE}", (these,))
            params, tags = (_texts(store, table, these) for table in ("params", "tags"))
            tickets = _tickets(store, None, these)
        return _summaries(found, metrics, params, tags), tickets

    def ids(self) -> set[str]:
        """MLflow's ids of all runs."""
        with self._open() as store:
            return {id for (id,) in store.execute(f"SELECT r.run_uuid {_ACTIVE}")}

    def measured(self) -> dict[str, dict[str, float]]:
        """By MLflow's run ids, the newest value of each metric."""
        with self._open() as store:
            return _grouped(store, _LATEST)

    def extremes(self, key: str) -> dict[str, tuple[float, float]]:
        """By MLflow's run ids, the smallest and the largest value of a metric that is a number."""
        with self._open() as store:
            found = store.execute(_EXTREMES, (key,)).fetchall()
        return {id: (number(least), number(most)) for id, least, most in found}

    def artifacts(self, mlflow_run_id: str) -> str:
        """Where files of a run are, as MLflow has it; empty for a run that there is not."""
        with self._open() as store:
            query = "SELECT artifact_uri FROM runs WHERE run_uuid = ?"
            found = store.execute(query, (mlflow_run_id,)).fetchone()
        return str(found[0] or "") if found else ""

    def tags(self) -> dict[str, dict[str, str]]:
        """By our own run ids, the tags that people may change, and what they were told of."""
        with self._open() as store:
            found = _grouped(store, _PEOPLES, _NAMES)
        return {tags.pop(schema.RUN_ID): tags for tags in found.values() if schema.RUN_ID in tags}

    def curve(self, mlflow_run_id: str, key: str, after: int | None = None) -> Curve:
        """A metric of a run, or only its steps beyond `after`."""
        with self._open() as store:
            first = _FIRST if after is None else after
            return curve(store.execute(_CURVE, (mlflow_run_id, key, first)))

    def sketch(self, mlflow_run_id: str, key: str) -> Curve | None:
        """Some points of a metric of a run with very many, evenly spread; None for others."""
        of = {"run": mlflow_run_id, "key": key}
        with self._open() as store:
            if not store.execute(f"PRAGMA index_info({_STEPS})").fetchall():
                return None
            first, last = store.execute(_ENDS, of).fetchone()
            every = 0 if first is None else (last - first) // SKETCH
            if every < 8:
                return None
            found = store.execute(_SOME, {**of, "first": first, "last": last, "every": every})
            return curve(found)

    def tickets(self, experiment: str | None = None) -> list[TicketRecord]:
        """All tickets, or those of one experiment; newest first."""
        with self._open() as store:
            store.execute("BEGIN")
            return _tickets(store, experiment)

    def version(self) -> tuple[int, ...]:
        """Differs from an earlier one if another process may have written since; costs no read."""
        with self._watching:
            if self._closed:
                raise sqlite3.ProgrammingError("closed")
            found = self._file.stat()
            identity = found.st_dev, found.st_ino
            if self._watch is None or self._watch[0] != identity:
                self._let_go()
                self._watch = identity, reader(self._file, self._patience)
            (change,) = self._watch[1].execute("PRAGMA data_version").fetchone()
        return *identity, int(change)

    def close(self) -> None:
        """Let go of the file for good, once no thread looks for changes."""
        with self._watching:  # SQLite crashes where a connection is closed while it is in use
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        if self._watch is not None:
            self._watch[1].close()
            self._watch = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(reader(self._file, self._patience)) as store:
            yield store


def _summaries(
    found: Sequence[tuple[Any, ...]],
    metrics: Mapping[str, dict[str, float]],
    params: Mapping[str, dict[str, str]],
    tags: Mapping[str, dict[str, str]],
) -> list[RunSummary]:
    """Runs as `_RUNS` finds them, with what was read of each."""
    return [
        summary(
            id,
            name or "",
            where,
            status,
            times=(start, end),
            metrics=metrics.get(id, {}),
            params=params.get(id, {}),
            tags=tags.get(id, {}),
        )
        for id, name, where, status, start, end in found
    ]


def _tickets(
    store: sqlite3.Connection, experiment: str | None, runs: str | None = None
) -> list[TicketRecord]:
    """All tickets, or those of one experiment, or of runs (ids as JSON); newest first."""
    found = store.execute(_TICKETS, {"one": experiment, "runs": runs}).fetchall()
    models = () if runs is None else (json.dumps([row[0] for row in found]),)
    among = f" AND model_id IN {_THESE}" if models else ""
    params, tags, metrics = (_grouped(store, query.format(among), models) for query in _OF_TICKETS)
    made = (
        ticket(
            id,
            name,
            run or "",
            where,
            created,
            files,
            params=params[id],
            tags=tags[id],
            metrics=metrics[id],
        )
        for id, name, run, where, created, files in found
    )
    return [one for one in made if one is not None]


def _grouped(
    store: sqlite3.Connection, query: str, values: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Rows of owner, key and value as a mapping per owner; numbers come with a NaN flag."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for owner, key, value, *nan in store.execute(query, values):
        found[owner][sys.intern(key)] = number(value, nan[0]) if nan else value
    return found


def _texts(
    store: sqlite3.Connection, table: str, runs: str | None = None
) -> dict[str, dict[str, str]]:
    """Keys and values per run; grouped by SQLite, which is faster, and each text kept once.

    Args:
        runs: the ids of those that are read, as JSON; None for all.
    """
    among = "" if runs is None else f"WHERE run_uuid IN {_THESE}"
    query = f"SELECT run_uuid, json_group_object(key, value) FROM {table} {among} GROUP BY run_uuid"
    found = store.execute(query, () if runs is None else (runs,))
    decode = json.JSONDecoder(object_pairs_hook=_shared).raw_decode
    return {run: decode(text)[0] for run, text in found}


def _shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {sys.intern(key): value and sys.intern(value) for key, value in pairs}
