import json
import os
import signal
import subprocess
import sys
import time

import pytest
from waiting import PATIENCE, wait_for

from engine.processes import Process
from lthtui.launch import shim

PYTHON = [sys.executable, "-S", "-c"]
LISTEN = """
import os, signal, sys, time
def leave(number, frame):
    os.write(1, b"got %d\\n" % number)  # print may be at work already
    os._exit(7)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), leave)
print("ready", flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
LEAVES = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", sys.argv[2]],
                         start_new_session=sys.argv[1] == "session", stdout=subprocess.PIPE)
child.stdout.readline()
print("left", child.pid, flush=True)
child.returncode = 0
"""


class Shim:
    """A shim over a command, in a run's folder."""

    def __init__(self, folder, *command, attempt=1):
        wait, self.go = os.pipe()
        arguments = [str(folder), str(attempt), str(wait), "--", *map(str, command)]
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", shim.__file__, *arguments], pass_fds=(wait,)
        )
        os.close(wait)
        self.folder = folder

    def release(self):
        os.write(self.go, b"g")
        return self

    def end(self):
        """Wait for the shim, and return what it recorded."""
        assert self.process.wait(PATIENCE) == 0
        return json.loads((self.folder / "exit.json").read_text())

    def says(self, text):
        """Wait for a text in the log."""
        wait_for(lambda: text in self.log(), self.log)

    def log(self):
        file = self.folder / "log.txt"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*command, **options):
        started.append(Shim(tmp_path, *command, **options))
        return started[-1]

    yield start
    for one in started:
        os.close(one.go)
        one.process.kill()
        one.process.wait()


def alive(pid):
    try:
        return Process.of(pid).alive
    except ProcessLookupError:
        return False


def left_behind(log):
    return int(log.split("left ")[1].split()[0])


@pytest.mark.parametrize("code", [0, 3, 75])
def test_the_exit_code_is_recorded_with_its_attempt(start, code):
    found = start(*PYTHON, f"raise SystemExit({code})", attempt=4).release().end()
    assert (found["code"], found["attempt"]) == (code, 4)
    assert abs(found["time"] - time.time()) < 60


def test_a_death_by_signal_is_a_negative_code(start):
    assert start("sh", "-c", "kill -SEGV $$").release().end()["code"] == -signal.SIGSEGV


def test_a_command_that_is_not_there(start):
    one = start("/nowhere/python").release()
    assert one.end()["code"] == 127
    assert one.log() == "/nowhere/python: No such file or directory\n"


def test_output_goes_to_the_log_and_nothing_can_be_read(start):
    code = "import sys; print(repr(sys.stdin.read())); print('oops', file=sys.stderr)"
    start(*PYTHON, code).release().end()
    one = start("echo", "again").release()
    one.end()
    assert sorted(one.log().splitlines()) == ["''", "again", "oops"]
    assert one.log().endswith("again\n")
    assert (one.folder / "log.txt").stat().st_mode & 0o777 == 0o600


def test_nothing_starts_before_it_is_released(start, tmp_path):
    one = start("touch", tmp_path / "started")
    wait_for((tmp_path / "log.txt").exists)
    assert not (tmp_path / "started").exists()
    one.release().end()
    assert (tmp_path / "started").exists()


def test_a_start_that_nobody_recorded_never_happens(start, tmp_path):
    one = start("touch", tmp_path / "started")
    os.close(one.go)
    assert one.process.wait(PATIENCE) == 1
    one.go = os.open(os.devnull, os.O_RDONLY)
    assert not (tmp_path / "started").exists()
    assert not (tmp_path / "exit.json").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_signals_go_on_to_the_command(start, name):
    one = start(*PYTHON, LISTEN, name).release()
    one.says("ready")
    one.process.send_signal(getattr(signal, name))
    assert one.end()["code"] == 7
    assert f"got {int(getattr(signal, name))}" in one.log()


def test_the_end_of_a_terminal_is_not_the_end_of_a_run(start):
    one = start(*PYTHON, LISTEN, "SIGTERM").release()
    one.says("ready")
    one.process.send_signal(signal.SIGHUP)
    one.process.send_signal(signal.SIGTERM)
    assert one.end()["code"] == 7
    assert os.getsid(0) != one.process.pid


def test_it_leads_a_session_of_its_own(start):
    one = start(*PYTHON, LISTEN).release()
    one.says("ready")
    assert os.getsid(one.process.pid) == one.process.pid
    one.process.send_signal(signal.SIGQUIT)
    one.end()


def test_quit_kills_a_command_that_ignores_everything_else(start):
    one = start(*PYTHON, DEAF).release()
    one.says("ready")
    one.process.send_signal(signal.SIGTERM)
    one.process.send_signal(signal.SIGQUIT)
    assert one.end()["code"] == -signal.SIGKILL


@pytest.mark.parametrize("where", ["group", "session"])
@pytest.mark.parametrize("how", ["willing", "deaf"])
def test_what_the_command_leaves_behind_is_swept(start, where, how):
    stays = DEAF if how == "deaf" else "import time; print('ready', flush=True); time.sleep(600)"
    one = start(*PYTHON, LEAVES, where, stays).release()
    assert one.end()["code"] == 0
    assert not alive(left_behind(one.log()))


def test_quit_also_kills_what_escaped_the_group(start):
    one = start(*PYTHON, LEAVES + "\nimport time; time.sleep(600)", "session", DEAF).release()
    one.says("left")
    one.process.send_signal(signal.SIGQUIT)
    assert one.end()["code"] == -signal.SIGKILL
    assert not alive(left_behind(one.log()))


def test_the_command_dies_with_a_killed_shim(start):
    one = start(*PYTHON, "import os, time; print('left', os.getpid(), flush=True); time.sleep(600)")
    one.release().says("left")
    one.process.kill()
    one.process.wait()
    wait_for(lambda: not alive(left_behind(one.log())))
    assert not (one.folder / "exit.json").exists()


def test_the_end_of_a_stale_attempt_does_not_hide_that_of_a_newer_one(start):
    start("true", attempt=5).release().end()
    found = start("false", attempt=4).release().end()
    assert (found["attempt"], found["code"]) == (5, 0)


def test_a_broken_record_is_replaced(start, tmp_path):
    (tmp_path / "exit.json").write_text('{"attempt"')
    assert start("true").release().end()["code"] == 0
    assert not [*tmp_path.glob(".exit.json*")]
