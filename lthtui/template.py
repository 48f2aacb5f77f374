"""A commented spec to start from, made of the settings' own fields, defaults and descriptions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from engine import registry
from engine.durations import Duration
from engine.errors import UsageError
from engine.sources import Source
from engine.spec import RunSpec
from lthtui import yamlfile
from lthtui.filefields import SpecFile
from lthtui.specfields import choice_of, default_name, field_at, settings_at, tags_at
from lthtui.yamlfile import Keys

WIDTH = 98
START = {"data": "digits", "model": "resnet20"}
SEEDS = [0, 1, 2]
_HEADER = """\
# yaml-language-server: $schema=schema.json
# `lthtui schema > specs/schema.json` lets editors complete and check this file.
# Lines that begin with '# name:' show defaults; take the '# ' away to change one.
"""
WRITTEN_ELSEWHERE = ("version", "name", "seed", "controls", "extends")


def template(choices: Mapping[str, str]) -> str:
    """Compose a spec with every field and its default.

    `choices` name the choice of a field, as in `{"data": "cifar10", "train.optimizer": "adam"}`.

    Raises:
        UsageError: a field there is none of those that name a choice.
        SpecError: a choice does not exist; the message names the nearest.
    """
    tree = _tree({**START, **choices})
    lines = [_HEADER, "version: 1", ""]
    for name, field in RunSpec.model_fields.items():
        if name not in WRITTEN_ELSEWHERE:
            lines += [*_field((name,), field, tree, active=False), ""]
    for name, field in SpecFile.model_fields.items():
        value = SEEDS if name == "seeds" else None
        lines += [*_comment(field.description or "", 0), *_entry(name, field, value, 0), ""]
    return "\n".join(lines[:-1]) + "\n"


def _tree(choices: Mapping[str, str]) -> dict[str, Any]:
    """The named choices as nested data; each must exist."""
    tree: dict[str, Any] = {}
    for dotted, name in choices.items():
        path = tuple(dotted.split("."))
        field = field_at(tree, path)
        choice = choice_of(field) if field else None
        if choice is not None:
            registry.load(choice.kind, name)
        elif name not in tags_at(tree, path):
            raise UsageError(
                f"{dotted}={name}: only choices can be named here, such as data=cifar10,"
                " sparsifier=random or train.optimizer=adam"
            )
        _put(tree, path, name)
    return tree


def _field(path: Keys, field: FieldInfo, tree: dict[str, Any], active: bool) -> Iterator[str]:
    """The lines of a field; a block is written out, with its name or its first field active."""
    indent = 2 * (len(path) - 1)
    name = _name(tree, path)
    block = settings_at(tree, path)
    yield from _comment(about(path, field, tree), indent)
    if block is None or get_origin(field.annotation) is tuple or field.default is None:
        value = field.get_default(call_default_factory=True)
        needed = value if active else _needed(path, value, tree)
        yield from _entry(str(path[-1]), field, needed, indent)
        return
    yield f"{' ' * indent}{path[-1]}:"
    if name is not None:
        choice = choice_of(field)
        if choice is not None:
            yield from _comment(f"({registry.about(choice.kind, name).rstrip('.')})", indent + 2)
        yield f"{' ' * indent}  name: {name}"
    knobs = [(key, inner) for key, inner in block.model_fields.items() if key != "name"]
    for index, (key, inner) in enumerate(knobs):
        yield from _field((*path, key), inner, tree, active=name is None and index == 0)


def _needed(path: Keys, default: Any, tree: dict[str, Any]) -> Any:
    """What a field has to say for the other choices, if its default is nothing for them."""
    if path != ("sparsifier", "prunable"):
        return None
    presets = registry.load("models", tree["model"]["name"]).Settings.presets
    return None if default in presets else presets[0]


def _name(tree: dict[str, Any], path: Keys) -> str | None:
    """The choice at a path: as asked, or the default, which is noted in the tree."""
    node: Any = tree
    for key in path:
        node = node.get(key, {})
    name = node.get("name") or default_name(path)
    if name is not None:
        _put(tree, path, name)
    return name


def _put(tree: dict[str, Any], path: Keys, name: str) -> None:
    node = tree
    for key in path[:-1]:
        node = node.setdefault(str(key), {})
    node[str(path[-1])] = {"name": name}


def _entry(name: str, field: FieldInfo, active: Any, indent: int) -> Iterator[str]:
    """`name: value`, or with no active value the default behind a comment sign."""
    value = active
    if value is None:
        value = field.get_default(call_default_factory=True)
    text = yamlfile.dump_inline(plain(value))
    yield f"{' ' * indent}{'# ' if active is None else ''}{name}: {text}"


def plain(value: Any) -> Any:
    """A value of settings as it may stand in a file: durations as 2ep, no source as empty text."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, (Duration, Source)) else value


def about(path: Keys, field: FieldInfo, tree: dict[str, Any]) -> str:
    """A field's description with what it may be."""
    choice = choice_of(field)
    names = registry.names(choice.kind) if choice else tags_at(tree, path)
    if names and not all(name in str(field.description) for name in names):
        return f"{field.description} ({', '.join(names)})"
    limits = [words.format(one) for kind, words in _LIMITS for one in _of(kind, field)]
    options = [str(option) for option in _options(field.annotation)]
    block = settings_at(tree, path) if field.default is None else None
    inside = f"a mapping with {', '.join(block.model_fields)}" if block else ""
    extra = "; ".join(filter(None, [" | ".join(options), ", ".join(limits), inside]))
    return f"{field.description} [{extra}]" if extra else str(field.description)


_LIMITS = (
    (Gt, "above {0.gt}"),
    (Ge, "at least {0.ge}"),
    (Lt, "below {0.lt}"),
    (Le, "at most {0.le}"),
)


def _of(kind: type, field: FieldInfo) -> list[Any]:
    return [one for one in field.metadata if isinstance(one, kind)]


def _options(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) is not dict:
        for argument in get_args(annotation):
            yield from _options(argument)


def _comment(text: str, indent: int) -> list[str]:
    lead = " " * indent + "# "
    return textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=lead, break_on_hyphens=False
    )
