"""Views of ended runs, kept between sessions in the user's cache folder, one file for each root.

A view counts as long as all files in its run's folder are as they were when it was made. The file
is never needed: one that is missing, damaged or of another version is as none.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lthtui import measured
from lthtui.runview import LevelView, RunView

if TYPE_CHECKING:
    from lthtui.identity import Control

VERSION = 2  # of what the fields of views mean
FEW = 20  # ended runs, which are read as soon as a file about them
QUIET = 2.0  # seconds without a change after which a later one has another time
_PEOPLES = {"note", "display_name", "archived", "tags"}  # are looked up anew
_RUN = tuple(one.name for one in fields(RunView) if one.name not in {"levels", *_PEOPLES})
_LEVEL = tuple(one.name for one in fields(LevelView))[:-2]  # but for losses and validations


class Kept(NamedTuple):
    """A run as it was, without its epochs and without what people noted of it.

    Attributes:
        changed: when an entry of its folder was last made or replaced (nanoseconds since 1970).
        asked: the tags that its spec gives it.
    """

    view: RunView
    changed: int
    asked: Mapping[str, Any]


class ViewCache:
    """The views of one root; for one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        name = blake2b(os.fsencode(self._root), digest_size=12).hexdigest()
        self._file = Path(home) / "lthtui" / "views" / f"{name}.json"
        self._known: dict[str, list[Any]] = {}  # by run: its mark, its spec's tags, its view
        self._new = False

    def read(self) -> dict[str, Kept]:
        """By run, those views that still count."""
        with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            checksum, body = self._file.read_bytes().split(b"\n", 1)
            if checksum.decode() == _digest(body):
                known, queued = json.loads(body), self._queued()
                ended = {run: known[run] for run in known if run not in queued}
                found = {run: _kept(self._folder(run), one) for run, one in ended.items()}
                self._known = known
                return {run: kept for run, kept in found.items() if kept is not None}
        return {}

    def mark(self, run: str) -> str | None:
        """Tells how an ended run's folder is; to be asked for before its view is made."""
        found = None if run in self._queued() else mark(self._folder(run))
        return found[0] if found else None

    def keep(self, mark: str | None, view: RunView, asked: Mapping[str, Any]) -> None:
        """Keep a run's view that was made after this mark, if the run has ended."""
        if mark is None or view.active:
            self._new |= self._known.pop(view.run_id, None) is not None
        elif self._known.get(view.run_id, [None])[0] != mark:
            self._known[view.run_id] = [mark, dict(asked), _plain(view)]
            self._new = True

    def write(self) -> None:
        """Have later sessions find the views of runs that are still there, if there are news."""
        if not self._new or len(self._known) < FEW:
            return
        self._new = False
        known = {run: of for run, of in self._known.items() if os.path.isdir(self._folder(run))}
        body = json.dumps(known, separators=(",", ":")).encode()
        with suppress(OSError):  # the next session reads the runs themselves
            _replace(self._file, _digest(body).encode() + b"\n" + body)

    def _queued(self) -> set[str]:
        """The runs that wait."""
        with suppress(OSError):
            return {name.removesuffix(".json") for name in os.listdir(self._root / "queue")}
        return set()

    def _folder(self, run: str) -> str:
        return os.path.join(self._root, "runs", run)


def mark(folder: str) -> tuple[str, int] | None:
    """What tells how a run's folder is, and when an entry of it was last made or replaced.

    None while it changed a moment ago, or cannot be looked at.
    """
    try:
        changed = os.stat(folder).st_mtime_ns
        entries = [*_entries(folder), *_entries(os.path.join(folder, "levels"))]
    except OSError:
        return None
    if max(entry[2] for entry in entries) > (time.time() - QUIET) * 1e9:
        return None
    return _digest(repr((changed, sorted(entries))).encode()), changed


def _entries(folder: str) -> list[tuple[str, int, int, int, int]]:
    """By name: when each was changed, by its content and in any way, its size and its inode."""
    try:
        with os.scandir(folder) as found:
            stats = [(one.name, one.stat()) for one in found]
    except FileNotFoundError:
        return []
    return [(name, at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino) for name, at in stats]


def _digest(body: bytes) -> str:
    """A checksum, which differs, too, where views have other fields."""
    return blake2b(body, digest_size=12, key=_FIELDS).hexdigest()


def _replace(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, whoever else writes it just now."""
    from tempfile import NamedTemporaryFile  # not before the first table

    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.stem}.", delete=False) as opened:
        temporary = Path(opened.name)
        try:
            opened.write(content)
            opened.flush()
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


_FIELDS = blake2b(repr((VERSION, _RUN, _LEVEL)).encode(), digest_size=12).digest()


def _plain(view: RunView) -> list[Any]:
    """A view as JSON knows it."""
    run = {name: getattr(view, name) for name in _RUN}
    if view.controls is not None:
        run["controls"] = view.controls.model_dump()
    levels = [[getattr(level, name) for name in _LEVEL] for level in view.levels]
    return [[*run.values()], levels]


def _kept(folder: str, entry: list[Any]) -> Kept | None:
    """What was kept of a run; None where its folder is no longer as it was."""
    before, asked, (values, levels) = entry
    found = mark(folder)
    if found is None or found[0] != before:
        return None
    run = dict(zip(_RUN, values, strict=True))
    run["controls"] = run["controls"] and _control(run["controls"])
    run["measured"] = measured.kept(run["measured"])
    run["extremes"] = {key: (least, most) for key, (least, most) in run["extremes"].items()}
    run["levels"] = tuple(LevelView(*one) for one in levels)
    return Kept(RunView(**run), found[1], asked)


def _control(dump: dict[str, Any]) -> Control:
    from lthtui.identity import Control  # few runs are controls, and this waits for pydantic

    return Control.model_validate(dump)
