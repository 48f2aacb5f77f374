import os

import pynvml
import pytest
from nvml import GIB, Card, install

from engine.errors import UsageError
from lthtui.launch import devices
from lthtui.launch.devices import Device, allowed, eligible
from lthtui.launch.nvml import Load

GPUS = (Device("GPU-aa11", "0: A"), Device("GPU-aa22", "1: B"), Device("GPU-bb33", "2: C"))
ZERO, ONE, TWO = GPUS
SLICES = (
    Device("GPU-aa11", "0: A"),
    Device("MIG-c1", "1:0: B MIG 1g", parent="GPU-aa22"),
    Device("MIG-c2", "1:2: B MIG 2g", parent="GPU-aa22"),
    Device("GPU-bb33", "2: C"),
)
ALL, LEFT, RIGHT, _ = SLICES


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
    ("visible", "expected"),
    [
        (None, SLICES),
        ("1", (LEFT, RIGHT)),  # a GPU in MIG mode is no device: its instances are
        ("GPU-aa22", (LEFT, RIGHT)),
        ("GPU-aa", ()),
        ("MIG-c2,0", (RIGHT, ALL)),
        ("MIG-c,0", ()),
        ("MIG-c9,0", ()),
        ("MIG-c1,GPU-aa22", (LEFT, RIGHT)),
    ],
)
def test_mig_instances_are_allowed_by_their_uuid_or_with_their_gpu(visible, expected):
    assert allowed(SLICES, visible) == expected


@pytest.mark.parametrize(
    ("wanted", "visible", "expected"),
    [
        (("1",), None, ["MIG-c1", "MIG-c2"]),
        (("1:2",), None, ["MIG-c2"]),
        (("MIG-c1", "0"), None, ["MIG-c1", "GPU-aa11"]),
        (("1",), "MIG-c2", ["MIG-c2"]),
    ],
)
def test_a_run_may_ask_for_instances(monkeypatch, wanted, visible, expected):
    monkeypatch.setattr(devices, "gpus", lambda: SLICES)
    assert [device.name for device in eligible(wanted, visible)] == expected


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


def test_a_run_goes_only_where_its_memory_fits(monkeypatch):
    sizes = {"a": 24 * GIB, "b": 80 * GIB, "c": 0}  # 0: a GPU that does not tell
    cards = tuple(
        Device(name, f"{i}: {name}", memory=m) for i, (name, m) in enumerate(sizes.items())
    )
    monkeypatch.setattr(devices, "gpus", lambda: cards)

    def fitting(memory, wanted="auto"):
        return "".join(device.name for device in eligible(wanted, None, memory))

    assert fitting(None) == "abc"
    assert fitting(23 * GIB) == "abc"
    assert fitting(24 * GIB) == "bc"  # not all of it is for runs
    assert fitting(81 * GIB) == "c"
    with pytest.raises(UsageError, match="25GiB is more than .* at most 23.8GiB"):
        fitting(25 * GIB, ("0",))
    assert [device.name for device in eligible("cpu", None, 999 * GIB)] == ["cpu"]


def test_a_run_is_not_sent_to_the_cpu_because_the_driver_is_ill(monkeypatch):
    driver = install(monkeypatch, Card("GPU-a"))
    driver.failing["nvmlInit"] = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    for wanted in ("auto", ("0",)):
        with pytest.raises(UsageError, match="NVML/RM version mismatch.*or write devices: cpu"):
            eligible(wanted, None)
    assert [device.name for device in eligible("auto", "")] == ["cpu"]
    assert [device.name for device in eligible("cpu", None)] == ["cpu"]


@pytest.mark.parametrize(
    "error", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED]
)
def test_a_machine_without_a_driver_has_no_gpus(monkeypatch, error):
    install(monkeypatch, Card("GPU-a")).failing["nvmlInit"] = error
    assert devices.gpus() == ()
    assert [device.name for device in eligible("auto", None)] == ["cpu"]


def test_devices_are_the_drivers_gpus(monkeypatch):
    halves = [Card("MIG-1", "Card MIG 3g", total=40 * GIB), None]
    install(monkeypatch, Card("GPU-a", "Old", total=24 * GIB), Card("GPU-b", instances=halves))
    assert devices.gpus() == (
        Device("GPU-a", "0: Old", memory=24 * GIB),
        Device("MIG-1", "1:0: Card MIG 3g", memory=40 * GIB, parent="GPU-b"),
    )
    assert [device.title for device in (*devices.gpus(), devices.cpu())] == [
        "GPU 0",
        "GPU 1:0",
        "CPU",
    ]


def test_the_load_is_that_of_the_device(monkeypatch):
    one, two = Card("GPU-a"), Card("GPU-b", total=8 * GIB, compute={4711: 3 * GIB}, gauges=False)
    install(monkeypatch, one, two)
    assert devices.load(Device("GPU-b", "1: B")) == Load(3 * GIB, 5 * GIB, 8 * GIB, {4711: 3 * GIB})
    assert devices.load(devices.cpu()) is None


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
