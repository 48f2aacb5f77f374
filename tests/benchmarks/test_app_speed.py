"""How fast the app paints: its first frame against a bare Textual app's.

Each is measured where Python keeps what it compiled, as most users have it, and where it compiles
all anew, as at the first start and where PYTHONDONTWRITEBYTECODE is set.
"""

from __future__ import annotations

import os
import pty
import select
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import manyruns
import pytest
from rundirs import FakeRun

from lthtui import viewcache
from lthtui.lookout import Lookout

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("painted")
Bare().run()
"""


@pytest.fixture(params=["compiled before", "compiled anew"], autouse=True)
def start(request, tmp_path, monkeypatch):
    """How the modules of a program are when it starts."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "compiled"))
    if request.param == "compiled before":
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    else:
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return request.param


def seconds_until(command: list[str], text: bytes) -> float:
    """Start a program on a terminal of 120x40; time until it has written a text, then end it."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
        os.execve(command[0], command, environment)
    seen = b""
    try:
        while text not in seen:
            assert select.select([terminal], [], [], 30)[0], seen[-2000:]
            seen += os.read(terminal, 65536)
        return time.perf_counter() - began
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def alternate(count: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns so that a busy moment hits all of them."""
    for measure in measures:
        measure()
    rounds = [[measure() for measure in measures] for _ in range(count)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def have_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an earlier session have seen the runs of a root."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "cache"))
    monkeypatch.setattr(viewcache, "QUIET", -60.0)  # the runs were made a moment ago
    with closing(Lookout(root, hasty=True)) as session:
        while session.look() is not None:
            pass


def test_first_frame(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in range(100):
        changes = {"train": {"epochs": 4, "batch_size": 10 + index}}
        for seed in range(3):
            FakeRun(tmp_path / "mlruns", f"run{index}", seed, **changes).start().train(6).end()
    have_kept(tmp_path / "mlruns", monkeypatch)
    bare = [sys.executable, "-c", BARE]
    ours = [sys.executable, "-m", "lthtui"]
    first, frame, table = alternate(
        7,
        lambda: seconds_until(bare, b"painted"),
        lambda: seconds_until(ours, b"reading runs"),
        lambda: seconds_until(ours, b"300 runs"),
    )
    print(
        f"\n{start}: first frame: bare Textual app {first:.2f} s, lthtui {frame:.2f} s,"
        f" {frame / first:.2f}x (budget 1.3x)"
    )
    print(f"table of 300 known runs: {table:.2f} s = {table / first:.2f}x (budget 2x)")
    assert first > 0


def test_a_million_points(start, tmp_path, monkeypatch, template):
    monkeypatch.chdir(tmp_path)
    manyruns.store(template, tmp_path / "mlruns", 1)
    manyruns.grow(tmp_path / "mlruns" / "mlflow.db", f"{0:032x}", "epoch/val_loss", 1_000_000)
    first, drawn = alternate(
        5,
        lambda: seconds_until([sys.executable, "-c", BARE], b"painted"),
        lambda: seconds_until([sys.executable, "-m", "lthtui"], b"1M"),
    )
    print(
        f"\n{start}: a metric of 1,000,000 points drawn: {drawn:.2f} s = {drawn / first:.2f}x"
        " (budget 4x)"
    )
    assert first > 0


def test_five_thousand_stored_runs(start, tmp_path, monkeypatch, template):
    monkeypatch.chdir(tmp_path)
    manyruns.store(template, tmp_path / "mlruns", 5000)
    first, table = alternate(
        5,
        lambda: seconds_until([sys.executable, "-c", BARE], b"painted"),
        lambda: seconds_until([sys.executable, "-m", "lthtui"], b"5,000 runs"),
    )
    print(
        f"\n{start}: table of 5,000 stored runs of 60 keys: {table:.2f} s = {table / first:.2f}x"
        " (budget 4x)"
    )
    assert first > 0
