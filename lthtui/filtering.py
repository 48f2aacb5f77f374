"""The filter language: `method:imp* and val>60% or not (status=failed)`.

Terms stand side by side or between `and`, `or`, `not` and brackets; `and` binds closer than `or`.
A term is a word that the run's name, label, method, data, model, status or seed contains, or a
field, an operator and a value:

    =  !=  <  <=  >  >=   numbers, shares (`60%` or `0.6`), durations (`1h30m`), times
                          (`2026-11-20`, `2026-11-20T14:00`, `today`, `-24h`), and text
    :                     text with `*` and `?` for what may stand there
    ~  !~                 a regular expression, as `lthtui.patterns` knows them

`val@5%>60%` asks for the accuracy of the level that keeps about 5% of the weights. Case counts
nowhere. A run without a value meets none but `!=`, `!~` and `not`. Quotes hold names, words and
values together: `"my metric">3`. Words as `-imp` and `/imp.*/`, which mean something to other
programs, have to be quoted.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lthtui import fields
from lthtui.fields import REDUCERS, Field, Misread
from lthtui.terms import Check, compared, contains

if TYPE_CHECKING:
    from lthtui.board import Group
    from lthtui.runview import RunView

OPERATORS = ("!=", "!~", "<=", ">=", "=", "<", ">", "~", ":")
KEYWORDS = ("and", "or", "not")
LONGEST, DEEPEST = 2000, 40
_ENDS_WORD = " \t\r\n\"'()=!<>~:"


@dataclass(frozen=True)
class Word:
    """What a run's names contain."""

    text: str

    def __str__(self) -> str:
        return _named(self.text)


@dataclass(frozen=True)
class Term:
    """A field, an operator and a value as it was written."""

    field: Field
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{_named(self.field.name, self.field)}{self.operator}{_quoted(self.value)}"


@dataclass(frozen=True)
class Not:
    """What must not be."""

    part: Node

    def __str__(self) -> str:
        return f"not {_bracketed(self.part, And, Or)}"


@dataclass(frozen=True)
class And:
    """What must be all at once."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " and ".join(_bracketed(part, And, Or) for part in self.parts)


@dataclass(frozen=True)
class Or:
    """Of what one is enough."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " or ".join(_bracketed(part, Or) for part in self.parts)


Node = Word | Term | Not | And | Or


