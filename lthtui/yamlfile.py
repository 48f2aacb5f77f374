"""YAML read as plain data with the place of every key and value, and nothing surprising in it.

Scalars follow YAML 1.2's core schema: `1e-3` is a number, `on` and `0:30` are text. Aliases,
anchors, tags, duplicate keys, infinities, deep nesting and huge files are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from engine.errors import SpecError, UsageError
from lthtui import yamlwords
from lthtui.text import clean_line

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_VALUES = 10_000
SHOWN_COLUMNS = 100
SHOWN_PROBLEMS = 50
NOT_TEXT = "not UTF-8 text; save it as UTF-8"

Keys = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file, or with `mark` None in something that has no lines.

    Attributes:
        absent: whether only the data set is not here, and nothing wrong with the file itself.
        path: the field of the settings that is to blame; empty where none is.
    """

    source: str
    message: str
    mark: Mark | None = None
    line: str = ""
    absent: bool = False
    path: Keys = field(default=(), compare=False)

    def __str__(self) -> str:
        """`file:line:column: message`, the line unless it is blank, and a caret under the column.

        A password in an address is not shown: errors end up in logs and reports.
        """
        source, message = _without_passwords(self.source), _without_passwords(self.message)
        if self.mark is None:
            return f"{source}: {message}"
        said = f"{source}:{self.mark.line}:{self.mark.column}: {message}"
        if not self.line.strip():
            return said
        shown, caret = _excerpt(_without_passwords(self.line), self.mark.column)
        return f"{said}\n{shown}\n{caret}"


