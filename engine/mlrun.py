"""A run in MLflow, found or made: rows, tags and records that may be sent again without harm."""

from __future__ import annotations

import getpass
import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import remote, schema
from engine.errors import StoreError
from engine.filing import Drawer
from engine.mlstore import load_mlflow
from engine.noted import Noted
from engine.rundir import RunDirectory
from engine.spec import RunSpec
from engine.storefile import ARTIFACTS

MODEL_TYPE = "ticket"
_ROWS_AT_ONCE, _ENTRIES_AT_ONCE = 1000, 100


@dataclass(frozen=True)
class Row:
    """One value of a metric. `time` is in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


@dataclass
class Record:
    """A level as MLflow's LoggedModel."""

    model_id: str
    drawer: Drawer
    sha256: str | None
    winning: bool


class MlflowRun:
    """The MLflow run of one run folder: the one that has its id and began when it did.

    An answer may get lost on the way from a server although what it answers was done. So what is
    made is looked for first, and of two that a late request made after all, one goes again.

    Args:
        uri: the tracking address; a local store must exist.
        started: when the run began, in milliseconds since 1970.
        known: the MLflow run that it was before, if it was.

    Raises:
        StoreError: the experiment or the run was deleted in MLflow, or MLflow is not installed.
    """

    def __init__(
        self, directory: RunDirectory, spec: RunSpec, uri: str, started: int, known: str = ""
    ) -> None:
        self._directory, self._spec, self._uri = directory, spec, uri
        self._started, self._known = started, known
        self._client = client(uri)
        self.experiment_id = self._open_experiment()
        run = self._open_run()
        self.run_id: str = run.info.run_id
        self.status: str = run.info.status
        self._params: set[str] = set(run.data.params)
        self._tags: dict[str, str] = dict(run.data.tags)
        self._records: dict[int, Record] | None = None
        self.drawer = self._drawer(run.info.artifact_uri, self._client.log_artifact, self.run_id)
        self.set_tags({k: v for k, v in self._own_tags().items() if k.startswith("lthtui.")})

    def log(self, rows: Iterable[Row]) -> None:
        """Send values."""
        self._send([_metric(row) for row in rows])

    def log_level(self, level: int, facts: Mapping[str, str], rows: Iterable[Row]) -> None:
        """Send values of a level: the run's, and its record's. NaN would be 0 in a record."""
        model = self.record(level, facts).model_id
        self._send([_metric(row, model if math.isfinite(row.value) else None) for row in rows])

    def set_params(self, params: Mapping[str, str]) -> None:
        """Set the parameters that are not set yet: MLflow never lets one change."""
        from mlflow.entities import Param

        clean = {_key(name): _text(value) for name, value in params.items()}
        new = [Param(name, value) for name, value in clean.items() if name not in self._params]
        for start in range(0, len(new), _ENTRIES_AT_ONCE):
            self._client.log_batch(self.run_id, params=new[start : start + _ENTRIES_AT_ONCE])
        self._params.update(clean)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; an empty one is set only where there was a value."""
        from mlflow.entities import RunTag

        clean = {_key(name): _text(value) for name, value in tags.items()}
        new = {name: v for name, v in clean.items() if self._tags.get(name, "") != v}
        entries = [RunTag(name, value) for name, value in new.items()]
        for start in range(0, len(entries), _ENTRIES_AT_ONCE):
            self._client.log_batch(self.run_id, tags=entries[start : start + _ENTRIES_AT_ONCE])
        self._tags.update(new)

    def annotate(self, noted: Noted) -> None:
        """Change the tags that people changed and MLflow was not told of yet."""
        annotate(self._client, self.run_id, noted)

    def set_data(self, digest: str, images: Mapping[str, int]) -> None:
        """Log the images it trains on as its input."""
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        data = Dataset(
            name=self._spec.data.name,
            digest=digest[:16] or "none",
            source_type="local",
            source=json.dumps({"uri": str(Path(self._spec.data.root).absolute())}),
            profile=json.dumps({f"{split}_images": count for split, count in images.items()}),
        )
        entry = DatasetInput(data, [InputTag("mlflow.data.context", "training")])
        try:
            self._client.log_inputs(self.run_id, [entry])
        except MlflowException as error:
            if error.error_code != "BAD_REQUEST":
                raise
            # MLflow looks for the data set before it makes it: another seed may have been faster.
            self._client.log_inputs(self.run_id, [entry])

    def set_status(self, status: str, end: int) -> None:
        """Set MLflow's status; `end` is in milliseconds since 1970."""
        if status == self.status:
            return
        if status in ("RUNNING", "SCHEDULED"):
            self._client.update_run(self.run_id, status)
        else:
            self._client.set_terminated(self.run_id, status, end or None)
        self.status = status

    def record(self, level: int, facts: Mapping[str, str]) -> Record:
        """The record of a level, made with `facts` as its parameters if there is none."""
        records = self._known_records()
        if level not in records:
            self._records = None  # should making it fail half way, look before making another
            made = self._make_record(level, facts)
            self._records = {**records, level: made}
        return self._known_records()[level]

    def set_sha256(self, record: Record, sha256: str) -> None:
        """Note the checksum of a level's ticket."""
        if record.sha256 is None:
            self._client.log_model_params(record.model_id, {"sha256": sha256})
            record.sha256 = sha256

    def set_winning(self, level: int) -> None:
        """Tag the record of the winning level, and no other."""
        for index, record in self._known_records().items():
            if record.winning != (index == level):
                tag = {"winning": str(index == level).lower()}
                self._client.set_logged_model_tags(record.model_id, tag)
                record.winning = index == level

    @property
    def _local(self) -> bool:
        return self._uri.startswith("sqlite:")

    def _open_experiment(self) -> str:
        name = self._spec.experiment_name
        found = self._client.get_experiment_by_name(name) or self._make_experiment(name)
        if not found or not found.experiment_id:
            raise ConnectionError(f"{self._uri} answers something that is not MLflow's")
        if found.lifecycle_stage != "active":
            raise StoreError(
                f"experiment {name} was deleted in MLflow; `mlflow experiments restore"
                f" --experiment-id {found.experiment_id}`, or choose another `experiment`"
            )
        return str(found.experiment_id)

    def _make_experiment(self, name: str) -> Any:
        from mlflow.exceptions import MlflowException

        place = self._directory.root / ARTIFACTS / name
        try:
            self._client.create_experiment(name, place.as_uri() if self._local else None)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another run was faster
                raise
        return self._client.get_experiment_by_name(name)

    def _open_run(self) -> Any:
        run_id = self._directory.run_id
        active, deleted = self._find_runs()
        if not active and deleted:
            raise StoreError(
                f"run {run_id} was deleted in MLflow; `mlflow runs restore --run-id"
                f" {deleted[0].info.run_id}` brings it back"
            )
        if not active:
            return self._client.create_run(
                self.experiment_id,
                start_time=self._started,
                run_name=schema.display_name(run_id),
                tags={**self._own_tags(), **_about(self._directory, self._spec)},
            )
        chosen = min(active, key=lambda run: (run.info.run_id != self._known, run.info.run_id))
        for run in active:
            if run is not chosen:
                self._client.delete_run(run.info.run_id)
        self._known = chosen.info.run_id
        return chosen

    def _find_runs(self) -> tuple[list[Any], list[Any]]:
        """Its runs in MLflow, and those deleted. A server may hold others' runs of the same id."""
        from mlflow.entities import ViewType

        match = f"tags.`{schema.RUN_ID}` = '{self._directory.run_id}'"
        found = self._client.search_runs([self.experiment_id], match, ViewType.ALL)
        own = [
            run
            for run in found
            if run.info.start_time == self._started or run.info.run_id == self._known
        ]
        active = [run for run in own if run.info.lifecycle_stage == "active"]
        return active, [run for run in own if run not in active]

    def _own_tags(self) -> dict[str, str]:
        directory = self._directory
        tags = schema.tags_of(self._spec, directory.run_id, str(directory.path))
        tags[schema.CREATED] = repr(directory.spec_file.stat().st_mtime)
        return {_key(name): _text(value) for name, value in tags.items()}

    def _known_records(self) -> dict[int, Record]:
        if self._records is None:
            self._records = self._find_records()
        return self._records

    def _find_records(self) -> dict[int, Record]:
        found = self._client.search_logged_models(
            [self.experiment_id], f"source_run_id = '{self.run_id}'", max_results=1000
        )
        levels: dict[int, Any] = {}
        for model in sorted(found, key=lambda one: (one.creation_timestamp, one.model_id)):
            if "level" in model.params:
                if levels.setdefault(int(model.params["level"]), model) is not model:
                    self._client.delete_logged_model(model.model_id)
        self._complete([*levels.values()])
        return {level: self._as_record(model) for level, model in levels.items()}

    def _make_record(self, level: int, facts: Mapping[str, str]) -> Record:
        name = schema.display_name(self._directory.run_id).replace(".", "-")
        model = self._client.create_logged_model(
            self.experiment_id,
            name=f"level-{level:02d}-{name}",
            source_run_id=self.run_id,
            model_type=MODEL_TYPE,
            params={"level": str(level), "run_id": self._directory.run_id, **facts},
        )
        self._complete([model])
        return self._as_record(model)

    def _complete(self, models: list[Any]) -> None:
        """Mark records as ready and as what the run put out: steps of making one."""
        from mlflow.entities import LoggedModelOutput

        outputs = self._client.get_run(self.run_id).outputs
        linked = {output.model_id for output in outputs.model_outputs} if outputs else set()
        for model in models:
            if str(model.status) != "READY":
                self._client.finalize_logged_model(model.model_id, "READY")
            if model.model_id not in linked:
                output = LoggedModelOutput(model.model_id, int(model.params["level"]))
                self._client.log_outputs(self.run_id, [output])

    def _as_record(self, model: Any) -> Record:
        upload, model_id = self._client.log_model_artifact, model.model_id
        return Record(
            model_id=model_id,
            drawer=self._drawer(model.artifact_location, upload, model_id),
            sha256=model.params.get("sha256"),
            winning=model.tags.get("winning") == "true",
        )

    def _drawer(self, uri: str, upload: Any, owner: str) -> Drawer:
        drawer = Drawer(uri, lambda file, folder: upload(owner, file, folder))
        if drawer.folder and not (self._local or _is_servers(drawer.folder, owner)):
            raise StoreError(
                f"the server keeps files in {uri}, which is no folder here; start it with"
                " `--artifacts-destination` instead, so that they go through it"
            )
        return drawer

    def _send(self, metrics: list[Any]) -> None:
        for start in range(0, len(metrics), _ROWS_AT_ONCE):
            self._client.log_batch(self.run_id, metrics=metrics[start : start + _ROWS_AT_ONCE])


