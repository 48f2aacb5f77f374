"""What is read of the machine for its gauges."""

from __future__ import annotations

import shutil
import subprocess
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psutil
import pytest
from nvml import GIB, Card, install

from lthtui import gauges
from lthtui.gauges import Watch
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
    gpu, cpu = Watch(root).read().devices
    assert (gpu.title, gpu.busy, gpu.watts, gpu.celsius) == ("GPU 0", 0.37, 61.5, 41)
    assert (gpu.used, gpu.total, gpu.runs) == (GIB, 80 * GIB, ("a-run",))
    assert "\x1b" not in gpu.model and gpu.model.startswith("H")
    assert cpu.title == "CPU" and cpu.runs == () and "GPU" not in cpu.model


def test_somebody_else_on_a_gpu_is_named(root, monkeypatch):
    with subprocess.Popen(["sleep", "60"]) as other:
        install(monkeypatch, Card("GPU-a", total=80 * GIB, compute={other.pid: 3 * GIB}))
        (gpu, _) = Watch(root).read().devices
        other.kill()
    assert f"pid {other.pid}" in gpu.strangers and "sleep" in gpu.strangers


def test_a_gpu_that_does_not_answer_is_still_there(root, monkeypatch):
    driver = install(monkeypatch, Card("GPU-a"))
    devices.gpus()
    driver.cards[0].error = 15  # lost
    gpu, _ = Watch(root).read().devices
    assert gpu.busy is None and gpu.title == "GPU 0"


def test_without_a_gpu_there_are_the_cores_memory_and_disk(root, place, monkeypatch):
    install(monkeypatch)
    place("on-cores", devices.cpu())
    machine = Watch(root).read()
    (cpu,) = machine.devices
    assert cpu.runs == ("on-cores",) and 0 <= cpu.busy <= 1
    assert cpu.model.endswith("cores, no GPU") or cpu.model == "1 core, no GPU"
    assert cpu.total == psutil.virtual_memory().total and 0 < cpu.used < cpu.total
    assert machine.disk == shutil.disk_usage(root.parent).total > machine.free > 0


@pytest.fixture
def cores(root, monkeypatch):
    """A watch of cores that have worked as long as the list says, and its clock."""
    install(monkeypatch)
    times = namedtuple("times", "user system idle iowait guest")
    spent, clock = [times(10, 5, 100, 5, 2)], [50.0]
    monkeypatch.setattr(psutil, "cpu_times", lambda: spent[-1])
    monkeypatch.setattr(gauges.time, "monotonic", lambda: clock[0])

    def work(**seconds):  # within the moment of the first reading, or before the next one
        then = spent[-1]._asdict()
        spent.append(times(**{**then, **{key: then[key] + seconds[key] for key in seconds}}))

    monkeypatch.setattr(gauges.time, "sleep", lambda _: work(user=3, idle=1))
    return Watch(root), work, clock


def test_cores_are_as_busy_as_since_the_last_reading(cores):
    watch, work, clock = cores
    assert watch.read().devices[0].busy == pytest.approx(3 / 4)  # over its moment
    clock[0] += 1
    work(user=2, system=1, idle=6, iowait=1, guest=2)  # which `user` has, too
    assert watch.read().devices[0].busy == pytest.approx(3 / 10)


def test_threads_that_ask_at_once_have_the_same_reading(cores):
    watch, work, clock = cores
    together = Barrier(4)

    def read(_):
        together.wait()
        return watch.read()

    with ThreadPoolExecutor(4) as threads:
        first = list(threads.map(read, range(4)))
        clock[0] += 1
        work(user=1, idle=1)
        second = list(threads.map(read, range(4)))
    assert len({id(one) for one in first}) == len({id(one) for one in second}) == 1
    assert first[0].devices[0].busy == pytest.approx(3 / 4)
    assert second[0].devices[0].busy == pytest.approx(1 / 2)
