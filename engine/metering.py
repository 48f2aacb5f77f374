"""What a level takes: time, the device's time, and energy where the device reports it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from engine import energy

SECONDS = 10.0  # between readings: a CPU's counter begins anew after some minutes


@dataclass(frozen=True)
class Taken:
    """Seconds of the clock, seconds of the device, and joules; None where nobody counted.

    A GPU's seconds are those for which it was held, a CPU's those of all threads of the process.
    """

    seconds: float = 0.0
    device_seconds: float | None = 0.0
    joules: float | None = 0.0


class Meter:
    """Counts what is taken from when it is made.

    Attributes:
        shared: whether other programs were seen on the device, whose energy is in the sum.
    """

    def __init__(
        self,
        device: str,
        before: Taken | None = None,
        counter: energy.Counter | None = None,
        clock: Callable[[], float] = time.monotonic,
        working: Callable[[], float] = time.process_time,
    ) -> None:
        """Begin to count.

        Args:
            device: its type, as torch calls it.
            before: what earlier processes took for the same.
        """
        self._before = before or Taken()
        self._counter = counter or energy.of(device)
        self._clock = clock
        self._working = clock if device == "cuda" else working
        self._began, self._worked = clock(), self._working()
        self._read_at, self.shared = self._began, False

    def tick(self) -> None:
        """To be called often: looks at the counter now and then."""
        if self._counter is not None and self._clock() - self._read_at >= SECONDS:
            self._look(self._counter)

    def taken(self) -> Taken:
        """What has been taken so far."""
        before, joules = self._before, None
        if self._counter is not None:
            joules = self._look(self._counter)
        return Taken(
            before.seconds + self._clock() - self._began,
            _sum(before.device_seconds, self._working() - self._worked),
            _sum(before.joules, joules),
        )

    def _look(self, counter: energy.Counter) -> float | None:
        self._read_at = self._clock()
        self.shared |= counter.others()
        return counter.joules()


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
