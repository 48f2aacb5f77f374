"""Commands that can be carried out only when other runs have finished: queue/later/NAME.json.

A control, or a run that begins from another run's ticket, has no identity before that ticket is
there. The queue process carries such a command out as `lthtui ... --detach` in a process of its
own. Nothing in a file can become an option or another command; only the root's owner is listened
to. A command that was carried out twice changes nothing: the same settings are the same run.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.filesystems import sync
from engine.rundir import write_json
from lthtui.launch import entries, lease, owner
from lthtui.launch.entries import Change
from lthtui.launch.limits import Limits
from lthtui.launch.turns import Obstacle, Turns
from lthtui.text import clean_line

AT_ONCE = 2  # commands that are carried out side by side
LONGEST = 600.0  # seconds that one may take: it makes runs, and waits for none
SIZE = 1_000_000  # bytes of a file, and of what a command may say
# In what the same command may differ from itself.
_FIELDS = ("name", "order", "priority", "hold", "error")
_Word = Annotated[str, Field(min_length=1, max_length=4096)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]


class Later(BaseModel):
    """A command that waits for runs.

    Attributes:
        name: by which people call it.
        order: nanoseconds since 1970 when it was left here.
        user, host, visible: as of an entry in the queue.
        after: ids of the runs that have to have finished before.
        verb: `run` takes `spec`, the text of a run's spec, and `control` its words and options.
        experiment, priority: of the runs that it makes.
        hold: whether it waits until somebody releases it; its runs don't wait again.
        cwd: the folder in which it was given.
        error: what it said when it failed; it is not tried again before somebody says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: _Name
    order: int
    user: str
    host: str = ""
    visible: str | None = None
    after: Annotated[tuple[_Name, ...], Field(min_length=1, max_length=100)]
    verb: Literal["control", "run"]
    words: Annotated[tuple[_Word, ...], Field(max_length=1000)] = ()
    level: Annotated[str, Field(pattern=r"^(best|last|\d{1,6})$")] = "best"
    kind: Annotated[str, Field(pattern=r"^[a-z_,]{1,200}$")] = "all"
    spec: str = ""
    experiment: str = ""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    hold: bool = False
    cwd: str = "/"
    error: str | None = None

    def command(self, root: Path) -> list[str]:
        """Its command line; what people wrote stands after `--`."""
        options = ["--detach", f"--root={root}", f"--priority={self.priority}"]
        words: tuple[str, ...] = (str(_spec_file(root, self.name)),)
        if self.verb == "control":
            options += [f"--level={self.level}", f"--kind={self.kind}"]
            words = self.words
        return [sys.executable, "-P", "-m", "lthtui", self.verb, *options, "--", *words]

    @property
    def here(self) -> bool:
        """Whether this machine is to carry it out."""
        return self.host in ("", socket.gethostname())

    def same(self, other: Later) -> bool:
        """Whether another one asks for the same."""
        mine, theirs = (one.model_dump(exclude={*_FIELDS}) for one in (self, other))
        return mine == theirs


def leave(root: Path, wanted: Later) -> Later:
    """Leave a command with the queue, under a name that no other has.

    Returns:
        It as it is there; the same command is there once, and has another try.

    Raises:
        UsageError: the root belongs to somebody else.
        OSError: the file can't be written; then nothing has changed.
    """
    owner.check(root)
    with _changing(root):
        _folder(root).mkdir(mode=0o700, exist_ok=True)
        for name in chain([wanted.name], (f"{wanted.name}-{number}" for number in count(2))):
            known = _read(root, f"{name}.json")
            if known is None or known.same(wanted):
                break
        order = known.order if known else time.time_ns()
        made = wanted.model_copy(update={"name": name, "order": order})
        _write(root, made)
        lease.ensure(root)
    return made


