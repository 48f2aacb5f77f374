"""How busy each device is: a bar, its last minutes, memory, heat, and the runs on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from lthtui.widgets.tones import tone

if TYPE_CHECKING:
    from lthtui.gauges import Gauge, Machine

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
KEPT = 60  # readings of each device that are remembered
WIDE = 72  # cells from which on there is room for the last minutes


class Gauges(Widget):
    """One line for each device and one for the disk; the longest names of runs give way."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._machine: Machine | None = None
        self._names: Mapping[str, str] = {}
        self._past: dict[str, deque[float]] = {}

    def show(self, machine: Machine, names: Mapping[str, str]) -> None:
        """Show a reading; `names` are those of runs, by id. One that was shown is shown anew."""
        before, self._machine, self._names = self._machine, machine, names
        for gauge in machine.devices if machine is not before else ():
            past = self._past.setdefault(gauge.title, deque(maxlen=KEPT))
            past.append(gauge.busy or 0.0)
        self.refresh(layout=before is None or len(before.devices) != len(machine.devices))

    def render(self) -> Text:
        """Draw all lines."""
        if self._machine is None:
            return Text("")
        lines = [self._line(gauge) for gauge in self._machine.devices]
        return Text("\n", no_wrap=True, overflow="ellipsis").join([*lines, self._disk()])

    def _line(self, gauge: Gauge) -> Text:
        dim = tone(self, "dim")
        wide = self.size.width >= WIDE
        line = Text(f"{gauge.title:<6} ", style=tone(self, "name"))
        if gauge.busy is None:
            line.append("the driver does not say", dim)
        else:
            line.append(bar(gauge.busy, 16 if wide else 8), self._heat(gauge.busy))
            line.append(f"{gauge.busy:>5.0%} ")
            if wide:
                line.append(spark(self._past[gauge.title], 16) + " ", dim)
        if gauge.total:
            line.append(f" {_size(gauge.used)}/{_size(gauge.total)}")
        for value, unit in ((gauge.watts, " W"), (gauge.celsius, "°")):
            if value is not None:
                line.append(f" {value:.0f}{unit}", dim)
        names = ", ".join(self._names.get(run, run) for run in gauge.runs)
        if gauge.strangers:
            line.append(f"  somebody else {gauge.strangers}", tone(self, "queued"))
        if names:
            line.append(f"  {names}", tone(self, "running"))
        elif not gauge.strangers:
            line.append(f"  {gauge.model}", dim)
        return line

    def _disk(self) -> Text:
        assert self._machine is not None
        free, whole = self._machine.free, self._machine.disk
        scarce = free < 0.05 * whole
        used = bar(1 - free / whole if whole else 0.0, 16 if self.size.width >= WIDE else 8)
        line = Text(f"{'disk':<6} ", style=tone(self, "name"))
        line.append(used, self._heat(1.0 if scarce else 0.0))
        return line.append(f"  {_size(free)} free of {_size(whole)}")

    def _heat(self, share: float) -> Style:
        return tone(self, "scarce" if share > 0.9 else "ample")


def bar(share: float, width: int) -> str:
    """A bar of a width in cells, to an eighth of one; what is outside of 0 to 1 is cut off."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width, "·")


def spark(values: deque[float], width: int) -> str:
    """The newest values of 0 to 1 as columns, the newest last."""
    newest = list(values)[-width:]
    columns = (LEVELS[min(int(max(value, 0.0) * 8), 7)] for value in newest)
    return "".join(columns).rjust(width)


def _size(count: int) -> str:
    """Bytes in GiB, as people speak of memory."""
    gib = count / 2**30
    return f"{gib:.1f}G" if gib < 10 else f"{gib:.0f}G"
