r"""A line of a log as a terminal would show it in the end: `\r` rewrites it, colours become tones.

Of all escape sequences only those that choose a colour are understood, and of them only which of
the theme's colours comes next: nothing can be hidden, moved or written elsewhere by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lthtui.text import clean

Part = tuple[int, int, str]  # from, to, tone
LONGEST = 20_000  # signs of a line that are shown, and searched

_COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
_ERASE = re.compile(rb"\x1b\[[0-2]?K")
_TIME = re.compile(
    r"\[?(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?(?=\s)"
)
_TONES = ("", "failed", "running", "queued", "name", "paused", "finished", "")  # black to white
_ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL)\b|\b(?:[Ee]rror|fatal|FAILED)[:\]]|^Traceback \(|"
    r"Traceback \(most recent|\w(?:Error|Exception|Interrupt)\b|[Oo]ut of memory|\bfailed$|"
    r"^Killed\b|Segmentation fault|core dumped|above exception"
)
_WARNING = re.compile(r"\bWARN(?:ING)?\b|\b[Ww]arn(?:ing)?[:\]]|\w+Warning\b")
_HINTS = (  # whatever either of these finds has one of them
    *("WARN", "arn:", "arn]", "arning", "ERROR", "CRITICAL", "FATAL", "rror", "fatal", "FAILED"),
    *("Traceback (", "xception", "Interrupt", "ut of memory", "failed", "Killed"),
    *("Segmentation", "core dumped"),
)
_RAW_HINTS = tuple(hint.encode() for hint in _HINTS)


class LogLine(NamedTuple):
    """One line.

    Attributes:
        start: the byte of the log where it begins.
        text: what is shown of it, cleaned.
        colours: the tones that its writer chose for parts of it.
    """

    start: int
    text: str
    colours: tuple[Part, ...] = ()


def read(line: bytes, start: int = 0) -> LogLine:
    """A line from the bytes of one, without its newline."""
    if b"\r" in line:
        line = next((part for part in reversed(line.split(b"\r")) if part.strip()), b"")
    if b"\x1b" not in line:
        return LogLine(start, clean(line.decode(errors="replace").expandtabs(4), LONGEST))
    return _coloured(_ERASE.sub(b"", line).decode(errors="replace").expandtabs(4), start)


def shown(line: bytes) -> str:
    """What is shown of the bytes of a line."""
    return read(line).text


def level(text: str) -> str:
    """What a line is by its words: `error`, `warning` or nothing of both."""
    if not any(hint in text for hint in _HINTS):
        return ""
    if _ERROR.search(text):
        return "error"
    return "warning" if _WARNING.search(text) else ""


def parts(line: LogLine) -> list[Part]:
    """The tones of a line from its first sign to its last."""
    text = line.text
    found = level(text)
    tone = {"error": "failed", "warning": "queued"}.get(found, "")
    time = _TIME.match(text)
    at = time.end() if time else 0
    told: list[Part] = [(0, at, "dim")] if at else []
    for begin, end, chosen in line.colours:
        begin, end = max(begin, at), max(end, at)
        told += [(at, begin, tone), (begin, end, chosen)]
        at = end
    return [part for part in (*told, (at, len(text), tone)) if part[0] < part[1]]


class Alarms:
    """Tells, line after line, which ones are warnings, errors, or belong to one.

    What is indented below such a line belongs to it, as does the line that ends a traceback.
    """

    def __init__(self) -> None:
        self._before, self._tracing = False, False

    def keeps(self, text: str) -> bool:
        """Whether the next line is one of them."""
        if text[:1].isspace():
            return self._before
        kept = self._tracing or bool(level(text))
        self._tracing = "Traceback (" in text
        self._before = kept
        return kept


def alarms(data: bytes, start: int) -> Iterator[LogLine]:
    """The warnings and errors in whole lines of a log that begin at a byte of it.

    Only lines that may be one, and what is below them, are looked at.
    """
    done = 0
    for begin in _hinted(data):
        at, keeps = begin, Alarms().keeps
        while done <= at < len(data):
            end = data.find(b"\n", at)
            end = len(data) if end < 0 else end
            line = read(data[at:end], start + at)
            if not keeps(line.text):
                break
            yield line
            at = done = end + 1


def _hinted(data: bytes) -> list[int]:
    """Where lines begin that have a hint at a warning or an error in them."""
    found = set()
    for hint in _RAW_HINTS:
        at = data.find(hint)
        while at >= 0:
            found.add(data.rfind(b"\n", 0, at) + 1)
            at = data.find(hint, at + 1)
    return sorted(found)


def _coloured(line: str, start: int) -> LogLine:
    """A line with escape sequences in it; one that is too long is cut, without its colours."""
    bare = _COLOUR.sub("", line)
    if len(bare) > LONGEST:
        return LogLine(start, clean(bare, LONGEST))
    text, at, tone = "", 0, ""
    colours: list[Part] = []
    for match in (*_COLOUR.finditer(line), None):
        piece = clean(line[at : match.start() if match else None], LONGEST)
        if tone and piece:
            colours.append((len(text), len(text) + len(piece), tone))
        text += piece
        if match is not None:
            at, tone = match.end(), _tone(match[1], tone)
    return LogLine(start, text, tuple(colours))


def _tone(codes: str, before: str) -> str:
    """The tone after a sequence that chooses colours."""
    numbers = [int(code) if code.isdecimal() else 0 for code in re.split("[;:]", codes[:100])]
    tone = before
    while numbers:
        code = numbers.pop(0)
        if code in (38, 48, 58):  # one of 256 colours, or of all
            kind = numbers[:1]
            chosen = numbers[1] if kind == [5] and len(numbers) > 1 else None
            del numbers[: 2 if kind == [5] else 4]
            if code == 38:
                tone = _TONES[chosen % 8] if chosen is not None and chosen < 16 else ""
        elif code in (0, 39):
            tone = ""
        elif code == 2:
            tone = "dim"
        elif 30 <= code <= 37 or 90 <= code <= 97:
            tone = _TONES[code % 10]
    return tone
