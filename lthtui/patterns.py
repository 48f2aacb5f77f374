"""Regular expressions in linear time: no pattern that a user types makes the app hang.

Python's own engine tries one way after the other and may need years for `(a+)+b`. This one goes
through a text once with all ways at a time, and remembers where each character led. It knows
`. [a-z] [^a-z] \\d \\w \\s \\D \\W \\S ( ) (?: ) | * + ? {m,n} ^ $` and `\\` before any other sign;
letters match in either case. There are no references, look-arounds or word boundaries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST_STATES = 400  # of a pattern, its repetitions written out
MOST_TEXT = 500  # characters that are searched
MOST_COPIES = 100  # of a part, as {m,n} asks for
_MOST_STEPS = 20_000  # that are remembered
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda sign: sign.isalnum() or sign == "_",
    "s": str.isspace,
}

Matches = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern that means nothing; `at` is where, from 0."""

    def __init__(self, at: int, problem: str) -> None:
        super().__init__(problem)
        self.at, self.problem = at, problem


@dataclass(frozen=True)
class _Sign:
    matches: Matches


@dataclass(frozen=True)
class _Edge:
    sign: str


@dataclass(frozen=True)
class _Chain:
    parts: tuple[_Node, ...]


@dataclass(frozen=True)
class _Choice:
    ways: tuple[_Node, ...]


@dataclass(frozen=True)
class _Repeat:
    part: _Node
    least: int
    most: int | None


_Node = _Sign | _Edge | _Chain | _Choice | _Repeat


