"""Ends runs, for good or for now: those that wait at once, those that train at a checkpoint."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal

from engine.errors import LthError, UsageError
from engine.processes import Process
from engine.rundir import RunDirectory, Status, stalled, status
from lthtui.launch import entries, owner, retrying
from lthtui.launch.entries import Entry

GRACE = 30.0  # seconds a worker gets to finish its step and write a checkpoint
SILENCE = 2.0  # seconds of waiting that need no word
Verb = Literal["stop", "pause"]
Tell = Callable[[str], None]


def _nothing(message: str) -> None:
    """Where nobody waits for a word."""


def cancel(runs: Sequence[RunDirectory], *, grace: float = GRACE, tell: Tell = _nothing) -> None:
    """Stop runs, and return once all have ended: waiting ones at once, others at a checkpoint.

    A worker that is still there after `grace` seconds is killed with everything it started.

    Args:
        tell: takes one line, from another thread, if this takes longer than a moment.

    Raises:
        UsageError: a run is on another machine, or the root belongs to somebody else.
    """
    with _word(runs, grace, tell):
        _stop(runs, "stop", grace)


def pause(runs: Sequence[RunDirectory], *, grace: float = GRACE, tell: Tell = _nothing) -> None:
    """As `cancel`, but the runs count as paused."""
    with _word(runs, grace, tell):
        _stop(runs, "pause", grace)


@contextmanager
def _word(runs: Sequence[RunDirectory], grace: float, tell: Tell) -> Iterator[None]:
    """Say what is waited for if that takes long."""

    def say() -> None:
        if left := [run for run in runs if status(run) == Status.RUNNING]:
            tell(_waiting(left, grace))

    timer = threading.Timer(SILENCE, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # or it might speak of what is over


def _waiting(left: Sequence[RunDirectory], grace: float) -> str:
    """What is waited for, until when, and why it may be in vain."""
    one = len(left) == 1
    who = left[0].run_id if one else f"{len(left)} runs"
    text = f"waiting up to {grace:g} s for {who} to save a checkpoint; then"
    text += " it is killed" if one else " they are killed"
    silent = [run for run in left if stalled(run, time.time())]
    if not silent:
        return text
    more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return f"{text} ({'it' if one else silent[0].run_id + more} shows no sign of life)"


def _stop(runs: Sequence[RunDirectory], verb: Verb, grace: float) -> None:
    entry_of = {run.run_id: entries.find(run) for run in runs}
    jobs = [(run, entry) for run in runs if (entry := entry_of[run.run_id]) and entry.job]
    local = [run for run in runs if run not in [job for job, _ in jobs]]
    for directory in runs:
        owner.check(directory.root)
    for directory in local:
        _refuse_elsewhere(directory)
    with ThreadPoolExecutor(1) as pool:
        cluster = pool.submit(_stop_jobs, jobs, verb, grace)
        workers = [worker for run in local for worker in _dequeue(run, verb)]
        _signal_and_wait(workers, signal.SIGTERM, grace)
        _signal_and_wait(workers, signal.SIGQUIT, 30.0)  # a shim kills all its worker started
        _signal_and_wait(workers, signal.SIGKILL, 5.0)  # and its worker dies with it
    cluster.result()
    if left := [str(worker.pid) for worker in workers if worker.alive]:
        raise LthError(f"process {', '.join(left)} can't be killed; it is waiting for a device")


def _stop_jobs(jobs: Sequence[tuple[RunDirectory, Entry]], verb: Verb, grace: float) -> None:
    if jobs:
        from lthtui.launch.backends import slurm

        slurm.stop(jobs, verb, grace)


def _refuse_elsewhere(directory: RunDirectory) -> None:
    sign = directory.heartbeat() or directory.launch()
    if sign and not sign.process.here and status(directory) == Status.RUNNING:
        host = sign.process.host
        raise UsageError(f"{directory.run_id} runs on {host}; give the command on that machine")


def _dequeue(directory: RunDirectory, verb: Verb) -> Iterator[Process]:
    """Take a run out of the queue for good, and yield what runs of it already."""
    with entries.locked(directory.root):
        if retrying.goes_on(directory):
            directory.ask(verb)
        directory.queue_file.unlink(missing_ok=True)
    for sign in (directory.launch(), directory.heartbeat()):
        if sign and sign.process.alive:  # the shim if there is one, otherwise the worker itself
            yield sign.process
            return


def _signal_and_wait(workers: Iterable[Process], number: int, seconds: float) -> None:
    """Send a signal to those that live, and wait until they have ended or time is up."""
    alive = [worker for worker in workers if worker.signal(number)]
    deadline = time.monotonic() + seconds
    for worker in alive:
        try:
            handle = os.pidfd_open(worker.pid)
        except ProcessLookupError:
            continue
        end = select.poll()  # select() would refuse the file descriptors of a busy process
        end.register(handle, select.POLLIN)
        try:
            if worker.alive:
                end.poll(1000 * max(0.0, deadline - time.monotonic()))
        finally:
            os.close(handle)
