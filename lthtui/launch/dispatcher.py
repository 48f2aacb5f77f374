"""The queue process: `python -P -m lthtui.launch.dispatcher ROOT` starts runs until none is left.

One at a time holds the root's lease. Killing it harms no run: whoever queues or follows work starts
another, which adopts what runs. It sleeps until a run ends or a client wakes it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from engine import causes
from engine.causes import Cause
from engine.errors import UsageError
from engine.rundir import Launch, RunDirectory, Status, next_attempt, status, write_json
from lthtui.launch import devices, entries, lease, limits, mirroring, space, sweeping
from lthtui.launch.aftermath import Aftermath
from lthtui.launch.backends import Worker, local
from lthtui.launch.backends.slurm import Cluster
from lthtui.launch.devices import Device
from lthtui.launch.entries import Entry
from lthtui.launch.later import Commands
from lthtui.launch.limits import Limits
from lthtui.launch.slots import Full, Holder, Ledger, Place, Taken
from lthtui.launch.turns import Obstacle, Turns, in_order

RETRY = 1.0  # seconds until a run that could not be placed or started is tried again
CLEARING = 0.05  # seconds until processes are looked at that a run left behind; more each time
LONGEST = 60.0  # seconds of sleep, should a call ever be missed


class Dispatcher:
    """Everything that the queue process of one root knows; files and locks know it too."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._told: set[str] = set()
        self.ledger = Ledger(lease.slots(root))
        self.workers: dict[str, Worker] = {}
        self.cluster = Cluster(root, self._tell)
        self.aftermath = Aftermath(root, self._tell)
        self.commands = Commands(root, self._tell)
        self._waiting = entries.Waiting(root)
        self._limits = Limits()
        self._obstacles: dict[str, Obstacle] = {}
        self._noted: dict[str, str] | None = None
        self._wake = _open_wake_file(root)
        self._put_off: set[str] = set()
        self._unfit: set[str] = set()
        self._unseen: list[Entry] = []
        self._clearing = CLEARING

    def run(self, held: int) -> None:
        """Dispatch until nothing waits or runs, then give the lease back."""
        self.recall()
        while True:
            self.collect()
            with entries.locked(self.root):
                self.dispatch()
                if not self._busy():
                    os.close(held)  # under the lock, so that no client believes in it any more
                    return
            self.aftermath.mirroring.poll()
            if self._busy():
                self.wait()

    def recall(self) -> None:
        """Take out of the queue what another queue process started, and was killed right then."""
        with entries.locked(self.root):
            for entry in self._waiting.read():
                directory = self._directory(entry.run_id)
                if entry.here and entries.started(entry, directory):
                    directory.queue_file.unlink(missing_ok=True)

    def collect(self) -> None:
        """Adopt what another queue process started; see to runs that have ended."""
        for run, worker in [*self.workers.items()]:
            if worker.ended():
                worker.close()
                del self.workers[run]
        self._put_off, clinging = set(), False
        for place in self.ledger.places():
            directory = self._directory(place.holder.run_id)
            if place.held:
                self._adopt(directory)
            if directory.run_id in self.workers:
                continue
            sweeping.sweep(directory)
            clinging |= place.held
            if not place.held:
                self._leave(directory, place)
        self._clearing = min(2 * self._clearing, RETRY) if clinging else CLEARING
        ended = [*self._unseen, *self.cluster.look()]
        self._unseen = [
            entry
            for entry in ended
            if not self.aftermath.see_to(self._directory(entry.run_id), entry)
        ]
        for directory in filter(mirroring.needs, self.cluster.training()):
            self.aftermath.mirroring.add(directory)
        self.commands.collect()

    def dispatch(self) -> None:
        """Start waiting runs in order; none overtakes another that waits for the same device."""
        self._limits = limits.read(self.root)
        turns = Turns(self.root, self._limits, self._running())
        spoken_for: set[str] = set()
        self._obstacles, self._unfit, jobs = {}, set(), list[Entry]()
        for entry in in_order(self._waiting.read()):
            directory, worker = self._directory(entry.run_id), self.workers.get(entry.run_id)
            if worker and worker.ended():  # queued again before its end was seen to, which is next
                spoken_for |= {devices.CPU, *(gpu.name for gpu in devices.gpus())}
                continue
            if worker or self._deleted(directory):
                directory.queue_file.unlink(missing_ok=True)
                continue
            obstacle = None if entry.job else turns.obstacle(entry)
            if obstacle is None and entry.launch.slurm:
                jobs.append(entry)
            else:
                obstacle = obstacle or self._place(entry, directory, spoken_for)
            if obstacle:
                self._obstacles[entry.run_id] = obstacle
            elif not entry.job:
                turns.started(entry)
        self.commands.start(turns)
        self.cluster.submit(jobs)
        self._obstacles |= {one.run_id: Obstacle(self.cluster.reason(one)) for one in jobs}
        self._note({run: found.reason for run, found in self._obstacles.items()})

    def wait(self) -> None:
        """Sleep until a run ends, a client calls, or it is time to try again."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        ends = [worker.fileno() for worker in self.workers.values()]
        for end in (*ends, *self.aftermath.mirroring.filenos(), *self.commands.filenos()):
            poll.register(end, select.POLLIN)
        poll.poll(1000 * self._patience())
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass

    def _busy(self) -> bool:
        """Whether something runs, will in time, or has left processes behind in its place."""
        if self.workers or self._unseen or self.ledger.places() or self.aftermath.mirroring.busy:
            return True
        if self.commands.busy or self.cluster.patience() is not None:
            return True
        return any(one.passes and one.at is not None for one in self._obstacles.values())

    def _patience(self) -> float:
        left = {place.holder.run_id for place in self.ledger.places()} - self.workers.keys()
        if left:
            return self._clearing if left - self._put_off else RETRY
        if self._unseen:
            return RETRY
        now = time.time()
        times = [found.at - now for found in self._obstacles.values() if found.at is not None]
        asked = (
            part.patience() for part in (self.cluster, self.commands, self.aftermath.mirroring)
        )
        return max(0.0, min([LONGEST, *times, *(one for one in asked if one is not None)]))

    def _directory(self, run: str) -> RunDirectory:
        return RunDirectory(self.root / "runs" / run)

    def _running(self) -> Counter[str]:
        """How many runs each person has on devices and in the cluster's hands."""
        placed = [place.holder.user for place in self.ledger.places() if place.held]
        return Counter([*placed, *(one.user for one in self._waiting.read() if one.job)])

    def _leave(self, directory: RunDirectory, place: Place) -> None:
        """See to a run whose place is free; it is given up once there is room to queue it again."""
        if self.aftermath.see_to(directory, place.holder):
            self.ledger.clear(place)
        else:
            self._put_off.add(directory.run_id)

    def _adopt(self, directory: RunDirectory) -> None:
        launch = directory.launch()
        if directory.run_id not in self.workers and launch:
            worker = local.adopt(launch)
            if worker:
                self.workers[directory.run_id] = worker

    def _place(
        self, entry: Entry, directory: RunDirectory, spoken_for: set[str]
    ) -> Obstacle | None:
        """Start a run if a device has room; the devices that it waits for are spoken for then."""
        try:
            suited = devices.eligible(entry.launch.devices, entry.visible, entry.launch.memory)
        except UsageError as error:
            return self._troubled(f"{entry.run_id} can't be placed: {error}")
        free = [device for device in suited if device.name not in spoken_for]
        if not free:
            return Obstacle("others are before it")
        obstacle = self._start(entry, directory, free)
        if obstacle and entry.run_id not in self._unfit:
            spoken_for.update(device.name for device in suited)
        return obstacle

    def _start(self, entry: Entry, directory: RunDirectory, free: list[Device]) -> Obstacle | None:
        if short := space.shortage(self.root, directory, map(self._directory, self.workers)):
            return Obstacle(short, time.time() + RETRY)
        before = directory.launch()
        threads = before.threads if before else entry.launch.share(devices.cores())
        try:
            taken = self.ledger.take(free, _holder(entry, threads), self._limits.devices)
        except OSError as error:  # such as on a full disk
            return self._troubled(f"{entry.run_id} can't be placed: {error}")
        if isinstance(taken, Full):
            return Obstacle(taken.reason, None if taken.ours else time.time() + RETRY)
        try:
            if status(directory) != Status.RUNNING:  # such as by hand
                self.workers[entry.run_id] = _launch(directory, entry, threads, taken)
        except OSError as error:
            self._put_off.add(entry.run_id)
            if _own(error, directory):  # others may well start
                self._unfit.add(entry.run_id)
            return self._troubled(f"{entry.run_id} can't be started: {error}")
        finally:
            taken.close()
        directory.queue_file.unlink(missing_ok=True)
        return None

    def _deleted(self, directory: RunDirectory) -> bool:
        """Whether somebody deleted the folder of a run that waits."""
        try:
            directory.spec_file.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._tell(f"{directory.run_id} waits no more: its folder was deleted")
            return True
        except OSError:  # a network file system's bad moment; starting it says what is wrong
            return False
        return False

    def _troubled(self, message: str) -> Obstacle:
        self._tell(message)
        return Obstacle(message, time.time() + RETRY)

    def _tell(self, message: str) -> None:
        """Say something once in queue/dispatcher.log."""
        if message not in self._told:
            self._told.add(message)
            with suppress(OSError):  # a full disk has no room for it
                print(time.strftime("%FT%TZ", time.gmtime()), message, flush=True)

    def _note(self, reasons: dict[str, str]) -> None:
        """Leave word of why runs wait, for whoever lists them."""
        if reasons == self._noted:
            return
        file = lease.reasons_file(self.root)
        temporary = file.with_name(f".{file.name}.tmp")
        try:
            temporary.write_text(json.dumps(reasons))
            temporary.replace(file)
            self._noted = reasons
        except OSError as error:  # a full disk stops nothing here
            self._tell(f"{file} can't be written: {error}")