class Pattern:
    """A pattern, ready to be looked for.

    Raises:
        PatternError: it cannot be read, or is too large.
    """

    def __init__(self, text: str) -> None:
        self._signs: list[tuple[Matches, int]] = []  # by state; what leads on, and where to
        self._ways: dict[int, tuple[int, ...]] = {}  # states that are others at once
        self._edges: dict[int, tuple[str, int]] = {}  # states that are others at ^ or $
        self._goal = self._state()
        self._first = self._build(_Reader(text).read(), self._goal)
        self._steps: dict[tuple[frozenset[int], str, bool], frozenset[int]] = {}

    def found(self, text: str) -> bool:
        """Whether it matches anywhere in the first `MOST_TEXT` characters."""
        text = text[:MOST_TEXT].lower()
        states = self._closed([self._first], "^" if text else "^$")
        for left, sign in zip(range(len(text) - 1, -1, -1), text, strict=True):
            if self._goal in states:
                return True
            step = (states, sign, left == 0)
            states = self._steps.get(step) or self._step(*step)
        return self._goal in states

    def _step(self, states: frozenset[int], sign: str, last: bool) -> frozenset[int]:
        """Where a sign leads, and where a match may begin behind it; never nowhere."""
        onward = [self._signs[at][1] for at in states if self._signs[at][0](sign)]
        if len(self._steps) >= _MOST_STEPS:
            self._steps.clear()
        found = self._closed([*onward, self._first], "$" if last else "")
        self._steps[states, sign, last] = found
        return found

    def _closed(self, states: list[int], edges: str) -> frozenset[int]:
        """These states and all that they are at once, between signs or at the text's edges."""
        seen: set[int] = set()
        while states:
            state = states.pop()
            if state not in seen:
                seen.add(state)
                states += self._ways.get(state, ())
                edge, onward = self._edges.get(state, ("", 0))
                if edge and edge in edges:
                    states.append(onward)
        return frozenset(seen)

    def _state(self, matches: Matches = lambda sign: False, onward: int = 0) -> int:
        if len(self._signs) >= MOST_STATES:
            raise PatternError(0, "expected a smaller pattern")
        self._signs.append((matches, onward))
        return len(self._signs) - 1

    def _build(self, node: _Node, onward: int) -> int:
        """The state from which a node leads onward."""
        match node:
            case _Sign():
                return self._state(node.matches, onward)
            case _Edge():
                state = self._state()
                self._edges[state] = (node.sign, onward)
                return state
            case _Chain():
                for part in reversed(node.parts):
                    onward = self._build(part, onward)
                return onward
            case _Choice():
                return self._either(*(self._build(way, onward) for way in node.ways))
            case _Repeat():
                return self._repeat(node, onward)

    def _repeat(self, node: _Repeat, onward: int) -> int:
        if node.most is None:
            loop = self._state()
            self._ways[loop] = (self._build(node.part, loop), onward)
            state = loop
        else:
            state = onward
            for _ in range(node.most - node.least):
                state = self._either(self._build(node.part, state), onward)
        for _ in range(node.least):
            state = self._build(node.part, state)
        return state

    def _either(self, *ways: int) -> int:
        state = self._state()
        self._ways[state] = ways
        return state


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def read(self) -> _Node:
        """The whole pattern."""
        node = self._choice()
        if self._at < len(self._text):
            raise PatternError(self._at, "this bracket was never opened; \\) is the sign itself")
        return node

    def _choice(self) -> _Node:
        ways = [self._chain()]
        while self._next("|"):
            ways.append(self._chain())
        return ways[0] if len(ways) == 1 else _Choice(tuple(ways))

    def _chain(self) -> _Node:
        parts = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._one()))
        return _Chain(tuple(parts))

    def _repeated(self, node: _Node) -> _Node:
        begin = self._at
        if self._next("*"):
            node = _Repeat(node, 0, None)
        elif self._next("+"):
            node = _Repeat(node, 1, None)
        elif self._next("?"):
            node = _Repeat(node, 0, 1)
        elif self._next("{"):
            node = _Repeat(node, *self._bounds(begin))
        else:
            return node
        self._next("?")  # shortest first or longest first: there is a match, or there is none
        return node

    def _bounds(self, begin: int) -> tuple[int, int | None]:
        end = self._text.find("}", begin)
        least, comma, most = self._text[begin + 1 : end].partition(",")
        if end < 0 or not least.isdecimal() or not (most.isdecimal() or not most):
            raise PatternError(begin, "expected {m}, {m,} or {m,n}; \\{ is the sign itself")
        self._at = end + 1
        low = int(least[:6])
        high = (int(most[:6]) if most else None) if comma else low
        if max(low, high or 0) > MOST_COPIES or (high is not None and high < low):
            raise PatternError(begin, f"expected m <= n <= {MOST_COPIES}")
        return low, high

    def _one(self) -> _Node:
        begin, sign = self._at, self._text[self._at]
        self._at += 1
        if sign == "(":
            return self._bracket(begin)
        if sign == "[":
            return _Sign(self._set(begin))
        if sign in "*+?{":
            raise PatternError(begin, f"nothing to repeat; \\{sign} is the sign itself")
        if sign == "\\":
            return _Sign(self._escape(begin))
        if sign in "^$":
            return _Edge(sign)
        return _Sign((lambda one: True) if sign == "." else _exactly(sign.lower()))

    def _bracket(self, begin: int) -> _Node:
        if self._next("?") and not self._next(":"):
            raise PatternError(begin, "of what begins with (? only (?: is known")
        self._depth += 1
        if self._depth > 50:
            raise PatternError(begin, "expected fewer brackets in each other")
        node = self._choice()
        if not self._next(")"):
            raise PatternError(begin, "this bracket is never closed; \\( is the sign itself")
        self._depth -= 1
        return node

    def _escape(self, begin: int) -> Matches:
        if self._at == len(self._text):
            raise PatternError(begin, "expected a sign after \\")
        sign = self._text[self._at]
        self._at += 1
        if sign.lower() in _CLASSES:
            inside = _CLASSES[sign.lower()]
            return inside if sign.islower() else _without(inside)
        if sign.isalnum():
            raise PatternError(
                begin, f"\\{sign} is not known; of letters only \\d \\w \\s \\D \\W \\S"
            )
        return _exactly(sign)

    def _set(self, begin: int) -> Matches:
        negated, first = self._next("^"), self._at
        inside: list[Matches] = []
        while self._at < len(self._text):
            if self._text[self._at] == "]" and self._at > first:
                self._at += 1
                return _without(_any(inside)) if negated else _any(inside)
            inside.append(self._range())
        raise PatternError(begin, "this bracket is never closed; \\[ is the sign itself")

    def _range(self) -> Matches:
        """One sign, class or range of a set."""
        begin, low = self._at, self._text[self._at]
        self._at += 1
        if low == "\\":
            return self._escape(begin)
        high = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at : self._at + 1] != "-" or high in ("]", ""):
            return _exactly(low.lower())
        self._at += 2
        if high < low:
            raise PatternError(begin, f"expected a range that goes up, such as {high}-{low}")
        return _between(low, high)

    def _next(self, sign: str) -> bool:
        """Whether this sign comes next; then it is read."""
        here = self._text.startswith(sign, self._at)
        self._at += here
        return here


def _exactly(sign: str) -> Matches:
    return lambda one: one == sign


def _between(low: str, high: str) -> Matches:
    return lambda one: low <= one <= high or low <= one.upper() <= high


def _without(inside: Matches) -> Matches:
    return lambda one: not inside(one)


def _any(inside: list[Matches]) -> Matches:
    return lambda one: any(matches(one) for matches in inside)
