import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import PATIENCE, wait_for

from engine.processes import Process, detach

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


@pytest.fixture
def sleeper(spawn):
    return spawn(SLEEP)


def test_this_process_is_alive_here():
    me = Process.of(os.getpid())
    assert me.here and me.alive
    assert me == Process.model_validate_json(me.model_dump_json())


def test_a_process_is_as_old_as_it_has_run():
    before, tick = time.monotonic(), 1 / os.sysconf("SC_CLK_TCK")
    script = "import os, time; from engine.processes import Process; time.sleep(0.2);"
    script += "print(Process.of(os.getpid()).age)"
    age = float(subprocess.check_output([sys.executable, "-c", script]))
    assert 0.2 <= age <= time.monotonic() - before + tick


def test_a_pid_that_is_not_used_is_refused():
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    with pytest.raises(ProcessLookupError, match=str(child.pid)):
        Process.of(child.pid)


@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "another"}, {"host": "another"}])
def test_another_process_of_the_same_pid_is_neither_alive_nor_hit(sleeper, change):
    other = Process.of(sleeper.pid).model_copy(update=change)
    assert not other.alive
    assert not other.signal(signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_signal_reaches_the_process_itself(sleeper):
    process = Process.of(sleeper.pid)
    assert process.signal(signal.SIGTERM)
    assert sleeper.wait(PATIENCE) == -signal.SIGTERM
    assert not process.alive
    assert not process.signal(signal.SIGTERM)


def test_a_zombie_is_not_alive(sleeper):
    process = Process.of(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet reaped
    assert not process.alive


def test_a_name_with_spaces_and_brackets_is_read(tmp_path, spawn):
    program = tmp_path / "a) S (b"
    program.symlink_to(sys.executable)
    assert Process.of(spawn([program, *SLEEP[1:]]).pid).alive


TELL = """
import os, sys, time
print(os.getsid(0), repr(sys.stdin.read()), flush=True)
time.sleep(600)
"""


def test_a_detached_process_is_no_ones_burden(tmp_path):
    pid = detach([sys.executable, "-S", "-c", TELL], tmp_path / "log")
    try:
        wait_for(lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text())
        assert (tmp_path / "log").read_text() == f"{pid} ''\n"
        gc.collect()  # a handle that is dropped while the process runs is a warning, so an error
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
