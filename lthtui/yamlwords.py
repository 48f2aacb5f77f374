"""What PyYAML finds wrong in a text, in plain words and at the line where it went wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from lthtui.text import clean_line

_NO_COLON = "expected ':' after a field's name"
_NO_SPACE = "expected a space after the ':' of a field"
_FIELD = re.compile(r"[\w.-]+")
_WORDS = (
    (r"found character '\\t'", "a tab cannot begin a value or indent a line; use spaces"),
    (
        r"found character '(.)' that cannot start any token",
        r"a value cannot begin with '\1'; put it in quotes",
    ),
    (
        r"mapping values are not allowed",
        "unexpected ':'; check the indentation, look for a ':' missing above, or put the text in"
        " quotes",
    ),
    (r"could not find expected ':'", _NO_COLON),
    (r"expected ',' or '([\]}])'", r"expected ',' or '\1'"),
    (
        r"unknown escape character '(.)'",
        r"'\\\1' is no escape; write text in single quotes as it is",
    ),
    (
        r"expected <block end>, but found '(<block|\?|<scalar|-)",
        "the indentation of this line fits no line above",
    ),
    (r"expected <block end>, but found '(.*?)'", r"unexpected '\1'"),
    (r"expected the node content, but found '(.*?)'", r"expected a value, found '\1'"),
    (r"expected alphabetic or numeric character", "a name must follow; put a text in quotes"),
)


def explain(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[str, int, int]:
    """The words, and the line and column of their cause, both counted from 0.

    What was opened and never closed is told where it was opened, and a field without its colon in
    its own line, though PyYAML only stumbles over a later one.
    """
    problem, context = str(error.problem or error.context), str(error.context)
    found, opened = error.problem_mark or error.context_mark, error.context_mark
    line, column = (found.line, found.column) if found else (0, 0)
    if opened and found and ("quoted" in context or "flow" in context):
        if "end of stream" in problem or "<stream end>" in problem or found.line > opened.line:
            char = opened.buffer[opened.pointer].strip("\0") if opened.buffer else ""
            what = f"this {char}" if char else "a bracket"
            return f"{what} is never closed", opened.line, opened.column
    suspect = opened.line if opened and "could not find expected ':'" in problem else None
    if re.search("mapping values are not allowed|found '<block mapping start>'", problem):
        suspect = _above(lines, line)
    if suspect is not None and (missing := _undivided(lines[suspect])):
        return missing, suspect, _indent(lines[suspect])
    for pattern, words in _WORDS:
        if match := re.search(pattern, problem):
            return clean_line(match.expand(words)), line, column
    return clean_line(problem), line, column


def _above(lines: Sequence[str], line: int) -> int | None:
    """The line above that a line as far to the right may have been taken to go on."""
    above = next((at for at in range(line - 1, -1, -1) if lines[at].split("#")[0].strip()), None)
    return above if above is not None and _indent(lines[above]) == _indent(lines[line]) else None


def _undivided(line: str) -> str:
    """What is missing between the name and the value of a field; nothing if that is not so."""
    said = line.split(" #")[0].strip()
    name = _FIELD.match(said)
    if name is None or ": " in said or said.endswith(":"):
        return ""
    return _NO_SPACE if said[name.end() :].startswith(":") else _NO_COLON


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
