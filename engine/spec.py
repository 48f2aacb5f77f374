"""Everything a run can be told: `RunSpec`, its parts, and the digest that identifies it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from engine import registry
from engine.choice import Choice
from engine.dataspec import DataSettings
from engine.evaluationspec import EvaluationSettings
from engine.launchspec import LaunchSpec
from engine.levelwords import EVERY, Kept, step_of
from engine.plugin import Frozen, ModelSettings, Settings, impossible
from engine.repetition import Repetition
from engine.sources import Source, found_in
from engine.startspec import Start, of_text
from engine.trainspec import TrainSpec

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class SelectSpec(Frozen):
    """Which level is the winning ticket."""

    split: Literal["val", "test"] = Field(
        "val", description="images that decide; test is optimistic and only for reproductions"
    )
    metric: Literal["accuracy", "balanced_accuracy"] = Field(
        "accuracy", description="what is compared"
    )
    level: Literal["best", "last"] | Annotated[int, Field(ge=0, le=10_000)] = Field(
        "best", description="the best sparse level, the last one, or a number"
    )
    epoch: Literal["last", "best"] = Field(
        "last", description="score and keep the last epoch's weights, or the best evaluated one's"
    )


class Controls(Frozen):
    """What a run is a control of. Not part of its identity; `lthtui control` writes it."""

    source: Source = Field(description="the ticket that it controls, as RUN or RUN:LEVEL")
    kind: Name = Field(description="what the control is, such as same_layer or null")
    instead: dict[str, int | float | str | None] = Field(
        {},
        max_length=20,
        description="dotted fields that were set for this control, with the source run's values:"
        " with those, the dense runs to compare with are the source's",
    )


def _of_today(version: Any) -> Any:
    if type(version) is int and version > 1:
        raise ValueError(
            f"a spec of version {version} is of a newer lthtui; this one reads version 1: update"
            " lthtui, or write the spec anew"
        )
    return version


def _each_once(value: tuple[EvaluationSettings, ...]) -> tuple[EvaluationSettings, ...]:
    labels = [one.label for one in value]
    if len(set(labels)) < len(labels):
        raise ValueError("an evaluation is listed twice with the same settings")
    return value


Evaluations = Annotated[
    tuple[Annotated[EvaluationSettings, Choice("evaluations")], ...], AfterValidator(_each_once)
]


def _default(kind: str, name: str) -> Callable[[], Settings]:
    return lambda: Choice(kind).resolve(name)


_ADDRESS = r"^(local|off|https?://[^\s@?#]+)$"
_ENVIRONMENT = "MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN, in the environment let lthtui in"


def _reachable(address: str) -> str:
    """Refuse what is no server's address; what may be a password is not repeated."""
    if "@" in address:
        raise ValueError(
            "a user or password in an address would be stored with every run; leave out what stands"
            f" before the @: {_ENVIRONMENT}"
        )
    if not re.fullmatch(_ADDRESS, address):
        raise ValueError(f"'{address}' is neither local nor off nor http(s)://HOST[:PORT]")
    try:
        parts = urlsplit(address)
        usable = "://" not in address or (bool(parts.hostname) and parts.port != 0)
    except ValueError as error:  # such as a port out of range
        raise ValueError(f"'{address}' is no address: {error}") from None
    if not usable:
        raise ValueError(f"'{address}' is no address: it has no host, or port 0")
    return address


Tracking = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(_reachable),
    WithJsonSchema({"type": "string", "pattern": _ADDRESS, "maxLength": 500}),
]


