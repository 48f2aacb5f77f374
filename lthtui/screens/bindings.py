"""All bindings of the app with the places where they work, for whoever gives them other keys."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys
from textual.screen import Screen

import lthtui.screens
import lthtui.widgets
from lthtui.keymap import Bound


def classes() -> Iterator[type[DOMNode]]:
    """The screens and widgets that are the app's own."""
    for package in (lthtui.screens, lthtui.widgets):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            yield from (
                value
                for value in vars(module).values()
                if isinstance(value, type)
                and issubclass(value, DOMNode)
                and value.__module__ == found.name
            )


def own(node: type[DOMNode]) -> list[Binding]:
    """The bindings that a class itself brings."""
    return [one for one in vars(node).get("BINDINGS", ()) if isinstance(one, Binding)]


def bound(app: type[DOMNode]) -> Iterator[Bound]:
    """Every binding once for each place where it works: the app's work on all of its screens."""
    for node in classes():
        above = [one for one in node.__mro__ if one.__module__.startswith("lthtui.")]
        everywhere = [app] if issubclass(node, Screen) else []
        for one in (*above, *everywhere):
            yield from (Bound(each.id or "", node.__name__, each.key) for each in own(one))


def names(app: type[DOMNode]) -> set[str]:
    """The keys that have a name."""
    used = {key for one in bound(app) for key in one.keys.split(",")}
    every = {*used, *(key.value for key in Keys)}
    return {key.rpartition("+")[2] for key in every if not key.startswith("<")}


def spelled(key: str) -> str:
    """The name of a key that is written as a character."""
    (one,) = Binding.make_bindings([Binding(key, "", "")])
    return one.key
