"""How long things take, side by side on a machine that others use, too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

WARM, LEAST = 2, 3  # calls of each before any counts, and rounds however long they take


def rounds(
    actions: Mapping[str, Callable[[], object]],
    most: int,
    seconds: float,
    wait: Callable[[], object],
    tick: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds that actions took, in rounds of one call of each: what disturbs, disturbs all alike.

    Args:
        most: rounds, or fewer once `seconds` have passed.
        wait: returns when the device has done what it was told.
        tick: called before every round.
    """
    for action in actions.values():
        for _ in range(WARM):
            action()
    wait()
    times: dict[str, list[float]] = {name: [] for name in actions}
    end, made = clock() + seconds, 0
    while made < most and (made < LEAST or clock() < end):
        tick()
        for name, action in actions.items():
            began = clock()
            action()
            wait()
            times[name].append(clock() - began)
        made += 1
    return times


def summary(times: Sequence[float], dense: Sequence[float]) -> dict[str, float]:
    """Quartiles over rounds: of times, in milliseconds, and of how many times faster than dense.

    Args:
        times, dense: in seconds, of the same three or more rounds.
    """
    ratios = [other / own for own, other in zip(times, dense, strict=True)]
    return {
        **_quartiles("ms", [1e3 * one for one in times]),
        **_quartiles("speed-up", ratios),
        "fastest ms": 1e3 * min(times),
        "rounds": len(times),
    }


def _quartiles(of: str, values: Sequence[float]) -> dict[str, float]:
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return {of: median, f"{of} lower quartile": lower, f"{of} upper quartile": upper}
