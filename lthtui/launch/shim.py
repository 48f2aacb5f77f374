"""Stands over one worker process: outlives every terminal, records its exit, leaves nothing behind.

`python -S -E shim.py RUN_DIR ATTEMPT GO -- COMMAND...` (standard library only, one thread, started
by a launch backend). GO is a file descriptor: the command begins once a byte can be read from it,
so a start that nobody recorded never happens. TERM, INT and USR1 go on to the command; QUIT kills
it with everything it started. When the command has ended and its whole process group and all
orphans of it are gone, `exit.json` is written.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
KILL = signal.SIGQUIT
BLOCKED = FORWARDED | {KILL, signal.SIGHUP, signal.SIGCHLD}
GRACE = 2.0  # seconds between TERM and KILL for what the command left behind
PATIENCE = 20.0  # seconds after which a process that cannot even be killed is given up
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> int:
    """Run the command to its end; the shim's own exit code says nothing about the command's."""
    folder, attempt, go, dashes, *command = arguments
    if dashes != "--" or not command:
        raise SystemExit("usage: shim.py RUN_DIR ATTEMPT GO -- COMMAND...")
    _detach(folder)
    if not os.read(int(go), 1):
        return 1
    os.close(int(go))
    stand_over(Path(folder), int(attempt), command)
    return 0


def stand_over(folder: Path, attempt: int, command: list[str]) -> int:
    """Run the command, leave nothing of it behind, and record its exit; returns its exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = _start(command)
    code = _wait(child)
    _sweep()
    _record(folder, attempt, code)
    return code


def _detach(folder: str) -> None:
    """Leave the terminal: a session of its own, nothing to read, output to the run's log."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(
        os.path.join(folder, "log.txt"),
        os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW,
        0o600,
    )
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _start(command: list[str]) -> int:
    """Start the command in a process group of its own that dies with this process."""
    shim = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
            if os.getppid() == shim:  # otherwise it died before the line above took effect
                os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
    return child


def _wait(child: int) -> int:
    """Wait for the command, passing signals on; return its exit code, negative for a signal."""
    while True:
        number = signal.sigwait(BLOCKED)
        if number in FORWARDED:
            os.kill(child, number)
        elif number == KILL:
            os.killpg(child, signal.SIGKILL)
        for pid, status in _reap():
            if pid == child:
                return os.waitstatus_to_exitcode(status)


def _reap() -> Iterator[tuple[int, int]]:
    """Collect the dead children: their pids and wait statuses."""
    while (dead := os.waitpid(-1, os.WNOHANG))[0]:
        yield dead


def _sweep() -> None:
    """End whatever the command left: all of it is, or becomes, a child of this process."""
    started, told = time.monotonic(), set()
    try:
        while (late := time.monotonic() - started) < PATIENCE:
            number = signal.SIGKILL if late > GRACE else signal.SIGTERM
            for pid in _children():
                if (pid, number) not in told:
                    told.add((pid, number))
                    os.kill(pid, number)
            signal.sigtimedwait({signal.SIGCHLD}, 0.1)
            for _ in _reap():
                pass
        print(f"processes {_children()} can't be killed", file=sys.stderr, flush=True)
    except ChildProcessError:
        return  # nothing is left


def _children() -> list[int]:
    """Pids of this process's children, orphans that it adopted included.

    Raises:
        ChildProcessError: there are none.
    """
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    parents = {pid: _parent(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    return [int(pid) for pid, parent in parents.items() if parent == os.getpid()]


def _parent(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _record(folder: Path, attempt: int, code: int) -> None:
    """Write exit.json whole or not at all, unless a newer attempt has ended already."""
    target = folder / "exit.json"
    try:
        newest = int(json.loads(target.read_text())["attempt"])
    except (OSError, ValueError, KeyError, TypeError):
        newest = 0
    if newest > attempt:
        return
    temporary = folder / f".exit.json.{os.getpid()}.tmp"
    try:
        with temporary.open("w") as file:
            json.dump({"attempt": attempt, "code": code, "time": time.time()}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
