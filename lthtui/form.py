"""The form of a spec: every field that the settings have, its value, and what it may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine import registry
from engine.choice import Choice
from engine.errors import UsageError
from engine.spec import RunSpec
from lthtui import overrides, specedit, yamlfile
from lthtui.filefields import SpecFile
from lthtui.specfields import choice_of, default_name, fields_at, literals, settings_at, tags_at
from lthtui.template import WRITTEN_ELSEWHERE, about, plain
from lthtui.text import clean_line
from lthtui.yamlfile import Keys

_LISTED = ("seeds", "control")  # several values are a list of theirs, and no sweep over them


@dataclass(frozen=True)
class Knob:
    """A field of the form.

    Attributes:
        kind: a `block` holds others, and with `options` has a name; a `choice` takes one of its
            options, a `value` anything that is written, its options being among that.
        default: as plain data; None where there is none.
        value: what it has, as plain data: what is set, or the default.
        given: whether the spec sets it.
        varied: the values that it takes in turn, as texts.
        needed: whether it has no default and is not set.
    """

    path: Keys
    about: str
    kind: Literal["block", "choice", "value"]
    options: tuple[str, ...] = ()
    default: Any = None
    value: Any = None
    given: bool = False
    varied: tuple[str, ...] = ()
    needed: bool = False

    @property
    def key(self) -> str:
        """The field as messages and command lines name it."""
        return ".".join(map(str, self.path))

    @property
    def text(self) -> str:
        """The value as it is written, or those that it takes in turn."""
        return ", ".join(self.varied) if self.varied else written(self.value)

    @property
    def fixed(self) -> bool:
        """Whether only the editor can change it: it takes whole blocks in turn."""
        return any(one.startswith("{") for one in self.varied)


def knobs(data: Mapping[str, Any]) -> tuple[Knob, ...]:
    """The fields of a spec file that says `data`; those of a choice follow its name."""
    tree = dict(data)
    found: list[Knob] = []
    skipped = ["version", *(one for one in WRITTEN_ELSEWHERE if one not in ("name", *data))]
    for model in (RunSpec, SpecFile):
        for name, field in model.model_fields.items():
            if name not in skipped and name != "vary":
                found += _fields((name,), field, tree, data)
    return tuple(found)


def put(text: str, knob: Knob, typed: str) -> str:
    """The text of a spec in which a field is as somebody typed it.

    Values between commas are taken in turn, as on the command line; nothing at all takes the field
    out, so that it has its default.

    Raises:
        FileError: the text or what was typed is no YAML.
        UsageError: the place can only be changed in the editor.
    """
    vary = ("vary", knob.key)
    if not typed.strip():
        return specedit.remove(specedit.remove(text, vary), knob.path)
    read = overrides.read(f"{knob.key}={typed}")
    values = [document.data for document in read.values]
    if read.sweeps and knob.key not in _LISTED:
        if isinstance(yamlfile.parse(text, "").data.get("vary"), list):
            raise UsageError("vary lists several grids here; say in the editor which one is meant")
        return specedit.set_value(text, vary, values)
    text = specedit.remove(text, vary)
    if knob.key == "seeds":
        text = specedit.remove(text, ("seed",))
    value = values if read.sweeps else values[0]
    if knob.kind == "block" and isinstance(value, str):
        known = fields_at({**_named(knob.path, value)}, knob.path)
        return specedit.choose(text, knob.path, value, known)
    return specedit.set_value(text, knob.path, value)


def written(value: Any) -> str:
    """Plain data on one line, for the screen."""
    return "" if value is None else clean_line(yamlfile.dump_inline([value])[1:-1], 500)


def _fields(
    path: Keys, field: FieldInfo, tree: dict[str, Any], data: Mapping[str, Any]
) -> Iterator[Knob]:
    """A field, and those within it if it is a block."""
    given, value = _found(data, path)
    varied = _varied(data, path)
    names = _names(tree, path, field)
    name = value if isinstance(value, str) else _found(data, (*path, "name"))[1]
    if names and name is None:
        name = default_name(path)
    if isinstance(name, str) and names:
        _put(tree, path, name)
    block = settings_at(tree, path)
    if not names and (block is None or get_origin(field.annotation) is tuple):
        yield _value(path, field, tree, data, varied)
        return
    words, needed = about(path, field, tree), bool(names) and name is None
    default = default_name(path)
    if names and path[-1] in RunSpec.model_fields and isinstance(name, str) and name in names:
        kind = choice_of(field)
        words = f"{registry.about(kind.kind, name)} {words}" if kind else words
    yield Knob(path, words, "block", tuple(names), default, name, given, varied, needed)
    if varied:  # each of the blocks has fields of its own
        return
    for key, inner in (block.model_fields if block else {}).items():
        if key != "name" or not names:
            yield from _fields((*path, key), inner, tree, data)


def _value(
    path: Keys,
    field: FieldInfo,
    tree: dict[str, Any],
    data: Mapping[str, Any],
    varied: tuple[str, ...],
) -> Knob:
    """A field that holds no others."""
    given, value = _found(data, path)
    default = field.get_default(call_default_factory=True)
    wanted = default is PydanticUndefined and not given and path != ("name",)
    needed = wanted and _found(data, path[:-1])[0]
    default = None if default is PydanticUndefined else plain(default)
    options, closed = _options(field)
    return Knob(
        path,
        about(path, field, tree),
        "choice" if closed else "value",
        options,
        default,
        value if given else default,
        given,
        varied,
        needed,
    )


def _names(tree: Mapping[str, Any], path: Keys, field: FieldInfo) -> list[str]:
    """What a block may be called, if it has a name."""
    choice = choice_of(field)
    return registry.names(choice.kind) if choice else tags_at(tree, path)


def _options(field: FieldInfo) -> tuple[tuple[str, ...], bool]:
    """Values to choose from, and whether there are no others."""
    kinds = [one for one in _within(field.annotation) if isinstance(one, Choice)]
    if kinds:
        return tuple(registry.names(kinds[0].kind)), False
    words = tuple(written(one) for one in literals(field.annotation))
    literal = all(get_origin(one) is Literal or one in (bool, type(None)) for one in _leaves(field))
    return words, bool(words) and literal


def _leaves(field: FieldInfo) -> Iterator[Any]:
    """The types that a field may have, apart."""
    parts = get_args(field.annotation) if get_origin(field.annotation) is not Literal else ()
    yield from parts or (field.annotation,)


def _within(annotation: Any) -> Iterator[Any]:
    """All that an annotation is made of."""
    for one in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield one
        yield from _within(one)


def _found(data: Any, path: Keys) -> tuple[bool, Any]:
    """Whether a path is set, and to what."""
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return False, None
        data = data[key]
    return True, data


def _varied(data: Mapping[str, Any], path: Keys) -> tuple[str, ...]:
    values = _found(data, ("vary", ".".join(map(str, path))))[1]
    return tuple(map(written, values)) if isinstance(values, list) else ()


def _put(tree: dict[str, Any], path: Keys, name: str) -> None:
    """Note the choice at a path in a copy of what leads there."""
    node = tree
    for key in path[:-1]:
        inner = node.get(str(key))
        node[str(key)] = dict(inner) if isinstance(inner, Mapping) else {}
        node = node[str(key)]
    node[str(path[-1])] = {"name": name}


def _named(path: Keys, name: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    _put(tree, path, name)
    return tree
