import os
import signal
import subprocess
import sys

import pytest

from engine.processes import Process

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper():
    child = subprocess.Popen(SLEEP)
    yield child
    child.kill()
    child.wait()


def test_this_process_is_alive_here():
    me = Process.of(os.getpid())
    assert me.here and me.alive
    assert me == Process.model_validate_json(me.model_dump_json())


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
    assert sleeper.wait(10) == -signal.SIGTERM
    assert not process.alive
    assert not process.signal(signal.SIGTERM)


def test_a_zombie_is_not_alive(sleeper):
    process = Process.of(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet reaped
    assert not process.alive


def test_a_name_with_spaces_and_brackets_is_read(tmp_path):
    program = tmp_path / "a) S (b"
    program.symlink_to(sys.executable)
    child = subprocess.Popen([program, *SLEEP[1:]])
    try:
        assert Process.of(child.pid).alive
    finally:
        child.kill()
        child.wait()
