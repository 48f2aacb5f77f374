"""The app's view of an MLflow store, local or on a server: runs, curves, tickets, notes and tags.

A local store is read by SQL where its version is known, or else through MLflow's client, a server
by requests of our own. The client takes seconds to import: call from a thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import remote, schema
from engine.errors import StoreAway, StoreError
from engine.storefile import PATIENCE, expected_version, foreign
from lthtui.once import Once
from lthtui.records import (
    EXACT,
    LATEST,
    Curve,
    RunSummary,
    TicketRecord,
    curve,
    number,
    summary,
    ticket,
)
from lthtui.rest import Rest
from lthtui.sqlstore import TESTED, SqlReader

_PAGE, _PAGES = 250, 20_000  # a page is parsed at once, while nothing is drawn
_DELETED = 2  # MLflow's ViewType
_DOORS = (  # ways into a server that only MLflow's client knows
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_WORKSPACE",
)
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
        patience: seconds that a local one may be locked.
    """

    def __init__(self, where: Path | str, patience: float = PATIENCE) -> None:
        address = str(where)
        if address.startswith(("http://", "https://")):
            self.uri, self._sql, self._file = address, None, None
            return
        local = address.startswith("sqlite:///")
        self._file = Path(address[10:] if local else Path(where).absolute() / "mlflow.db")
        self.uri, self._sql = f"sqlite:///{self._file}", SqlReader(self._file, patience)

    def runs(self, experiment: str | None = None, *, measured: bool = True) -> list[RunSummary]:
        """All runs that were not deleted, or those of one experiment; newest first.

        Args:
            measured: whether with metrics, which take as long as all else of a local store.
        """
        with self._explained():
            return self._reader().runs(experiment, measured=measured) if self._exists else []

    def moving(self, known: Sequence[str]) -> tuple[list[RunSummary], list[TicketRecord]] | None:
        """The runs that are under way, or of these MLflow ids, and their levels.

        None where only all can be read.
        """
        with self._explained():
            reader = self._reader() if self._exists else None
            return reader.moving(known) if isinstance(reader, SqlReader) else None

    def ids(self) -> set[str] | None:
        """MLflow's ids of all runs that were not deleted; None where `moving` gives none."""
        with self._explained():
            reader = self._reader() if self._exists else None
            return reader.ids() if isinstance(reader, SqlReader) else None

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

    def sketch(self, mlflow_run_id: str, key: str) -> Curve | None:
        """Some of very many points of a metric, which take a tenth of the time; None for others."""
        with self._explained():
            reader = self._reader() if self._exists else None
            return reader.sketch(mlflow_run_id, key) if isinstance(reader, SqlReader) else None

    def tickets(self, experiment: str | None = None) -> list[TicketRecord]:
        """The levels of all our runs, or of those of one experiment; newest first."""
        with self._explained():
            return self._reader().tickets(experiment) if self._exists else []

    def artifacts(self, mlflow_run_id: str) -> str:
        """Where a local store says that files of a run are: a path or an address; else empty."""
        with self._explained():
            return self._sql.artifacts(mlflow_run_id) if self._sql and self._exists else ""

    def experiments(self) -> dict[str, str]:
        """A server's experiments that were not deleted: their names by their ids."""
        with self._explained():
            return self._server.experiments()

    def pages(self, experiments: Mapping[str, str], wanted: str = "") -> Iterator[list[RunSummary]]:
        """A server's runs of these experiments in parts, as they come; newest first.

        Args:
            wanted: a filter in MLflow's own language.
        """
        with self._explained():
            yield from self._server.pages(experiments, wanted)

    def run(self, mlflow_run_id: str, experiments: Mapping[str, str]) -> RunSummary | None:
        """A server's run of one of these experiments; None if it was deleted."""
        with self._explained():
            return self._server.run(mlflow_run_id, experiments)

    def only(self, mlflow_run_ids: Collection[str]) -> list[RunSummary]:
        """These runs, but for those that were deleted; of a server, nothing else is asked for."""
        if self._sql is not None:
            known = self.runs(measured=False)
            return [one for one in known if one.mlflow_run_id in mlflow_run_ids]
        experiments = self.experiments()
        found = (self.run(one, experiments) for one in mlflow_run_ids)
        return [one for one in found if one is not None]

    def levels(self, experiments: Mapping[str, str]) -> Iterator[TicketRecord]:
        """A server's records of levels, also of runs that were deleted; in no order."""
        with self._explained():
            yield from self._server.levels(experiments)

    def version(self) -> tuple[int, ...]:
        """Equal to an earlier one if nothing was written since; a server changes every 5 s."""
        if self._sql is None:
            return (int(time.monotonic()) // _REMOTE_SECONDS,)
        with self._explained():
            return self._sql.version() if self._exists else ()

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
        """Let go of the file, or of the server; what is asked of it just now goes on."""
        if self._sql is not None:
            self._sql.close()
        if "_rest" in self.__dict__:
            self._rest.close()

    @property
    def _exists(self) -> bool:
        return self._file is None or (self._file.exists() and self._file.stat().st_size > 0)

    @Once
    def _client(self) -> Any:
        if self._file is None:
            remote.guard(self.uri)
        return _import_mlflow().MlflowClient(self.uri)

    @Once
    def _rest(self) -> Rest:
        return Rest(self.uri)

    @Once
    def _server(self) -> ClientReader:
        return ClientReader(self._client if any(map(os.environ.get, _DOORS)) else self._rest)

    def _reader(self) -> SqlReader | ClientReader:
        """The fastest reader that can be trusted.

        MLflow's client is never let near a local store of another version: it would migrate it.
        """
        if self._sql is None:
            return self._server
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
            if self._file is not None and "locked" in str(error):
                from lthtui import holding

                said = f"{holding.locked(self._file)}; it can be read once that lets go"
                raise StoreAway(said) from None
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
    """Reads through MLflow's client, or what stands for it: slower, for any version."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def runs(self, experiment: str | None = None, *, measured: bool = True) -> list[RunSummary]:
        """See `Store.runs`."""
        found = [run for page in self.pages(self.experiments(experiment)) for run in page]
        return sorted(found, key=lambda run: (-(run.start or 0), run.mlflow_run_id))

    def pages(self, experiments: Mapping[str, str], wanted: str = "") -> Iterator[list[RunSummary]]:
        """See `Store.pages`."""
        if experiments:
            search = {"experiment_ids": [*experiments], "filter_string": wanted}
            for page in _paged(self._client.search_runs, **search):
                known = (run for run in page if run.info.experiment_id in experiments)
                yield [_summary(run, experiments[run.info.experiment_id]) for run in known]

    def run(self, mlflow_run_id: str, experiments: Mapping[str, str]) -> RunSummary | None:
        """See `Store.run`."""
        run = self._client.get_run(mlflow_run_id)
        name = experiments.get(run.info.experiment_id)
        gone = name is None or run.info.lifecycle_stage != "active"
        return None if gone else _summary(run, str(name))

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
                (point.step, point.timestamp, point.value)
                for point in found
                if abs(point.step) <= EXACT and (after is None or point.step > after)
            ]
        )

    def tickets(self, experiment: str | None = None) -> list[TicketRecord]:
        """See `Store.tickets`."""
        names = self.experiments(experiment)
        deleted = self._deleted(names) if names else set()
        tickets = [one for one in self.levels(names) if one.mlflow_run_id not in deleted]
        return sorted(tickets, key=lambda one: (-one.created, one.model_id))

    def levels(self, experiments: Mapping[str, str]) -> Iterator[TicketRecord]:
        """See `Store.levels`."""
        search = self._client.search_logged_models
        found = _all(search, experiment_ids=[*experiments]) if experiments else ()
        for model in found:
            if model.experiment_id in experiments:
                made = _ticket(model, experiments[model.experiment_id])
                if made is not None:
                    yield made

    def _deleted(self, experiments: Iterable[str]) -> set[str]:
        """Runs that were deleted; the records of their levels stay, for they can't be restored."""
        where = {"experiment_ids": [*experiments], "run_view_type": _DELETED}
        return {run.info.run_id for run in _all(self._client.search_runs, **where)}

    def experiments(self, only: str | None = None) -> dict[str, str]:
        """See `Store.experiments`; of one name, or all."""
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
    """Every result of a search that comes in pages; see `_paged`."""
    for page in _paged(search, **arguments):
        yield from page


def _paged(search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """The pages of a search's results.

    Raises:
        StoreError: the pages never end.
    """
    token = None
    for _ in range(_PAGES):
        page = search(max_results=_PAGE, page_token=token, **arguments)
        yield page
        before, token = token, page.token
        if not token:
            return
        if token == before:
            break
    raise StoreError("the MLflow server's list of results never ends")


def _summary(run: Any, experiment: str) -> RunSummary:
    """A run from MLflow's entity."""
    return summary(
        run.info.run_id,
        run.info.run_name or "",
        experiment,
        run.info.status,
        (_time(run.info.start_time), _time(run.info.end_time)),
        {key: number(value) for key, value in run.data.metrics.items()},
        dict(run.data.params),
        dict(run.data.tags),
    )


def _ticket(model: Any, experiment: str) -> TicketRecord | None:
    """A ticket from MLflow's entity of a model."""
    return ticket(
        model.model_id,
        model.name,
        model.source_run_id or "",
        experiment,
        _time(model.creation_timestamp) or 0,
        model.artifact_location,
        dict(model.params),
        dict(model.tags),
        _newest(model.metrics or []),
    )


def _time(milliseconds: int | None) -> int | None:
    """A time that a calendar can show, or None."""
    known = milliseconds is not None and 0 <= milliseconds < 1000 * LATEST
    return milliseconds if known else None


def _newest(metrics: list[Any]) -> dict[str, float]:
    ordered = sorted(metrics, key=lambda metric: (metric.step, metric.timestamp))
    return {metric.key: number(metric.value) for metric in ordered}
