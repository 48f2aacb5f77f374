"""Texts in columns that are too narrow for them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
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


def told_apart(names: Iterable[str], width: int) -> dict[str, str]:
    """Names that would look alike in a width in cells, and what of them does not.

    They lose words that tell them from no other, and settings their names, before their ends; names
    without such an end, as those of files, keep whole words at both of theirs.
    """
    every = [*dict.fromkeys(names)]
    cut = {name: fitted(shortened(name, width), width, right=False) for name in every}
    looks = Counter(cut.values())
    alike = [name for name in every if looks[cut[name]] > 1]
    follow = _following(every) if alike else {}
    plain = [name for name in alike if not _end(name)]
    known = Counter(ends for name in every for ends in _both_ends(name)) if plain else Counter()
    told = {name: _by_ends(name, known, width) for name in plain}
    return {name: told.get(name) or _telling(name, follow, width) for name in alike}


def _following(names: Iterable[str]) -> Mapping[str, set[str]]:
    """By the beginning of names, the words that come next."""
    found = defaultdict[str, set[str]](set)
    for name in names:
        for begin, word in _words(name.removesuffix(_end(name))):
            found[begin].add(word)
    return found


def _telling(name: str, follow: Mapping[str, set[str]], width: int) -> str:
    """What tells a name from others: in words if that has room, or else without settings' names."""
    end = _end(name)
    words = [*_words(name.removesuffix(end))]
    kept = [one if len(follow[begin]) > 1 or one.isspace() else "…" for begin, one in words]
    bare = [one.rpartition("=")[2] for one in kept]
    most = width - cell_len(end)
    texts = [_ELIDED.sub("…", "".join(one)) for one in (kept, bare)]
    text = next((one for one in texts if cell_len(one) <= most), texts[-1])
    return (text if cell_len(text) <= most else set_cell_size(text, most - 1) + "…") + end


def _by_ends(name: str, known: Mapping[tuple[str, str], int], width: int) -> str:
    """A name without its middle, if no other has the same ends; empty where that cannot be."""
    indented = len(name) - len(name.lstrip())
    fits = (
        f"{begin}…{end}"
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
