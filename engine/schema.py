"""How a run appears in MLflow: the names of its parameters, tags and metrics, in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the app reads the names below before anything that needs pydantic
    from engine.events import Event
    from engine.spec import RunSpec

RUN_ID = "lthtui.run_id"
GROUP = "lthtui.group"
DIGEST = "lthtui.digest"
FAMILY = "lthtui.family"
SPARSIFIER = "lthtui.sparsifier"
DATASET = "lthtui.dataset"
MODEL = "lthtui.model"
SEED = "lthtui.seed"
CONTROLS = "lthtui.controls"
CONTROL = "lthtui.control"
CONTROL_SETS = "lthtui.control_sets"
EXTENDS = "lthtui.extends"
DIRECTORY = "lthtui.directory"
WINNING = "lthtui.winning"
LEVEL = "lthtui.level"  # the one that is or was under way
LEVELS = "lthtui.levels"
FLOPS = "lthtui.flops"
ERROR = "lthtui.error"
ASKED = "lthtui.asked"  # what its spec says besides defaults, as JSON: groups are called by it
CREATED = "lthtui.created"  # when it was queued, in seconds since 1970
STATUS = "lthtui.status"  # where MLflow's word says less
NOTE = "mlflow.note.content"
NAME = "mlflow.runName"
USER = "mlflow.user"
ARCHIVED = "lthtui.archived"
NOTED = "lthtui.noted"  # the last change of those in notes.json that MLflow was told of
LONGEST = 5000  # characters of a tag that every version of MLflow takes
DIGITS = 20  # of the longest number that is read; nanoseconds since 1970 have 19

# For every process that imports MLflow, before it does: no telemetry, no code from pickles.
MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

EPOCH_METRICS = (
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "test_loss",
    "test_accuracy",
    "learning_rate",
    "images_per_second",
)
LEVEL_METRICS = (
    "density",
    "kept",
    "val_accuracy",
    "test_accuracy",
    "val_balanced_accuracy",
    "test_balanced_accuracy",
    "val_loss",
    "test_loss",
    "seconds",
    "inference_flops",
    "training_flops",
    "device_seconds",
    "joules",
)
WINNING_METRICS = ("density", "val_accuracy", "test_accuracy")
_EPOCH, _LEVEL, _WINNING = (  # pairs of a field and what MLflow calls it
    tuple((field, f"{prefix}/{field}") for field in fields)
    for prefix, fields in (
        ("epoch", EPOCH_METRICS),
        ("level", LEVEL_METRICS),
        ("winning", WINNING_METRICS),
    )
)
_ABOUT = re.compile(
    r"\*\*[^*\n]*\*\* on \*\*[^*\n]*\*\* with \*\*[^*\n]*\*\*, seed \d+\.\s+Run again: `.*`\s*"
)
MLFLOW_STATUS = {  # by `engine.rundir.Status`
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "paused": "KILLED",
    "stopped": "KILLED",
    "finished": "FINISHED",
    "failed": "FAILED",
    "lost": "FAILED",
}


UNNAMED = (  # what no group is called by
    *("name", "experiment", "seed", "tags", "launch", "tracking"),
    *("keep", "evaluate", "checkpoint", "extends"),
)


def digits(text: str) -> int | None:
    """The number that a tag or parameter holds; None for anything else, and for huge ones."""
    return int(text) if text.isdecimal() and len(text) <= DIGITS else None


def params_of(spec: RunSpec) -> dict[str, str]:
    """Flatten a spec into MLflow parameters: `train.optimizer.lr` -> `0.1`."""
    told = {"tags", "launch", "controls", "extends"}  # in tags
    return dict(_flat("", spec.model_dump(mode="json", exclude=told)))


def asked_of(spec: RunSpec) -> dict[str, Any]:
    """The sparsifier, and what else a spec asks for besides defaults, as JSON has it."""
    asked = spec.model_dump(mode="json", exclude_defaults=True)
    return {"sparsifier": {"name": spec.sparsifier.name}, **asked}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, item)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flat(f"{prefix}.{index}", item)
    elif isinstance(value, list):
        yield prefix, ", ".join(map(str, value))
    elif value is not None:
        yield prefix, str(value)


def tags_of(spec: RunSpec, run_id: str, directory: str) -> dict[str, str]:
    """The tags that find a run again."""
    return {
        **spec.tags,
        RUN_ID: run_id,
        GROUP: spec.group,
        DIGEST: spec.digest,
        FAMILY: spec.family,
        SPARSIFIER: spec.sparsifier.name,
        DATASET: spec.data.name,
        MODEL: spec.model.name,
        SEED: str(spec.seed),
        DIRECTORY: directory,
        **_controls(spec),
        **({EXTENDS: spec.extends} if spec.extends else {}),
        **_asked(spec),
    }


def _asked(spec: RunSpec) -> dict[str, str]:
    told = {key: value for key, value in asked_of(spec).items() if key not in UNNAMED}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return {ASKED: text} if len(text) <= LONGEST else {}


def _controls(spec: RunSpec) -> dict[str, str]:
    """Which run and level a control controls, and how."""
    if spec.controls is None:
        return {}
    sets = ",".join(spec.controls.instead)
    found = {CONTROLS: str(spec.controls.source), CONTROL: spec.controls.kind, CONTROL_SETS: sets}
    return {tag: value for tag, value in found.items() if value}


def display_name(run_id: str) -> str:
    """A run's name in MLflow: its id without the date, which still names it on our command line."""
    return re.sub(r"^\d{8}-", "", run_id)


def about(spec: RunSpec, spec_file: str) -> str:
    """The note that a run begins with in MLflow."""
    return (
        f"**{spec.sparsifier.name}** on **{spec.data.name}** with **{spec.model.name}**,"
        f" seed {spec.seed}.\n\nRun again: `lthtui run {spec_file}`\n"
    )


def is_about(note: str) -> bool:
    """Whether a note is the one that a run began with, and not a person's."""
    return bool(_ABOUT.fullmatch(note))


def metrics_of(event: Event) -> dict[str, float]:
    """The metrics an event becomes, by their MLflow names; empty for most kinds."""
    values = event.__dict__  # a journal has thousands of events, and attributes take long
    match event.kind:
        case "epoch_ended":
            found = _named(_EPOCH, values)
            for name, value in values["metrics"].items():
                found.setdefault(f"epoch/{name}", value)
            return found
        case "level_ended":
            return _named(_LEVEL, values)
        case "evaluated":
            name = values["name"]
            return {f"evaluation/{name}/{key}": v for key, v in values["metrics"].items()}
        case "run_ended" if values["winning"]:
            return _named(_WINNING, values["winning"].__dict__)
        case "sampled":
            return {f"system/{key}": v for key, v in values["metrics"].items()}
    return {}


def step_of(event: Event) -> int:
    """The MLflow step of an event's metrics: epochs of the whole run, level, sample or attempt."""
    match event.kind:
        case "epoch_ended":
            return event.epoch or 0
        case "sampled":
            return int(event.__dict__["tick"])
        case "run_ended":
            return event.attempt
    return event.level or 0


def _named(names: tuple[tuple[str, str], ...], values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(values[field]) for field, name in names if values[field] is not None}
