"""What could be typed next of `a.b=c`: the fields of a spec, and the values of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import registry
from lthtui import overrides, runnames, specfields, specpaths
from lthtui.yamlfile import Keys

OF_FILES = ("seeds", "vary", "search", "control")  # fields of spec files, but of no run
HIDDEN = [("version",), ("seed",), ("controls",), ("extends",)]  # which nobody types


def words(place: Path, name: str, changes: Sequence[str], incomplete: str) -> list[str]:
    """Fields and values of a spec that begin as is asked for.

    A shell ends a word where only one is left to offer: so a block is offered with what is in it,
    and a field with its values.

    Args:
        place: where `name` is a run; else it is a spec, as people call it.
        changes: the overrides that stand before.

    Raises:
        LthError, OSError, ValueError: it can't be read.
    """
    tree = _tree(place, name, changes)
    key, equals, _ = incomplete.partition("=")
    if equals:
        found = [f"{key}={value}" for value in _values(tree, tuple(key.split(".")))]
        return [one for one in found if one.startswith(incomplete)]
    found = [one for one in _names(tree, key) if one.startswith(incomplete)]
    if len(found) == 1 and found[0].endswith("."):
        return [*_names(tree, found[0])]
    if len(found) == 1:
        path = tuple(found[0].rstrip("=").split("."))
        found += [f"{found[0]}{value}" for value in _values(tree, path)]
    return found


def _tree(place: Path, name: str, changes: Sequence[str]) -> Any:
    """A spec as it is written, with the overrides that stand before."""
    if place.name == runnames.RUNS:
        (run, *_) = runnames.seeds(place.parent, name)
        name = str(run.path)
    tree: Any = specpaths.read(name)[0].data
    for text in changes:
        change = overrides.read(text)
        node = tree
        for key in change.path[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {} if node.get(key) is None else {"name": node[key]}
            node = node[key]
        node[change.path[-1]] = change.values[0].data
    return tree


def _names(tree: Any, typed: str) -> Iterator[str]:
    """The fields of the block in which one is being typed, with an equals sign or a point."""
    block = tuple(typed.split(".")[:-1])
    own = [*specfields.fields_at(_named(tree, block), block), *(() if block else OF_FILES)]
    for field in own:
        path = (*block, field)
        dotted = ".".join(path)
        if path in HIDDEN:
            continue
        block_of_its_own = specfields.settings_at(_named(tree, path), path) is not None
        if not block_of_its_own or [*_choices(tree, path)]:
            yield f"{dotted}="
        if block_of_its_own:
            yield f"{dotted}."


def _values(tree: Any, path: Keys) -> list[str]:
    """What a field has in the spec, its choices, and its default."""
    block, tree = path[:-1], _named(tree, path)
    if path[-1:] == ("name",):
        return [*dict.fromkeys([*_choices(tree, block), *_written(_at(tree, path))])]
    field = specfields.field_at(tree, path)
    default = field.get_default(call_default_factory=True) if field else None
    found = [*_written(_at(tree, path)), *_choices(tree, path), *_written(default)]
    return [*dict.fromkeys(found)]


def _choices(tree: Any, path: Keys) -> Iterator[str]:
    """The values of a field that has a few."""
    field = specfields.field_at(tree, path)
    choice = specfields.choice_of(field) if field else None
    if field is None or choice is not None:
        yield from registry.names(choice.kind) if choice else ()
        return
    yield from specfields.tags_at(tree, path)
    for value in specfields.literals(field.annotation):
        yield from _written(value)


def _written(value: Any) -> Iterator[str]:
    """A plain value as an override has it."""
    if isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, str | int | float):
        yield str(value)


def _at(tree: Any, path: Keys) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _named(tree: Any, path: Keys) -> Any:
    """The spec with the names that it gets by default for the blocks down to `path`."""
    whole = node = dict(tree) if isinstance(tree, dict) else {}
    for end, key in enumerate(path, start=1):
        value = node.get(key)
        if value is None and (default := specfields.default_name(path[:end])):
            value = {"name": default}
        elif isinstance(value, str) and end < len(path):
            value = {"name": value}
        if not isinstance(value, dict):
            break
        inner = dict(value)
        node[key] = inner
        node = inner
    return whole
