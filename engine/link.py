"""mlflow.json: which MLflow run a run folder is there, and how much of it MLflow has been told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.rundir import RunDirectory


class Settled(BaseModel):
    """What MLflow was last told of how a run does: its status, as of which attempt."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    attempt: int
    status: str


class Link(BaseModel):
    """The file's content. Whoever holds the run's mirror lock writes it.

    Attributes:
        offset: how many bytes of the journal MLflow has, files included.
        settled: None in files of older versions.
        noted: the last change in notes.json that MLflow was told of.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    mlflow_run_id: str
    experiment_id: str = ""
    tracking_uri: str = ""
    offset: int = 0
    settled: Settled | None = None
    noted: int = 0


def read(directory: RunDirectory) -> Link | None:
    """What is noted of a run; None if it was never logged or the note is damaged."""
    try:
        return Link.model_validate_json(directory.mlflow_file.read_bytes())
    except (OSError, ValidationError):
        return None


def complete(directory: RunDirectory, link: Link | None) -> bool:
    """Whether MLflow has every whole line of the journal; a killed worker may leave a half one."""
    try:
        with directory.events_file.open("rb") as journal:
            journal.seek(link.offset if link else 0)
            return b"\n" not in journal.read()
    except FileNotFoundError:
        return True
