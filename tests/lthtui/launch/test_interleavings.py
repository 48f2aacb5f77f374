"""The ledger of places under 1,000 random orders of takes, ends and crashes on made-up machines."""

import os
import random
import subprocess
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from lthtui.launch import devices
from lthtui.launch.devices import Device
from lthtui.launch.nvml import Load
from lthtui.launch.slots import Full, Holder, Ledger, Taken

GIB = 2**30
STEPS = 14
NOBODY = 10**8  # above any pid: what a program outside of the container is called


@dataclass
class Run:
    """A run as the world knows it: who keeps its place open, and what it really has."""

    holder: Holder
    device: Device
    keepers: list
    pid: int
    allocated: int = 0


@dataclass
class World:
    """A machine, its driver, and what is true of it, told without a look at the ledger."""

    folder: object
    rng: random.Random
    keep: object  # makes something that keeps a file open until it is closed
    runs: dict = field(default_factory=dict)
    strangers: dict = field(default_factory=lambda: defaultdict(int))
    made: int = 0
    admitted: int = 0

    def __post_init__(self):
        (self.folder / "queue").mkdir(parents=True)
        self.ledger = Ledger(self.folder / "queue" / "slots")
        self.seen = self.rng.random() < 0.5  # whether the driver tells who uses memory
        sizes = [self.rng.choice((8, 24, 80)) * GIB for _ in range(self.rng.randint(1, 3))]
        self.gpus = [Device(f"GPU-{i}", f"{i}: X", memory=m) for i, m in enumerate(sizes)]
        self.cpu = Device("cpu", "cpu", cores=self.rng.randint(1, 6))
        self.limits = {"*": self.rng.randint(1, 4)} if self.rng.random() < 0.2 else {}

    def on(self, device):
        return [run for run in self.runs.values() if run.device == device]

    def load(self, device):
        """What the driver says."""
        sizes = {run.pid: run.allocated for run in self.on(device) if run.allocated}
        if self.strangers[device]:
            sizes[NOBODY + device.memory] = self.strangers[device]
        used = sum(sizes.values())
        programs = sizes if self.seen else {}
        return Load(used, device.memory - used, device.memory, programs)

    def free(self, device):
        return self.load(device).free

    # what happens

    def take(self):
        wanted = self.wanted()
        before = {device: self.lawful(device, wanted[1]) for device in wanted[0]}
        found = self.ledger.take(*wanted, self.limits)
        if isinstance(found, Full):
            assert not any(before.values()) or not self.seen, found.reason
        else:
            self.admit(found, wanted)

    def race(self):
        """Several processes at once."""
        wishes, found = [self.wanted() for _ in range(3)], {}
        ledgers = [Ledger(self.ledger.folder) for _ in wishes]

        def one(number):
            found[number] = ledgers[number].take(*wishes[number], self.limits)

        racers = [threading.Thread(target=one, args=(number,)) for number in range(3)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        for number, taken in found.items():
            if isinstance(taken, Taken):
                self.admit(taken, wishes[number])

    def wanted(self):
        rng, self.made = self.rng, self.made + 1
        suited = [self.cpu] if rng.random() < 0.2 else rng.sample(self.gpus, len(self.gpus))
        holder = Holder(
            run_id=f"r{self.made}",
            threads=rng.randint(1, 3),
            per_device=rng.choice((1, 1, 2, 3, 8)),
            memory=rng.choice((None, rng.randint(1, 30) * GIB)),
            alone=rng.random() < 0.1,
            divided=rng.random() < 0.3,
        )
        return suited, holder

    def admit(self, taken, wanted):
        """A run starts: its programs keep the place, and this process leaves it to them."""
        self.admitted += 1
        suited, holder = wanted
        (device,) = (device for device in suited if device.name == taken.device)
        pid = NOBODY + self.made * 10**4 + int(holder.run_id[1:])
        keepers = [self.keep(taken.file) for _ in range(self.rng.randint(1, 3))]
        taken.close()
        run = self.folder / "runs" / holder.run_id
        run.mkdir(parents=True)
        (run / "launch.json").write_text(
            '{"attempt": 1, "backend": "local", "device": "", "threads": 1, "time": 0, "process":'
            f' {{"host": "", "boot": "", "pid": {pid}, "start": 0}}}}'
        )
        self.runs[holder.run_id] = Run(holder, device, keepers, pid)
        assert self.fits(device), "more memory is spoken for than there is"
        told = self.seen or len(self.on(device)) == 1
        if device != self.cpu and told and (holder.memory is None or holder.alone):
            assert not self.strangers[device]

    def end(self):
        """One program of a run ends; with the last one the run has ended."""
        run = self.any_run()
        if run:
            run.keepers.pop(self.rng.randrange(len(run.keepers))).close()
            if not run.keepers:
                del self.runs[run.holder.run_id]

    def crash(self):
        run = self.any_run()
        if run:
            for keeper in run.keepers:
                keeper.close()
            del self.runs[run.holder.run_id]

    def allocate(self):
        """A run gets the memory that it has declared, or anything if it has not."""
        run = self.any_run()
        if run and run.device != self.cpu:
            most = run.holder.memory or run.allocated + self.free(run.device)
            if run.holder.memory is not None or self.alone_without(run):
                run.allocated = self.rng.randint(run.allocated, most)

    def alone_without(self, run):
        return all(other.holder.memory is None for other in self.on(run.device))

    def strange(self):
        """Somebody else comes or goes; unseen, only where no run of ours could be meant."""
        device = self.rng.choice(self.gpus)
        if self.seen or not self.on(device):
            claimed = sum(max(one.holder.memory or 0, one.allocated) for one in self.on(device))
            room = max(0, device.memory - claimed)
            self.strangers[device] = self.rng.choice((0, self.rng.randint(GIB, room + GIB)))
            self.strangers[device] = min(self.strangers[device], room)

    def collect(self):
        """A queue process clears up, perhaps a new one."""
        self.ledger = Ledger(self.ledger.folder)
        for place in self.ledger.places():
            if not place.held:
                self.ledger.clear(place)

    def any_run(self):
        return self.rng.choice(list(self.runs.values())) if self.runs else None

    # what has to be true

    def lawful(self, device, new=None):
        """Whether runs may be together on a device, and one more may join them now."""
        runs = [run.holder for run in self.on(device)] + ([new] if new else [])
        if new and len(runs) > self.limits.get("*", 99):
            return False
        if not self.agree(device, runs):
            return False
        if new is None or device == self.cpu:
            return True
        if self.strangers[device] and (new.memory is None or new.alone):
            return False
        return self.fits(device, new)

    def agree(self, device, runs):
        if len(runs) < 2:
            return True
        if any(run.alone for run in runs):
            return False
        if device == self.cpu:
            parts = [run.per_device for run in runs if run.divided]
            if any(part < len(runs) for part in parts):
                return False
            return len(parts) == len(runs) or sum(run.threads for run in runs) <= device.cores
        if all(run.memory for run in runs):
            if sum(run.memory for run in runs) > device.memory - devices.RESERVE:
                return False
            return all(len(runs) <= run.per_device for run in runs if run.per_device > 1)
        return all(len(runs) <= run.per_device for run in runs)

    def fits(self, device, new=None):
        """Whether all can have what they declared, beside what others have."""
        if device == self.cpu or (new and new.memory is None):
            return True
        if new is None and any(run.holder.memory is None for run in self.on(device)):
            return True
        claims = sum(max(run.holder.memory or 0, run.allocated) for run in self.on(device))
        return claims + (new.memory if new else 0) + self.strangers[device] <= device.memory

    def check(self):
        for device in (*self.gpus, self.cpu):
            assert self.agree(device, [run.holder for run in self.on(device)]), device
            assert len(self.on(device)) <= self.limits.get("*", 99)
        held = [place.holder.run_id for place in self.ledger.places() if place.held]
        assert sorted(held) == sorted(self.runs)

    def close(self):
        while self.runs:
            self.crash()
        self.check()
        self.collect()
        assert self.ledger.places() == []


class Duplicate:
    """Stands for a process that inherited a file."""

    def __init__(self, file):
        self.file = os.dup(file)

    def close(self):
        os.close(self.file)


class Child:
    """A process that inherited a file, and is killed."""

    def __init__(self, file):
        self.process = subprocess.Popen(["sleep", "1000"], pass_fds=(file,))

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Play one random order of events."""
    worlds, kill = [], os.kill

    def exists(pid, number):
        if pid < NOBODY:
            kill(pid, number)

    monkeypatch.setattr(os, "getsid", lambda pid: pid)  # a session for each made-up program
    monkeypatch.setattr(os, "kill", exists)
    monkeypatch.setattr(devices, "load", lambda device: worlds[-1].load(device))

    def play(seed, keep):
        world = World(tmp_path / str(seed), random.Random(seed), keep)
        worlds.append(world)
        events = [world.take] * 5 + [world.end] * 3 + [world.allocate] * 3
        events += [world.crash, world.race, world.strange, world.collect]
        try:
            for _ in range(STEPS):
                world.rng.choice(events)()
                world.check()
            world.close()
        except BaseException:
            print(f"seed {seed}")
            raise
        else:
            return world.made, world.admitted
        finally:
            for run in world.runs.values():
                for keeper in run.keepers:
                    keeper.close()

    return play


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_events_puts_too_many_runs_on_a_device(play, seed):
    for number in range(seed * 250, (seed + 1) * 250):
        play(number, Duplicate)


@pytest.mark.fault
def test_a_thousand_orders_with_real_processes(play):
    first = time.time_ns() % 10**9
    played = [play(number, Child) for number in range(first, first + 1000)]
    asked, admitted = map(sum, zip(*played, strict=True))
    print(f"seeds {first} to {first + 999}: {asked} asked for a place, {admitted} got one")
