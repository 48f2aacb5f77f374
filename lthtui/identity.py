"""What a run is called and compared by; kept beside its spec so that listing reads no YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import schema
from engine.repetition import Repetition
from engine.rundir import RunDirectory, write_json

if TYPE_CHECKING:
    from engine.spec import RunSpec

FILE = "identity.json"
GROUPING = 2  # see `Identity.grouping`
ALSO = "also.json"  # other specs that ask for the same training, as that of another control


class Control(BaseModel):
    """What a control controls: a run and its level, and how.

    Attributes:
        sets: fields in which its network or training differs from the source's, so that its own
            first level is no baseline.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    run: str
    level: int | None
    kind: str
    sets: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: RunSpec) -> Control | None:
        """Compute it; None for what is no control."""
        if spec.controls is None:
            return None
        source = spec.controls.source
        sets = tuple(at for at in spec.controls.instead if not at.startswith("select."))
        return cls(run=source.run, level=source.level, kind=spec.controls.kind, sets=sets)

    @property
    def shown(self) -> dict[str, Any]:
        """As JSON shows it."""
        return self.model_dump(exclude={"sets"})


class Identity(BaseModel):
    """The facts of a spec that lists, groups and names show.

    Attributes:
        experiment: the MLflow experiment.
        digest: of everything that makes the result; `group` leaves out what `repetition` says,
            `family` the sparsifier, too.
        split: the images that select the winning ticket.
        controls: what it is a control of.
        extends: the run that it takes levels over from.
        asked: the sparsifier, and what else its spec asks for besides defaults.
        params: every setting as MLflow has it, defaults too.
        user: who made it; empty where nothing says so.
        grouping: how its group was made; folds and draws were groups of their own in the first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    experiment: str
    group: str
    family: str
    digest: str
    seed: int
    sparsifier: str
    dataset: str
    model: str
    split: Literal["val", "test"] = "val"
    controls: Control | None = None
    extends: str | None = None
    asked: dict[str, Any]
    params: dict[str, str]
    user: str = ""
    grouping: int = 1

    @property
    def repetition(self) -> Repetition:
        """Which one of its group it is."""
        return Repetition.of(self.params, self.seed)

    @classmethod
    def of(cls, spec: RunSpec) -> Identity:
        """Compute it."""
        return cls(
            name=spec.name,
            experiment=spec.experiment_name,
            group=spec.group,
            family=spec.family,
            digest=spec.digest,
            seed=spec.seed,
            sparsifier=spec.sparsifier.name,
            dataset=spec.data.name,
            model=spec.model.name,
            split=spec.select.split,
            controls=Control.of(spec),
            extends=spec.extends,
            asked=schema.asked_of(spec),
            params=schema.params_of(spec),
            grouping=GROUPING,
        )


class _Named(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = Field(min_length=1)


class _Controls(BaseModel):
    model_config = ConfigDict(extra="allow")
    kind: str = Field(min_length=1)
    source: dict[str, Any] | None = None
    instead: dict[str, Any] = {}


class _Asked(BaseModel):
    """As much of what a spec asks for as labels rely on."""

    model_config = ConfigDict(extra="allow")
    sparsifier: _Named
    data: dict[str, Any] = {}
    controls: _Controls | None = None


def told(asked: str) -> dict[str, Any]:
    """What a run's spec asks for, as a tag in MLflow has it; empty where that makes no sense."""
    try:
        _Asked.model_validate_json(asked)
    except ValidationError:
        return {}
    return dict(json.loads(asked))


def store(directory: RunDirectory, spec: RunSpec, user: str = "") -> None:
    """Keep it beside the spec, from which all but the user can be made again."""
    facts = Identity.of(spec).model_copy(update={"user": user})
    _file(directory).write_text(facts.model_dump_json())


def read(directory: RunDirectory) -> Identity:
    """Read it; what an older version did not store comes from the spec, and nothing else does.

    Raises:
        OSError: the folder has no spec.
        ValueError: the spec can't be read, as with one of an older format.
    """
    try:
        stored = _file(directory).read_bytes()
    except OSError:
        return Identity.of(directory.spec())
    try:
        facts = Identity.model_validate_json(stored)
    except ValidationError:
        facts = _completed(stored, Identity.of(directory.spec()))
    return _regrouped(facts, directory)


def _regrouped(facts: Identity, directory: RunDirectory) -> Identity:
    """An identity with the group and family that its run has today."""
    known = facts.repetition
    if facts.grouping == GROUPING or not (known.draw or known.fold):
        return facts
    made = Identity.of(directory.spec())
    return facts.model_copy(update={"group": made.group, "family": made.family})


def _completed(stored: bytes, made: Identity) -> Identity:
    """What was stored of an identity, with the rest as it is made today."""
    try:
        known = made.model_dump(exclude={"grouping"})
        return Identity.model_validate({**known, **json.loads(stored)})
    except (ValueError, TypeError):  # not of this program
        return made


def note(directory: RunDirectory, spec: RunSpec) -> None:
    """Note that a run is also what `spec`, of the same digest, asks for: a control of another run.

    Nothing is noted where it is known as a run of that group. The caller holds the queue's lock.
    """
    known = (read(directory), *others(directory))
    if spec.group not in {one.group for one in known}:
        write_json(directory.path / ALSO, [*_noted(directory), spec.model_dump(mode="json")])


def others(directory: RunDirectory) -> list[Identity]:
    """What a run is besides what it was made as, the first noted first."""
    from engine.spec import RunSpec  # here, as the app's first table does not wait for it

    found = []
    for one in _noted(directory):
        try:
            found.append(Identity.of(RunSpec.model_validate(one)))
        except ValueError:  # of another version
            continue
    return found


def _noted(directory: RunDirectory) -> list[Any]:
    try:
        found = json.loads((directory.path / ALSO).read_bytes())
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _file(directory: RunDirectory) -> Path:
    return directory.path / FILE
