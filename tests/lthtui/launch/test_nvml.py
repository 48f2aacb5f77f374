import inspect
import re
import threading
from pathlib import Path

import pynvml
import pytest
from nvml import GIB, Card, Driver, install
from waiting import wait_for

from lthtui.launch import nvml
from lthtui.launch.nvml import Gpu, Load

ERRORS = (
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_TIMEOUT,
    pynvml.NVML_ERROR_GPU_IS_LOST,
    pynvml.NVML_ERROR_UNKNOWN,
)


def raises(error):
    def fail(*_):
        raise error

    return fail


def test_the_fake_driver_has_nothing_that_the_real_library_lacks():
    for name, function in Driver.functions().items():
        wanted = list(inspect.signature(function).parameters)[1:]
        inspect.signature(getattr(pynvml, name)).bind(*wanted)


def test_every_name_that_is_asked_for_is_one_of_the_library():
    text = Path(nvml.__file__).read_text()
    names = set(re.findall(r"nvml\.(\w+)|\"(nvml\w+|NVMLError_\w+)\"", text))
    found = {one or other for one, other in names}
    assert len(found) > 15
    assert [name for name in sorted(found) if not hasattr(pynvml, name)] == []


def test_gpus_are_listed_in_bus_order(monkeypatch):
    second = Card("GPU-x", "X", bus="00000000:C1:00.0", total=GIB)
    first = Card("GPU-y", "Y", bus="00000000:0B:00.0", total=2 * GIB)
    install(monkeypatch, second, first)
    assert nvml.gpus() == (Gpu("GPU-y", "0", "Y", 2 * GIB), Gpu("GPU-x", "1", "X", GIB))
    assert nvml.trouble() is None


def test_instances_stand_for_a_gpu_in_mig_mode(monkeypatch):
    slices = [Card("MIG-1", "S", total=10 * GIB), None, Card("MIG-2", "L", total=20 * GIB)]
    empty = Card("GPU-e", instances=[None] * 7)
    install(monkeypatch, Card("GPU-a", instances=slices), empty, Card("GPU-b", "B", total=GIB))
    assert nvml.gpus() == (
        Gpu("MIG-1", "0:0", "S", 10 * GIB, "GPU-a"),
        Gpu("MIG-2", "0:2", "L", 20 * GIB, "GPU-a"),
        Gpu("GPU-b", "2", "B", GIB),
    )


def test_a_lost_gpu_leaves_the_others_and_their_numbers(monkeypatch):
    lost = Card("GPU-b", error=pynvml.NVML_ERROR_GPU_IS_LOST)
    install(monkeypatch, Card("GPU-a", bus="9"), lost, Card("GPU-c", bus="1"))
    assert [(gpu.uuid, gpu.index) for gpu in nvml.gpus()] == [("GPU-a", "0"), ("GPU-c", "2")]
    assert nvml.trouble() == "GPU 1: GPU is lost"
    assert nvml.load("GPU-b") is None
    assert nvml.trouble() == "GPU is lost"
    assert nvml.load("GPU-c") is not None
    assert nvml.trouble() is None


def test_the_load_tells_programs_from_what_is_drawn(monkeypatch):
    programs = {"compute": {1: 3 * GIB, 2: None}, "shared": {3: GIB}}
    install(monkeypatch, Card("GPU-a", reserved=GIB, graphics={3: GIB, 4: 5}, **programs))
    load = nvml.load("GPU-a")
    assert load == Load(
        used=4 * GIB + 5,
        free=75 * GIB - 5,
        total=80 * GIB,
        processes={1: 3 * GIB, 2: None, 3: GIB},
        drawing=5,
        utilisation=0.37,
        watts=61.5,
        celsius=41,
    )


