"""What becomes of a run in MLflow apart from its journal: people's notes, and the trash."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import link, mlrun, noted, schema
from engine.errors import LthError
from engine.mirror import only_mirror
from engine.mlstore import ensure_store
from engine.rundir import RunDirectory, write_json
from engine.tracking import why

TRASHED = "trashed.json"  # in a run's folder for as long as we have its run in MLflow deleted


def note(directory: RunDirectory) -> dict[str, Any]:
    """Tell MLflow what people changed of a run; see `engine.noted`.

    Returns:
        its `tags` in MLflow, as they are now; None where it is not in MLflow.

    Raises:
        StoreAway: the store cannot be used just now, or another process mirrors the run.
        StoreError: the store cannot be used.
    """
    with _in_mlflow(directory) as found:
        if found is None or _run(found, directory) is None:
            return {"tags": None}
        client, linked = found
        changed = noted.read(directory)
        mlrun.annotate(client, linked.mlflow_run_id, changed)
        now = linked.model_copy(update={"noted": changed.newest})
        if now != linked:
            write_json(directory.mlflow_file, now.model_dump())
        return {"tags": dict(client.get_run(linked.mlflow_run_id).data.tags)}


def trash(directory: RunDirectory) -> dict[str, Any]:
    """Delete the run of a trashed folder in MLflow, from where it can be restored.

    Raises:
        StoreAway, StoreError: as of `note`.
    """
    with _in_mlflow(directory) as found:
        run = _run(found, directory)
        if found and run is not None and run.info.lifecycle_stage == "active":
            found[0].delete_run(run.info.run_id)
        write_json(directory.path / TRASHED, {"mlflow_run_id": run.info.run_id if run else None})
    return {}


def restore(directory: RunDirectory) -> dict[str, Any]:
    """Restore the run of a folder that was taken out of the trash.

    Returns:
        `missing`: whether MLflow does not have it any more, so that it is to be synced.

    Raises:
        StoreAway, StoreError: as of `note`.
    """
    with _in_mlflow(directory) as found:
        run = _run(found, directory)
        if found and run is not None and run.info.lifecycle_stage != "active":
            found[0].restore_run(run.info.run_id)
        (directory.path / TRASHED).unlink(missing_ok=True)
    return {"missing": found is not None and run is None}


def forget(directory: RunDirectory) -> dict[str, Any]:
    """Delete the records of a trashed run's levels, which MLflow cannot restore.

    Raises:
        StoreAway, StoreError: as of `note`.
    """
    with _in_mlflow(directory) as found:
        run = _run(found, directory)
        if found and run is not None:
            mlrun.delete_records(found[0], run)
    return {}


def each(act: Callable[[RunDirectory], dict[str, Any]], paths: Sequence[Path]) -> dict[str, Any]:
    """Do it for run after run; `failed` says why of those for which it could not be done."""
    done, failed = {}, {}
    for path in paths:
        directory = RunDirectory(path)
        try:
            done[directory.run_id] = act(directory)
        except LthError as error:
            failed[directory.run_id] = str(error)
    return {"runs": done, "failed": failed}


@contextlib.contextmanager
def _in_mlflow(directory: RunDirectory) -> Iterator[tuple[Any, link.Link] | None]:
    """MLflow's client, and where a run is there; None if it was never brought over.

    Nobody else tells MLflow of the run meanwhile.
    """
    try:
        with only_mirror(directory):
            linked = link.read(directory)
            if linked is None or not linked.tracking_uri:
                yield None
                return
            local = linked.tracking_uri.startswith("sqlite:")  # the root may have been moved since
            uri = ensure_store(directory.root) if local else linked.tracking_uri
            yield mlrun.client(uri), linked
    except Exception as error:  # MLflow, SQLAlchemy and the system each raise their own
        raise why(error, directory.run_id) from None


def _run(found: tuple[Any, link.Link] | None, directory: RunDirectory) -> Any:
    """A folder's run in MLflow, deleted or not; None if it is not there."""
    run = mlrun.find(found[0], found[1].mlflow_run_id) if found else None
    ours = run is not None and run.data.tags.get(schema.RUN_ID) == directory.run_id
    return run if ours else None
