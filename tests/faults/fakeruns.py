"""Shims, workers and what tells MLflow, played by entries in a table: nothing of them runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.events import Journal, LevelEnded, RunEnded
from engine.processes import Process
from engine.rundir import RunDirectory, write_json

if TYPE_CHECKING:
    from world import World

BOOT, FIRST_PID = "boot", 10_000_000  # above any pid that there is


class FakeRun:
    """A shim and its worker: an entry in a table of processes, and a place on a device."""

    def __init__(self, world, directory, attempt, taken) -> None:
        self.world, self.directory, self.attempt = world, directory, attempt
        self.device, self.released = taken.device, False
        self.lock = world.play.real["dup"](taken.file)
        pid = FIRST_PID + len(world.fakes)
        self.process = Process(host=os.uname().nodename, boot=BOOT, pid=pid, start=1)
        self.alive, self.asked = True, False
        self.starter = world.play._on_stage

    def release(self) -> None:
        self.world.check_start(self)
        self.released = True

    def fileno(self) -> int:
        raise AssertionError("nobody polls here")

    def ended(self) -> bool:
        return not self.alive

    def close(self) -> None:
        if not self.released:
            self.gone()

    def gone(self, holding: bool = False) -> None:
        """No process is left of it, or one that still holds the place."""
        self.alive = False
        if not holding:
            self.free()

    def free(self) -> None:
        if self.lock >= 0:
            self.world.play.real["close"](self.lock)
            self.lock = -1

    def end(self, how: str) -> None:
        """End as a worker and its shim would."""
        self.world.play.tell(f"{self.directory.run_id} attempt {self.attempt}: {how}")
        with self.world.play.quiet():
            journal = Journal(self.directory.events_file, self.directory.run_id, self.attempt)
            code = {"finish": 0, "stop": 75}.get(how, 1)
            match how:
                case "level":
                    level = dict(level=self.attempt, epoch=1, density=1, kept=1, total=1)
                    journal.append(LevelEnded(epochs=1, seconds=1, **level))
                case "finish":
                    journal.append(RunEnded(status="finished"))
                case "stop":
                    journal.append(RunEnded(status="stopped"))
                case "fail" | "diverge" | "starve":
                    cause = {"fail": "error", "diverge": "diverged", "starve": "memory"}[how]
                    journal.append(RunEnded(status="failed", error=how, cause=cause))
                case "die":
                    code = -9
            journal.close()
            if how == "level":
                return
            if how != "vanish":
                left = {"attempt": self.attempt, "code": code, "time": self.world.play.clock.time()}
                write_json(self.directory.exit_file, left)
        self.gone(holding=self.world.chance(0.1))


class FakeMirroring:
    """Nothing is brought over into MLflow, but noted that somebody was asked to."""

    busy, patience, filenos = False, staticmethod(lambda: None), staticmethod(lambda: [])

    def __init__(self, world: World) -> None:
        self._world = world

    def add(self, directory: RunDirectory) -> None:
        launch = directory.launch()
        self._world.seen_to.add((directory.run_id, launch.attempt if launch else 0))

    def poll(self) -> None:
        """Nothing is under way."""
