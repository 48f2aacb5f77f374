"""Threads that take turns at every file operation, in an order that a seed decides.

What several processes do to one folder is played by threads of one process: an actor runs until its
next file operation below the folder, or until it would wait for a lock or the clock; then another
one, chosen at random, goes on. An actor that is killed runs no further and has what it had open
closed, which is what the kernel does for a process. The same seed gives the same order.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "os.truncate"}
_playing: list[Play] = []


class Killed(BaseException):
    """The actor is gone."""


class Clock:
    """Seconds since 1970, which pass only when everybody sleeps."""

    def __init__(self) -> None:
        self._nanoseconds = 1_790_000_000 * 10**9

    def time(self) -> float:
        return self.time_ns() / 10**9

    def time_ns(self) -> int:
        self._nanoseconds += 1000
        return self._nanoseconds

    def sleep(self, seconds: float) -> None:
        until = self.time() + seconds
        _playing[-1].wait(lambda: False, until)

    def advance(self, until: float) -> None:
        self._nanoseconds = max(self._nanoseconds, int(until * 10**9) + 1000)


class Actor:
    """A thread that works when it is its turn.

    Attributes:
        ready: whether there is something to do for it.
        until: when it goes on all the same; None if never.
    """

    def __init__(self, name: str, work: Callable[[], None], play: Play) -> None:
        self.name, self.kills, self.ended = name, False, False
        self.ready: Callable[[], bool] = lambda: True
        self.until: float | None = None
        self.error: BaseException | None = None
        self.files: dict[int, str] = {}
        self.turn = threading.Semaphore(0)
        self._work, self._play = work, play
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.turn.acquire()
        try:
            if not self.kills:
                self._work()
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            for file, path in self.files.items():
                if _path(file) == path:
                    self._play.real["close"](file)
            self.ended = True
            self._play.back.release()


class Play:
    """Actors on one folder, and what decides who is next."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random, self.clock = str(folder), random.Random(seed), Clock()
        self.actors: list[Actor] = []
        self.back = threading.Semaphore(0)
        self.real = {"flock": fcntl.flock, "open": os.open, "close": os.close, "dup": os.dup}
        self._on_stage: Actor | None = None
        self._quiet = False
        self.story: list[str] = []

    def tell(self, what: str) -> None:
        """Note what happens, for whoever wants to understand a round."""
        self.story.append(f"{self._on_stage.name if self._on_stage else '-'}: {what}")

    def enter(self, name: str, work: Callable[[], None]) -> Actor:
        """Have somebody work beside the others."""
        actor = Actor(name, work, self)
        self.actors.append(actor)
        return actor

    def able(self) -> list[Actor]:
        """Those who have something to do."""
        now = self.clock.time()
        return [a for a in self.actors if a.ready() or (a.until is not None and a.until <= now)]

    def go_on(self, actor: Actor) -> None:
        """Let an actor work up to its next file operation."""
        self._on_stage = actor
        actor.turn.release()
        self.back.acquire()
        self._on_stage = None
        self._leave()

    def kill(self, actor: Actor) -> None:
        """End an actor where it is."""
        self.tell(f"{actor.name} is killed")
        actor.kills = True
        self.go_on(actor)

    def wait(self, ready: Callable[[], bool], until: float | None = None) -> None:
        """Called by an actor: let others work until `ready`, or until it is `until`."""
        actor = self._on_stage
        if actor is None or threading.current_thread() is not actor.thread:
            return
        if self._quiet or actor.kills:  # one that is being killed only falls
            return
        actor.ready, actor.until = ready, until
        self.back.release()
        actor.turn.acquire()
        actor.ready, actor.until = lambda: True, None
        if actor.kills:
            raise Killed

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Look at the folder without letting anybody else work meanwhile."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def close(self) -> None:
        """Kill everybody that is left."""
        while self.actors:
            self.kill(self.actors[0])

    def _leave(self) -> None:
        gone = [actor for actor in self.actors if actor.ended]
        self.actors = [actor for actor in self.actors if not actor.ended]
        for actor in gone:
            actor.thread.join()
            if actor.error is not None:
                raise actor.error

    def flock(self, file: int, how: int) -> None:
        """As fcntl.flock, but others work while an actor waits for it."""
        if self._on_stage is None or how & fcntl.LOCK_NB or how == fcntl.LOCK_UN:
            return self.real["flock"](file, how)
        while True:
            try:
                return self.real["flock"](file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._on_stage.kills:
                    raise Killed from None
                self.wait(lambda: True)

    def open(self, *arguments, **options) -> int:
        """As os.open; an actor's files are closed when it is killed."""
        return self._own(self.real["open"](*arguments, **options))

    def close_file(self, file: int) -> None:
        """As os.close."""
        if self._on_stage is not None:
            self._on_stage.files.pop(file, None)
        self.real["close"](file)

    def _own(self, file: int) -> int:
        for actor in self.actors:  # it has been closed by a file object
            actor.files.pop(file, None)
        if self._on_stage is not None:
            self._on_stage.files[file] = _path(file)
        return file


def _path(file: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        return ""


def _hook(event: str, arguments: tuple) -> None:
    if not _playing or event not in EVENTS:
        return
    path = arguments[0]
    if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(_playing[-1].folder):
        _playing[-1].tell(f"{event} {os.path.relpath(path, _playing[-1].folder)}")
        _playing[-1].wait(lambda: True)


@contextlib.contextmanager
def play(folder: Path, seed: int, patch) -> Iterator[Play]:
    """Take turns within this block; `patch` is a monkeypatch context."""
    if not getattr(sys, "_interleaving", False):
        sys._interleaving = True  # audit hooks can't be taken back
        sys.addaudithook(_hook)
    made = Play(folder, seed)
    patch.setattr(fcntl, "flock", made.flock)
    patch.setattr(os, "open", made.open)
    patch.setattr(os, "close", made.close_file)
    patch.setattr(os, "fsync", lambda file: None)
    for name in ("time", "time_ns", "sleep"):
        patch.setattr(time, name, getattr(made.clock, name))
    _playing.append(made)
    try:
        yield made
    finally:
        made.close()
        _playing.pop()
