import subprocess
import sys
from pathlib import Path

import pytest

from engine.processes import Process
from engine.rundir import RunDirectory, write_json
from lthtui.launch import occupancy
from lthtui.launch.admission import Holder
from lthtui.launch.devices import Device
from lthtui.launch.nvml import Load
from lthtui.launch.occupancy import Tenant, survey
from lthtui.launch.slots import Full, Ledger

GIB = 2**30
FAMILY = """
import os, subprocess, sys
code = "print(flush=True); input()"
same = subprocess.Popen([sys.executable, "-S", "-c", code], stdin=0)
away = subprocess.Popen([sys.executable, "-S", "-c", code], stdin=0, start_new_session=True)
print(os.getpid(), same.pid, away.pid, flush=True)
input()
"""


@pytest.fixture
def family(spawn):
    """A shim in a session of its own, a child of it there, and one that left the session."""
    shim = spawn(
        [sys.executable, "-S", "-c", FAMILY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    lines = [shim.stdout.readline().split() for _ in range(3)]
    yield [int(pid) for line in lines for pid in line]
    shim.stdin.close()
    shim.wait()


@pytest.fixture
def stranger(spawn):
    """A program of somebody else's."""
    process = spawn(["sleep", "1000"], start_new_session=True)
    return process.pid


@pytest.fixture
def gone(spawn):
    """The pid of a process that has ended."""
    process = spawn(["true"])
    process.wait()
    return process.pid


def load(total=80, free=None, **fields):
    """The load of a GPU whose memory is all used by the programs listed, in GiB."""
    sizes = fields.get("processes", {})
    fields["processes"] = {pid: size and size * GIB for pid, size in sizes.items()}
    used = sum(size or 0 for size in sizes.values()) if free is None else total - free
    return Load(used * GIB, (total - used) * GIB, total * GIB, **fields)


def tenant(shim=None, declared=0, before=0):
    return Tenant(shim, declared * GIB, before * GIB)


def test_a_runs_programs_are_those_of_its_session_and_its_descendants(family, stranger):
    shim, same, away = family
    sizes = {same: 2, away: 3, stranger: 7}
    found = survey(load(processes=sizes), [tenant(shim, declared=10)])
    assert found.strangers == f"(pid {stranger}, sleep, 7GiB)"
    assert found.foreign == 7 * GIB
    assert found.room == (80 - 7 - 10) * GIB


def test_two_runs_are_told_from_each_other(family, stranger):
    shim, same, _ = family
    sizes = {same: 6, stranger: 1}
    found = survey(load(processes=sizes), [tenant(shim, 4), tenant(stranger, 4)])
    assert found.strangers == ""
    assert found.room == (80 - 6 - 4) * GIB  # one has more than it said, the other not yet


def test_an_orphan_of_a_killed_shim_is_still_its_runs(spawn):
    shim = spawn(
        ["sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, start_new_session=True
    )
    orphan = int(shim.stdout.readline())
    shim.wait()
    process = Process.of(orphan)
    try:
        assert survey(load(processes={orphan: 1}), [tenant(shim.pid)]).strangers == ""
        assert survey(load(processes={orphan: 1}), [tenant(1)]).strangers != ""
    finally:
        process.signal(9)


def test_a_pid_that_does_not_exist_here_may_be_a_runs_of_ours(gone):
    busy = load(processes={gone: 5})
    assert survey(busy, [tenant(declared=8)]).strangers == ""
    assert survey(busy, []).strangers == f"(pid {gone}, ending, or outside of this container, 5GiB)"


def test_the_largest_stranger_is_named_and_the_others_counted(stranger, gone, family):
    sizes = {gone: 1, stranger: 3, family[1]: 2}
    assert (
        survey(load(processes=sizes), []).strangers == f"(pid {stranger}, sleep, 3GiB) and 2 more"
    )
    assert survey(load(processes={stranger: None}), []).strangers == f"(pid {stranger}, sleep)"


def test_nvidias_own_server_is_no_stranger(stranger, monkeypatch):
    monkeypatch.setattr(occupancy, "MPS", "sleep")
    assert survey(load(processes={stranger: 0}), []).strangers == ""


def test_a_programs_name_does_nothing_to_the_terminal(spawn):
    code = "open('/proc/self/comm', 'w').write('\\x1b[2Jx'); print(flush=True); input()"
    process = spawn(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    assert "\x1b" in Path(f"/proc/{process.pid}/comm").read_text()
    assert "\x1b" not in survey(load(processes={process.pid: 1}), []).strangers


@pytest.mark.parametrize(
    ("used", "drawing", "busy"), [(0, 0, False), (0.2, 0, False), (0.5, 0, True), (3, 2.9, False)]
)
def test_memory_that_nobody_seems_to_use_is_somebodys(used, drawing, busy):
    found = survey(Load(int(used * GIB), 0, 80 * GIB, drawing=int(drawing * GIB)), [])
    assert found.strangers == ("(512MiB, not seen from here)" if busy else "")


def test_memory_in_use_by_nobody_seen_is_our_runs_as_far_as_they_declared():
    for used, declared, foreign in ((0, 30, 0), (20, 30, 0), (30, 30, 0), (45, 30, 15)):
        found = survey(load(free=80 - used), [tenant(declared=declared)])
        assert (found.foreign, found.room) == (foreign * GIB, (80 - declared - foreign) * GIB)
        assert found.strangers == ""


def test_what_others_had_before_a_run_started_stays_theirs_while_it_starts():
    starting = survey(load(free=40), [tenant(declared=30, before=40)])
    assert starting.room == 10 * GIB  # not 50: the 40 in use are not the run's
    left = survey(load(free=70), [tenant(declared=30, before=40)])
    assert left.room == 40 * GIB  # no more than is in use at all
    assert survey(load(free=80), [tenant(declared=30, before=40)]).room == 50 * GIB


def test_a_gpu_that_does_not_tell_its_memory_has_room_for_all_one_knows():
    assert survey(Load(0, 0, 0), [tenant(declared=30)]).room is None


def test_the_ledger_knows_its_runs_by_their_launch(tmp_path, family, stranger, monkeypatch):
    shim, same, _ = family
    run = RunDirectory(tmp_path / "runs" / "one")
    for folder in (run.path, tmp_path / "queue"):
        folder.mkdir(parents=True)
    gpu = Device("GPU-a", "0: A", memory=80 * GIB)
    seen = load()
    monkeypatch.setattr("lthtui.launch.devices.load", lambda device: seen)
    ledger = Ledger(tmp_path / "queue" / "slots")
    first = ledger.take([gpu], Holder(run_id="one", threads=1, per_device=2))
    process = Process.of(shim).model_dump()
    launch = {"attempt": 1, "backend": "local", "process": process, "device": gpu.name}
    write_json(run.launch_file, {**launch, "threads": 1, "time": 0.0})
    seen = load(processes={same: 1})
    second = ledger.take([gpu], Holder(run_id="two", threads=1, per_device=2))
    assert not isinstance(second, Full)
    second.close()
    seen = load(processes={same: 1, stranger: 1})
    refused = ledger.take([gpu], Holder(run_id="two", threads=1, per_device=2))
    assert f"pid {stranger}" in refused.reason
    first.close()
