"""How well a text answers to what somebody typed to find it, in time linear in the text."""

from __future__ import annotations

from dataclasses import dataclass

LETTERS = 0.3  # how much letters that are there, in their order, but apart, count at most
START = 0.1  # what a word that begins with them counts more than one in whose middle they are


@dataclass(frozen=True)
class Match:
    """How good it is, from 0 to 1, and the characters that were meant."""

    score: float
    offsets: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Find all words of a query in a text, upper or lower case; None if one is not in it.

    A word may also be letters that follow one another with others between, which counts less.
    """
    lower, scores = text.lower(), []
    offsets: set[int] = set()
    if len(lower) != len(text):  # a letter whose lower case is two
        lower = text
    for word in query.lower().split():
        found = _word(word, lower)
        if found is None:
            return None
        scores.append(found.score)
        offsets.update(found.offsets)
    return Match(sum(scores) / len(scores), tuple(sorted(offsets))) if scores else None


def _word(word: str, text: str) -> Match | None:
    at = text.find(word)
    if at >= 0:
        share = len(word) / len(text)  # of two texts that have it, the shorter is closer
        begins = START if at == 0 or not text[at - 1].isalnum() else 0.0
        return Match(0.5 + begins + 0.4 * share, tuple(range(at, at + len(word))))
    offsets = []
    for letter in word:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        offsets.append(at)
    spread = offsets[-1] - offsets[0] + 1
    return Match(LETTERS * len(word) / spread, tuple(offsets))
