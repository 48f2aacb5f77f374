"""Tickets of earlier runs that a spec refers to: as a user writes them, and as they were found.

A user writes `RUN` or `RUN:LEVEL`, or the path of a ticket file. Before anything starts, lthtui
finds the ticket and notes what planning needs to know of it. A ticket is its tensors: only their
checksum enters a digest, wherever the file lies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from engine import registry
from engine.cards import read_card
from engine.errors import Damaged, SpecError
from engine.plugin import Frozen

if TYPE_CHECKING:
    from engine.spec import RunSpec

M = TypeVar("M", bound=BaseModel)
Level = int | Literal["best", "last"]
TICKET = "ticket.safetensors"
UNSHAPED = ("init", "zero_init", "dropout")  # settings of a model that leave its network's shape
FORMS = "RUN, RUN:LEVEL (a number, best or last) or the path of a ticket file"


@dataclass(frozen=True)
class Source:
    """A ticket of an earlier run.

    Attributes:
        run: what names the run: any unique part of its id, `@last`, `NAME-s0`, or `NAME` alone for
            the run of that name with this run's own seed; its id once it is found.
        pick: the level as written.
        path: of the ticket file; absolute once it is found.
        sha256: of its tensors, as on its card; empty while it is not found.
        level: its number; None for an imported ticket.
        stream: the level whose random numbers it drew.
        seed: the source run's.
        group: the source run's.
        kept: number of its weights that live, of `total` prunable ones.
        prunable: which weights its mask covers.
        at: the point of the learning-rate schedule at which its level began.
        lasts: how long its level lasted: rest, whole or a duration.
        learning_rate: of its level: schedule, or the last one.
        start: the step of the source's level 0 whose weights its level began with; None unless its
            weights, pruned ones included, are known from there.
        called: what it is to the run that refers to it: the same for all repetitions that take it
            from their own; empty while it is not found.
    """

    run: str = ""
    pick: Level = "best"
    path: str = ""
    sha256: str = ""
    level: int | None = None
    stream: int | None = None
    seed: int = 0
    group: str = ""
    kept: int = 0
    total: int = 0
    prunable: str = "conv"
    at: str = "init"
    lasts: str = "whole"
    learning_rate: Literal["schedule", "last"] = "schedule"
    start: int | None = None
    called: str = ""

    @property
    def named(self) -> bool:
        """Whether it says which ticket is meant."""
        return bool(self.run or self.path or self.sha256)

    @property
    def found(self) -> bool:
        """Whether it is known which ticket is meant."""
        return bool(self.sha256)

    @property
    def density(self) -> float | None:
        """Kept fraction of the prunable weights; None while it is not found."""
        return self.kept / self.total if self.total else None

    @property
    def dense(self) -> bool:
        """Whether it has all its weights."""
        return self.kept == self.total

    @property
    def rewound(self) -> Path | None:
        """The checkpoint with all weights, pruned ones too, that its level began with."""
        if not self.start:
            return None
        return Path(self.path).parents[2] / "rewind" / f"{self.start:09d}"

    @property
    def whole(self) -> bool:
        """Whether the weights that its level began with are known where it has none itself."""
        return self.start == 0 or (self.rewound is not None and self.rewound.is_dir())

    def __str__(self) -> str:
        if not self.run:
            return self.path
        return f"{self.run}:{self.pick if self.level is None else self.level}"

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read what a user writes; nothing at all names no ticket.

        Raises:
            ValueError: the text has another form.
        """
        if not text or "/" in text or text.endswith(".safetensors"):
            return cls(path=text)
        run, colon, pick = text.rpartition(":") if ":" in text else (text, "", "best")
        if not run or not (pick in ("best", "last") or pick.isdecimal()):
            raise ValueError(f"'{text}' names no ticket; write {FORMS}")
        return cls(run, int(pick) if pick.isdecimal() else pick)  # type: ignore[arg-type]

    @classmethod
    def _validate(cls, value: Any) -> Source:
        if isinstance(value, Source):
            return value
        if isinstance(value, dict):
            return cls(**_Form.model_validate(value).model_dump())
        number = isinstance(value, int) and not isinstance(value, bool)  # digits of a group
        try:
            return cls.parse(str(value) if number or isinstance(value, str) else ":")
        except ValueError as error:
            raise PydanticCustomError("source", "{why}", {"why": str(error)}) from None

    def _dump(self, info: SerializationInfo) -> Any:
        purpose = (info.context or {}).get("purpose")
        if purpose == "label":
            return self.called or str(self)
        if not self.found:
            return str(self)
        if purpose == "digest":
            return {"sha256": self.sha256}
        if purpose == "group":  # seeds have tickets of their own, which are one and the same choice
            return {"group": self.group, "pick": self.pick}
        hidden = ("run", "path", "called") if purpose == "card" else ()
        return {k: v for k, v in asdict(self).items() if k not in hidden}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        dump = core_schema.plain_serializer_function_ser_schema(cls._dump, info_arg=True)
        return core_schema.no_info_plain_validator_function(cls._validate, serialization=dump)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}]}


