"""What charts beside each other share; importing it costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lthtui.charts import How

Span = tuple[float, float]


class Shared(NamedTuple):
    """What linked charts have in common; see `charts.View`."""

    x: Span | None = None
    follow: bool = False
    cursor: float | None = None


class Linked:
    """What charts share: how they are drawn, and by the value of x its range and the cross-hair.

    Charts over different kinds of x, told apart by name, do not disturb each other. Those over one
    kind of it go from the first to the last x of any, and labels of y take as many cells in all:
    what is above one another is at one x.

    Attributes:
        how: how they are drawn; None before the first of them is.
    """

    def __init__(self) -> None:
        self.how: How | None = None
        self._shared: dict[str, Shared] = {}
        self._spans: dict[object, tuple[str, Span]] = {}
        self._margins: dict[object, int] = {}
        self._changed: list[Callable[[], object]] = []

    def join(self, changed: Callable[[], object]) -> None:
        """Have a function called when something that is shared changes."""
        self._changed.append(changed)

    def leave(self, changed: Callable[[], object]) -> None:
        """Have it called no more."""
        self._changed.remove(changed)

    def of(self, x: str) -> Shared:
        """What is shared by the charts over one kind of x."""
        return self._shared.get(x, Shared())

    def change(self, x: str, shared: Shared) -> None:
        """Share something else."""
        if shared != self.of(x):
            self._shared[x] = shared
            self._tell()

    def reach(self, x: str) -> Span | None:
        """From where to where the charts over one kind of x go; None where there is nothing."""
        spans = [span for kind, span in self._spans.values() if kind == x]
        if not spans:
            return None
        return min(low for low, _ in spans), max(high for _, high in spans)

    def span(self, chart: object, x: str, span: Span | None) -> None:
        """Note from where to where one chart goes; None for one that is no longer drawn."""
        kinds = {x, self._spans.get(chart, (x,))[0]}
        before = [self.reach(kind) for kind in kinds]
        self._spans.pop(chart, None)
        if span is not None:
            self._spans[chart] = x, span
        if before != [self.reach(kind) for kind in kinds]:
            self._tell()

    @property
    def margin(self) -> int:
        """How many cells the labels of y get in each chart."""
        return max(self._margins.values(), default=0)

    def label(self, chart: object, margin: int) -> None:
        """Note how many cells one chart's labels of y have to have; 0 once it is drawn no more."""
        before, self._margins[chart] = self.margin, margin
        if not margin:
            del self._margins[chart]
        if before != self.margin:
            self._tell()

    def draw(self, how: How) -> None:
        """Have all charts drawn in another way."""
        if how != self.how:
            self.how = how
            self._tell()

    def _tell(self) -> None:
        for changed in self._changed:
            changed()
