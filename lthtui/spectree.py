"""A spec as plain data in which every value remembers the file or override it was written in."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lthtui.specerrors import Finding
from lthtui.specfields import default_name
from lthtui.yamlfile import Document, Keys, Mark, Problem


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a text, and the value's path in it."""

    document: Document
    path: Keys = ()

    def problem(self, message: str, at_key: bool = True) -> Problem:
        """A problem with what was written here: at its key where it has one, or at the value."""
        return self.document.problem(message, _mark(self.document, self.path, at_key))


class Tree:
    """Data that grows from a file by setting fields, and finds its problems' places."""

    def __init__(self, document: Document) -> None:
        self.data: dict[str, Any] = dict(document.data)
        self._origins: dict[Keys, Origin] = {(): Origin(document)}
        self._set: list[Keys] = []

    def copy(self) -> Tree:
        """An independent copy."""
        tree = copy.copy(self)
        tree.data, tree._origins = copy.deepcopy(self.data), dict(self._origins)
        tree._set = list(self._set)
        return tree

    def set(self, path: Keys, value: Any, origin: Origin) -> None:
        """Set a field; blocks on the way are made, with the name that a spec has by default."""
        node = self.data
        for end in range(1, len(path)):
            node = self._block(node, path[:end], origin)
        node[str(path[-1])] = copy.deepcopy(value)
        self._forget(path)
        self._origins[path] = origin
        self._set.append(path)

    def problem(self, finding: Finding) -> Problem:
        """Place a finding where it was written, or at the block that it is missing from.

        If a field that was set in a file's place is its cause, that is where.
        """
        finding = self._caused(finding)
        path = finding.path
        while (origin := self.origin(path)).path not in origin.document.values:
            path = path[:-1]
        listed = any(isinstance(key, int) for key in origin.path[-1:])
        by_key = finding.at == "key" or (self._is_block(path) and not listed)
        return replace(origin.problem(finding.message, by_key), path=finding.path)

    def origin(self, path: Keys) -> Origin:
        """Where the value at `path` was written, or would have been."""
        for end in range(len(path), -1, -1):
            if (known := self._origins.get(path[:end])) is not None:
                return Origin(known.document, (*known.path, *path[end:]))
        raise KeyError(path)

    def _block(self, node: dict[str, Any], path: Keys, origin: Origin) -> dict[str, Any]:
        key = str(path[-1])
        block = node.get(key)
        if isinstance(block, str):
            self._origins[*path, "name"] = self.origin(path)
            node[key] = {"name": block}
        elif not isinstance(block, dict):
            self._forget(path)
            self._origins[path] = origin
            name = default_name(path) if block is None else None
            node[key] = {} if name is None else {"name": name}
        made: dict[str, Any] = node[key]
        return made

    def _forget(self, path: Keys) -> None:
        for known in [one for one in self._origins if one[: len(path)] == path]:
            del self._origins[known]
        self._set = [one for one in self._set if one[: len(path)] != path]

    def _caused(self, finding: Finding) -> Finding:
        """A finding at the field among those set later that is its cause, if one is."""
        path, message = finding.path, finding.message
        chosen = (*path[:-1], "name")
        if finding.at == "key" and path[1:] and chosen in self._set and path not in self._set:
            whole = ".".join(map(str, path[:-1]))
            how = f"to leave {whole}.{path[-1]} out, set {whole} in place of {whole}.name"
            return Finding(chosen, f"{message}; {how}")
        block = self._node(path)
        inside = [one for one in self._set if one[: len(path)] == path]
        if not finding.together or inside == [path]:
            return finding
        named = {one: _place(one, message) for one in self._set if _place(one, message) >= 0}
        if named:
            return Finding(min(named, key=lambda one: named[one]), message)
        if isinstance(block, Mapping) and any(_place((key,), message) >= 0 for key in block):
            return finding  # which the file says
        return Finding(inside[-1], message) if inside else finding

    def _is_block(self, path: Keys) -> bool:
        return isinstance(self._node(path), Mapping)

    def _node(self, path: Keys) -> Any:
        """The value at a path; None if there is none."""
        node: Any = self.data
        for key in path:
            if isinstance(node, Mapping) and key in node:
                node = node[str(key)]
            elif isinstance(node, list) and isinstance(key, int) and key < len(node):
                node = node[key]
            else:
                return None
        return node


def _place(path: Keys, message: str) -> int:
    """Where a message speaks of a field, in the singular or plural; -1 if it does not."""
    stem = re.escape(str(path[-1]).removesuffix("s"))
    found = re.search(rf"\b{stem}s?\b", message)
    return found.start() if found else -1


def _mark(document: Document, path: Keys, key: bool) -> Mark:
    """The mark of a value or of its key; what varies or is searched is named by its field."""
    if key and path in document.keys:
        return document.keys[path]
    if key and path[:-1] in document.keys and path[0] in ("vary", "search"):
        return document.keys[path[:-1]]
    return document.values[path]
