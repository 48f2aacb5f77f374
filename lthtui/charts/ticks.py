"""Round values that name the places of an axis, and how values are written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import numpy as np

Unit = Literal["number", "percent", "count", "seconds", "clock"]
Ticks = list[tuple[float, str]]
FACTORS = (1, 2, 5, 10)
CLOCK = (-6e10, 2.5e11)  # seconds since 1970 that calendars of four-digit years have a name for
MINUTE, HOUR, DAY = 60, 3600, 86400
TIMES = (
    *(1, 2, 5, 10, 15, 30),
    *(MINUTE * step for step in (1, 2, 5, 10, 15, 30)),
    *(HOUR * step for step in (1, 2, 3, 6, 12)),
    *(DAY * step for step in (1, 2, 5)),
)


def linear(low: float, high: float, most: int, unit: Unit = "number") -> Ticks:
    """At most about `most` multiples of 1, 2 or 5 times a power of ten, or of a round time."""
    if unit == "clock" and not (CLOCK[0] <= low and high <= CLOCK[1]):
        unit = "number"
    if unit in ("seconds", "clock") and high - low >= most:
        return _times(low, high, most, unit)
    factor, sign = (100.0, "%") if unit == "percent" else (1.0, "")
    values, step = _steps(low * factor, high * factor, most, 1.0 if unit == "count" else 0.0)
    if unit in ("seconds", "clock"):
        sign = "s"
    return [(value / factor, _in_steps(value, step) + sign) for value in values]


def log(low: float, high: float, most: int, unit: Unit = "number") -> Ticks:
    """At most `most` steps of 1-2-5; finer ones in a narrow range, coarser ones in a wide one."""
    factor, sign = (100.0, "%") if unit == "percent" else (1.0, "")
    values = _log(low * factor, high * factor, most)
    return [(value / factor, short(value) + sign) for value in values]


def symlog(low: float, high: float, flat: float, most: int, unit: Unit = "number") -> Ticks:
    """Zero and powers of ten to both sides, from the power at which the axis begins to bend."""
    factor, sign = (100.0, "%") if unit == "percent" else (1.0, "")
    top = max(abs(low), abs(high))
    powers = range(round(np.log10(flat)), int(np.floor(np.log10(max(top, flat)) + 1e-9)) + 1)
    for every in range(1, len(powers) + 1):
        sizes = [float(f"1e{power}") for power in powers[::-1][::every]]
        values = sorted({0.0, *sizes, *(-size for size in sizes)})
        values = [value for value in values if low <= value <= high]
        if len(values) <= most:
            break
    if len(values) < 2:
        return linear(low, high, most, unit)
    return [(value, short(value * factor) + sign) for value in values]


def exact(value: float, unit: Unit) -> str:
    """A value as a cross-hair shows it: with more digits than a tick."""
    if not np.isfinite(value):
        return str(float(value))
    if unit == "percent":
        return f"{100 * value:.2f}%"
    if unit == "seconds":
        return _span(value, 1)
    if unit == "clock" and CLOCK[0] <= value <= CLOCK[1]:
        return time.strftime("%d %b %H:%M:%S", time.localtime(value))
    if unit == "count":
        return f"{value:,.6g}" if value % 1 else f"{value:,.0f}"
    return f"{value:.4g}"


def short(value: float) -> str:
    """A number in a few characters."""
    value += 0.0  # no minus before zero
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit or (unit == 1e6 and abs(value) >= unit):
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


def _steps(low: float, high: float, most: int, least: float) -> tuple[list[float], float]:
    """Multiples of 1, 2 or 5 times a power of ten, and their distance, at least `least`."""
    rough = max((high - low) / max(most, 1), least)
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(power * k for k in FACTORS if power * k >= rough * (1 - 1e-9)))
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    if last - first > 4 * max(most, 1) or step < 4 * np.spacing(max(abs(low), abs(high))):
        return [low, high], high - low  # the range is at the limit of floating point
    return [float(step * turn) for turn in np.arange(first, last + 1)], step


def _times(low: float, high: float, most: int, unit: Unit) -> Ticks:
    """Round times of day, or round spans of time."""
    rough = (high - low) / max(most, 1)
    step = next((step for step in TIMES if step >= rough), None)
    if step is None:
        step = DAY * round(_steps(0, (high - low) / DAY, most, 1)[1])
    shift = time.localtime(low).tm_gmtoff if unit == "clock" else 0
    first, last = -(-(low + shift) // step), (high + shift) // step
    values = [float(turn * step - shift) for turn in np.arange(first, last + 1)]
    say = _clock if unit == "clock" else _span
    return [(value, say(value, step)) for value in values]


def _span(seconds: float, step: float) -> str:
    """`h:mm`, with seconds where neighbours need them."""
    minutes, rest = divmod(round(abs(seconds)), MINUTE)
    text = f"{minutes // 60}:{minutes % 60:02d}" + ("" if step >= MINUTE else f":{rest:02d}")
    return f"-{text}" if seconds < 0 else text


def _clock(seconds: float, step: float) -> str:
    """A time of day; a day at midnight."""
    local = time.localtime(seconds)
    if step >= DAY or not (local.tm_hour or local.tm_min or local.tm_sec):
        return time.strftime("%d %b", local)
    return time.strftime("%H:%M" if step >= MINUTE else "%H:%M:%S", local)


def _log(low: float, high: float, most: int) -> list[float]:
    for coarser in ((1, 2, 5), (1, 3), (1,)):
        ticks = _decades(low, high, coarser)
        if len(ticks) <= most:
            break
    for finer in ((1, 2, 3, 5, 7), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        if len(ticks) < 4 and len(_decades(low, high, finer)) <= most:
            ticks = _decades(low, high, finer)
    if len(ticks) < 2:
        return _steps(low, high, most, 0.0)[0]
    return ticks[:: max(1, -(-len(ticks) // max(most, 1)))]


def _decades(low: float, high: float, factors: Sequence[int]) -> list[float]:
    """These multiples of the powers of ten in a range."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def _in_steps(value: float, step: float) -> str:
    """A tick's label with as many decimals as neighbours need."""
    size = max(abs(value), step)
    if size >= 1e4 or size < 1e-4 or step < 1e-6:
        return short(value)
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return f"{value + 0.0:.{decimals}f}"
