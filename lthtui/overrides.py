"""What a command line says about fields: `a.b=c` sets one, `a.b=c,d` sweeps it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lthtui.text import clean_line
from lthtui.yamlfile import Document, FileError, Keys, Problem, parse

_KEY = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
_OPENERS, _CLOSERS = "[{", "]}"


@dataclass(frozen=True)
class Override:
    """A field and the value it is given, or the values it takes in turn."""

    path: Keys
    values: tuple[Document, ...]

    @property
    def sweeps(self) -> bool:
        """Whether it makes several runs of one."""
        return len(self.values) > 1


def separate(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Tell specs from overrides among arguments: an override holds an equals sign."""
    specs: list[str] = []
    overrides: list[str] = []
    for argument in arguments:
        (overrides if "=" in argument else specs).append(argument)
    return specs, overrides


def read(text: str) -> Override:
    """Read one override; its values are YAML.

    Raises:
        FileError: it has no dotted field before its equals sign, or a value that is no YAML.
    """
    key, _, value = text.partition("=")
    source = f"override {clean_line(text)}"
    if not _KEY.fullmatch(key):
        raise FileError(
            [Problem(source, "write a field, an equals sign and a value: train.epochs=9")]
        )
    parts = _split(value)
    if len(parts) > 1 and not all(part.strip() for part in parts):
        raise FileError([Problem(source, "a value between two commas is empty")])
    return Override(tuple(key.split(".")), tuple(parse(part, source, True) for part in parts))


def read_all(changes: Iterable[str]) -> list[Override]:
    """Read overrides, in their order.

    Raises:
        FileError: the problems of all that cannot be read.
    """
    made: list[Override] = []
    problems: list[Problem] = []
    for text in changes:
        try:
            made.append(read(text))
        except FileError as error:
            problems += error.problems
    if problems:
        raise FileError(problems)
    return made


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char if not parts[-1].strip() or depth else ""
        elif char in _OPENERS or char in _CLOSERS:
            depth += 1 if char in _OPENERS else -1
        elif char == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += char
    return parts
