"""What is read of the machine for its gauges."""

from __future__ import annotations

import shutil
import subprocess

import psutil
import pytest
from nvml import GIB, Card, install

from lthtui import gauges
from lthtui.launch import devices, lease
from lthtui.launch.admission import Holder
from lthtui.launch.slots import Ledger


@pytest.fixture
def root(tmp_path):
    (tmp_path / "mlruns" / "queue").mkdir(parents=True)
    return tmp_path / "mlruns"


@pytest.fixture
def place(root):
    """Takes a place on a device for a run, and keeps it."""
    taken = []

    def take(run, device):
        holder = Holder(run_id=run, threads=1, per_device=4)
        taken.append(Ledger(lease.slots(root)).take([device], holder))

    yield take
    for one in taken:
        one.close()


def test_a_gpu_tells_load_memory_heat_and_its_runs(root, place, monkeypatch):
    driver = install(monkeypatch, Card("GPU-a", name="H\x1b[31m200", total=80 * GIB))
    (device,) = devices.gpus()
    place("a-run", device)
    driver.cards[0].hidden = GIB
    gpu, cpu = gauges.read(root).devices
    assert (gpu.title, gpu.busy, gpu.watts, gpu.celsius) == ("GPU 0", 0.37, 61.5, 41)
    assert (gpu.used, gpu.total, gpu.runs) == (GIB, 80 * GIB, ("a-run",))
    assert "\x1b" not in gpu.model and gpu.model.startswith("H")
    assert cpu.title == "CPU" and cpu.runs == () and "GPU" not in cpu.model


def test_somebody_else_on_a_gpu_is_named(root, monkeypatch):
    with subprocess.Popen(["sleep", "60"]) as other:
        install(monkeypatch, Card("GPU-a", total=80 * GIB, compute={other.pid: 3 * GIB}))
        (gpu, _) = gauges.read(root).devices
        other.kill()
    assert f"pid {other.pid}" in gpu.strangers and "sleep" in gpu.strangers


def test_a_gpu_that_does_not_answer_is_still_there(root, monkeypatch):
    driver = install(monkeypatch, Card("GPU-a"))
    devices.gpus()
    driver.cards[0].error = 15  # lost
    gpu, _ = gauges.read(root).devices
    assert gpu.busy is None and gpu.title == "GPU 0"


def test_without_a_gpu_there_are_the_cores_memory_and_disk(root, place, monkeypatch):
    install(monkeypatch)
    place("on-cores", devices.cpu())
    machine = gauges.read(root)
    (cpu,) = machine.devices
    assert cpu.runs == ("on-cores",) and 0 <= cpu.busy <= 1
    assert cpu.model.endswith("cores, no GPU") or cpu.model == "1 core, no GPU"
    assert cpu.total == psutil.virtual_memory().total and 0 < cpu.used < cpu.total
    assert machine.disk == shutil.disk_usage(root.parent).total > machine.free > 0
