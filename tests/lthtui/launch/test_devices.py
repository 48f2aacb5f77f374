import os
import sys
from types import SimpleNamespace

import pytest

from engine.errors import UsageError
from lthtui.launch import devices
from lthtui.launch.devices import Device, allowed, eligible

GPUS = (Device("GPU-aa11", "0: A"), Device("GPU-aa22", "1: B"), Device("GPU-bb33", "2: C"))
ZERO, ONE, TWO = GPUS


@pytest.fixture(autouse=True)
def fresh():
    """No test sees what another found on its machine."""
    yield
    getattr(devices.gpus, "cache_clear", lambda: None)()


@pytest.fixture
def machine(monkeypatch):
    """Three GPUs and four cores."""
    monkeypatch.setattr(devices, "gpus", lambda: GPUS)
    monkeypatch.setattr(devices, "cores", lambda: 4)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, GPUS),
        ("", ()),
        ("0", (ZERO,)),
        ("2,0", (TWO, ZERO)),
        (" 1 , 2 ", (ONE, TWO)),
        ("GPU-bb33", (TWO,)),
        ("GPU-b", (TWO,)),
        ("GPU-a,1", ()),  # the beginning of two: CUDA stops at the first that is not clear
        ("0,-1,1", (ZERO,)),
        ("0,7,1", (ZERO,)),
        ("1,1", (ONE,)),
        ("NoDevFiles", ()),
    ],
)
def test_cuda_visible_devices_is_the_allowed_set(visible, expected):
    assert allowed(GPUS, visible) == expected


@pytest.mark.parametrize(
    ("wanted", "visible", "expected"),
    [
        ("auto", None, ["GPU-aa11", "GPU-aa22", "GPU-bb33"]),
        ("auto", "2,1", ["GPU-bb33", "GPU-aa22"]),
        ("auto", "", ["cpu"]),
        ("cpu", None, ["cpu"]),
        (("1",), None, ["GPU-aa22"]),
        (("GPU-bb33", "0"), None, ["GPU-bb33", "GPU-aa11"]),
        (("2",), "2,1", ["GPU-bb33"]),  # numbers are those of the machine, not of the allowed set
    ],
)
def test_a_run_goes_where_its_spec_and_the_environment_agree(machine, wanted, visible, expected):
    assert [device.name for device in eligible(wanted, visible)] == expected


@pytest.mark.parametrize(
    ("wanted", "visible"), [(("3",), None), (("0",), "1"), (("GPU-xx",), None), (("0",), "")]
)
def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(machine, wanted, visible):
    with pytest.raises(UsageError, match=f"no GPU '{wanted[0]}' here; there (are|is)"):
        eligible(wanted, visible)


def test_without_a_gpu_a_run_goes_to_the_cpu(monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: ())
    assert [device.name for device in eligible("auto", None)] == ["cpu"]
    with pytest.raises(UsageError, match="devices: cpu"):
        eligible(("0",), None)


def nvml(monkeypatch, **functions):
    class NVMLError(Exception):
        pass

    def refuse(*_):
        raise NVMLError

    found = {name: refuse if value is refuse else value for name, value in functions.items()}
    fake = SimpleNamespace(NVMLError=NVMLError, nvmlShutdown=lambda: None, refuse=refuse, **found)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    devices.gpus.cache_clear()
    return fake


def test_gpus_are_listed_by_uuid(monkeypatch):
    nvml(
        monkeypatch,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda handle: f"GPU-{handle}",
        nvmlDeviceGetName=lambda handle: "Card",
    )
    assert devices.gpus() == (Device("GPU-0", "0: Card"), Device("GPU-1", "1: Card"))


@pytest.mark.parametrize("broken", ["module", "driver", "count"])
def test_a_machine_without_a_working_driver_has_no_gpus(monkeypatch, broken):
    fake = nvml(monkeypatch, nvmlInit=lambda: None)
    fake.nvmlDeviceGetCount = fake.refuse
    if broken == "driver":
        fake.nvmlInit = fake.refuse
    if broken == "module":
        monkeypatch.setitem(sys.modules, "pynvml", None)
    assert devices.gpus() == ()


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("50000 100000", 1),
        ("9900000 100000", 8),
        (None, 8),
    ],
)
def test_a_containers_quota_limits_the_cores(monkeypatch, tmp_path, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    file = tmp_path / "cpu.max"
    if quota:
        file.write_text(quota + "\n")
    monkeypatch.setattr(devices, "QUOTA", str(file))
    assert devices.cores() == expected


def test_a_process_sees_its_device_only():
    assert devices.environment("GPU-x") == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "GPU-x",
    }
    assert devices.environment("cpu")["CUDA_VISIBLE_DEVICES"] == ""