class FileError(SpecError):
    """Everything that is wrong in a file; `problems` are in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems = sorted(unique, key=lambda p: (p.mark is None, p.mark or Mark(0, 0)))
        shown = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            shown.append(f"and {len(self.problems) - SHOWN_PROBLEMS:,} more")
        super().__init__("\n".join(shown))

    @property
    def absent(self) -> bool:
        """Whether nothing is wrong but that the data set is not here."""
        return all(problem.absent for problem in self.problems)


@dataclass
class Document:
    """A parsed text: its data, and where in it each key and value stands.

    Attributes:
        source: the file's name, or `override a.b=c`, as messages show it.
        data: dicts, lists, strings, numbers, booleans and None.
        keys: the mark of a mapping's key, by the path of keys and indices that leads to it.
        values: the mark of a value, by its path; the whole document is `()`.
        inline: whether messages leave out the place, for a text of one line that they quote.
    """

    source: str
    lines: list[str]
    inline: bool = False
    data: Any = None
    keys: dict[Keys, Mark] = field(default_factory=dict)
    values: dict[Keys, Mark] = field(default_factory=dict)

    def problem(self, message: str, mark: Mark) -> Problem:
        """A problem at a place of this text."""
        if self.inline:
            return Problem(self.source, message)
        line = self.lines[mark.line - 1] if mark.line <= len(self.lines) else ""
        return Problem(self.source, message, mark, line)


def read(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        FileError: the text is no YAML, or uses what is refused; every problem is named.
        UsageError: the file cannot be read.
    """
    source = clean_line(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise FileError([Problem(source, f"larger than {MAX_BYTES // 1024} kB; this is no spec")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        mark = Mark(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        line = raw.split(b"\n")[mark.line - 1].decode("utf-8", "replace")
        raise FileError([Problem(source, NOT_TEXT, mark, line)]) from None
    return parse(text, source)


def parse(text: str, source: str, inline: bool = False) -> Document:
    """Parse a YAML text.

    Raises:
        FileError: the text is no YAML, or uses what is refused; every problem is named.
    """
    document = Document(source, re.split("\r\n|[\n\r\x85\u2028\u2029]", text), inline)
    builder = _Builder(document)
    try:
        builder.build(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = Mark(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        hidden = clean_line(chr(error.character) if isinstance(error.character, int) else "?")
        builder.refuse(f"the character {hidden} is not allowed here; write it as an escape", mark)
    except yaml.MarkedYAMLError as error:
        message, line, column = yamlwords.explain(error, document.lines)
        builder.refuse(message, Mark(line + 1, column + 1))
    except _TooMuch:
        pass
    if builder.problems:
        raise FileError(builder.problems)
    return document


def scalar(text: str) -> Any:
    """The value of an unquoted scalar after YAML 1.2's core schema.

    Raises:
        ValueError: a number that is infinite, not a number, or absurdly long.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text) and len(text) <= 100:
        return int(text, 10 if text[:2] not in ("0o", "0x") else 0)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    elif not _NOT_FINITE.fullmatch(text):
        return text
    raise ValueError(f"{clean_line(text, 40)} is not a finite number")


def dump(data: Any) -> str:
    """Write plain data as YAML that this module, and readers of YAML 1.1, read back the same."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=2**31, allow_unicode=False)


def dump_inline(data: Any) -> str:
    """As `dump`, on one line, to stand behind a key."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=2**31, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = isinstance(scalar(text), str)
    except ValueError:
        plain = False
    style = None if plain else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|0[ox][0-9a-fA-F]+")


class _TooMuch(Exception):
    """The text is not worth reading on."""


class _Events(Reader, Scanner, Parser):
    """PyYAML's parser without its composer, which would recurse and resolve aliases."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def take(self) -> Any:
        """The next event."""
        return self.get_event()  # type: ignore[no-untyped-call]


class _Builder:
    """Turns parser events into plain data and marks."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def refuse(self, message: str, mark: Mark) -> None:
        self.problems.append(self.document.problem(message, mark))

    def build(self, text: str) -> None:
        self.document.values[()] = Mark(1, 1)
        self.events = _Events(text)
        self.events.take()
        if not self.events.check_event(yaml.StreamEndEvent):
            self.events.take()
            self.document.data = self.value(self.events.take(), ())
            self.events.take()
        if not self.events.check_event(yaml.StreamEndEvent):
            mark = _mark(self.events.take().start_mark)
            self.refuse("a second document begins here; a file holds one", mark)

    def value(self, event: Any, path: Keys) -> Any:
        mark = _mark(event.start_mark)
        self.document.values[path] = mark
        self._refuse_references(event, mark)
        if len(path) > MAX_DEPTH or len(self.document.values) > MAX_VALUES:
            what = f"nested deeper than {MAX_DEPTH}" if len(path) > MAX_DEPTH else "too many values"
            self.refuse(f"{what}; this is no spec", mark)
            raise _TooMuch
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.scalar(event, mark)

    def mapping(self, path: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self.events.take(), yaml.MappingEndEvent):
            mark = _mark(event.start_mark)
            self._refuse_references(event, mark)
            key = self.key(event, mark)
            if key in found:
                first = self.document.keys[*path, key].line
                self.refuse(f"'{clean_line(key)}' is given twice; first in line {first}", mark)
            self.document.keys[*path, key] = mark
            found[key] = self.value(self.events.take(), (*path, key))
        return found

    def key(self, event: Any, mark: Mark) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.refuse("a field's name must be text", mark)
            raise _TooMuch
        if event.style is None and not isinstance(self.scalar(event, mark), str):
            quoted = f"a field's name must be text; put {event.value!r} in quotes"
            self.refuse(f"{quoted}, or write a number with '.' and not ','", mark)
        return str(event.value)

    def sequence(self, path: Keys) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self.events.take(), yaml.SequenceEndEvent):
            found.append(self.value(event, (*path, len(found))))
        return found

    def scalar(self, event: Any, mark: Mark) -> Any:
        if not isinstance(event, yaml.ScalarEvent):
            return None
        if event.style is not None:
            return event.value
        try:
            return scalar(event.value)
        except ValueError as error:
            self.refuse(str(error), mark)
            return None

    def _refuse_references(self, event: Any, mark: Mark) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.refuse("aliases (*name) are not read; repeat the value, or quote a text", mark)
        elif event.anchor is not None:
            self.refuse("anchors (&name) are not read; leave it out, or quote a text", mark)
        elif event.tag is not None:
            self.refuse("tags (!name) are not read; leave it out, or quote a text", mark)


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """A line as it may be shown, cut around a column if it is long, and a caret below it."""
    start = max(0, column - SHOWN_COLUMNS // 2) if len(line) > SHOWN_COLUMNS else 0
    before = ("…" if start else "") + clean_line(line[start : column - 1], SHOWN_COLUMNS)
    after = line[max(column - 1, 0) : start + SHOWN_COLUMNS]
    cells = sum(2 if east_asian_width(char) in "WF" else 1 for char in before)
    return before + clean_line(after, SHOWN_COLUMNS), " " * cells + "^"


def _without_passwords(text: str) -> str:
    """A text without what stands before the host of an address, as wide as it was."""
    return re.sub(r"(?<=://).*(?=@)", lambda found: "*" * len(found[0]), text)
