"""What sharing a device gives, and what a place on it costs: `pytest -m benchmark -s`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from nvml import GIB, Card, install

from lthtui import specfiles
from lthtui.launch import devices
from lthtui.launch.advice import advise, recommended
from lthtui.launch.slots import Full, Holder, Ledger, Taken

pytestmark = pytest.mark.benchmark
QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
TURNS = 200


def test_runs_at_once_on_this_machines_cpu() -> None:
    spec = specfiles.load(str(QUICKSTART))[0]
    rows = advise(spec, devices.cpu())
    print()
    for row in rows:
        print(
            f"{row.runs} at once, {row.threads} threads each: {row.images_per_second:.0f} images/s,"
            f" {1000 * row.seconds_per_step:.1f} ms a step, {row.memory / 2**20:.0f} MiB each"
        )
    print(f"recommended: {recommended(rows)}")
    assert [row.runs for row in rows][:2] == [1, 2][: len(rows)]


def test_places_on_eight_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, *(Card(f"GPU-{i}", total=80 * GIB, compute={}) for i in range(8)))
    (tmp_path / "queue").mkdir()
    ledger, gpus = Ledger(tmp_path / "queue" / "slots"), devices.gpus()
    holder = Holder(run_id="x", threads=1, per_device=3)
    held = [ledger.take(gpus, holder) for _ in range(16)]
    began = time.perf_counter()
    for _ in range(TURNS):
        taken = ledger.take(gpus, holder)
        assert isinstance(taken, Taken)
        taken.close()
    took = (time.perf_counter() - began) / TURNS
    began = time.perf_counter()
    for _ in range(TURNS):
        assert isinstance(ledger.take(gpus, holder.model_copy(update={"per_device": 1})), Full)
    refused = (time.perf_counter() - began) / TURNS
    print(f"\na place among 16 on 8 GPUs: {1000 * took:.2f} ms; a refusal: {1000 * refused:.2f} ms")
    for one in held:
        assert isinstance(one, Taken)
        one.close()
