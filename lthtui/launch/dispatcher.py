"""The queue process: `python -P -m lthtui.launch.dispatcher ROOT` starts runs until none is left.

One at a time holds the root's lease. Killing it harms no run: whoever queues or follows work starts
another, which adopts what runs. It sleeps until a run ends or a client wakes it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from engine.errors import UsageError
from engine.rundir import Launch, RunDirectory, Status, last_end, status, write_json
from lthtui.launch import devices, lease, queue
from lthtui.launch.backends import Worker, local
from lthtui.launch.slots import Full, Holder, Ledger, Taken

RETRY = 1.0  # seconds until a run that could not be placed or started is tried again
CLEARING = 0.05  # seconds until processes are looked at again that a run left behind


class Dispatcher:
    """Everything that the queue process of one root knows; files and locks know it too."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = Ledger(root / "queue" / "slots")
        self.workers: dict[str, Worker] = {}
        self.syncs: list[subprocess.Popen[bytes]] = []
        self._wake = _open_wake_file(root)
        self._told: set[str] = set()

    def run(self, held: int) -> None:
        """Dispatch until nothing waits or runs, then give the lease back."""
        while True:
            self.collect()
            with queue.locked(self.root):
                self.dispatch()
                if not self._busy():
                    os.close(held)  # under the lock, so that no client believes in it any more
                    return
            self.wait()

    def collect(self) -> None:
        """Adopt what another queue process started; see to runs that have ended."""
        for run, worker in [*self.workers.items()]:
            if worker.ended():
                worker.close()
                del self.workers[run]
        for place in self.ledger.places():
            directory = self._directory(place.holder.run_id)
            if place.held:
                self._adopt(directory)
            elif directory.run_id not in self.workers:
                self._ended(directory)
                self.ledger.clear(place)
        self.syncs = [process for process in self.syncs if process.poll() is None]

    def dispatch(self) -> None:
        """Start waiting runs in order; none overtakes another that waits for the same device."""
        spoken_for: set[str] = set()
        for entry in queue.entries(self.root):
            directory = self._directory(entry.run_id)
            if entry.run_id in self.workers:
                directory.queue_file.unlink(missing_ok=True)
            else:
                spoken_for |= self._place(entry, directory, spoken_for)

    def wait(self) -> None:
        """Sleep until a run ends, a client calls, or it is time to try again."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for worker in self.workers.values():
            poll.register(worker.fileno(), select.POLLIN)
        poll.poll(1000 * self._patience())
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass

    def _busy(self) -> bool:
        """Whether something runs, waits, or has left processes behind that hold its place."""
        if self.workers or self.syncs or queue.entries(self.root):
            return True
        return bool(self.ledger.places())

    def _patience(self) -> float:
        left = any(place.holder.run_id not in self.workers for place in self.ledger.places())
        if left or self.syncs:
            return CLEARING
        return RETRY if queue.entries(self.root) else 30 * RETRY

    def _directory(self, run: str) -> RunDirectory:
        return RunDirectory(self.root / "runs" / run)

    def _adopt(self, directory: RunDirectory) -> None:
        launch = directory.launch()
        if directory.run_id not in self.workers and launch:
            worker = local.adopt(launch)
            if worker:
                self.workers[directory.run_id] = worker

    def _place(self, entry: queue.Entry, directory: RunDirectory, spoken_for: set[str]) -> set[str]:
        """Start a run if a device has room; return the devices that it waits for otherwise."""
        try:
            suited = devices.eligible(entry.launch.devices, entry.visible)
        except UsageError as error:
            self._tell(f"{entry.run_id} can't be placed: {error}")
            return set()
        names = {device.name for device in suited}
        started = self._start(entry, directory, [d for d in suited if d.name not in spoken_for])
        return set() if started else names

    def _start(
        self, entry: queue.Entry, directory: RunDirectory, free: list[devices.Device]
    ) -> bool:
        before = directory.launch()
        threads = before.threads if before else entry.launch.share(devices.cores())
        holder = Holder(run_id=entry.run_id, threads=threads, per_device=entry.launch.per_device)
        taken = self.ledger.take(free, holder)
        if isinstance(taken, Full):
            return False
        try:
            if status(directory) != Status.RUNNING:  # such as by hand
                attempt = _next_attempt(directory, before)
                self.workers[entry.run_id] = _launch(directory, attempt, threads, taken)
        except OSError as error:
            self._tell(f"{entry.run_id} can't be started: {error}")
            return False
        finally:
            taken.close()
        directory.queue_file.unlink(missing_ok=True)
        return True

    def _ended(self, directory: RunDirectory) -> None:
        """Bring a run whose worker could not say goodbye up to date in MLflow."""
        launch, ended = directory.launch(), last_end(directory)
        if launch is None or (ended and ended.attempt >= launch.attempt):
            return
        try:
            tracked = directory.spec().tracking != "off"
        except (OSError, ValueError) as error:
            self._tell(f"{directory.run_id}: its spec can't be read: {error}")
            return
        if tracked:
            self.syncs.append(local.sync(directory))

    def _tell(self, message: str) -> None:
        """Say something once in queue/dispatcher.log."""
        if message not in self._told:
            self._told.add(message)
            print(time.strftime("%FT%TZ", time.gmtime()), message, flush=True)


def _launch(directory: RunDirectory, attempt: int, threads: int, taken: Taken) -> Worker:
    """Start an attempt, which begins only once launch.json says so."""
    worker = local.start(directory, attempt, threads, taken)
    launch = Launch(
        attempt=attempt,
        backend=local.NAME,
        process=worker.process,
        device=taken.device,
        threads=threads,
        time=time.time(),
    )
    try:
        write_json(directory.launch_file, launch.model_dump())
        worker.release()
    except OSError:
        worker.close()
        raise
    return worker


def _next_attempt(directory: RunDirectory, before: Launch | None) -> int:
    try:
        fence = int(directory.attempt_file.read_text())
    except (OSError, ValueError):
        fence = 0
    return max(fence, before.attempt if before else 0) + 1


def _open_wake_file(root: Path) -> int:
    path = lease.wake_file(root)
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        pass
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def main(root: Path) -> int:
    """Take the lease and dispatch; leave at once if another queue process holds it."""
    for _ in range(10):  # a client that only looks holds it for an instant
        held = lease.take(root)
        if held is not None:
            Dispatcher(root).run(held)
            return 0
        time.sleep(0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
