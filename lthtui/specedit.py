"""Changes single values in the text of a spec; all else stays as it was typed, comments too."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import yaml

from engine.errors import UsageError
from lthtui import yamlfile
from lthtui.specfields import default_name
from lthtui.text import clean_line
from lthtui.yamlfile import Keys

_SOURCE = "the text"


def set_value(text: str, path: Keys, value: Any) -> str:
    """The text with a field set to plain data.

    Blocks on the way to a new field are made, with the choice that a spec has by default; a choice
    that is written as its name alone becomes a mapping with this name.

    Raises:
        FileError: the text is no YAML.
        UsageError: the place cannot be changed by itself, such as a field of a number.
    """
    wanted = _read(text)
    _put(wanted, path, value)
    return _checked(_Splicer(text).put(path, value), wanted, path)


def remove(text: str, path: Keys) -> str:
    """The text without a field, and without the blocks that would be left empty.

    A comment behind the field goes with it; those on lines of their own stay.

    Raises:
        FileError: the text is no YAML.
        UsageError: the field cannot be taken out by itself.
    """
    wanted = _read(text)
    while len(path) > 1 and list(_at(wanted, path[:-1])) == [path[-1]]:
        path = path[:-1]
    if not isinstance(_at(wanted, path[:-1]), dict) or path[-1] not in _at(wanted, path[:-1]):
        return text
    del _at(wanted, path[:-1])[path[-1]]
    return _checked(_Splicer(text).cut(path), wanted, path)


def choose(text: str, path: Keys, name: str, known: list[str]) -> str:
    """The text with another choice for a block.

    Args:
        known: fields that the new choice has; the block's others are taken out.

    Raises:
        FileError, UsageError: as `set_value`.
    """
    block = _at(_read(text), path)
    if not isinstance(block, dict) or not block:
        return set_value(text, path, name)
    for key in [one for one in block if one != "name" and one not in known]:
        text = remove(text, (*path, key))
    return set_value(text, (*path, "name"), name)


def _read(text: str) -> dict[str, Any]:
    document = yamlfile.parse(text, _SOURCE)
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise UsageError("the text holds no fields yet, such as data:; change it in the editor")
    return document.data


def _at(data: Any, path: Keys) -> Any:
    """The value at a path; an empty mapping where there is none."""
    for key in path:
        if isinstance(data, dict):
            data = data.get(str(key), {})
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return {}
    return data


def _put(data: Any, path: Keys, value: Any) -> None:
    """Set a field of plain data, as the text shall have it."""
    node: Any = data
    for end, key in enumerate(path[:-1], start=1):
        inner = node.get(key) if isinstance(node, dict) else node[key]
        if isinstance(inner, str):
            inner = {"name": inner}
        elif inner is None:
            name = default_name(path[:end])
            inner = {} if name is None or path[end] == "name" else {"name": name}
        elif not isinstance(inner, dict | list):
            raise UsageError(f"{_dotted(path[:end])} is {inner}, which has no fields")
        node[key] = inner
        node = inner
    node[path[-1]] = copy.deepcopy(value)


def _checked(text: str, wanted: dict[str, Any], path: Keys) -> str:
    """A changed text, if it says what it shall: YAML has corners that nobody thought of."""
    try:
        same = _read(text) == wanted
    except yamlfile.FileError:
        same = False
    if not same:
        raise UsageError(f"{_dotted(path)} is written in a way that only the editor can change")
    return text


def _dotted(path: Keys) -> str:
    return clean_line(".".join(map(str, path)))


class _Splicer:
    """Finds where things stand in a text that `yamlfile` can read, and cuts and pastes there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Any = yaml.compose(text, Loader=yaml.SafeLoader)

    def put(self, path: Keys, value: Any) -> str:
        """The text with a value at a path."""
        node, depth = self.root, 0
        while depth < len(path) and (inner := _child(node, path[depth])) is not None:
            node, depth = inner, depth + 1
        if depth == len(path):
            return self._replace(node, _inline(value))
        if node is None:
            return self._append(path, value)
        if isinstance(node, yaml.MappingNode) and node.value:
            return self._insert(node, path, depth, value)
        return self._grow(node, path, depth, value)

    def cut(self, path: Keys) -> str:
        """The text without a field that a mapping has beside others."""
        mapping = self.root
        for key in path[:-1]:
            mapping = _child(mapping, key)
        at = next(i for i, (key, _) in enumerate(mapping.value) if key.value == path[-1])
        if mapping.flow_style:
            return self._cut_flow(mapping, at)
        begin, end = mapping.value[at][0].start_mark.index, self._end(mapping.value[at][1])
        line = self.text.rfind("\n", 0, begin) + 1
        if self.text[line:begin].strip():  # such as the first field behind a dash
            if at + 1 == len(mapping.value):
                raise UsageError(f"{_dotted(path)} can only be taken out in the editor")
            return self.text[:begin] + self.text[mapping.value[at + 1][0].start_mark.index :]
        after = self.text.find("\n", end)
        return self.text[:line] + (self.text[after + 1 :] if after >= 0 else "")

    def _cut_flow(self, mapping: Any, at: int) -> str:
        """Leave out a field between braces, and the comma that it needs no more."""
        begin, end = mapping.value[at][0].start_mark.index, self._end(mapping.value[at][1])
        if len(mapping.value) == 1:
            return self.text[:begin] + self.text[end:]
        tokens = yaml.scan(self.text, Loader=yaml.SafeLoader)
        marks = (one.start_mark for one in tokens if isinstance(one, yaml.FlowEntryToken))
        commas = [mark.index for mark in marks]
        if not at:
            comma = min(one for one in commas if one >= end)
            return self.text[:begin] + self.text[comma + 1 :].lstrip(" ")
        comma = max(one for one in commas if one < begin)
        between = self.text[comma + 1 : begin]
        return self.text[:comma] + (between if between.strip() else "") + self.text[end:]

    def _replace(self, node: Any, inline: str) -> str:
        """Write a value in another's place; a block moves behind its key."""
        begin, end = node.start_mark.index, self._end(node)
        if "#" in self._between(node):
            raise UsageError("there are comments within this value; change it in the editor")
        before = self.text[:begin].rstrip()
        if begin == end or (before.endswith(":") and "\n" in self.text[len(before) : begin]):
            return f"{before} {inline}{self.text[end:]}"
        return self.text[:begin] + inline + self.text[end:]

    def _between(self, node: Any) -> str:
        """What a value is written with besides its scalars: brackets, keys, comments."""
        if isinstance(node, yaml.ScalarNode):
            return ""
        pieces, at = [], node.start_mark.index
        for scalar in _scalars(node):
            pieces.append(self.text[at : scalar.start_mark.index])
            at = self._end(scalar)
        return "".join([*pieces, self.text[at : self._end(node)]])

    def _insert(self, mapping: Any, path: Keys, depth: int, value: Any) -> str:
        """Add a field behind a mapping's last one."""
        end = self._end(mapping.value[-1][1])
        if mapping.flow_style:
            inner = _nested(path, depth + 1, value)
            return f"{self.text[:end]}, {_key(path[depth])}: {_inline(inner)}{self.text[end:]}"
        after = re.compile(r"\r?\n|$").search(self.text, end)
        at = after.start() if after else end
        head, tail = self.text[:at], self.text[at:]
        indent = " " * mapping.value[0][0].start_mark.column
        return self._newline.join([head, *_block(path, depth, value, indent)]) + tail

    def _grow(self, node: Any, path: Keys, depth: int, value: Any) -> str:
        """Make a mapping of a name, of nothing or of `{}`."""
        inner = _nested(path, depth, value)
        if isinstance(node, yaml.ScalarNode) and isinstance(inner, dict):
            old = yamlfile.scalar(node.value) if node.style is None else node.value
            if old is not None:
                inner = {"name": old, **{k: v for k, v in inner.items() if k != "name"}}
        return self._replace(node, _inline(inner))

    def _append(self, path: Keys, value: Any) -> str:
        """Begin a text that holds nothing, or nothing but comments."""
        before = [self.text.rstrip("\r\n")] if self.text.strip() else []
        return self._newline.join([*before, *_block(path, 0, value, ""), ""])

    @property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _end(self, node: Any) -> int:
        """Where a value ends, without the space and the comments that follow it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        begin, end = int(node.start_mark.index), int(node.end_mark.index)
        return begin + len(self.text[begin:end].rstrip())


def _child(node: Any, key: str | int) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for one, value in node.value if one.value == key), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def _scalars(node: Any) -> Iterator[Any]:
    """All scalars in a value, in their order."""
    if isinstance(node, yaml.ScalarNode):
        yield node
        return
    for item in node.value:
        for one in item if isinstance(item, tuple) else (item,):
            yield from _scalars(one)


def _nested(path: Keys, depth: int, value: Any) -> Any:
    """What stands at `path[:depth]` when only the field at `path` is set in it."""
    if depth == len(path):
        return value
    name = default_name(path[:depth])
    named = {} if name is None or path[depth] == "name" else {"name": name}
    return {**named, str(path[depth]): _nested(path, depth + 1, value)}


def _block(path: Keys, depth: int, value: Any, indent: str) -> list[str]:
    """Lines of a new field, with the blocks that it stands in."""
    lines = []
    for end in range(depth + 1, len(path)):
        lines.append(f"{indent}{_key(path[end - 1])}:")
        indent += "  "
        name = default_name(path[:end])
        if name is not None and path[end] != "name":
            lines.append(f"{indent}name: {_inline(name)}")
    return [*lines, f"{indent}{_key(path[-1])}: {_inline(value)}"]


def _key(key: str | int) -> str:
    return _inline(str(key))


def _inline(value: Any) -> str:
    """A value on one line, so quoted that it may also stand between braces."""
    return yamlfile.dump_inline([value])[1:-1]