class _Form(Frozen):
    """What a mapping may say of a source."""

    run: str = Field("", max_length=200)
    pick: Level = "best"
    path: str = Field("", max_length=4096)
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    level: int | None = Field(None, ge=0)
    stream: int | None = Field(None, ge=0)
    seed: int = Field(0, ge=0)
    group: str = ""
    kept: int = Field(0, ge=0)
    total: int = Field(0, ge=0)
    prunable: str = "conv"
    at: str = "init"
    lasts: str = "whole"
    learning_rate: Literal["schedule", "last"] = "schedule"
    start: int | None = Field(None, ge=0)
    called: str = Field("", max_length=200)


assert [*_Form.model_fields] == [field.name for field in fields(Source)]


def found_in(settings: BaseModel, at: str = "") -> Iterator[tuple[str, Source]]:
    """All sources in settings, with the dotted fields that hold them."""
    for name, value in settings:
        for key, item in _items(f"{at}{name}", value):
            if isinstance(item, Source) and item.named:
                yield key, item
            elif isinstance(item, BaseModel):
                yield from found_in(item, f"{key}.")


def replaced(settings: M, change: Callable[[str, Source], Source], at: str = "") -> M:
    """Settings with every source changed; `change` is told the dotted field that holds it."""
    changed: dict[str, Any] = {}
    for name, value in settings:
        items = [_changed(key, item, change) for key, item in _items(f"{at}{name}", value)]
        new = tuple(items) if isinstance(value, tuple) else items[0]
        if new != value:
            changed[name] = new
    return settings.model_copy(update=changed) if changed else settings


def check_usable(source: Source, spec: RunSpec, at: str) -> None:
    """Refuse a ticket that nobody has found, or that is gone or does not fit a spec's network.

    Raises:
        SpecError: `at` names the field to blame.
    """
    if not source.found:
        raise SpecError(f"{source}: nobody has looked for this ticket; use lthtui run", at)
    try:
        check_fits(source, spec, at)
    except Damaged as error:
        raise SpecError(
            f"{error}; `lthtui doctor --fix` finds it if the root was moved; else name another"
            " ticket, or run the source again",
            at,
        ) from None


def check_fits(source: Source, spec: RunSpec, at: str, but: Collection[str] = ()) -> None:
    """Refuse a ticket that does not fit the network of a spec; reads its card, no tensors.

    First weights and dropout may differ. What images have to do with it is left to `check_shapes`.

    Args:
        but: settings of the network that may differ, too.

    Raises:
        SpecError: it does not fit; `at` names the field to blame.
        Damaged: there is no such ticket.
    """
    card = read_card(Path(source.path))
    theirs, ours = _structure(card["spec"]["model"]), _structure(spec.model.model_dump(mode="json"))
    if differ := [k for k in {**theirs, **ours} if theirs.get(k) != ours.get(k) and k not in but]:
        listed = ", ".join(
            f"model.{k} is {theirs.get(k)} there, {ours.get(k)} here" for k in differ
        )
        raise SpecError(
            f"ticket {source} is of another network: {listed}; give this spec the ticket's model",
            at,
        )


def may_differ(source: Source, spec: RunSpec) -> bool:
    """Whether a ticket's mask may have other shapes than a spec's network of the same model.

    So it is with other images, another loss, which may bring a head, and other prunable weights.
    """
    theirs, ours = read_card(Path(source.path))["spec"], spec.model_dump(mode="json")
    one, two = ([{**each["data"], "root": None}, each["loss"]] for each in (theirs, ours))
    return one != two or source.prunable != spec.prunable


def check_shapes(
    source: Source, shapes: Mapping[str, Sequence[int]], at: str = "sparsifier.source"
) -> None:
    """Refuse a ticket whose mask covers other weights than there are; reads its card, no tensors.

    Args:
        shapes: by name, of all weights that may be pruned.

    Raises:
        SpecError: which of them; `at` names the field to blame.
        Damaged: there is no such ticket.
    """
    theirs: dict[str, list[int]] = read_card(Path(source.path))["shapes"]
    ours = {name: list(shape) for name, shape in shapes.items()}
    differ = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    if differ:
        name = differ[0]
        there, here = theirs.get(name, "not masked"), ours.get(name, "not to be pruned")
        more = f" (and {len(differ) - 1} more)" if len(differ) > 1 else ""
        raise SpecError(
            f"the mask of ticket {source} does not fit: {name} is {there} there, {here} here{more},"
            " because of the images, the loss or what is prunable; take a ticket whose mask leaves"
            " that layer out (prunable: conv-no-first does so with the first and the last)",
            at,
        )


def _items(at: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, tuple):
        yield from ((f"{at}.{index}", item) for index, item in enumerate(value))
    else:
        yield at, value


def _changed(at: str, value: Any, change: Callable[[str, Source], Source]) -> Any:
    if isinstance(value, Source):
        return change(at, value) if value.named else value
    return replaced(value, change, f"{at}.") if isinstance(value, BaseModel) else value


def _structure(model: dict[str, Any]) -> dict[str, Any]:
    """Settings of a model that shape its network, those an older card lacks by their defaults."""
    knobs = {key: value for key, value in model.items() if key != "name"}
    settings = registry.load("models", model["name"]).Settings.model_validate(knobs)
    dump: dict[str, Any] = settings.model_dump(mode="json")
    return {key: value for key, value in dump.items() if key not in UNSHAPED}
