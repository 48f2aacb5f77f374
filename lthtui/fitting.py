"""Texts in columns that are too narrow for them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from os.path import commonprefix

from rich.cells import cell_len, set_cell_size

SHORT = 5  # characters of a last word that is never cut off
_BREAK = re.compile(r" |(?<!\de)-")  # but for that of 1e-5
_ELIDED = re.compile(r"(?<! ) ?…+|…+")  # but for an indentation


def fitted(text: str, width: int, right: bool) -> str:
    """A text cut or filled up to a width in cells."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - size) + text if right else text + " " * (width - size)


def shortened(text: str, width: int) -> str:
    """A name that is too long loses its middle: the end of it says which seed, or how many."""
    end = _end(text)
    if cell_len(text) <= width or not end or width < 2 * len(end):
        return text
    return f"{set_cell_size(text, width - cell_len(end) - 1)}…{end}"


def apart(names: Iterable[str]) -> int:
    """The width at which names that are shortened can still be told apart."""
    alike: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        alike.setdefault(_end(name), []).append(name)
    return max(
        (
            len(commonprefix((one, other))) + 2 + len(end)
            for end, group in alike.items()
            for one, other in pairwise(group)
        ),
        default=0,
    )


def briefly(names: Iterable[str], width: int) -> dict[str, str]:
    """All names in at most a width in cells, told apart where they can be."""
    every = [*dict.fromkeys(names)]
    cut = {name: fitted(shortened(name, width), width, right=False).rstrip() for name in every}
    return cut | told_apart(every, width)


def told_apart(names: Iterable[str], width: int) -> dict[str, str]:
    """Names that would look alike in a width in cells, and what of them does not.

    They keep what tells them from those that they would look like, and as much of their beginning
    as has room beside that; names without a short last word, as those of files, keep whole words
    at both of their ends if these do as well.
    """
    every = [*dict.fromkeys(names)]
    cut = {name: fitted(shortened(name, width), width, right=False) for name in every}
    alike = defaultdict[str, list[str]](list)
    for name in every:
        alike[cut[name]].append(name)
    groups = [group for group in alike.values() if len(group) > 1]
    plain = [name for group in groups for name in group if not _end(name)]
    known = Counter(ends for name in every for ends in _both_ends(name)) if plain else Counter()
    told = {name: text for name in plain if (text := _by_ends(name, known, width))}
    for group in groups:
        told |= _by_words([name for name in group if name not in told], width)
    looks = Counter((cut | told).values())
    again = [name for name in told if looks[told[name]] > 1]  # as others that it was not cut like
    return told | (_by_words(every, width, again) if again else {})


def _by_words(names: Sequence[str], width: int, asked: Sequence[str] = ()) -> dict[str, str]:
    """Names by as few words in which they differ as it takes, the last ones first.

    Args:
        asked: those that are wanted; all if there are none.
    """
    follow, waiting = _following(names), [*(asked or names)]
    told: dict[str, str] = {}
    for count in range(1, max((len([*_words(name)]) for name in waiting), default=0) + 1):
        texts = {name: _telling(name, follow, count, width) for name in waiting}
        looks = Counter([*texts.values(), *told.values()])
        told |= {name: text for name, text in texts.items() if looks[text] == 1}
        waiting = [name for name in waiting if name not in told]
    return told | {name: _telling(name, follow, len(name), width) for name in waiting}


def _following(names: Iterable[str]) -> Mapping[str, set[str]]:
    """By the beginning of names, the words that come next."""
    found = defaultdict[str, set[str]](set)
    for name in names:
        for begin, word in _words(name.removesuffix(_end(name))):
            found[begin].add(word)
    return found


def _telling(name: str, follow: Mapping[str, set[str]], count: int, width: int) -> str:
    """The last `count` words of a name in which it differs, behind as much of it as has room.

    Settings are without their names where these have no room.
    """
    end = _end(name)
    words = [*_words(name.removesuffix(end))]
    differ = [at for at, (begin, one) in enumerate(words) if _tells(one, follow[begin])][-count:]
    indented = next((at for at, (_, one) in enumerate(words) if not one.isspace()), 0)
    if not differ:
        return fitted(shortened(name, width), width, right=False).rstrip()
    most = width - cell_len(end)
    ways = [(begin, bare) for bare in (False, True) for begin in range(len(words), indented, -1)]
    for begin, bare in (*ways, (indented, False), (indented, True)):
        text = _elided(words, begin, differ, bare)
        if cell_len(text) <= most:
            return text + end
    return set_cell_size(text, most - 1) + "…" + end


def _tells(word: str, others: Collection[str]) -> bool:
    return len(others) > 1 and any(one.isalnum() for one in word)


def _elided(words: Sequence[tuple[str, str]], begin: int, kept: Sequence[int], bare: bool) -> str:
    """The first words up to `begin`, and those that are kept behind them."""
    shown = [
        one if at < begin else (one.rpartition("=")[2] if bare else one) if at in kept else "…"
        for at, (_, one) in enumerate(words)
    ]
    return _ELIDED.sub("…", "".join(shown))


def _by_ends(name: str, known: Mapping[tuple[str, str], int], width: int) -> str:
    """A name without its middle, if no other has the same ends; empty where that cannot be."""
    indented = len(name) - len(name.lstrip())
    fits = (
        _ELIDED.sub("…", f"{begin}…{end}")
        for begin, end in _both_ends(name)
        if known[begin, end] == 1 and len(begin) >= indented
    )
    return next((text for text in fits if cell_len(text) <= width), "")


def _both_ends(name: str) -> Iterator[tuple[str, str]]:
    """What a name begins and ends with, in whole words, the longest beginning first."""
    begins = [begin for begin, _ in _words(name)]
    for at in range(len(begins) - 1, -1, -1):
        for before in begins[at + 1 :]:
            yield begins[at], name[len(before) :]


def _words(name: str) -> Iterator[tuple[str, str]]:
    """The words of a name, each with its space or hyphen, behind what comes before it."""
    begin = 0
    for end in (*(mark.end() for mark in _BREAK.finditer(name)), len(name)):
        yield name[:begin], name[begin:end]
        begin = end


def _end(name: str) -> str:
    """The last word of a name with the space before it, if it is short or a count of runs."""
    _, space, last = name.rstrip().rpartition(" ")
    short = len(last) <= SHORT or last.startswith("n=")
    return space + last if space and last and short else ""
