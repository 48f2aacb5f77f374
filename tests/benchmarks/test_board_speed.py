"""How fast the table of 5,000 runs is read, filtered, sorted and brought up to date."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import manyruns
import pytest

from lthtui import columns, fields
from lthtui.board import board
from lthtui.filtering import Filter
from lthtui.lookout import Lookout
from lthtui.tabling import Tabler
from lthtui.views import View, orders

pytestmark = pytest.mark.benchmark

COUNT = 5000
MEASURED = """
import sys, time, importlib
for module in ("textual.app", "lthtui.app"):
    importlib.import_module(module)
from pathlib import Path
from lthtui.lookout import Lookout
from lthtui.tabling import Tabler
from lthtui.views import View
lookout = Lookout(Path(sys.argv[1]))
for _ in range(2):
    board = lookout.look()
Tabler().table(board, View())
print(int(open("/proc/self/statm").read().split()[1]) * 4096)
"""


def median(work: Callable[[], object], times: int = 7) -> float:
    """Milliseconds that it takes."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def test_filtering_and_sorting():
    made = board(manyruns.runs(COUNT), {}, {})
    known = fields.names(made.runs.values())
    for text in (
        "method:imp* and val>60% and train.optimizer.lr<0.004",
        "spec3 imp s1",
        "name~'^spec(1|2)[0-9]$'",
        "name~'(a+)+b'",
    ):
        wanted = Filter.parse(text, known)

        def found(wanted: Filter = wanted) -> int:
            return sum(wanted(run, group) for group in made.groups for run in group.runs)

        print(f"\nfilter {text}: {median(found):.1f} ms, {found():,} of {COUNT:,} runs", end="")
    folded = View(folded=frozenset(group.key for group in made.groups))
    print()
    for name, view in {
        "folded": folded,
        "unfolded": View(),
        "sorted by two keys": replace(folded, order=orders("-val,density")),
        "without constant columns": replace(
            folded,
            hide_constant=True,
            headings=columns.parse("name,val,block1.set9,epoch/val_loss"),
        ),
    }.items():
        tabler = Tabler()
        first = median(lambda view=view: Tabler().table(made, view), 3)
        tabler.table(made, view)
        again = median(lambda tabler=tabler, view=view: tabler.table(made, view))
        print(f"table {name}: first {first:.0f} ms, again {again:.1f} ms = 1/{first / again:.0f}")
    assert len(tabler.table(made, folded).rows) == len(made.groups)


def test_one_changed_run():
    before = manyruns.runs(COUNT)
    made, view, tabler = board(before, {}, {}), View(order=orders("-val")), Tabler()
    whole = median(lambda: Tabler().table(board(before, {}, {}), view), 3)
    name = next(iter(before))

    def change() -> None:
        nonlocal made
        old = made.runs[name]
        changed = {**made.runs, name: replace(old, winner=4 if old.winner == 3 else 3)}
        made = board(changed, {}, {}, before=made.groups)
        tabler.table(made, view)

    change()
    one = median(change)
    print(f"\none run of {COUNT:,} changed: {one:.0f} ms; everything anew {whole:.0f} ms")
    assert len(made.groups) == COUNT / manyruns.SEEDS


def test_reading_a_store(tmp_path, template):
    manyruns.store(template, tmp_path, COUNT)
    taken: list[list[float]] = []
    for _ in range(3):
        lookout, steps = Lookout(tmp_path), []
        for _ in range(2):
            began = time.perf_counter()
            assert lookout.look() is not None
            steps.append(time.perf_counter() - began)
        began = time.perf_counter()
        lookout.want(["epoch/val_loss"])
        assert lookout.look() is not None
        taken.append([*steps, time.perf_counter() - began])
        lookout.close()
    names, figures, extremes = (statistics.median(column) for column in zip(*taken, strict=True))
    print(f"\n{COUNT:,} stored runs of 60 keys: runs {names:.2f} s, figures {figures:.2f} s more,")
    print(f"the extremes of one metric {extremes:.2f} s more")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    print(f"memory with them: {int(done.stdout) / 1e6:.0f} MB")
