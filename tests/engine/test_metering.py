"""What a level takes: by clocks and counters that are given, and the counters themselves."""

import os
from types import SimpleNamespace

import pytest

from engine import energy, gpu
from engine.metering import Meter, Taken


class Hand:
    """A number that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


class Counted:
    """A counter of a device."""

    drawn, beside, looks = 0.0, False, 0

    def joules(self):
        self.looks += 1
        return self.drawn

    def others(self):
        return self.beside


@pytest.fixture
def hands():
    return {"clock": Hand(), "working": Hand()}


def test_what_earlier_processes_took_is_added(hands):
    meter = Meter("cpu", Taken(100.0, 150.0, 1000.0), counted := Counted(), **hands)
    hands["clock"].now, hands["working"].now, counted.drawn = 10.0, 18.0, 500.0
    assert meter.taken() == Taken(110.0, 168.0, 1500.0)


def test_a_gpu_is_held_as_long_as_the_clock_runs(hands):
    meter = Meter("cuda", None, Counted(), **hands)
    hands["clock"].now, hands["working"].now = 10.0, 18.0
    assert meter.taken() == Taken(10.0, 10.0, 0.0)


def test_what_nobody_counted_once_stays_unknown(hands, monkeypatch):
    monkeypatch.setattr(energy, "of", lambda device: None)
    assert Meter("cpu", None, **hands).taken() == Taken(0.0, 0.0, None)
    before = Taken(1.0, None, None)
    assert Meter("cpu", before, Counted(), **hands).taken() == before


def test_the_counter_is_looked_at_now_and_then(hands):
    meter = Meter("cuda", None, counted := Counted(), **hands)
    for now in (1.0, 9.0, 10.0, 11.0, 19.0, 20.0):
        hands["clock"].now = now
        meter.tick()
    assert counted.looks == 2 and not meter.shared
    hands["clock"].now, counted.beside = 30.0, True
    meter.tick()
    counted.beside = False
    meter.taken()
    assert meter.shared


def zone(folder, name, called, joules, most=1000):
    at = folder / name
    at.mkdir(exist_ok=True)
    (at / "name").write_text(f"{called}\n")
    (at / "energy_uj").write_text(f"{joules * 10**6}\n")
    (at / "max_energy_range_uj").write_text(f"{most * 10**6}\n")


def test_packages_and_memory_are_added_and_begin_anew(tmp_path):
    def drawn(first, second, memory, part):
        zone(tmp_path, "intel-rapl:0", "package-0", first)
        zone(tmp_path, "intel-rapl:1", "package-1", second)
        zone(tmp_path, "intel-rapl:0:0", "core", part)
        zone(tmp_path, "intel-rapl:0:1", "dram", memory)
        zone(tmp_path, "intel-rapl:2", "psys", part)

    drawn(100, 900, 10, 5)
    counter = energy.of("cpu", tmp_path)
    drawn(150, 950, 12, 500)
    assert counter.joules() == 50 + 50 + 2
    drawn(160, 30, 12, 900)  # 80 more on the second, which begins anew at 1000
    assert counter.joules() == 102 + 10 + 80
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert counter.joules() is None


def test_a_machine_without_counters_has_none(tmp_path):
    assert energy.of("cpu", tmp_path / "nothing") is None
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # as for all but administrators
    counter = energy.of("cpu", tmp_path)
    assert counter is None or counter.joules() is None


def test_a_gpu_counts_millijoules_and_tells_of_others(monkeypatch):
    told = {"energy": 5_000, "pids": []}
    nvml = SimpleNamespace(
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: told["energy"],
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [
            SimpleNamespace(pid=pid) for pid in told["pids"]
        ],
    )
    monkeypatch.setattr(gpu, "opened", lambda: (nvml, "handle"))
    counter = energy.of("cuda")
    told["energy"] = 12_500
    assert counter.joules() == 7.5
    told["pids"] = [os.getpid()]
    assert not counter.others()
    told["pids"] = [os.getpid(), 1]
    assert counter.others()
    del nvml.nvmlDeviceGetTotalEnergyConsumption
    assert counter.joules() is None


def test_without_a_gpu_there_is_no_counter(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu.opened() is None and energy.of("cuda") is None
