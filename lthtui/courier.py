"""The runs of a server as the screens show them, fetched by a thread of their own in its own time.

Whoever looks never waits for the server. One thing is asked at a time: all runs now and then, in
between those that run or have just ended, and histories of metrics only when they are wanted.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.errors import StoreAway, StoreDenied, StoreError
from lthtui import storedruns, strangers
from lthtui.records import RunSummary, TicketRecord
from lthtui.runview import RunView
from lthtui.shelf import told
from lthtui.store import Store
from lthtui.text import clean_line

POLL, LONGEST = 5.0, 60.0  # seconds between looks at what changes, and most while it is away
DOUBLED = 10  # times at most
FULL = 60.0  # seconds at least between two looks at all runs
SHARE = 0.2  # of the time that may go into asking the same again and again
LATE = 600.0  # seconds by which the clocks of those who end runs may differ
LOST = 20  # runs that are asked after one by one at a time
SHOW = 0.5  # seconds between two reports of histories that are being read


@dataclass(frozen=True)
class History:
    """A metric of a run as it was read.

    Attributes:
        run: as it was then.
        extremes: None where nothing is a number, or the server would not tell.
        next: when it may be read again, by the monotonic clock.
    """

    run: RunSummary
    extremes: tuple[float, float] | None
    next: float


@dataclass(frozen=True)
class State:
    """What is known at a time; see `Shelf`."""

    runs: Mapping[str, RunView]
    trouble: str = ""
    since: float | None = None
    remark: str = ""


class ServerShelf:
    """See `Shelf`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state = self._seen = State({}, remark=f"asking {clean_line(store.uri)}…")
        self._wanted: frozenset[str] = frozenset()
        self._wake, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
        self._experiments: dict[str, str] = {}
        self._known: dict[str, RunSummary] = {}
        self._tickets: dict[str, tuple[TicketRecord, ...]] = {}
        self._views: dict[str, tuple[tuple[object, ...], RunView]] = {}
        self._histories: dict[tuple[str, str], History] = {}
        self._read_at: float | None = None
        self._failures, self._not_before = 0, 0.0
        self._full_at = self._quick_at = self._show_at = 0.0

    @property
    def runs(self) -> Mapping[str, RunView]:
        """See `Shelf`."""
        return self._seen.runs

    @property
    def trouble(self) -> str:
        """See `Shelf`."""
        return self._seen.trouble

    @property
    def since(self) -> float | None:
        """See `Shelf`."""
        return self._seen.since

    @property
    def remark(self) -> str:
        """See `Shelf`."""
        return self._seen.remark

    def look(self, wanted: frozenset[str], folders: frozenset[str]) -> bool:
        """See `Shelf.look`; this only takes over what the thread has brought since."""
        if not self._thread.ident:
            self._thread.start()
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()
        before, self._seen = self._seen, self._state
        return before is not self._seen

    def close(self) -> None:
        """See `Shelf.close`; an answer that is awaited just now is not waited for."""
        self._closed = True
        self._store.close()
        self._wake.set()

    # ---- in the thread

    def _work(self) -> None:
        while not self._closed:
            try:
                pause = self._step()
            except Exception as error:  # such as of an answer that nobody expected
                pause = self._fail(error)
            if pause > 0:
                self._wake.wait(pause)
                self._wake.clear()

    def _step(self) -> float:
        """Do the one thing that is due; seconds until the next one."""
        began = time.monotonic()
        if began < self._not_before:
            return self._not_before - began
        if began >= self._full_at:
            self._read_all()
            took = time.monotonic() - began
            self._full_at = began + max(FULL, took / SHARE)
            self._quick_at = began + max(POLL, took)
        elif began >= self._quick_at:
            self._read_changed()
            self._quick_at = began + max(POLL, (time.monotonic() - began) / SHARE)
        elif (asked := next(self._asked(), None)) is not None:
            self._read_history(*asked)
            self._succeed(time.monotonic() >= self._show_at)
            return time.monotonic() - began  # half of the time is the server's own
        else:
            if not self._state.trouble:
                self._publish()
            return max(min(self._full_at, self._quick_at) - time.monotonic(), 0.0)
        self._succeed()
        return 0.0

    def _succeed(self, show: bool = True) -> None:
        self._failures, self._read_at = 0, time.time()
        if show:
            self._publish()

    def _fail(self, error: Exception) -> float:
        """Keep what is known, say once what is wrong, and stay away for longer each time."""
        pause = min(POLL * 2 ** min(self._failures, DOUBLED), LONGEST)
        later = error.later if isinstance(error, StoreAway) else 0.0
        denied = isinstance(error, StoreDenied)  # asking again and again may lock the account
        pause = LONGEST if denied else max(pause, later)
        self._failures += 1
        self._not_before = time.monotonic() + pause
        if self._failures == 1 or not self._state.trouble:
            self._state = replace(self._state, trouble=told(error), since=self._read_at, remark="")
        return pause

    def _read_all(self) -> None:
        """Read every run; the first time, each part is shown as it comes."""
        first = not self._known
        self._experiments = self._store.experiments()
        found: dict[str, RunSummary] = {}
        for page in self._store.pages(self._experiments):
            found |= {run.mlflow_run_id: self._same(run) for run in page}
            if self._closed:
                return
            if first and time.monotonic() >= self._show_at:
                self._known = found
                self._publish(f"reading runs: {len(found):,} so far")
        self._known, self._tickets = found, self._levels(found.values())
        self._histories = {key: read for key, read in self._histories.items() if key[0] in found}

    def _read_changed(self) -> None:
        """Read runs that are running, that have ended of late, or that were running."""
        self._experiments = self._store.experiments()
        ends = [run.end for run in self._known.values() if run.end is not None]
        late = min(max(ends, default=0.0), time.time()) - LATE
        queries = "attributes.status = 'RUNNING'", f"attributes.end_time > {int(1000 * late)}"
        found = {
            run.mlflow_run_id: run
            for query in queries
            for page in self._store.pages(self._experiments, query)
            for run in page
        }
        running = (id for id, run in self._known.items() if run.status == "RUNNING")
        for id in [id for id in running if id not in found][:LOST]:
            run = self._store.run(id, self._experiments)
            if run is not None:
                found[id] = run
            else:
                del self._known[id]
        changed = [run for run in found.values() if self._same(run) is run]
        self._known |= {run.mlflow_run_id: run for run in changed}
        self._tickets |= self._levels(changed)

    def _same(self, run: RunSummary) -> RunSummary:
        """The run as it was known before, if it is as it was."""
        before = self._known.get(run.mlflow_run_id)
        return before if before == run and before is not None else run

    def _levels(self, runs: Iterable[RunSummary]) -> dict[str, tuple[TicketRecord, ...]]:
        """The levels of runs that are ours, by MLflow's ids: all in the experiments of these."""
        names = {run.experiment for run in runs if strangers.is_ours(run)}
        where = {id: name for id, name in self._experiments.items() if name in names}
        found = defaultdict(list)
        for ticket in self._store.levels(where):
            found[ticket.mlflow_run_id].append(ticket)
        return {id: tuple(tickets) for id, tickets in found.items()}

    def _asked(self) -> Iterator[tuple[RunSummary, str]]:
        """What is wanted and not read yet, or may have changed since."""
        now = time.monotonic()
        for run, key in self._of_extremes():
            read = self._histories.get((run.mlflow_run_id, key))
            if read is None or (read.run is not run and now >= read.next):
                yield run, key

    def _of_extremes(self) -> Iterator[tuple[RunSummary, str]]:
        """The newest of the runs whose extremes are wanted."""
        for key in sorted(self._wanted):
            yield from ((run, key) for run in storedruns.newest(self._known.values(), key))

    def _read_history(self, run: RunSummary, key: str) -> None:
        began = time.monotonic()
        try:
            found = storedruns.extremes(self._store.curve(run.mlflow_run_id, key))
        except (StoreAway, StoreDenied):
            raise
        except StoreError:  # of this run alone, such as one that was just deleted
            found = None
        pause = max(POLL, (time.monotonic() - began) / SHARE)
        self._histories[run.mlflow_run_id, key] = History(run, found, began + pause)

    def _publish(self, remark: str = "") -> None:
        """Let others see what is known now."""
        parents = {run.tags.get(strangers.PARENT, "") for run in self._known.values()}
        views: dict[str, tuple[tuple[object, ...], RunView]] = {}
        histories: dict[str, dict[str, History]] = defaultdict(dict)
        for (id, key), read in self._histories.items():
            histories[id][key] = read
        for id, run in self._known.items():
            facts = (run, self._tickets.get(id, ()), id in parents)
            made_of, view = self._views.get(id, (None, None))
            whole = (*facts, *histories[id].values()) if id in histories else facts
            if view is None or made_of != whole:
                view = _measured(storedruns.view(*facts), histories.get(id, {}))
            views[id] = (whole, view)
        self._views = views
        shown = {view.run_id: view for _, view in views.values()}
        state = State(shown, remark=remark or self._missing())
        if state != self._state:
            self._state = state
        self._show_at = time.monotonic() + SHOW

    def _missing(self) -> str:
        """What of the extremes is not read, in a line."""
        if not self._wanted:
            return ""
        asked = [(run.mlflow_run_id, key) for run, key in self._of_extremes()]
        read = sum(pair in self._histories for pair in asked)
        if read < len(asked):
            return f"best, min and max: {read:,} of {len(asked):,} histories read"
        have = sum(key in run.metrics for run in self._known.values() for key in self._wanted)
        most = f"best, min and max: of the newest {storedruns.MOST:,} runs"
        return most if have > len(asked) else ""


def _measured(run: RunView, read: Mapping[str, History]) -> RunView:
    """The run with what was read of its metrics."""
    found = {key: one.extremes for key, one in read.items() if one.extremes is not None}
    return replace(run, extremes=found) if found else run