@dataclass(frozen=True)
class Filter:
    """What runs have to be like; called with a run and its group. Without a node, any will do.

    `str` gives text that reads as the same filter.
    """

    node: Node | None = None
    _check: Check = field(default=lambda run, group: True, compare=False, repr=False)

    @classmethod
    def parse(
        cls, text: str, known: Collection[str] | None = None, now: float | None = None
    ) -> Filter:
        """Read a filter.

        Args:
            known: the names that runs have, as `fields.names` gives them; others are errors then.
            now: seconds since 1970 that `today` and `-24h` count from; the clock's by default.

        Raises:
            Misread: it is no filter; says at which column, and what was expected there.
        """
        reader = _Reader(text, known, time.time() if now is None else now)
        node = reader.read()
        return cls(node, reader.check(node)) if node else cls()

    def __call__(self, run: RunView, group: Group | None = None) -> bool:
        return self._check(run, group)

    def __str__(self) -> str:
        return str(self.node) if self.node else ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that it asks for, each once."""
        return tuple(dict.fromkeys(_fields(self.node))) if self.node else ()


class _Reader:
    """Reads one filter from left to right, and knows the checks of its terms."""

    def __init__(self, text: str, known: Collection[str] | None, now: float) -> None:
        if len(text) > LONGEST:
            raise Misread(LONGEST, f"expected at most {LONGEST:,} characters")
        self._text, self._known, self._now = text, known, now
        self._at, self._depth = 0, 0
        self._checks: dict[Term, Check] = {}

    def read(self) -> Node | None:
        """The whole filter; None where there is none."""
        if self._ended():
            return None
        node = self._or()
        if not self._ended():
            raise self._error("this bracket was never opened")
        return node

    def check(self, node: Node) -> Check:
        """What decides whether a run meets a node that was read here."""
        if isinstance(node, Word):
            return contains(node.text.lower())
        if isinstance(node, Term):
            return self._checks[node]
        if isinstance(node, Not):
            part = self.check(node.part)
            return lambda run, group: not part(run, group)
        parts = [self.check(one) for one in node.parts]
        if isinstance(node, And):
            return lambda run, group: all(part(run, group) for part in parts)
        return lambda run, group: any(part(run, group) for part in parts)

    def _or(self) -> Node:
        parts = [self._and()]
        while self._keyword("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Node:
        parts = [self._not()]
        while not self._ended() and self._text[self._at] != ")" and not self._sees("or"):
            self._keyword("and")
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Node:
        if self._keyword("not"):
            self._deeper()
            denied = Not(self._not())
            self._depth -= 1
            return denied
        if self._ended() or self._sees("and") or self._sees("or"):
            raise self._error("expected a word, a field, `not` or `(`")
        if self._text[self._at] != "(":
            return self._term()
        opened = self._at
        self._deeper()
        self._at += 1
        node = self._or()
        if self._ended():
            raise Misread(opened + 1, "this bracket is never closed")
        self._at += 1
        self._depth -= 1
        return node

    def _term(self) -> Node:
        begin = self._at
        quoted = self._text[begin] in "\"'"
        name = self._quotes() if quoted else self._name()
        if not quoted and (meant := _meant(name)):
            raise Misread(begin + 1, meant)
        after = self._at
        self._ended()
        operator = next((one for one in OPERATORS if self._text.startswith(one, self._at)), "")
        if not operator:
            self._at = after
            if not name:
                raise self._error("expected a word or a field; `not` is for what must not be")
            if name.lower() == "in" and not quoted and self._text[after:].lstrip().startswith("("):
                raise Misread(begin + 1, "values do not come in lists: seed=0 or seed=1")
            return Word(name)
        asked = fields.at(begin + 1 + quoted, name, self._known)
        where = self._at + 1
        self._at += len(operator)
        test = Term(asked, operator, self._value(operator))
        at = (where, self._value_at + 1)
        self._checks[test] = compared(asked, operator, test.value, at, self._now)
        return test

    def _name(self) -> str:
        begin = self._at
        while self._at < len(self._text) and self._text[self._at] not in _ENDS_WORD:
            self._at += 1
        name = self._text[begin : self._at]
        if name in REDUCERS and self._text.startswith("(", self._at):
            self._at = _closing(self._text, self._at)
        return self._text[begin : self._at]

    def _value(self, operator: str) -> str:
        """What stands after an operator; brackets that it opens itself belong to it."""
        if self._ended():
            raise self._error(f"expected a value after {operator}")
        if self._text[self._at] in "\"'":
            return self._quotes()
        if other := next((o for o in OPERATORS if self._text.startswith(o, self._at)), ""):
            raise self._error(f"expected a value after {operator}, not {other}; quotes make it one")
        begin, depth = self._at, 0
        while self._at < len(self._text) and not self._text[self._at].isspace():
            depth += (self._text[self._at] == "(") - (self._text[self._at] == ")")
            if depth < 0:
                break
            self._at += 1
        if begin == self._at:
            raise self._error(f"expected a value after {operator}")
        self._value_at = begin
        return self._text[begin : self._at]

    def _quotes(self) -> str:
        """What stands between quotes; a backslash there makes the sign behind it ordinary."""
        quote, begin, found = self._text[self._at], self._at, list[str]()
        self._value_at = begin + 1
        self._at += 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == "\\" and self._text[self._at + 1 : self._at + 2] in (quote, "\\"):
                self._at += 1
                sign = self._text[self._at]
            elif sign == quote:
                self._at += 1
                return "".join(found)
            found.append(sign)
            self._at += 1
        raise Misread(begin + 1, "this quote is never closed")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error("expected fewer brackets in each other")

    def _ended(self) -> bool:
        """Whether nothing but blanks is left; these are read."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at == len(self._text)

    def _sees(self, keyword: str) -> bool:
        """Whether this keyword comes next: the word, and not the name of a field."""
        self._ended()
        end = self._at + len(keyword)
        if self._text[self._at : end].lower() != keyword:
            return False
        return end == len(self._text) or self._text[end].isspace() or self._text[end] in "()"

    def _keyword(self, keyword: str) -> bool:
        """Whether this keyword comes next; then it is read."""
        here = self._sees(keyword)
        self._at += len(keyword) * here
        return here

    def _error(self, problem: str) -> Misread:
        return Misread(self._at + 1, problem)


def _closing(text: str, opened: int) -> int:
    """Where the bracket that is opened there has been closed."""
    depth = 0
    for at in range(opened, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at + 1
    raise Misread(opened + 1, "this bracket is never closed")


def _fields(node: Node) -> Iterator[Field]:
    if isinstance(node, Term):
        yield node.field
    elif isinstance(node, Not):
        yield from _fields(node.part)
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from _fields(part)


def _bracketed(node: Node, *kinds: type[And] | type[Or]) -> str:
    return f"({node})" if isinstance(node, kinds) else str(node)


def _meant(name: str) -> str:
    """What to write for what has a meaning elsewhere; empty for what has none."""
    if name.startswith("-"):
        return f"did you mean `not {name[1:] or '…'}`? quotes make it a word"
    if len(name) > 2 and name.startswith("/") and name.endswith("/"):
        return f"did you mean name~{name[1:-1]}? quotes make it a word"
    return ""


def _named(text: str, asked: Field | None = None) -> str:
    """A word, or the name of a field, as it is read back."""
    return _in_quotes(text) if _meant(text) else _quoted(text, asked)


def _quoted(text: str, asked: Field | None = None) -> str:
    """A text as it is read back in one piece."""
    plain = text.partition("(")[2][:-1] if asked and asked.reducer != "last" else text
    if text.lower() not in KEYWORDS and plain and not any(sign in _ENDS_WORD for sign in plain):
        return text if not any(sign.isspace() for sign in plain) else _in_quotes(text)
    return _in_quotes(text)


def _in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
