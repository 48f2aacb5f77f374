import errno
import os
import subprocess
import sys
import threading

import pytest
from nvml import GIB, Card, install
from pynvml import (
    NVML_COMPUTEMODE_DEFAULT,
    NVML_COMPUTEMODE_EXCLUSIVE_PROCESS,
    NVML_COMPUTEMODE_PROHIBITED,
)

from lthtui.launch import devices, slots
from lthtui.launch.devices import Device
from lthtui.launch.slots import Full, Holder, Ledger, Taken

CPU = Device("cpu", "cpu", cores=4)


@pytest.fixture
def cards(monkeypatch):
    """Two GPUs with nothing on them."""
    found = Card("GPU-a", total=24 * GIB), Card("GPU-b", total=24 * GIB)
    install(monkeypatch, *found)
    return found


@pytest.fixture
def gpus(cards):
    return devices.gpus()


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "queue" / "slots").mkdir(parents=True)
    return Ledger(tmp_path / "queue" / "slots")


@pytest.fixture
def ask(ledger):
    """Ask for a place as the queue process does, and keep it until the test ends."""
    taken = []

    def ask(*suited, run="x", threads=1, per_device=1, limits=slots.NONE, **fields):
        holder = Holder(run_id=run, threads=threads, per_device=per_device, **fields)
        found = ledger.take(suited, holder, limits)
        if isinstance(found, Taken):
            taken.append(found)
        return found

    yield ask
    for one in taken:
        one.close()


@pytest.fixture
def take(ask):
    """The device on which a place was got; None if there was none."""

    def take(*suited, **fields):
        found = ask(*suited, **fields)
        return None if isinstance(found, Full) else found.device

    return take


def held(ledger):
    return sorted(place.holder.run_id for place in ledger.places() if place.held)


def holder(run="x", **fields):
    return Holder(run_id=run, **{"threads": 1, "per_device": 1, **fields})


def test_a_gpu_takes_one_run_unless_told_otherwise(take, ledger, gpus):
    assert [take(*gpus, run=run) for run in "pqr"] == ["GPU-a", "GPU-b", None]
    assert held(ledger) == ["p", "q"]


def test_runs_share_a_gpu_only_if_all_of_them_agree(take, gpus):
    assert [take(gpus[0], per_device=n) for n in (3, 2, 3, 1)] == ["GPU-a", "GPU-a", None, None]


def test_a_run_that_wants_a_gpu_for_itself_waits_for_an_empty_one(take, gpus):
    assert [take(gpus[0], per_device=2), take(gpus[0], per_device=1)] == ["GPU-a", None]


def test_runs_that_share_spread_over_all_gpus_first(take, gpus):
    found = [take(*gpus, per_device=2) for _ in range(5)]
    assert found == ["GPU-a", "GPU-b", "GPU-a", "GPU-b", None]


def test_declared_memory_is_shared_as_far_as_it_goes(take, gpus):
    sizes = (10, 10, 5, 3, 1)  # a quarter of a GiB of the 24 is not for runs
    found = [take(gpus[0], memory=size * GIB) for size in sizes]
    assert found == ["GPU-a", "GPU-a", None, "GPU-a", None]


def test_per_device_limits_runs_with_declared_memory_only_above_one(take, gpus):
    found = [take(gpus[0], memory=GIB, per_device=n) for n in (1, 3, 1, 1)]
    assert found == ["GPU-a", "GPU-a", "GPU-a", None]


def test_a_run_that_declares_joins_one_that_does_not_by_consent_only(take, gpus):
    one, two = gpus
    assert [take(one), take(one, memory=GIB)] == ["GPU-a", None]
    assert [take(two, memory=GIB, per_device=2), take(two, per_device=2)] == ["GPU-b", "GPU-b"]


def test_after_out_of_memory_a_run_is_alone(take, gpus):
    one, two = gpus
    roomy = {"memory": GIB, "per_device": 9}
    assert [take(one, alone=True, **roomy), take(one, **roomy)] == ["GPU-a", None]
    assert [take(two, **roomy), take(two, alone=True, **roomy)] == ["GPU-b", None]
    assert [take(CPU, alone=True), take(CPU)] == ["cpu", None]


def test_what_the_driver_calls_free_counts_too(ask, cards, gpus):
    cards[0].graphics[999_999_999] = 20 * GIB  # a game
    assert ask(gpus[0], memory=5 * GIB) == Full("GPU 0: 4GiB free, 5GiB asked for", ours=False)
    assert isinstance(ask(gpus[0], memory=4 * GIB), Taken)