def read(root: Path) -> list[Later]:
    """All commands that wait, in the order in which they are due; other files are left alone."""
    try:
        names = sorted(os.listdir(_folder(root)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = (_read(root, name) for name in names if name.endswith(".json"))
    return sorted(filter(None, found), key=lambda one: (-one.priority, one.order))


def drop(root: Path, dropped: Sequence[Later]) -> None:
    """Forget commands.

    Raises:
        UsageError: the root belongs to somebody else.
    """
    if not dropped:
        return
    owner.check(root)
    with _changing(root):
        for one in dropped:
            _remove(root, one.name)


def hold(root: Path, commands: Sequence[Later]) -> dict[str, Change]:
    """Have commands wait until `release`; by name what became of those that do wait.

    Raises:
        UsageError: the root belongs to somebody else.
    """
    return _change(root, commands, hold=True)


def release(root: Path, commands: Sequence[Later]) -> dict[str, Change]:
    """As `hold`, but commands that are held have their turn, and those that failed once more."""
    return _change(root, commands, hold=False, error=None)


def prioritise(root: Path, commands: Sequence[Later], priority: int) -> dict[str, Change]:
    """As `hold`, but commands, and the runs that they make, have another priority."""
    return _change(root, commands, priority=priority)


def obstacle(turns: Turns, one: Later) -> Obstacle | None:
    """Why a command is not carried out yet; None if it can be."""
    if not one.here:
        return Obstacle(f"to be carried out on {one.host}", passes=False)
    if one.error is not None:
        return Obstacle(f"failed: {one.error}; `lthtui release {one.name}` tries it again")
    if one.hold:
        return Obstacle(f"held; `lthtui release {one.name}` lets it go", passes=False)
    return turns.behind(one.after)


def due(root: Path) -> bool:
    """Whether a command could be carried out."""
    turns = Turns(root, Limits(), {})
    return any(obstacle(turns, one) is None for one in read(root))


@dataclass
class _Process:
    """A command that is being carried out, at most until `deadline` of the monotonic clock."""

    name: str
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    handle: int
    deadline: float
    late: bool = False


class Commands:
    """The commands of a root, as its queue process carries them out.

    Args:
        tell: says a line once in the queue process's log.
    """

    def __init__(self, root: Path, tell: Callable[[str], None]) -> None:
        self._root, self._tell = root, tell
        self._going: dict[str, _Process] = {}
        self._given_up: set[str] = set()  # whose failure could not be noted

    @property
    def busy(self) -> bool:
        """Whether one is being carried out."""
        return bool(self._going)

    def filenos(self) -> list[int]:
        """File descriptors that become readable when one has ended."""
        return [one.handle for one in self._going.values()]

    def patience(self) -> float | None:
        """Seconds until one has taken too long; None if none can."""
        due = [one.deadline for one in self._going.values() if not one.late]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def collect(self) -> None:
        """See to those that have ended: they are done, or have failed and wait for a person.

        One that takes too long is ended.
        """
        for one in [*self._going.values()]:
            if time.monotonic() >= one.deadline and not one.late:
                one.late = True
                os.killpg(one.process.pid, signal.SIGKILL)  # it is not reaped, so none other's
            if one.process.poll() is not None:
                del self._going[one.name]
                os.close(one.handle)
                self._ended(one)

    def start(self, turns: Turns) -> None:
        """Start those whose time has come; the caller holds the queue's lock."""
        for one in read(self._root):
            if len(self._going) >= AT_ONCE:
                return
            if one.name in self._going or one.name in self._given_up:
                continue
            if obstacle(turns, one) is None:
                try:
                    self._start(one)
                except (OSError, ValueError) as error:  # such as a NUL in a word
                    self._failed(one.name, str(error))

    def _start(self, one: Later) -> None:
        if one.verb == "run":
            _write_spec(self._root, one)
        said = tempfile.TemporaryFile()
        try:
            process = subprocess.Popen(
                one.command(self._root),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=one.cwd,
                env=_environment(one),
                start_new_session=True,
            )
        except (OSError, ValueError):
            said.close()
            raise
        handle = os.pidfd_open(process.pid)
        deadline = time.monotonic() + LONGEST
        self._going[one.name] = _Process(one.name, process, said, handle, deadline)

    def _ended(self, one: _Process) -> None:
        lines = _lines(one.said)
        for line in lines:
            self._tell(f"{one.name}: {line}")
        with entries.locked(self._root):
            if one.process.returncode == 0:
                _remove(self._root, one.name)
            else:
                self._failed(one.name, _why(one, lines))

    def _failed(self, name: str, why: str) -> None:
        """Note why a command failed, so that it waits for a person."""
        self._tell(f"{name} failed: {why}")
        try:
            _note(self._root, name, clean_line(why, 1000))
        except OSError as error:
            self._given_up.add(name)
            self._tell(f"{name}: its failure can't be noted: {error}")


def _change(root: Path, commands: Sequence[Later], **fields: Any) -> dict[str, Change]:
    found: dict[str, Change] = {}
    if not commands:
        return found
    owner.check(root)
    with _changing(root):
        for one in commands:
            if known := _read(root, f"{one.name}.json"):
                wanted = known.model_copy(update=fields)
                found[one.name] = "same" if wanted == known else "changed"
                _write(root, wanted)
        lease.ensure(root)
    return found


@contextmanager
def _changing(root: Path) -> Iterator[None]:
    """As `entries.changing`, of commands."""
    with entries.changing(root):
        yield
        sync(_folder(root))


def _folder(root: Path) -> Path:
    return root / "queue" / "later"


def _file(root: Path, name: str) -> Path:
    return _folder(root) / f"{name}.json"


def _spec_file(root: Path, name: str) -> Path:
    return _folder(root) / f"{name}.yaml"


def _read(root: Path, file: str) -> Later | None:
    """A command of its file; None if it is none of the root's owner's, or no file at all."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(_folder(root) / file, flags)
    except OSError:
        return None
    try:
        about = os.fstat(handle)
        ours = about.st_uid in (owner.of(root), owner.SUPERUSER)
        if not ours or not stat.S_ISREG(about.st_mode) or about.st_size > SIZE:
            return None
        found = Later.model_validate_json(os.read(handle, SIZE))
    except ValidationError:
        return None
    finally:
        os.close(handle)
    return found if file == f"{found.name}.json" else None


def _write(root: Path, one: Later) -> None:
    write_json(_file(root, one.name), one.model_dump(mode="json"))


def _note(root: Path, name: str, error: str) -> None:
    """Say in its file of what a command failed; the caller holds the lock."""
    if known := _read(root, f"{name}.json"):
        _write(root, known.model_copy(update={"error": error}))


def _remove(root: Path, name: str) -> None:
    for path in (_file(root, name), _spec_file(root, name)):
        path.unlink(missing_ok=True)


def _write_spec(root: Path, one: Later) -> None:
    path = _spec_file(root, one.name)
    temporary = path.with_name(f".{path.name}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(one.spec)
    temporary.replace(path)


def _environment(one: Later) -> dict[str, str]:
    """Of who left it, as far as it matters to the runs that it makes."""
    environment = {**os.environ, "LTHTUI_USER": one.user}
    environment.pop("LTHTUI_ROOT", None)
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if one.visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = one.visible
    return environment


def _lines(said: IO[bytes]) -> Sequence[str]:
    """The last lines that a command wrote, as they may be shown."""
    with said:
        said.seek(max(0, said.seek(0, os.SEEK_END) - 20_000))
        text = said.read(SIZE).decode(errors="replace")
    return [clean_line(line, 1000) for line in text.splitlines() if line.strip()][-20:]


def _why(one: _Process, lines: Sequence[str]) -> str:
    """Why a command failed, for people."""
    if one.late:
        hung = f"it was ended after {LONGEST / 60:.0f} minutes, in which it should have been done"
        return "; ".join([hung, *lines[-1:]])
    code = one.process.returncode
    ending = f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"
    return "; ".join(lines[-3:]) or ending
