"""What a run has to be like to meet one term of a filter: a word, or a comparison."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.errors import did_you_mean
from lthtui.fields import ANSWERS, Field, Misread, Value, number
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.board import Group
    from lthtui.runview import RunView

STATUSES = ("queued", "running", "stalled", "paused", "finished", "failed", "stopped", "lost")
YES, NO = ("yes", "true", "1"), ("no", "false", "0")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")

Check = Callable[["RunView", "Group | None"], bool]
_Asked = Callable[[Value], bool]


def contains(text: str) -> Check:
    """What finds a word in all that a run is called by."""

    def check(run: RunView, group: Group | None) -> bool:
        label = group.label if group else ""
        names = (run.name, label, run.display_name, run.run_id, run.experiment, run.status)
        facts = (run.sparsifier, run.dataset, run.model, str(run.repetition))
        return text in " ".join((*names, *facts)).lower()

    return check


def compared(field: Field, operator: str, text: str, at: tuple[int, int], now: float) -> Check:
    """What compares a field with a value.

    Args:
        at: the columns at which the operator and the value stand.
        now: seconds since 1970 that `today` and `-24h` count from.

    Raises:
        Misread: the operator or the value does not go with the field.
    """
    of, missing = field.of, operator.startswith("!")
    asked = _asked(field, operator, text, at, now)

    def check(run: RunView, group: Group | None) -> bool:
        value = of(run, group)
        return missing if value is None else asked(value)

    return check


def _asked(field: Field, operator: str, text: str, at: tuple[int, int], now: float) -> _Asked:
    """What a value has to be like; see `compared`."""
    where, column = at
    if operator in (":", "~", "!~"):
        if field.numeric:
            raise Misread(where, f"{field.name} is a number; expected = != < <= > or >=")
        return _matching(operator, text, column)
    if field.kind == "time":
        return _within(operator, *_moments(text, column, now))
    wanted = _figure(field, text, column)
    if field.name in ANSWERS and operator in ("=", "!="):
        return _like(operator, _answer(text, column), None)
    if field.name == "status" and operator in ("=", "!=") and text.lower() not in STATUSES:
        hint = did_you_mean(text, [*STATUSES])
        raise Misread(column, f"expected a status: {', '.join(STATUSES)}{hint}")
    return _like(operator, text.lower(), wanted)


def _answer(text: str, at: int) -> str:
    """`yes` or `no`, however it was written."""
    if text.lower() not in (*YES, *NO):
        raise Misread(at, f"expected yes or no, not '{clean_line(text, 20)}'")
    return YES[0] if text.lower() in YES else NO[0]


def _matching(operator: str, text: str, at: int) -> _Asked:
    from lthtui.patterns import Pattern, PatternError  # not before somebody writes one

    if operator == ":":
        glob = re.compile(fnmatch.translate(text.lower()))
        return lambda value: bool(glob.match(str(value).lower()))
    try:
        pattern = Pattern(text)
    except PatternError as error:
        raise Misread(at + error.at, error.problem) from None
    wanted = operator == "~"
    return lambda value: pattern.found(str(value)) == wanted


def _within(operator: str, begin: float, end: float) -> _Asked:
    """What compares times with a stretch of time."""
    checks: dict[str, Callable[[float], bool]] = {
        "=": lambda value: begin <= value < end or begin == value,
        "!=": lambda value: not (begin <= value < end or begin == value),
        "<": lambda value: value < begin,
        "<=": lambda value: value < end or value == begin,
        ">": lambda value: value >= end and value != begin,
        ">=": lambda value: value >= begin,
    }
    check = checks[operator]
    return lambda value: isinstance(value, float) and check(value)


def _like(operator: str, text: str, wanted: float | None) -> _Asked:
    """What compares as numbers where both are numbers, and as text where neither is."""
    if operator == "!=":
        same = _like("=", text, wanted)
        return lambda value: not same(value)
    number_check, text_check = _NUMBERS[operator], _TEXTS[operator]

    def check(value: Value) -> bool:
        figure = number(value) if isinstance(value, str) else value
        if wanted is not None and figure is not None:
            return number_check(figure, wanted)
        both = wanted is None and figure is None
        return (both or operator == "=") and text_check(str(value).lower(), text)

    return check


_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda one, other: one == other or (one != one and other != other),
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _figure(asked: Field, text: str, at: int) -> float | None:
    """The number that a value is; None for text, where the field may be text.

    Raises:
        Misread: the field's values are numbers, and this is none.
    """
    share = text.endswith("%")
    found = number(text[:-1] if share else text)
    if found is not None:
        found = found / 100 if share else found
        if asked.kind == "share" and not share and math.isfinite(found) and abs(found) > 1:
            hint = f"{clean_line(text, 20)}%"
            raise Misread(at, f"{asked.name} is a share of 1; expected one, or {hint}")
        return found
    if asked.kind == "seconds" and (_SPAN.fullmatch(text) or re.fullmatch(r"\d+(:\d\d)+", text)):
        return _span(text)
    if asked.numeric:
        example = {"share": "60% or 0.6", "seconds": "90, 1:30 or 1h30m"}.get(asked.kind, "0.5")
        raise Misread(at, f"{asked.name} is a number; expected one such as {example}")
    return None


def _span(text: str) -> float:
    """Seconds of `1h30m` or `1:30:00`."""
    if ":" in text:
        return sum(60.0**power * int(part) for power, part in enumerate(text.split(":")[::-1]))
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    return sum(float(count) * _UNITS[unit] for count, unit in parts)


def _moments(text: str, at: int, now: float) -> tuple[float, float]:
    """When what a text says begins and ends, in seconds since 1970."""
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if text.lower() in ("today", "yesterday"):
        begin = today - timedelta(days=text.lower() == "yesterday")
        return begin.timestamp(), (begin + timedelta(days=1)).timestamp()
    if text.startswith("-") and _SPAN.fullmatch(text[1:]):
        moment = now - _span(text[1:])
        return moment, moment
    try:
        begin = datetime.fromisoformat(text)
        lasts = timedelta(days=1) if len(text) <= 10 else timedelta(minutes=1)
        lasts = timedelta(seconds=1) if len(text) > 16 else lasts
        return begin.timestamp(), (begin + lasts).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Misread(
            at, "expected a time: 2026-11-20, 2026-11-20T14:00, today, yesterday or -24h"
        ) from None