def test_an_old_driver_and_a_gpu_without_gauges_tell_what_they_can(monkeypatch):
    install(monkeypatch, Card("GPU-a", total=8 * GIB, reserved=GIB, old=True, gauges=False))
    assert nvml.gpus() == (Gpu("GPU-a", "0", "Card", 8 * GIB),)
    assert nvml.load("GPU-a") == Load(used=GIB, free=7 * GIB, total=8 * GIB)


def test_a_gpu_without_memory_of_its_own_is_one_all_the_same(monkeypatch):
    driver = install(monkeypatch, Card("GPU-a"))
    driver.failing["nvmlDeviceGetMemoryInfo"] = pynvml.NVML_ERROR_NOT_SUPPORTED
    assert nvml.gpus() == (Gpu("GPU-a", "0", "Card", 0),)
    load = nvml.load("GPU-a")
    assert (load.used, load.free, load.total) == (0, 0, 0)


@pytest.mark.parametrize("name", Driver.functions())
def test_no_failure_reaches_who_asks_and_all_is_well_after_it(monkeypatch, name):
    cards = Card("GPU-a"), Card("GPU-b", instances=[Card("MIG-1")])
    driver = install(monkeypatch, *cards)
    expected, load = nvml.gpus(), nvml.load("GPU-a")
    assert (len(expected), load.total) == (2, 80 * GIB)
    for failure in (*ERRORS, raises(OSError("odd")), raises(AttributeError("newer"))):
        for listing in (True, False):
            driver.failing = {name: failure}
            monkeypatch.setattr(nvml, "_driver", nvml.Driver())
            unsupported = failure == pynvml.NVML_ERROR_NOT_SUPPORTED
            if listing:
                same = [gpu.uuid for gpu in nvml.gpus()] == [gpu.uuid for gpu in expected]
                assert same or unsupported or nvml.trouble()
            else:
                assert nvml.load("GPU-a") or nvml.trouble()
            driver.failing = {}
            monkeypatch.setattr(nvml, "MEMORABLE", -1.0)
            assert (nvml.gpus(), nvml.load("GPU-a")) == (expected, load)


def test_after_a_failure_the_library_is_started_anew(monkeypatch):
    driver = install(monkeypatch, Card("GPU-a"))
    for _ in range(3):
        assert nvml.load("GPU-a")
    assert driver.calls.count("nvmlInit") == 1
    driver.failing["nvmlDeviceGetHandleByUUID"] = pynvml.NVML_ERROR_UNINITIALIZED
    assert nvml.load("GPU-a") is None
    driver.failing = {}
    assert nvml.load("GPU-a")
    assert driver.calls.count("nvmlInit") == 2 and driver.calls.count("nvmlShutdown") == 1


def test_the_list_is_not_asked_for_all_the_time(monkeypatch):
    driver = install(monkeypatch, Card("GPU-a"))
    for _ in range(100):
        nvml.gpus()
    assert driver.calls.count("nvmlDeviceGetCount") == 1


def test_a_driver_that_hangs_holds_nobody_up_twice(monkeypatch):
    driver, reset = install(monkeypatch, Card("GPU-a")), threading.Event()
    assert nvml.gpus()
    monkeypatch.setattr(nvml, "PATIENCE", 0.05)
    driver.failing["nvmlDeviceGetMemoryInfo"] = reset.wait
    assert nvml.load("GPU-a") is None
    assert "no answer" in nvml.trouble()
    asked = len(driver.calls)
    monkeypatch.setattr(nvml, "PATIENCE", 5.0)
    assert nvml.load("GPU-a") is None  # at once: nobody waits for the same answer
    assert len(driver.calls) == asked
    driver.failing = {}
    reset.set()
    wait_for(lambda: nvml.load("GPU-a"))
    assert nvml.trouble() is None


def test_a_user_with_too_many_threads_is_told(monkeypatch):
    install(monkeypatch, Card("GPU-a"))
    monkeypatch.setattr(threading.Thread, "start", raises(RuntimeError("can't start new thread")))
    assert nvml.gpus() == ()
    assert nvml.trouble() == "can't start new thread"
