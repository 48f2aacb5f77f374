"""Training curves of what is chosen: a line to choose the level, and a chart for each metric.

What the views of runs hold is drawn at once; everything else is read by the desk once somebody
looks at it, and from then on what is new of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.timer import Timer

from lthtui import sliding, state
from lthtui.linked import Linked
from lthtui.messages import Act, Ask
from lthtui.widgets.chart import ChartView
from lthtui.widgets.slider import Slider

if TYPE_CHECKING:
    from lthtui.desk import Desk
    from lthtui.runview import RunView
    from lthtui.training import Traces

METRICS = "metrics"  # the section of what is remembered that the choice is in
REST = 0.2  # seconds that other runs are looked at before all that there is of them is read
MOST = 4  # charts above one another


class Subject(NamedTuple):
    """What the charts are about; the label is what the runs are called together."""

    runs: tuple[RunView, ...]
    label: str
    colour: str

    @property
    def ids(self) -> tuple[str, ...]:
        """Which runs they are, whatever they are doing."""
        return tuple(run.run_id for run in self.runs)

    @property
    def blank(self) -> bool:
        """Whether nothing can be drawn before it is read, as only a store knows the runs."""
        return all(run.stored for run in self.runs)


class Read(NamedTuple):
    """What was read of a subject; by run and metric. A sketch has some of very many points."""

    subject: Subject
    metrics: tuple[str, ...]
    found: Mapping[str, Mapping[str, Traces]]
    sketch: bool = False


class Training(Vertical):
    """Charts of some metrics above one another, which share x and the cross-hair.

    Args:
        metrics: what is drawn as long as nobody chooses something else.
        kind: what the choice is remembered under.
    """

    def __init__(self, metrics: Sequence[str], kind: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._metrics, self._kind = tuple(metrics), kind
        self._subject: Subject | None = None
        self._level: int | None = None
        self._drawn: tuple[str, ...] = ()
        self._panels: dict[int, object] = {}  # by chart, what it was made of
        self._asked: object = None  # which runs and metrics the desk was asked for last
        self._read: Read | None = None
        self._rest: Timer | None = None
        self._unseen = False  # whether reading waits until somebody sees the charts

    def compose(self) -> ComposeResult:
        """The line, and as many charts as there may be."""
        linked = Linked()
        yield Slider(self.choose)
        for _ in range(MOST):
            chart = ChartView(kind="training")
            chart.link(linked)
            chart.display = False
            yield chart

    def on_mount(self) -> None:
        """Draw what was chosen last."""
        # Show is not sent where something asks for the layout before the screen's own refresh
        self.screen.screen_layout_refresh_signal.subscribe(self, self._laid_out)
        found = state.get(METRICS, self._kind)
        if isinstance(found, list) and found and all(isinstance(one, str) for one in found):
            self._metrics = tuple(found)

    def about(self, subject: Subject | None) -> None:
        """Draw these runs as they are now; other runs begin with their newest level."""
        before, self._subject = self._subject, subject
        if subject is None or before is None or subject.ids != before.ids:
            self._level, self._read, self._asked = None, None, None
            self._draw()
            if before is None and subject is not None and subject.blank:
                self._ask()
            else:
                self._wait()
            return
        if self._read is None:
            self._draw()
        if self._asked is not None:  # one that is under way is not asked again; a failed one is
            self._ask()

    def focus(self, scroll_visible: bool = True) -> Self:
        """Give the focus to the first chart."""
        self.query(ChartView).first().focus(scroll_visible)
        return self

    def choose(self, level: int | None) -> None:
        """Draw another level; None for the newest."""
        self._level = level
        self._draw()

    def step(self, by: int) -> None:
        """Draw the level that many further in the row."""
        self.query_one(Slider).step(by)

    def pick(self) -> None:
        """Ask which metrics are to be drawn."""
        from lthtui.screens.metrics import MetricsScreen

        runs = self._subject.runs if self._subject else ()
        values = {name: value for run in runs for name, value in run.metrics.items()}
        if values:
            self.app.push_screen(MetricsScreen(values, self._drawn, MOST), self._take_metrics)

    def _take_metrics(self, metrics: tuple[str, ...] | None) -> None:
        if metrics:
            self._metrics, kind = metrics, self._kind
            self.screen.post_message(Act(lambda desk: desk.memory.put(METRICS, kind, metrics)))
            self._draw()
            self._ask()

    # ---- reading

    def _wait(self) -> None:
        """Read once these runs have been looked at for a moment."""
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._ask)

    def _laid_out(self, _: Screen[object]) -> None:
        """Read what was not read as nobody saw it."""
        if self._unseen:
            self._ask()

    def _ask(self) -> None:
        """Have the desk read what is drawn, or what is new of it, once somebody sees it."""
        subject, metrics = self._subject, self._drawn
        self._unseen = subject is not None and not self.is_on_screen
        if subject is None or self._unseen:
            return

        first = self._read is None

        def read(desk: Desk) -> Read:
            sketch = desk.histories.sketch(subject.runs, metrics) if first else None
            found = desk.histories.read(subject.runs, metrics) if sketch is None else sketch
            return Read(subject, metrics, found, sketch is not None)

        asked = (subject.ids, metrics)
        patient, self._asked = asked == self._asked, asked
        self.screen.post_message(
            Ask(self.screen, f"histories {self.id}", read, self._take, patient=patient)
        )

    def _take(self, read: Read) -> None:
        """Draw what was read; read on if that was a sketch, or there is something new meanwhile."""
        if (read.subject.ids, read.metrics) != self._asked:
            return
        self._read = read
        self._draw()
        if read.sketch or read.subject is not self._subject:
            self._ask()

    # ---- drawing

    def _draw(self) -> None:
        slider, charts = self.query_one(Slider), [*self.query(ChartView)]
        if self._subject is None:
            slider.show(None)
            self._panels.clear()
            for chart in charts:
                chart.show(None)
            return
        from lthtui import training

        runs, label, colour = self._subject
        before, self._drawn = self._drawn, training.drawable(self._metrics, runs)[:MOST]
        found = {name: [self._traces(run, name) for run in runs] for name in self._drawn}
        every = (traces or {} for each in found.values() for traces in each)
        more = sorted({level for traces in every for level in traces} - {training.WHOLE})
        slide = sliding.slide(runs, more, self._level)
        slider.show(slide)
        for index, chart in enumerate(charts):
            chart.display = index < len(self._drawn)
            name = self._drawn[index] if chart.display else ""
            if name != "".join(before[index : index + 1]):
                chart.show(None)  # another metric is looked at from its own beginning to its end
            level = slide.level if slide else None
            made_of = (name, self._subject.ids, level, label, colour, found.get(name))
            if made_of != self._panels.get(index):
                self._panels[index] = made_of
                if name:
                    chart.show(training.panel(name, runs, found[name], level, label, colour))

    def _traces(self, run: RunView, metric: str) -> Traces | None:
        """What was read of a metric, or else what the view of the run has."""
        from lthtui import training

        if self._read and metric in self._read.metrics:
            found = self._read.found.get(run.run_id, {}).get(metric)
            return {} if found is None and not self._read.sketch else found
        return training.viewed(run, metric)
