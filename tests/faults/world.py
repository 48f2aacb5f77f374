"""A root with two exclusive GPUs, the people who use it, and what must be true of it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress

from fakeruns import BOOT, FIRST_PID, FakeMirroring, FakeRun
from interleaving import Actor, Play

from engine import processes
from engine.errors import UsageError
from engine.processes import Process
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec
from lthtui.launch import (
    aftermath,
    devices,
    dispatcher,
    entries,
    lease,
    limiting,
    limits,
    queue,
    retrying,
    stopping,
)
from lthtui.launch.backends import local
from lthtui.launch.devices import Device
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.nvml import Load
from lthtui.launch.slots import Ledger

GPUS = (Device("GPU-a", "0: A"), Device("GPU-b", "1: B"))
ACTIVE = (Status.QUEUED, Status.RUNNING)
RETRIES, PEOPLE = 2, ("ann", "bob")
ENDS = ["finish"] * 5 + ["fail", "diverge", "starve", "die", "vanish", "level"]


class World:
    """A root with two exclusive GPUs, the people who use it, and what must be true of it."""

    def __init__(self, root, playing: Play, patch) -> None:
        self.root, self.play, self.random = root, playing, playing.random
        self.fakes: list[FakeRun] = []
        self.counts: Counter[str] = Counter()
        self.asked: dict[str, list[tuple[int, int, str]]] = {}  # run: (begin, end, verb)
        self.kills: list[int] = []
        self.seen_to: set[tuple[str, int]] = set()
        self.open: dict[int, tuple[str, ...]] = {}
        self.now = 0
        self.specs = [_spec(seed) for seed in range(6)]
        self.quiesced = False
        self._patch(patch)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def _patch(self, patch) -> None:
        whole, start_of = Dispatcher.dispatch, processes._start

        def dispatch(this):
            self.eligible = self._eligible()
            whole(this)

        def start(directory, attempt, threads, taken, *_):
            fake = FakeRun(self, directory, attempt, taken)
            self.fakes.append(fake)
            return fake

        def adopt(launch):
            fake = self._fake(launch.process.pid)
            return fake if fake.alive else None

        def mirroring(*_):
            return FakeMirroring(self)

        patch.setattr(Dispatcher, "dispatch", dispatch)
        patch.setattr(Dispatcher, "wait", lambda this: self._sleep(this))
        patch.setattr(local, "start", start)
        patch.setattr(local, "adopt", adopt)
        patch.setattr(aftermath, "Mirroring", mirroring)
        patch.setattr(lease, "detach", self._detach)
        patch.setattr(entries, "person", lambda: PEOPLE[hash(self._name()) % 2])
        patch.setattr(devices, "gpus", lambda: GPUS)
        patch.setattr(devices, "load", lambda device: Load(0, 2**34, 2**34))
        patch.setattr(processes, "_boot", lambda: BOOT)
        patch.setattr(
            processes,
            "_start",
            lambda pid: int(self._fake(pid).alive) or None if pid >= FIRST_PID else start_of(pid),
        )
        patch.setattr(Process, "signal", lambda process, number: self._signal(process, number))

    def _fake(self, pid: int) -> FakeRun:
        return self.fakes[pid - FIRST_PID]

    def _name(self) -> str:
        return self.play._on_stage.name if self.play._on_stage else ""

    def _signal(self, process: Process, number: int) -> bool:
        fake = self._fake(process.pid)
        if not fake.alive:
            return False
        if number == 15 and self.chance(0.8):
            fake.asked = True
            self.play.wait(lambda: not fake.alive, self.play.clock.time() + 30)
        elif number != 15:
            fake.end("die")
        return True

    # -- queue processes

    def _detach(self, command, log) -> int:
        self.counts["queue processes"] += 1
        name = f"queue process {self.counts['queue processes']}"
        actor = self.play.enter(name, lambda: dispatcher.main(self.root))
        return id(actor)

    def queue_processes(self) -> list[Actor]:
        return [one for one in self.play.actors if one.name.startswith("queue")]

    def _sleep(self, this: Dispatcher) -> None:
        woken = False  # stays true: what was read from the pipe is not there a second time

        def called() -> bool:
            nonlocal woken
            with suppress(BlockingIOError):
                woken = bool(os.read(this._wake, 4096)) or woken
            return woken or any(worker.ended() for worker in this.workers.values())

        patience = this._patience()
        until = self.play.clock.time() + patience if patience < dispatcher.LONGEST else None
        self.play.wait(called, until)

    def kill_queue_process(self) -> None:
        found = self.queue_processes()
        if found:
            victim = self.random.choice(found)
            self.play.kill(victim)
            for fake in self.fakes:  # what it had not released yet ends
                if fake.starter is victim and not fake.released:
                    fake.gone()
            self.kills.append(self.now)
            self.counts["kills"] += 1

    # -- what must be true

    def check_start(self, fake: FakeRun) -> None:
        """A run begins: it alone has the device, nobody is passed over, nothing holds it."""
        with self.play.quiet():
            self.counts["starts"] += 1
            self.play.tell(
                f"{fake.directory.run_id} attempt {fake.attempt} starts on {fake.device}"
            )
            run = fake.directory.run_id
            others = [one for one in self.fakes if one is not fake and one.released]
            on = [one for one in others if one.alive or one.lock >= 0]
            assert not [o for o in on if o.directory.run_id == run and o.alive], f"{run} twice"
            assert not [o for o in on if o.device == fake.device], f"two on {fake.device}"
            launch = fake.directory.launch()
            assert launch and launch.process == fake.process and launch.attempt == fake.attempt
            assert launch.retries <= RETRIES
            entry = entries.find(fake.directory)
            assert entry is not None, f"{run} does not wait"
            assert not entry.hold, f"{run} is held"
            for before in entry.after:
                found = status(RunDirectory(self.root / "runs" / before))
                assert found == Status.FINISHED, f"{run} before {before}, which is {found}"
            most = limits.read(self.root).of(entry.user)
            mine = [o for o in on if self._user(o) == entry.user]
            assert most is None or len(mine) < most, f"{entry.user} has more than {most}"
            waiting = entries.read(self.root)
            turns = {e.run_id: (-self._urgency(e, waiting), e.order) for e in waiting}
            passed = [e for e, turn in turns.items() if turn < turns[run]]
            running = {o.directory.run_id for o in on}
            assert not (set(passed) & self.eligible) - running, f"{run} overtakes {passed}"

    def _urgency(self, entry, waiting) -> int:
        """The highest priority among a run and those that wait for it."""
        behind = [e for e in waiting if entry.run_id in e.after and not e.hold]
        return max([entry.priority, *(self._urgency(e, waiting) for e in behind)])

    def _user(self, fake: FakeRun) -> str:
        for place in _places(self.root):
            if place.holder.run_id == fake.directory.run_id:
                return place.holder.user
        return ""

    def _eligible(self) -> set[str]:
        """Runs that nothing but devices keeps from starting, found out without the queue's code."""
        with self.play.quiet():
            now, known = self.play.clock.time(), limits.read(self.root)
            found = set()
            for entry in entries.read(self.root):
                after = [status(RunDirectory(self.root / "runs" / run)) for run in entry.after]
                free = all(state == Status.FINISHED for state in after)
                if free and not entry.hold and entry.not_before <= now:
                    if known.of(entry.user) is None:
                        found.add(entry.run_id)
            return found

    def check_rest(self) -> None:
        """While a queue process sleeps until it is called, no run could start."""
        if any(one.until is None for one in self.queue_processes()):
            taken = {one.device for one in self.fakes if one.alive or one.lock >= 0}
            running = {one.directory.run_id for one in self.fakes if one.alive}
            left = self._eligible() - running
            assert not left or len(taken) == len(GPUS), f"nobody was called for {left}"

    def check_promise(self, verb: str, run: RunDirectory, began: int) -> None:
        """A command has returned: what it promised is so, unless somebody else undid it."""
        undone = {
            "cancel": ("submit", "resume"),
            "pause": ("submit", "resume"),
            "submit": ("cancel", "pause"),
            "resume": ("cancel", "pause"),
            "hold": ("release", "cancel", "pause", "submit", "resume"),
            "release": ("hold", "cancel", "pause", "submit", "resume"),
        }
        with self.play.quiet():
            others = [v for b, e, v in self.asked.get(run.run_id, ()) if e > began and v != verb]
            others += [v for v, *runs in self.open.values() if run.run_id in runs]
            if set(others) & set(undone[verb]):
                return
            self.counts["promises"] += 1
            entry, state = entries.find(run), status(run)
            match verb:
                case "cancel" | "pause":
                    assert state not in ACTIVE, f"{run.run_id} is {state} after {verb}"
                case "submit" | "resume":
                    assert state in ACTIVE or run.launch(), f"{run.run_id} is {state}"
                case "hold" | "release" if entry and entry.retries == 0:
                    assert entry.hold == (verb == "hold"), f"{run.run_id} after {verb}"

    def check_end(self) -> None:
        """Nothing is left that waits without a reason, or runs, or holds a place."""
        assert not [*(self.root / "queue").glob("slots/*")]
        states = {run.run_id: status(run) for run in self.runs()}
        assert Status.RUNNING not in states.values()
        for run in self.runs():
            state, entry = states[run.run_id], entries.find(run)
            verbs = [verb for _, _, verb in sorted(self.asked.get(run.run_id, ()))]
            stopped = bool({"cancel", "pause"} & set(verbs))
            if launch := run.launch():
                told = (run.run_id, launch.attempt) in self.seen_to
                assert told, f"{run.run_id}: nobody saw to its end"
            if state == Status.QUEUED:
                assert entry is not None
                ahead = [states.get(one) for one in entry.after]
                assert set(ahead) - {Status.FINISHED}, f"{run.run_id} was forgotten"
            elif not stopped and self.counts["clients killed"] == 0:
                assert state not in (Status.STOPPED, Status.PAUSED), f"{run.run_id} is {state}"
                again = retrying.due(run)
                assert again is None, f"{run.run_id} should have been tried again"

    def runs(self) -> list[RunDirectory]:
        found = sorted((self.root / "runs").glob("*/spec.yaml"))
        return [RunDirectory(path.parent) for path in found]

    # -- what people do

    def client(self) -> None:
        for _ in range(self.random.randrange(3, 7)):
            with suppress(UsageError):  # it would wait for itself
                self._do(self.random.choice(VERBS))

    def _do(self, verb: str) -> None:
        with self.play.quiet():
            known = self.runs()
        chosen = self.random.sample(known, min(len(known), self.random.randrange(1, 3)))
        number = self.counts["commands"]
        self.counts["commands"] += 1
        if verb == "submit":
            specs = self.random.sample(self.specs, self.random.randrange(1, 4))
            turn = self._turn(known)
            ids = [one.directory.run_id for one in queue.preview(self.root, specs)]
        else:
            specs, ids = [], [run.run_id for run in chosen]
        self.open[number] = (verb, *ids)
        self.now += 1
        began = self.now
        self.play.tell(f"{verb} {ids}")
        try:
            match verb:
                case "submit":
                    done = queue.submit(self.root, specs, turn=turn)
                    changed = [one.directory for one in done if one.queued]
                case "cancel" | "pause":
                    getattr(stopping, verb)(chosen)
                    changed = chosen
                case "resume":
                    done = queue.resume(chosen, turn=self._turn(known))
                    changed = [one.directory for one in done if one.queued]
                case "hold" | "release":
                    done = getattr(queue, verb)(chosen)
                    changed = [run for run in chosen if run.run_id in done]
                case "prioritise":
                    queue.prioritise(chosen, self.random.randrange(-2, 3))
                    changed = []
                case "limit":
                    person = self.random.choice((*PEOPLE, limits.EVERY))
                    limiting.limit(self.root, "users", person, self.random.choice((1, 2, None)))
                    changed = []
        finally:
            self.now += 1
            del self.open[number]
            for run in ids:
                self.asked.setdefault(run, []).append((began, self.now, verb))
        self.play.tell(f"{verb} is done")
        for run in changed:
            self.check_promise(verb, run, began)

    def _turn(self, known) -> queue.Turn:
        after = (self.random.choice(known),) if known and self.chance(0.2) else ()
        return queue.Turn(self.random.randrange(-1, 2), after, self.chance(0.15))

    # -- what happens

    def happen(self) -> None:
        """Something happens to a run, or nothing."""
        for fake in self.fakes:
            if not fake.alive and fake.lock >= 0 and self.chance(0.3):
                fake.free()
        live = [fake for fake in self.fakes if fake.alive and fake.released]
        if live:
            fake = self.random.choice(live)
            fake.end("stop" if fake.asked else self.random.choice(ENDS))


VERBS = ["submit"] * 4 + ["cancel", "pause", "resume", "resume", "hold", "release", "release"]
VERBS += ["prioritise", "limit"]


def _places(root):
    return Ledger(lease.slots(root)).places()


def _spec(seed: int) -> RunSpec:
    fields = {"name": "play", "data": "digits", "model": "resnet20", "sparsifier": "dense"}
    return RunSpec.model_validate({**fields, "seed": seed, "launch": {"retries": RETRIES}})
