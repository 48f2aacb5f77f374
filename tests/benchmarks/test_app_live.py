"""What the app costs and how soon it shows things while runs are training, in a real terminal."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import statistics
import sys
import time
from pathlib import Path

import manyruns
import pytest
from recorded import Cost, Recorded, delays
from rundirs import FakeRun

from lthtui import state

pytestmark = pytest.mark.benchmark

FAKES = Path(__file__).parents[1] / "fakes"
TABLE = slice(2, -2)  # rows of the screen
SIZE = (160, 48)
DRAWN = [
    f"epoch/{one}" for one in ("train_loss", "train_accuracy", "val_accuracy", "learning_rate")
]
POINT = "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty root in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    return tmp_path / "mlruns"


@pytest.fixture
def opened():
    """Opens the app at a size; what was opened is closed in the end."""
    apps = []

    def start(columns, rows):
        apps.append(Recorded([sys.executable, "-m", "lthtui"], columns, rows))
        return apps[-1]

    yield start
    for app in apps:
        app.close()


@pytest.fixture
def train(root, spawn):
    """Starts processes that write runs, each at a rate of its own from 2 to 10 epochs a second."""

    def start(count, name="live", slowest=2.0, fastest=10.0):
        spread = (fastest - slowest) / max(1, count - 1)
        for number in range(count):
            arguments = [str(root), name, str(number), str(slowest + spread * number)]
            spawn([sys.executable, str(FAKES / "writing.py"), *arguments])

    return start


def finished(root, count):
    for index in range(count):
        changes = {"train": {"epochs": 4, "batch_size": 10 + index}}
        FakeRun(root, f"run{index}", **changes).start().train(6).end()


def cursor(screen):
    """The row of the cursor, and what is in it: the one row whose background is another."""
    grounds = [screen.buffer[y][3].bg for y in range(screen.lines)][TABLE]
    usual = statistics.mode(grounds)
    return [index for index, ground in enumerate(grounds) if ground != usual]


def chart(screen):
    """What is in the right third of the screen, without the log at its bottom."""
    return [line[SIZE[0] * 2 // 3 :] for line in screen.display[1:36]]


def load():
    """How busy the machine is otherwise."""
    return "load average " + ", ".join(f"{one:.1f}" for one in os.getloadavg())


def milliseconds(seconds):
    figures = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1], max(seconds)
    return "median {:.0f}, 95th percentile {:.0f}, most {:.0f} ms".format(
        *(1000 * one for one in figures)
    )


def tell_delays(app, moments, state, what):
    """Print how long it took from each moment to what it changed on the screen."""
    time.sleep(1.5)
    app.close()
    found = delays(app, moments, state)
    print(f"\n{what}: {milliseconds([one.at for one in found])}; {load()}")
    print(f"  less waiting for a core: {milliseconds([one.own for one in found])}")
    assert len(found) == len(moments)


def spent(before: Cost, after: Cost) -> str:
    seconds = after.at - before.at
    return (
        f"{100 * (after.cpu - before.cpu) / seconds:.1f}% of a core,"
        f" {(after.written - before.written) / seconds / 1000:.1f} kB/s,"
        f" {(after.wakes - before.wakes) / seconds:.0f} wake-ups/s,"
        f" {after.resident / 1e6:.0f} MB; {load()}"
    )


def test_key_to_paint_while_eight_runs_log(root, opened, train):
    finished(root, 40)
    train(8)
    app = opened(*SIZE)
    app.until("● 8 running")
    app.type(b"g")
    app.until("of 30, 312 images/s")
    time.sleep(1)
    draw, pressed = random.Random(0), []
    for index in range(120):
        time.sleep(draw.uniform(0.15, 0.35))
        pressed.append(app.press(b"jjjjjjkkkkkk"[index % 12 :][:1]))
    tell_delays(app, pressed, cursor, "key to paint while 8 runs log (budget 50 ms)")


def test_a_new_epoch_and_a_new_level_on_the_screen(root, opened):
    run = FakeRun(root, "live", epochs=400, levels=20).start(alive=True)
    run.begin_level(0)
    run.end_epoch(0, 1)
    app = opened(*SIZE)
    app.until("● 1 running")
    time.sleep(2)
    draw, committed = random.Random(0), []
    for epoch in range(2, 32):
        time.sleep(draw.uniform(1.0, 1.5))
        run.end_epoch(0, epoch, loss=2.0 / epoch)
        run.journal.sync()
        committed.append(app.now())
    tell_delays(app, committed, chart, "from journal to screen (budget 1 s)")


@pytest.mark.parametrize("count", [300, 5000])
def test_a_new_point_in_the_store_on_the_screen(root, opened, template, count):
    manyruns.store(template, root, count)
    draw, committed, run = random.Random(0), [], f"{0:032x}"
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", (run,))
        store.commit()
        app = opened(*SIZE)
        app.until(f"{count:,} runs")
        time.sleep(count / 500)  # until their figures are read, too
        app.type(b"Gkkkk")  # to the first of the oldest group, which is unfolded
        time.sleep(3)
        for step in range(10, 40):
            time.sleep(draw.uniform(1.0, 1.5))
            point = ("epoch/val_loss", 0.3 + 0.2 * (step % 2), step, step, 0, run)
            store.execute("INSERT INTO metrics " + POINT, point)
            store.execute("INSERT OR REPLACE INTO latest_metrics " + POINT, point)
            store.commit()
            committed.append(app.now())
    what = f"from a store of {count:,} runs to screen (budget 1 s)"
    tell_delays(app, committed, chart, what)


def test_cost_of_two_updates_a_second(root, opened, train):
    finished(root, 40)
    train(5, slowest=2, fastest=2.4)
    state.put("metrics", "run", DRAWN)
    app = opened(*SIZE)
    app.until("● 5 running")
    app.type(b"g")
    app.until("of 30, 312 images/s")
    tell_cost(app, "table, two charts and log")
    app.type(b"\r")
    app.until("best so far")
    app.type(b"]")
    app.until("learning rate")
    before = quarters(app)
    tell_cost(app, "four charts of five runs")
    changed = [one != other for one, other in zip(before, quarters(app), strict=True)]
    assert changed == [True] * 4


def tell_cost(app, what):
    """Print what the app costs while it shows this."""
    time.sleep(5)
    before = app.cost()
    time.sleep(20)
    print(f"\n{what} at two updates a second: {spent(before, app.cost())}")
    print("  (budget 15% of a core, 130 kB/s)")


def quarters(app):
    """What is shown of four charts above one another."""
    rows = app.lines[5:-1]
    return [rows[len(rows) * at // 4 : len(rows) * (at + 1) // 4] for at in range(4)]


def test_memory_with_five_thousand_runs(root, opened, template):
    manyruns.store(template, root, 5000)
    app = opened(*SIZE)
    app.until("5,000 runs")
    time.sleep(10)  # until their figures are read, too
    for key in (b"G", b"g", b"\r", b"]"):  # rows and a run
        app.type(key)
        time.sleep(1)
    print(f"\nmemory with 5,000 stored runs: {app.cost().resident / 1e6:.0f} MB (budget 150)")
    assert app.until("curve", "training", "levels")


def test_cost_of_nothing_going_on(root, opened):
    finished(root, 300)
    app = opened(*SIZE)
    app.until("300 runs")
    time.sleep(5)
    before = app.cost()
    time.sleep(20)
    print(f"\n300 runs of which none does anything: {spent(before, app.cost())}")
    assert app.until("300 runs")