class RunSpec(Frozen):
    """One run: one seed, everything resolved. Stored as `spec.yaml` in the run's folder."""

    version: Annotated[Literal[1], BeforeValidator(_of_today)] = Field(
        1, description="version of the spec format"
    )
    name: Name = Field(description="name of the spec")
    experiment: Name | None = Field(
        None, description="MLflow experiment; the spec file's name unless given"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="moves initialisation, order, augmentation")
    data: Annotated[DataSettings, Choice("datasets")] = Field(description="the images")
    model: Annotated[ModelSettings, Choice("models")] = Field(description="the network")
    start: Annotated[Start, BeforeValidator(of_text)] = Field(
        Start(),
        description="first weights from elsewhere instead of drawn: torchvision, RUN, or the path"
        " of a checkpoint",
    )
    augmentation: Annotated[Settings, Choice("augmentations")] = Field(
        default_factory=_default("augmentations", "basic"),
        description="what is done to training images",
    )
    loss: Annotated[Settings, Choice("losses")] = Field(
        default_factory=_default("losses", "cross_entropy"), description="objective"
    )
    sparsifier: Annotated[Settings, Choice("sparsifiers")] = Field(
        default_factory=_default("sparsifiers", "imp"),
        description="the method that decides which weights live",
    )
    train: TrainSpec = Field(TrainSpec(), description="how each level is trained")
    select: SelectSpec = Field(SelectSpec(), description="which level wins")
    evaluate: Evaluations = Field(
        (), description="what else is measured on tickets; lthtui evaluate does so later"
    )
    keep: tuple[Kept, ...] = Field(
        ("best", "last", "dense"),
        description="levels whose weights stay on disk: best, last, dense, all, or every N",
    )
    checkpoint: float = Field(
        30.0, gt=0, le=86_400, description="seconds between checkpoints within a level"
    )
    tracking: Tracking = Field(
        "local",
        description="local (the MLflow store under the root), off, or an MLflow server's address;"
        f" {_ENVIRONMENT}",
    )
    tags: dict[Name, str] = Field({}, description="free tags, shown in MLflow")
    launch: LaunchSpec = Field(LaunchSpec(), description="where it runs")
    controls: Controls | None = Field(
        None, description="the ticket that this run is a control of; `lthtui control` fills it in"
    )
    extends: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="id of a finished run whose levels are taken over instead of trained, as far as"
        " they are the same; `lthtui extend` fills it in",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.select.split == "val" and self.data.validation == "none":
            raise impossible(
                "data.validation",
                "select.split is val, but data.validation is none; draw validation images or"
                " select on test (optimistic)",
            )
        if self.train.warmup.epochs >= self.train.epochs:
            raise impossible(
                "train.warmup", f"warmup {self.train.warmup} takes all {self.train.epochs} epochs"
            )
        self._check_network()
        if check_crop := getattr(self.augmentation, "check_crop", None):
            check_crop(getattr(self.data, "crop", "pad"))  # arrays are shifted
        self._check_views()
        self._check_evaluated()
        try:
            self._uncontrolled()
        except (LookupError, TypeError, ValueError) as error:
            raise impossible(
                "controls.instead", f"not fields and values of a run: {error}"
            ) from None
        return self

    def _check_network(self) -> None:
        """Refuse what the network, whatever the images, has not."""
        if "prunable" in type(self.sparsifier).model_fields:
            self.model.check_prunable(self.prunable)
        self.start.check_model(self.model.name)
        if self.train.advprop.steps and not self.model.batch_norm:
            raise impossible(
                "train.advprop",
                "advprop has batch normalisations of their own for adversarial images, and"
                f" {self.model.name} has none; leave it out, or take another model",
            )

    def _check_views(self) -> None:
        """Refuse what needs classes where the loss compares views of images without any."""
        if self.labelled:
            return
        if registry.load("sparsifiers", self.sparsifier.name).Sparsifier.labelled:
            raise impossible(
                "sparsifier",
                f"{self.sparsifier.name} goes by the classes that the network predicts, and"
                f" {self.loss.name} trains without any; take another sparsifier",
            )
        if self.train.advprop.steps:
            raise impossible(
                "train.advprop",
                f"advprop attacks what the network says of classes, and {self.loss.name} trains"
                " without any; leave it out",
            )
        for name in ("mixup", "cutmix"):
            if getattr(self.augmentation, name, 0):
                raise impossible(
                    f"augmentation.{name}",
                    f"{name} mixes classes, and {self.loss.name} trains without any; leave it out",
                )

    def _check_evaluated(self) -> None:
        """Refuse evaluations of tickets whose weights are gone when the run has picked them."""
        for settings in self.evaluate:
            gone = {"best", "dense"}.intersection(settings.levels).difference(self.keep)
            if gone and "all" not in self.keep:
                word = min(gone)
                raise impossible(
                    "keep",
                    f"evaluate: {settings.name} looks at the {word} ticket, whose weights are not"
                    f" kept; add {word} to keep, or give the evaluation other levels",
                )

    @property
    def experiment_name(self) -> str:
        """The MLflow experiment this run is logged to."""
        return self.experiment or self.name

    @property
    def labelled(self) -> bool:
        """Whether it trains with labels, and not by comparing views of images."""
        return not hasattr(registry.load("losses", self.loss.name), "VIEWS")

    @property
    def prunable(self) -> str:
        """Which weights the sparsifier may prune; see `engine.masks.prunable`."""
        return str(getattr(self.sparsifier, "prunable", "conv"))

    def most_kept(self, levels: int) -> int:
        """How many of so many levels keep their weights when the run is over, at most."""
        if "all" in self.keep:
            return levels
        single = {word for word in self.keep if not word.startswith(EVERY)}
        every = [range(0, levels, step_of(word)) for word in self.keep if word.startswith(EVERY)]
        return min(levels, len(single) + sum(map(len, every)))

    @property
    def digest(self) -> str:
        """SHA-256 of the non-default settings that make the result (hex)."""
        return _sha(self.identity())

    @property
    def group(self) -> str:
        """The digest without what `repetition` says: runs of one group differ in that only.

        Each may have a source of its own, and what was set for that. Controls whose sparsifier does
        not name what they control are groups of their own, too.
        """
        identity = self._repeated()
        named = next(found_in(self.sparsifier), None) is not None
        if self.controls and (self.controls.instead or not named):
            identity["controls"] = self.controls.model_dump(
                mode="json", exclude={"instead"}, context={"purpose": "group"}
            )
        return _sha(identity)

    @property
    def family(self) -> str:
        """The group without the sparsifier: what one dense baseline serves, controls too."""
        return _sha({k: v for k, v in self._repeated().items() if k != "sparsifier"})

    @property
    def repetition(self) -> Repetition:
        """Which one of its group it is."""
        return Repetition(self.data.seed, self.data.folds or 0, self.data.fold, self.seed)

    def identity(self, purpose: str = "digest") -> dict[str, Any]:
        """The settings that make the result, but for those at their defaults."""
        dump = self.model_dump(mode="json", exclude_defaults=True, context={"purpose": purpose})
        for field in _NO_IDENTITY:
            dump.pop(field, None)
        dump["version"] = self.version
        dump["data"].pop("root", None)
        if self.data.examples_sha256:
            dump["data"].pop("examples")
        if self.start.sha256:
            dump["start"].pop("file")
        if getattr(self.data, "named_by_root", False):
            dump["data"]["set"] = PurePath(self.data.root).name
        return dump

    def _repeated(self) -> dict[str, Any]:
        """The settings that all repetitions of a run share, controls of one of them too."""
        identity = self._uncontrolled().identity("group")
        identity.pop("seed", None)
        for field in ("seed", "fold"):
            identity["data"].pop(field, None)
        return identity

    def _uncontrolled(self) -> RunSpec:
        """This spec with the source run's values of what was set for a control."""
        if self.controls is None or not self.controls.instead:
            return self
        dump = self.model_dump(mode="json", exclude={"controls"})
        for at, value in self.controls.instead.items():
            *blocks, field = at.split(".")
            node = dump
            for block in blocks:
                node = node[block]
            node[field] = value
        return RunSpec.model_validate(dump)


_NO_IDENTITY = (
    "name",
    "experiment",
    "tags",
    "launch",
    "tracking",
    "keep",
    "evaluate",
    "checkpoint",
    "controls",
    "extends",
)


def _sha(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