def test_a_run_that_starts_slowly_is_waited_for(ask, cards, gpus):
    cards[0].graphics[999_999_999] = 8 * GIB
    assert isinstance(ask(gpus[0], memory=9 * GIB), Taken)
    assert ask(gpus[0], memory=9 * GIB) == Full("GPU 0: 7GiB free, 9GiB asked for", ours=False)
    cards[0].hidden = 9 * GIB  # now it has what it said, and nothing has changed
    assert ask(gpus[0], memory=9 * GIB) == Full("GPU 0: 7GiB free, 9GiB asked for", ours=False)
    assert isinstance(ask(gpus[0], memory=7 * GIB), Taken)


def test_strangers_keep_a_gpu_to_themselves_but_for_declared_memory(ask, cards, gpus):
    cards[0].compute[os.getpid()] = 12 * GIB
    refused = ask(gpus[0], per_device=9)
    assert refused.reason.startswith(f"GPU 0: in use by another program (pid {os.getpid()}, ")
    assert refused.reason.endswith(", 12GiB)") and not refused.ours
    assert isinstance(ask(gpus[0], memory=GIB, alone=True), Full)
    assert isinstance(ask(gpus[0], memory=11 * GIB), Taken)
    assert ask(*gpus).device == "GPU-b"


def test_a_gpu_is_given_out_again_when_its_memory_is_back(ask, ledger, cards, gpus):
    first = ledger.take(gpus[:1], holder())
    cards[0].hidden = 6 * GIB
    first.close()
    assert ask(gpus[0]).reason == "GPU 0: in use by another program (6GiB, not seen from here)"
    cards[0].hidden = 0
    assert isinstance(ask(gpus[0]), Taken)


def test_a_gpu_of_which_the_driver_says_nothing_gets_no_run(ask, cards, gpus):
    cards[0].error = 15
    reason = "GPU 0: the NVIDIA driver says nothing about it (GPU is lost)"
    assert ask(gpus[0]) == Full(reason, ours=False)
    assert ask(*gpus).device == "GPU-b"


def test_what_the_administrator_allows_on_a_gpu_is_kept(take, cards, gpus):
    one, two = cards
    one.mode, two.mode = NVML_COMPUTEMODE_EXCLUSIVE_PROCESS, NVML_COMPUTEMODE_PROHIBITED
    assert [take(gpus[0], per_device=9) for _ in range(2)] == ["GPU-a", None]
    assert take(gpus[1]) is None
    one.shared[os.getpid()] = GIB  # by way of NVIDIA's server several are one
    assert take(gpus[0], per_device=9, memory=GIB) == "GPU-a"
    two.mode = NVML_COMPUTEMODE_DEFAULT
    assert [take(gpus[1], per_device=9) for _ in range(2)] == ["GPU-b", "GPU-b"]


def test_a_gpu_that_does_not_tell_its_memory_is_shared_by_consent(take, cards):
    unknown = Device("GPU-a", "0: A", memory=0)
    found = [take(unknown, memory=GIB, per_device=2) for _ in range(3)]
    assert found == ["GPU-a", "GPU-a", None]


def test_each_reason_says_what_to_wait_for(ask, gpus):
    one, two = gpus
    for _ in range(2):
        ask(two, per_device=2)
    ask(one, memory=20 * GIB)
    assert ask(two, per_device=2) == Full("GPU 1: 2 of 2 places taken", ours=True)
    declared = Full("GPU 0: 20GiB of 23.8GiB declared, 9GiB asked for", ours=True)
    assert ask(one, memory=9 * GIB) == declared
    assert ask(one) == Full("GPU 0: 1 of 1 places taken", ours=True)
    both = Full("GPU 0: 1 of 1 places taken; GPU 1: 2 of 1 places taken", ours=True)
    assert ask(one, two) == both
    ask(CPU, threads=3)
    assert ask(CPU, threads=2) == Full("CPU: 3 of 4 threads taken", ours=True)
    several = ask(two, one, CPU, threads=2)
    assert several.reason == "GPU 0: 1 of 1 places taken; 2 more are full, too"
    assert ask().ours


def test_whoever_waits_for_strangers_has_to_look_again(ask, cards, gpus):
    cards[1].compute[os.getpid()] = GIB
    ask(gpus[0])
    assert not ask(*gpus).ours


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"GPU-a": 1}, ["GPU-a", None]),
        ({"0": 1}, ["GPU-a", None]),
        ({"*": 1}, ["GPU-a", None]),
        ({"*": 1, "0": 2}, ["GPU-a", "GPU-a"]),
        ({"1": 0, "*": 2}, ["GPU-a", "GPU-a"]),
        ({"0": 0}, [None, None]),
    ],
)
def test_a_devices_limit_is_kept(take, gpus, limits, expected):
    assert [take(gpus[0], per_device=2, limits=limits) for _ in range(2)] == expected


