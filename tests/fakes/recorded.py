"""A command on a pseudo-terminal: what it wrote with the times at which that came, and its cost."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyte
from terminal import Terminal

TICKS = os.sysconf("SC_CLK_TCK")


class Moment(NamedTuple):
    """A point in time, or the time between two.

    Attributes:
        at: seconds by `time.perf_counter()`.
        waited: seconds that the program's first thread had waited for a core of a busy machine.
    """

    at: float
    waited: float

    @property
    def own(self) -> float:
        """What it would have been on an idle machine."""
        return self.at - self.waited


@dataclass(frozen=True)
class Cost:
    """What a program has taken so far.

    Attributes:
        cpu: seconds of a core.
        wakes: how often one of its threads had waited and went on.
        written: bytes to the terminal.
        resident: bytes of memory.
    """

    at: float
    cpu: float
    wakes: int
    written: int
    resident: int


class Recorded(Terminal):
    """Starts the command; a thread reads what it writes as soon as it comes.

    Attributes:
        chunks: when bytes came, and the bytes.
    """

    def __init__(self, command: Sequence[str], columns: int, rows: int, **variables: str) -> None:
        super().__init__(command, columns, rows, **variables)
        self.size = columns, rows
        self.chunks: list[tuple[Moment, bytes]] = []
        self._fed = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        """What is on the screen now."""
        known = len(self.chunks)
        for _, data in self.chunks[self._fed : known]:
            self._stream.feed(data)
        self._fed = known
        return [line.rstrip() for line in self.screen.display]

    def now(self) -> Moment:
        """This moment."""
        try:
            waited = int(Path("/proc", str(self.process.pid), "schedstat").read_text().split()[1])
        except OSError:  # it has ended
            waited = 0
        return Moment(time.perf_counter(), waited / 1e9)

    def press(self, key: bytes) -> Moment:
        """Type a key; when that was."""
        began = self.now()
        self.type(key)
        return began

    def cost(self) -> Cost:
        """What the program has taken so far."""
        proc = Path("/proc", str(self.process.pid))
        times = (proc / "stat").read_text().rpartition(")")[2].split()
        wakes = 0
        for task in (proc / "task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    wakes += int(line.split()[1])
        resident = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        written = sum(len(data) for _, data in self.chunks)
        cpu = (int(times[11]) + int(times[12])) / TICKS
        return Cost(time.perf_counter(), cpu, wakes, written, resident)

    def replay(self) -> Iterator[tuple[Moment, pyte.Screen]]:
        """The screen after each chunk, and when that came; the screen is the same object."""
        screen = pyte.Screen(*self.size)
        stream = pyte.ByteStream(screen)
        for at, data in self.chunks:
            stream.feed(data)
            yield at, screen

    def close(self) -> None:
        if not self._reader.is_alive():
            return
        self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        self._reader.join()  # which ends as nobody can write any more
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            self.chunks.append((self.now(), data))


def delays(
    recorded: Recorded,
    moments: Iterable[Moment],
    state: Callable[[pyte.Screen], object],
) -> list[Moment]:
    """From each moment to the first chunk after which the screen's state is another.

    The state must be the last that the moment before led to, and each moment change it.
    """
    waiting, found = [*moments], []
    before: object = None
    for now, screen in recorded.replay():
        seen = state(screen)
        if waiting and now.at >= waiting[0].at and seen != before:
            began = waiting.pop(0)
            found.append(Moment(now.at - began.at, now.waited - began.waited))
        before = seen
    return found
