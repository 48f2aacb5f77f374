"""What is asked of an MLflow server, without MLflow, whose import takes 140 MB and seconds.

Methods are called, and answer, as those of `MlflowClient`, as far as `lthtui.store` goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from sys import intern
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from engine import remote
from engine.errors import HungUp, StoreError

if TYPE_CHECKING:
    import requests

_API = "/api/2.0/mlflow/"
_POINTS, _PARTS = 10_000, 5_000  # of a history at a time, and how often at most
Said = dict[str, Any]
_Read = TypeVar("_Read")


class Page(list[Any]):
    """Some of what was found. `token` asks for more; None where that was all."""

    token: str | None = None


class Point(NamedTuple):
    """A value of a metric; `timestamp` is in milliseconds."""

    key: str
    value: float
    step: int
    timestamp: int


class Rest:
    """Asks one server over one connection; answers that are not MLflow's raise StoreError."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session: requests.Session | None = None

    def search_experiments(self, **asked: Any) -> Page:
        """A page of those that were not deleted."""
        return self._found("experiments/search", "experiments", _experiment, asked)

    def search_runs(self, filter_string: str = "", **asked: Any) -> Page:
        """A page of runs, the newest first."""
        return self._found("runs/search", "runs", _run, {"filter": filter_string, **asked})

    def search_logged_models(self, **asked: Any) -> Page:
        """A page of models."""
        return self._found("logged-models/search", "models", _model, asked)

    def get_run(self, run_id: str) -> SimpleNamespace:
        """One run, deleted or not."""
        return self._asked("runs/get", {"run_id": run_id}, lambda said: _run(said["run"]))

    def get_metric_history(self, run_id: str, key: str) -> list[Point]:
        """All values of a metric."""
        found: list[Point] = []
        asked = {"run_id": run_id, "metric_key": key, "max_results": _POINTS}
        for _ in range(_PARTS):
            page = self._found("metrics/get-history", "metrics", _point, asked)
            found += page
            if page.token is None or page.token == asked.get("page_token"):
                return found
            asked["page_token"] = page.token
        raise StoreError(f"{self._address}: the history of a metric never ends")

    def close(self) -> None:
        """Let go of the connection, where nobody waits for an answer."""
        if self._session is not None:
            self._session.close()

    def _found(self, path: str, name: str, make: Callable[[Said], Any], asked: Said) -> Page:
        def read(said: Said) -> Page:
            page = Page(make(one) for one in said.get(name, ()))
            page.token = str(said.get("next_page_token") or "") or None
            return page

        return self._asked(path, asked, read)

    def _asked(self, path: str, asked: Said, read: Callable[[Said], _Read]) -> _Read:
        said = self._said(_API + path, {key: one for key, one in asked.items() if one is not None})
        try:
            return read(said)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            raise StoreError(f"{self._address} answers something that is not MLflow's") from None

    def _said(self, path: str, given: Said) -> Said:
        """What the server says; once more where it had done with the connection that was kept."""
        import requests

        if self._session is not None:
            with suppress(HungUp):
                return remote.ask(self._address, path, given, self._session)
        self._session = requests.Session()
        return remote.ask(self._address, path, given, self._session)


def _experiment(said: Said) -> SimpleNamespace:
    return SimpleNamespace(experiment_id=str(said["experiment_id"]), name=str(said["name"]))


def _run(said: Said) -> SimpleNamespace:
    info, data = said["info"], said.get("data", {})
    return SimpleNamespace(
        info=SimpleNamespace(
            run_id=str(info["run_id"]),
            run_name=str(info.get("run_name", "")),
            experiment_id=str(info["experiment_id"]),
            status=str(info.get("status", "")),
            lifecycle_stage=str(info.get("lifecycle_stage", "")),
            start_time=_time(info.get("start_time")),
            end_time=_time(info.get("end_time")),
        ),
        data=SimpleNamespace(
            metrics={one.key: one.value for one in map(_point, data.get("metrics", ()))},
            params=_texts(data.get("params", ())),
            tags=_texts(data.get("tags", ())),
        ),
    )


def _model(said: Said) -> SimpleNamespace:
    info, data = said["info"], said.get("data", {})
    return SimpleNamespace(
        model_id=str(info["model_id"]),
        experiment_id=str(info["experiment_id"]),
        name=str(info.get("name", "")),
        source_run_id=str(info.get("source_run_id", "")),
        artifact_location=str(info.get("artifact_uri", "")),
        creation_timestamp=_time(info.get("creation_timestamp_ms")),
        params=_texts(data.get("params", ())),
        tags=_texts(info.get("tags", ())),
        metrics=[_point(one) for one in data.get("metrics", ())],
    )


def _point(said: Said) -> Point:
    """JSON has no NaN and no infinity: they come as text."""
    key, value = intern(str(said["key"])), float(said.get("value", 0))
    return Point(key, value, int(said.get("step", 0)), int(said.get("timestamp", 0)))


def _texts(said: Iterable[Said]) -> dict[str, str]:
    """Keys and values, each text once: thousands of runs have most of them in common."""
    return {intern(str(one["key"])): intern(str(one.get("value", ""))) for one in said}


def _time(said: Any) -> int | None:
    return None if said is None else int(said)