def _is_servers(folder: Path, owner: str) -> bool:
    """Whether a folder of this machine, named by a server, is one that both share.

    That is `<root>/<experiment>[/models]/<owner>/artifacts` below a root that exists: a server
    must not have us write anywhere else.
    """
    own = re.fullmatch(r"[\w-]+", owner) and folder.parts[-2:] == (owner, "artifacts")
    roots = folder.parents[2:4]
    return bool(own) and ".." not in folder.parts and any(root.is_dir() for root in roots)


def client(uri: str) -> Any:
    """MLflow's client of a store or server.

    Raises:
        StoreError: MLflow is not installed.
    """
    load_mlflow()
    from mlflow import MlflowClient

    if not uri.startswith("sqlite:"):
        remote.guard(uri)
    return MlflowClient(uri)


def find(client: Any, mlflow_run_id: str) -> Any:
    """A run, deleted or not; None if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(mlflow_run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def delete_records(client: Any, run: Any) -> None:
    """Delete the records of a run's levels."""
    own = f"source_run_id = '{run.info.run_id}'"
    for model in client.search_logged_models([run.info.experiment_id], own, max_results=1000):
        client.delete_logged_model(model.model_id)


def annotate(client: Any, mlflow_run_id: str, noted: Noted) -> None:
    """Tell MLflow what people changed; that it was told comes last, and may then be told again."""
    tags = client.get_run(mlflow_run_id).data.tags
    news = noted.news(tags)
    for key, value in news.items():
        if value is not None:
            client.set_tag(mlflow_run_id, key, value)
        elif key in tags:
            client.delete_tag(mlflow_run_id, key)
    if news:
        client.set_tag(mlflow_run_id, schema.NOTED, str(noted.newest))


def _about(directory: RunDirectory, spec: RunSpec) -> dict[str, str]:
    """What a new run says of itself; later it is the user's to change."""
    return {
        schema.USER: _user(directory),
        "mlflow.source.name": "lthtui",
        "mlflow.source.type": "LOCAL",
        schema.NOTE: schema.about(spec, str(directory.spec_file)),
    }


def _user(directory: RunDirectory) -> str:
    """Who queued the run, or else works here."""
    launch = directory.launch()
    try:
        return (launch and launch.user) or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _metric(row: Row, model: str | None = None) -> Any:
    from mlflow.entities import Metric

    return Metric(_key(row.key), row.value, row.time, row.step, model_id=model)


def _key(name: str) -> str:
    """A name as MLflow takes it: word characters and `.:/ -`, no `..`, at most 250 long."""
    clean = re.sub(r"[^\w.:/ -]", "_", name)
    return posixpath.normpath("/" + clean)[1:251] or "_"


def _text(value: str) -> str:
    """A value that every database stores: no lone surrogates, no NUL."""
    return value.encode("utf-8", "replace").decode().replace("\0", "�")
