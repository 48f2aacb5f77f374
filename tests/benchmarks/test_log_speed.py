"""How long it takes to open, page through and search logs, against reading all of their bytes."""

from __future__ import annotations

import time

import pytest

from lthtui import logpages
from lthtui.logsearch import LogSearch, Needle
from lthtui.logtail import LogTail

pytestmark = pytest.mark.benchmark

LINE = b"12:00:00 level 3  epoch 12  loss 0.4321  train 71.20%%  lr 0.1  312 img/s  step %09d\n"
SIZE = 2**28  # bytes


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.txt"
    with path.open("wb") as file:
        step = 0
        while file.tell() < SIZE:
            file.write(b"".join(LINE % number for number in range(step, step + 10_000)))
            file.write(b"12:00:00 warning: layer4.1.conv2 keeps no weight\n")
            step += 10_000
    return path


def milliseconds(work):
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def searched(log, wanted, alarms=False):
    found = LogSearch(log, Needle(wanted), alarms).step()
    while not found.done:
        found.step()
    return found.starts


def test_a_large_log(log, capsys):
    whole = milliseconds(lambda: log.read_bytes().count(b"\n"))  # also brings it into memory
    figures = {
        "opened": milliseconds(lambda: LogTail(log).read()),
        "a page at the end": milliseconds(lambda: logpages.before(log, SIZE * 2)),
        "a page at the beginning": milliseconds(lambda: logpages.after(log, 0)),
        "its last warnings": milliseconds(lambda: logpages.before(log, SIZE * 2, alarms=True)),
        "a text looked for in all of it": milliseconds(lambda: searched(log, "not there")),
        "all warnings searched": milliseconds(lambda: searched(log, "layer", alarms=True)),
    }
    assert len(searched(log, "step 000123456")) == 1
    with capsys.disabled():
        print(f"\na log of {SIZE >> 20} MiB, whose lines are counted in {whole:.0f} ms:")
        for what, taken in figures.items():
            print(f"  {what}: {taken:.1f} ms, {taken / whole:.3f} of that")
