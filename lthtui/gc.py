"""What a root could do without: weights that nobody keeps, old checkpoints, and leftovers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.errors import UsageError
from engine.rundir import RunDirectory, Status, last_end, status
from engine.sources import found_in
from engine.spec import Kept
from lthtui import leftovers, runnames
from lthtui.launch import entries, owner

Ask = Callable[[Sequence[str]], dict[str, Any]]


@dataclass(frozen=True)
class Item:
    """Something that could go.

    Attributes:
        kind: `weights`, `checkpoint`, `temporary` or `queue`.
        run_id: empty for what belongs to no run.
        level: whose weights they are.
        files: all links to it that are under the root.
        winning: whether they are the picked ticket.
        bytes: what its removal frees on the disk.
    """

    kind: str
    run_id: str
    level: int | None
    files: tuple[Path, ...]
    winning: bool = False
    bytes: int = 0

    @property
    def ours(self) -> bool:
        """Whether it is removed here, and not by the worker program."""
        return self.kind in ("temporary", "queue")


@dataclass(frozen=True)
class Waste:
    """Everything that could go, or has gone; `skipped` says why nothing of a run."""

    items: tuple[Item, ...]
    skipped: dict[str, str]

    @property
    def bytes(self) -> int:
        """What its removal frees on the disk."""
        return sum(item.bytes for item in self.items)


@dataclass(frozen=True)
class Sweep:
    """One clean-up: of which runs, and by which words.

    Attributes:
        runs: all of the root's where None are named; then leftovers of no run count, too.
        keep: as in a spec; what each run's own spec says where None.
        ask: has the worker program carry out a verb.
    """

    root: Path
    runs: tuple[RunDirectory, ...] | None
    keep: tuple[str, ...] | None
    ask: Ask

    def survey(self) -> Waste:
        """Look, and change nothing."""
        return self._waste(remove=False)

    def clear(self) -> Waste:
        """Remove what there is now; nobody can queue or start a run meanwhile.

        Raises:
            UsageError: the root is somebody else's.
        """
        owner.check(self.root)
        with entries.locked(self.root):
            return self._waste(remove=True)

    def _waste(self, remove: bool) -> Waste:
        chosen = runnames.every(self.root) if self.runs is None else self.runs
        protected, needed = _needed(self.root)
        idle = [run for run in chosen if run.run_id not in needed]
        asked = {
            "runs": [str(run.path) for run in idle],
            "keep": self.keep,
            "protected": sorted(protected),
        }
        before = _asked(self.ask, {**asked, "remove": False})
        items = [*_items(self.root, before)]
        if self.runs is None:
            items += _leftovers(self.root)
        skipped = {run: f"{why} goes on from it" for run, why in needed.items()}
        skipped = {run.run_id: skipped[run.run_id] for run in chosen if run.run_id in skipped}
        skipped |= before["skipped"]
        if remove:
            skipped |= _asked(self.ask, {**asked, "remove": True})["skipped"]
            for item in items:
                _remove(item)
            items = [item for item in items if item.ours or item.run_id not in skipped]
        return Waste(tuple(items), skipped)


def words(text: str) -> tuple[str, ...]:
    """Read `best,last,every 5`.

    Raises:
        UsageError: a word names no levels, or there is none, as where a shell's variable is empty.
    """
    listed = [word.strip() for word in text.split(",") if word.strip()]
    if not listed:
        raise UsageError("--keep: say which levels: best, last, dense, all, every N")
    try:
        return TypeAdapter(tuple[Kept, ...]).validate_python(listed)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--keep: {why}") from None


def freed(files: Iterable[Path]) -> int:
    """Bytes that are free when these files are gone: none of one that has a link elsewhere."""
    found: dict[tuple[int, int], list[os.stat_result]] = {}
    for file in files:
        for inner in _within(file):
            about = inner.lstat()
            found.setdefault((about.st_dev, about.st_ino), []).append(about)
    whole = (links[0] for links in found.values() if len(links) == links[0].st_nlink)
    return sum(about.st_blocks * 512 for about in whole)


def _within(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        yield from (inner for inner in path.rglob("*") if not inner.is_dir())
    elif path.exists():
        yield path


def _needed(root: Path) -> tuple[set[str], dict[str, str]]:
    """Tickets that runs which have not finished may still read, and runs that such ones extend."""
    protected: set[str] = set()
    extended: dict[str, str] = {}
    for run in runnames.every(root):
        if status(run) == Status.FINISHED:
            continue
        try:
            spec = run.spec()
        except (OSError, ValueError):  # nor could any worker of this version read it
            continue
        sources = [source for _, source in found_in(spec)]
        protected |= {source.path for source in sources if source.path}
        if spec.extends:
            extended[spec.extends] = run.run_id
    return protected, extended


def _asked(ask: Ask, what: dict[str, Any]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", prefix="lthtui-", suffix=".json") as file:
        json.dump(what, file)
        file.flush()
        return ask(["clear", file.name])


def _items(root: Path, report: dict[str, Any]) -> Iterator[Item]:
    for one in report["runs"]:
        run = one["run_id"]
        ended = last_end(RunDirectory(root / "runs" / run))
        won = ended.winning.level if ended and ended.winning else None
        for level, files in one["weights"].items():
            paths = tuple(map(Path, files))
            yield Item("weights", run, int(level), paths, int(level) == won, freed(paths))
        for folder in one["checkpoints"]:
            yield _item("checkpoint", run, Path(folder))


def _leftovers(root: Path) -> Iterator[Item]:
    for path in leftovers.temporary(root):
        inside = path.relative_to(root).parts
        yield _item("temporary", inside[1] if inside[0] == "runs" else "", path)
    for path in leftovers.queued(root):
        yield _item("queue", "", path)


def _item(kind: str, run: str, path: Path) -> Item:
    return Item(kind, run, None, (path,), bytes=freed([path]))


def _remove(item: Item) -> None:
    if item.ours:
        (path,) = item.files
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
