"""The app's view of an MLflow store, local or on a server: runs, curves, tickets, notes and tags.

A local store is read by SQL where its version is known, everything else through MLflow's client,
which takes seconds to import: call from a thread.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine import remote, schema
from engine.errors import StoreError
from engine.storefile import expected_version, foreign
from lthtui.records import Curve, RunSummary, TicketRecord, curve, number, summary, ticket
from lthtui.sqlstore import TESTED, SqlReader

_PAGE, _PAGES = 1000, 5000
_LATEST = 253_402_300_800_000  # the year 10000, in milliseconds
_EXACT = 2**53  # the largest step that is the same as a float
_REMOTE_SECONDS = 5  # how often a server may have news
_QUIET = {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class Store:
    """An MLflow store. A local one that does not exist yet is empty.

    Every method raises StoreError, in one line, where the store is broken or out of reach.

    Args:
        where: the root of all state, or a tracking address (`https://...`, `sqlite:////...`).
    """

    def __init__(self, where: Path | str) -> None:
        address = str(where)
        if address.startswith(("http://", "https://")):
            self.uri, self._sql, self._file = address, None, None
            return
        local = address.startswith("sqlite:///")
        self._file = Path(address[10:] if local else Path(where).absolute() / "mlflow.db")
        self.uri, self._sql = f"sqlite:///{self._file}", SqlReader(self._file)

    def runs(self, experiment: str | None = None, *, measured: bool = True) -> list[RunSummary]:
        """All runs that were not deleted, or those of one experiment; newest first.

        Args:
            measured: whether with metrics, which take as long as all else of a local store.
        """
        with self._explained():
            return self._reader().runs(experiment, measured=measured) if self._exists else []

    def measured(self) -> dict[str, dict[str, float]]:
        """By MLflow's run ids, the metrics that `runs` left out; a server's leaves out none."""
        with self._explained():
            return self._reader().measured() if self._exists else {}

    def extremes(self, key: str) -> dict[str, tuple[float, float]]:
        """By MLflow's run ids, a metric's smallest and largest value; NaN is none.

        Nothing of a server, which knows this only of one run at a time.
        """
        with self._explained():
            return self._reader().extremes(key) if self._exists else {}

    def curve(self, mlflow_run_id: str, key: str, after: int | None = None) -> Curve:
        """A metric of a run, or only its steps beyond `after`; empty if there is none."""
        with self._explained():
            return self._reader().curve(mlflow_run_id, key, after) if self._exists else curve([])

    def tickets(self, experiment: str | None = None) -> list[TicketRecord]:
        """The levels of all our runs, or of those of one experiment; newest first."""
        with self._explained():
            return self._reader().tickets(experiment) if self._exists else []

    def version(self) -> tuple[int, ...]:
        """Equal to an earlier one if nothing was written since; a server changes every 5 s."""
        if self._sql is None:
            return (int(time.monotonic()) // _REMOTE_SECONDS,)
        with self._explained():
            return self._sql.version() if self._exists else ()

    def set_note(self, mlflow_run_id: str, text: str) -> None:
        """Replace a run's note, which is Markdown."""
        self.set_tags(mlflow_run_id, {schema.NOTE: text})

    def tags(self) -> dict[str, dict[str, str]]:
        """By our own run ids, the tags of active runs that people may change, of a local store."""
        with self._explained():
            return self._sql.tags() if self._sql is not None and self._exists else {}

    def set_tags(self, mlflow_run_id: str, tags: Mapping[str, str | None]) -> None:
        """Set tags of a run; remove those that are None."""
        with self._explained():
            if self._sql is not None and self._sql.schema_version() != expected_version():
                raise self._foreign(self._sql.schema_version())
            known = self._client.get_run(mlflow_run_id).data.tags if None in tags.values() else {}
            for name, value in tags.items():
                if value is not None:
                    self._client.set_tag(mlflow_run_id, name, value)
                elif name in known:
                    self._client.delete_tag(mlflow_run_id, name)

    def close(self) -> None:
        """Let go of the file."""
        if self._sql is not None:
            self._sql.close()

    @property
    def _exists(self) -> bool:
        return self._file is None or (self._file.exists() and self._file.stat().st_size > 0)

    @functools.cached_property
    def _client(self) -> Any:
        client = _import_mlflow().MlflowClient(self.uri)
        if self._file is None:
            remote.guard(self.uri)
        return client

    def _reader(self) -> SqlReader | ClientReader:
        """The fastest reader that can be trusted.

        MLflow's client is never let near a local store of another version: it would migrate it.
        """
        if self._sql is None:
            return ClientReader(self._client)
        version = self._sql.schema_version()
        if version in TESTED:
            return self._sql
        if version == expected_version():
            return ClientReader(self._client)
        if self._sql.has_columns():
            return self._sql
        raise self._foreign(version)

    def _foreign(self, version: str) -> StoreError:
        assert self._file is not None
        return StoreError(foreign(self._file, version))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what sqlite3, MLflow and those below it raise into our one error."""
        try:
            yield
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._file or self.uri}: {error}") from None
        except Exception as error:
            if found := remote.reason(error):
                raise found from None
            foreign = type(error).__module__.partition(".")[0] in ("mlflow", "sqlalchemy")
            if self._file is not None and not foreign:
                raise  # a server may answer anything: whatever that breaks is no fault of ours
            said = remote.scrub(remote.line(str(error), 300)) or type(error).__name__
            raise StoreError(f"{self.uri}: {said}") from None


class ClientReader:
    """Reads through MLflow's client: slower, for any version and any server."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def runs(self, experiment: str | None = None, *, measured: bool = True) -> list[RunSummary]:
        """See `Store.runs`."""
        names = self._experiments(experiment)
        found = _all(self._client.search_runs, experiment_ids=list(names)) if names else []
        runs = [
            summary(
                run.info.run_id,
                run.info.run_name or "",
                names[run.info.experiment_id],
                run.info.status,
                (_time(run.info.start_time), _time(run.info.end_time)),
                {key: number(value) for key, value in run.data.metrics.items()},
                dict(run.data.params),
                dict(run.data.tags),
            )
            for run in found
            if run.info.experiment_id in names
        ]
        return sorted(runs, key=lambda run: (-(run.start or 0), run.mlflow_run_id))

    def measured(self) -> dict[str, dict[str, float]]:
        """See `Store.measured`."""
        return {}

    def extremes(self, key: str) -> dict[str, tuple[float, float]]:
        """See `Store.extremes`."""
        return {}

    def curve(self, mlflow_run_id: str, key: str, after: int | None = None) -> Curve:
        """See `Store.curve`."""
        found = self._client.get_metric_history(mlflow_run_id, key)
        return curve(
            [
                (point.step, point.timestamp, point.value, False)
                for point in found
                if abs(point.step) <= _EXACT and (after is None or point.step > after)
            ]
        )

    def tickets(self, experiment: str | None = None) -> list[TicketRecord]:
        """See `Store.tickets`."""
        names = self._experiments(experiment)
        search = self._client.search_logged_models
        found = _all(search, experiment_ids=list(names)) if names else []
        deleted = self._deleted(names) if names else set()
        made = (
            ticket(
                model.model_id,
                model.name,
                model.source_run_id or "",
                names[model.experiment_id],
                _time(model.creation_timestamp) or 0,
                model.artifact_location,
                dict(model.params),
                dict(model.tags),
                _newest(model.metrics or []),
            )
            for model in found
            if model.experiment_id in names and model.source_run_id not in deleted
        )
        tickets = [one for one in made if one is not None]
        return sorted(tickets, key=lambda one: (-one.created, one.model_id))

    def _deleted(self, experiments: Iterable[str]) -> set[str]:
        """Runs that were deleted; the records of their levels stay, for they can't be restored."""
        from mlflow.entities import ViewType

        where = {"experiment_ids": [*experiments], "run_view_type": ViewType.DELETED_ONLY}
        return {run.info.run_id for run in _all(self._client.search_runs, **where)}

    def _experiments(self, only: str | None) -> dict[str, str]:
        found = _all(self._client.search_experiments)
        return {one.experiment_id: one.name for one in found if only in (None, one.name)}


def _import_mlflow() -> Any:
    os.environ.update(schema.MLFLOW_ENVIRONMENT)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow
    except ModuleNotFoundError as error:
        raise StoreError(f"MLflow cannot be loaded ({error}); `pip install mlflow`") from None
    return mlflow


def _all(search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """Every result of a search that comes in pages.

    Raises:
        StoreError: the pages never end.
    """
    token = None
    for _ in range(_PAGES):
        page = search(max_results=_PAGE, page_token=token, **arguments)
        yield from page
        before, token = token, page.token
        if not token:
            return
        if token == before:
            break
    raise StoreError("the MLflow server's list of results never ends")


def _time(milliseconds: int | None) -> int | None:
    """A time that a calendar can show, or None."""
    return milliseconds if milliseconds is not None and 0 <= milliseconds < _LATEST else None


def _newest(metrics: list[Any]) -> dict[str, float]:
    ordered = sorted(metrics, key=lambda metric: (metric.step, metric.timestamp))
    return {metric.key: number(metric.value) for metric in ordered}