def _holder(entry: Entry, threads: int) -> Holder:
    return Holder(
        run_id=entry.run_id,
        threads=threads,
        per_device=entry.launch.per_device,
        memory=entry.launch.memory,
        alone=entry.alone,
        user=entry.user,
        priority=entry.priority,
        visible=entry.visible,
        divided=entry.launch.threads == "auto",
    )


def _launch(directory: RunDirectory, entry: Entry, threads: int, taken: Taken) -> Worker:
    """Start an attempt, which begins only once launch.json says so."""
    attempt = next_attempt(directory)
    worker = local.start(directory, attempt, threads, taken)
    launch = Launch(
        attempt=attempt,
        backend=local.NAME,
        process=worker.process,
        folder=directory.inode,
        device=taken.device,
        threads=threads,
        time=time.time(),
        retries=entry.retries,
        user=entry.user,
    )
    try:
        write_json(directory.launch_file, launch.model_dump())
        worker.release()
    except OSError:
        worker.close()
        raise
    return worker


def _own(error: OSError, directory: RunDirectory) -> bool:
    """Whether something is wrong with a run's own folder, and not with the disk as a whole."""
    within = f"{error.filename or ''}".startswith(f"{directory.path}{os.sep}")
    return within and causes.of(error) != Cause.DISK


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
            lease.sign(held)
            Dispatcher(root).run(held)
            return 0
        time.sleep(0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
