"""What launching costs, against baselines of the same run: `pytest -m benchmark -s`."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from staging import Stage

from engine.rundir import Status, status
from lthtui.launch import lease, queue, stopping

pytestmark = pytest.mark.benchmark
TURNS = 7
TRAINED = {
    "name": "start",
    "data": {"name": "digits", "per_class": 20},
    "model": {"name": "resnet20", "width": 4},
    "train": {"epochs": 1},
    "sparsifier": "dense",
    "tracking": "off",
}
FIRST_STEP = """
import os, sys, time
from pathlib import Path
from engine import training, verbs
first = training.Training.take_step
def step(*arguments):
    first(*arguments)
    Path(sys.argv[1], "first-step").write_text(str(time.monotonic()))
    os._exit(0)
training.Training.take_step = step
verbs.main([sys.argv[1]])
"""
SHORT = """
import os, sys, time
time.sleep(0.1)
with open("/proc/self/stat") as file:
    ticks = int(file.read().rpartition(")")[2].split()[19])
began = ticks / os.sysconf("SC_CLK_TCK") - time.clock_gettime(time.CLOCK_BOOTTIME)
with open(sys.argv[1] + "/span", "w") as file:
    file.write(f"{began + time.monotonic()} {time.monotonic()}")
"""


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A root whose worker is a program given as text."""

    def play(program: str, *options: str) -> Stage:
        (tmp_path / "worker.py").write_text(program)
        worker = shlex.join([sys.executable, *options, str(tmp_path / "worker.py")])
        monkeypatch.setenv("LTHTUI_WORKER", worker)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        return found

    found = Stage(tmp_path)
    yield play
    found.close()


@pytest.fixture
def report(record_property):
    """Prints figures, and has pytest record them."""

    def report(name: str, **figures: float) -> None:
        shown = {key: round(value, 4) for key, value in figures.items()}
        print(f"\n{name}: {json.dumps(shown)}")
        for key, value in shown.items():
            record_property(f"{name}: {key}", value)

    return report


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def test_from_the_queue_to_the_first_step_against_a_bare_import_of_torch(stage, report):
    """From `queue.submit`, with the queue process to be started, to the end of a step."""
    played, mine, bare = stage(FIRST_STEP), [], []
    for turn in range(TURNS + 1):
        began = time.monotonic()
        (run,) = played.submit(turn, **TRAINED, launch={"devices": "cpu", "retries": 0})
        played.wait((run.path / "first-step").exists)
        played.wait(lambda: not played.dispatched())
        if turn:
            mine.append(float((run.path / "first-step").read_text()) - began)
        seconds = _seconds([sys.executable, "-c", "import torch"])
        bare.append(seconds) if turn else None
    ratio = statistics.median(mine) / statistics.median(bare)
    report("first step", of_import_torch=ratio, seconds=statistics.median(mine))
    assert min(mine) > 0


def test_how_long_a_place_stands_idle_between_two_runs(stage, report):
    """100 runs of 0.1 s on two places: from a worker's last line to the next process."""
    played = stage(SHORT, "-S", "-E")
    two = {"threads": "auto", "per_device": 2, "retries": 0}
    began = time.monotonic()
    runs = played.submit(*range(100), launch=two, tracking="off")
    submitted = time.monotonic() - began
    played.until(runs[-1], Status.FINISHED)
    played.wait(lambda: not played.dispatched())
    assert {status(run) for run in runs} == {Status.FINISHED}
    spans = [map(float, (run.path / "span").read_text().split()) for run in runs]
    starts, ends = (sorted(times) for times in zip(*spans, strict=True))
    idle = sorted(start - end for start, end in zip(starts[2:], ends, strict=False))
    report(
        "idle place",
        median=statistics.median(idle),
        percentile_95=idle[int(0.95 * len(idle))],
        longest=idle[-1],
        seconds_to_submit_100=submitted,
    )
    assert len(idle) == 98


def _cpu_seconds(command: list[str]) -> float:
    """What a command computes: unlike the time it takes, that depends little on what else runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, state, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(state)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_listing_a_thousand_waiting_runs(stage, monkeypatch, report):
    """CPU seconds of `lthtui queue` and `list`, beyond those where nothing waits."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    played = stage(SHORT, "-S", "-E")
    queue.submit(played.root, played.specs(*range(1000)), turn=queue.Turn(hold=True))
    held = lease.take(played.root)  # as a queue process does
    empty = played.folder / "empty"
    empty.mkdir()
    for verb in ("queue", "list"):
        command = [sys.executable, "-P", "-m", "lthtui", verb, "--root"]
        roots = (played.root, empty)
        times = [[_cpu_seconds([*command, str(root)]) for root in roots] for _ in range(TURNS)]
        full, none = (statistics.median(side) for side in zip(*times, strict=True))
        report(f"lthtui {verb}, 1,000 waiting", cpu_seconds_beyond_start=full - none, start=none)
        assert none > 0
    os.close(held)
    for entry in (played.root / "queue").glob("*.json"):
        entry.unlink()


def test_what_an_idle_queue_process_costs(stage, report):
    """CPU seconds a minute while one run trains and 100 wait."""
    played = stage("import time; time.sleep(600)", "-S", "-E")
    whole = {"threads": os.cpu_count() or 1, "retries": 0}
    runs = played.submit(*range(101), launch=whole, tracking="off")
    played.wait(lambda: status(runs[0]) == Status.RUNNING)
    time.sleep(3)  # until it has started what it can
    pid = _holder(played.root)
    before, began = _cpu(pid), time.monotonic()
    time.sleep(30)
    used = (_cpu(pid) - before) / (time.monotonic() - began) * 60
    report("idle queue process", cpu_seconds_a_minute=used)
    stopping.cancel(runs, grace=0)
    assert used >= 0


def _holder(root: Path) -> int:
    lock = (root / "queue" / "lease").stat().st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next(int(line[4]) for line in lines if line[5].endswith(f":{lock}"))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
