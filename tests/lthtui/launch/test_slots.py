import os
import subprocess
import sys

import pytest

from lthtui.launch.devices import Device
from lthtui.launch.slots import Full, Holder, Ledger

CPU = Device("cpu", "cpu", cores=4)
A, B = Device("GPU-a", "0: A"), Device("GPU-b", "1: B")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "slots")


@pytest.fixture
def take(ledger):
    """Take a place as the queue process does, and keep it until the test ends."""
    taken = []

    def take(*devices, run="x", threads=1, per_device=1):
        holder = Holder(run_id=run, threads=threads, per_device=per_device)
        found = ledger.take(devices, holder)
        if isinstance(found, Full):
            return None
        taken.append(found)
        return found.device

    yield take
    for one in taken:
        one.close()


def held(ledger):
    return sorted(place.holder.run_id for place in ledger.places() if place.held)


def test_a_gpu_takes_one_run_unless_told_otherwise(take, ledger):
    assert [take(A, B, run=run) for run in "pqr"] == ["GPU-a", "GPU-b", None]
    assert held(ledger) == ["p", "q"]


def test_runs_share_a_gpu_only_if_all_of_them_agree(take):
    assert [take(A, per_device=n) for n in (3, 2, 3, 1)] == ["GPU-a", "GPU-a", None, None]


def test_a_run_that_wants_a_gpu_for_itself_waits_for_an_empty_one(take):
    assert [take(A, per_device=2), take(A, per_device=1)] == ["GPU-a", None]


def test_runs_share_the_cpu_by_their_threads(take):
    assert [take(CPU, threads=n) for n in (2, 1, 2, 1, 1)] == ["cpu", "cpu", None, "cpu", None]


def test_a_run_with_more_threads_than_cores_has_the_cpu_for_itself(take):
    assert [take(CPU, threads=99), take(CPU, threads=1)] == ["cpu", None]


def test_a_place_is_free_when_the_last_process_that_inherited_it_is_gone(ledger, spawn):
    taken = ledger.take([A], Holder(run_id="x", threads=1, per_device=1))
    wait = [sys.executable, "-S", "-c", "input()"]
    child = spawn(wait, stdin=subprocess.PIPE, pass_fds=(taken.file,))
    taken.close()
    (place,) = ledger.places()
    assert place.held and place.device == "GPU-a" and place.holder.run_id == "x"
    assert isinstance(ledger.take([A], place.holder), Full)
    child.kill()
    child.communicate()
    (place,) = ledger.places()
    assert not place.held
    again = ledger.take([A], place.holder)
    assert again.path == place.path
    again.close()


def test_a_free_place_names_its_last_run_until_it_is_cleared(take, ledger):
    taken = ledger.take([A], Holder(run_id="old", threads=1, per_device=1))
    taken.close()
    (place,) = ledger.places()
    assert (place.holder.run_id, place.held) == ("old", False)
    ledger.clear(place)
    assert ledger.places() == []


def test_looking_at_the_ledger_takes_nothing(ledger, take):
    take(A, run="p")
    other = os.open(ledger.places()[0].path, os.O_RDONLY)
    assert held(ledger) == held(ledger) == ["p"]
    os.close(other)


@pytest.mark.parametrize("text", ["", "{", '{"run_id": 3}'])
def test_a_broken_file_is_no_place_and_can_be_taken(ledger, take, text):
    (ledger.folder / "GPU-a.0").write_text(text)
    assert ledger.places() == []
    assert take(A, run="p") == "GPU-a"
    assert held(ledger) == ["p"]


def test_a_link_is_not_followed(ledger, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    (ledger.folder / "GPU-a.0").symlink_to(secret)
    with pytest.raises(OSError):
        ledger.take([A], Holder(run_id="x", threads=1, per_device=1))
    assert secret.read_text() == "x"