def test_runs_share_the_cpu_by_their_threads(take):
    assert [take(CPU, threads=n) for n in (2, 1, 2, 1, 1)] == ["cpu", "cpu", None, "cpu", None]


def test_a_run_with_more_threads_than_cores_has_the_cpu_for_itself(take):
    assert [take(CPU, threads=99), take(CPU, threads=1)] == ["cpu", None]


@pytest.mark.parametrize(("per_device", "threads"), [(2, 2), (3, 1), (4, 1), (6, 1)])
def test_divided_cores_give_as_many_places_as_there_are_parts(take, per_device, threads):
    part = {"per_device": per_device, "threads": threads, "divided": True}
    found = [take(CPU, **part) for _ in range(per_device + 1)]
    assert found == ["cpu"] * per_device + [None]


def test_divided_and_fixed_threads_together_stay_within_the_cores(take):
    part = {"per_device": 6, "threads": 1, "divided": True}
    assert [take(CPU, threads=3), take(CPU, **part), take(CPU, **part)] == ["cpu", "cpu", None]


def test_a_place_is_free_when_the_last_process_that_inherited_it_is_gone(ledger, spawn, gpus):
    taken = ledger.take(gpus[:1], holder())
    wait = [sys.executable, "-S", "-c", "input()"]
    child = spawn(wait, stdin=subprocess.PIPE, pass_fds=(taken.file,))
    taken.close()
    (place,) = ledger.places()
    assert place.held and place.device == "GPU-a" and place.holder.run_id == "x"
    assert isinstance(ledger.take(gpus[:1], place.holder), Full)
    child.kill()
    child.communicate()
    (place,) = ledger.places()
    assert not place.held
    again = ledger.take(gpus[:1], place.holder)
    assert again.path == place.path
    again.close()


def test_a_free_place_names_its_last_run_until_it_is_cleared(ledger, gpus):
    ledger.take(gpus, holder("old")).close()
    (place,) = ledger.places()
    assert (place.holder.run_id, place.held) == ("old", False)
    ledger.clear(place)
    assert ledger.places() == []


def test_a_run_whose_end_nobody_has_seen_to_yet_keeps_its_name_on_its_place(ledger, take, gpus):
    ledger.take(gpus[:1], holder("old")).close()
    assert take(gpus[0], run="new") == "GPU-a"
    assert {place.holder.run_id: place.held for place in ledger.places()} == {
        "old": False,
        "new": True,
    }


@pytest.mark.parametrize("run", ["new", "old"])
def test_a_place_that_was_taken_again_is_not_cleared(ledger, take, gpus, run):
    ledger.take(gpus[:1], holder("old")).close()
    (before,) = ledger.places()
    take(gpus[0], run=run)
    ledger.clear(before)
    assert held(ledger) == [run]
    assert take(gpus[0]) is None


def test_looking_at_the_ledger_takes_nothing(ledger, take, gpus):
    take(gpus[0], run="p")
    other = os.open(ledger.places()[0].path, os.O_RDONLY)
    assert held(ledger) == held(ledger) == ["p"]
    os.close(other)


@pytest.mark.parametrize("text", ["", "{", '{"run_id": 3}'])
def test_a_broken_file_is_no_place_and_can_be_taken(ledger, take, gpus, text):
    (ledger.folder / "GPU-a.0").write_text(text)
    assert ledger.places() == []
    assert take(gpus[0], run="p") == "GPU-a"
    assert held(ledger) == ["p"]


def test_a_place_that_somebody_holds_is_taken_whatever_its_file_says(ledger, take, gpus):
    take(gpus[0], run="p", per_device=9)
    (ledger.folder / "GPU-a.0").write_text("")
    assert take(gpus[0], per_device=9) is None
    assert len(held(ledger)) == 1


def test_a_full_disk_leaves_the_place_free(ledger, gpus, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError):
            ledger.take(gpus, holder())
    assert held(ledger) == []


def test_a_link_is_not_followed(ledger, tmp_path, gpus):
    secret = tmp_path / "secret"
    secret.write_text("x")
    (ledger.folder / "GPU-a.0").symlink_to(secret)
    with pytest.raises(OSError):
        ledger.take(gpus, holder())
    assert secret.read_text() == "x"


def test_only_one_of_many_at_once_gets_the_last_place(ledger, gpus):
    found, start = [], threading.Barrier(8)

    def race():
        own = Ledger(ledger.folder)  # as in another process
        start.wait()
        found.append(own.take(gpus, holder(per_device=2)))

    racers = [threading.Thread(target=race) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    taken = [one for one in found if isinstance(one, Taken)]
    assert sorted(one.device for one in taken) == ["GPU-a", "GPU-a", "GPU-b", "GPU-b"]
    assert len({one.path for one in taken}) == 4
    for one in taken:
        one.close()
