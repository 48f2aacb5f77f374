"""What a root could do without: weights that nobody keeps, old checkpoints, and leftovers."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.errors import UsageError
from engine.levelwords import Kept
from engine.rundir import RunDirectory, Status, last_end, status
from engine.sources import found_in
from lthtui import leftovers, runnames
from lthtui.launch import entries, owner

AT_ONCE = 5  # runs that are cleared while the queue is locked: nothing can start meanwhile
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
        return self._look(_Needs(self.root))

    def clear(self) -> Waste:
        """Remove what there is now, and return what has gone.

        Looking takes a while, in which runs start and are queued as ever. The queue is locked only
        while some runs are cleared, and what they have is looked at again then.

        Raises:
            UsageError: the root is somebody else's.
        """
        owner.check(self.root)
        needs = _Needs(self.root)
        found = self._look(needs)
        skipped = dict(found.skipped)
        gone = {*leftovers.remove(self.root, (one.files[0] for one in found.items if one.ours))}
        runs = [*dict.fromkeys(item.run_id for item in found.items if not item.ours)]
        for at in range(0, len(runs), AT_ONCE):
            with entries.locked(self.root):
                needs.update()
                report, why = self._asked(needs, runs[at : at + AT_ONCE], remove=True)
            gone.update(file for one in report for file in _files(one))
            skipped |= why
        return Waste(tuple(item for item in found.items if item.files[0] in gone), skipped)

    def _look(self, needs: _Needs) -> Waste:
        needs.update()
        chosen = runnames.every(self.root) if self.runs is None else self.runs
        report, skipped = self._asked(needs, [run.run_id for run in chosen], remove=False)
        items = [item for one in report for item in _items(self.root, one)]
        if self.runs is None:
            items += _leftovers(self.root)
        return Waste(tuple(items), skipped)

    def _asked(
        self, needs: _Needs, runs: Sequence[str], remove: bool
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """What the worker program finds or removes of runs, and why nothing of some."""
        extended = {run: why for run in runs if (why := needs.extended.get(run))}
        what = {
            "runs": [str(self.root / "runs" / run) for run in runs if run not in extended],
            "keep": self.keep,
            "protected": sorted(needs.tickets),
            "remove": remove,
        }
        with tempfile.NamedTemporaryFile("w", prefix="lthtui-", suffix=".json") as file:
            json.dump(what, file)
            file.flush()
            report = self.ask(["clear", file.name])
        skipped = {run: f"{why} goes on from it" for run, why in extended.items()}
        return report["runs"], {**skipped, **report["skipped"]}


class _Needs:
    """What runs that have not finished go on from.

    Attributes:
        tickets: files that they may still read.
        extended: by run that is extended, one that does so.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: set[str] = set()
        self.tickets: set[str] = set()
        self.extended: dict[str, str] = {}

    def update(self) -> None:
        """Look at runs that were not there before; all are made under the queue's lock."""
        for run in runnames.every(self._root):
            if run.run_id not in self._seen:
                self._seen.add(run.run_id)
                self._add(run)

    def _add(self, run: RunDirectory) -> None:
        if status(run) == Status.FINISHED:
            return
        try:
            spec = run.spec()
        except (OSError, ValueError):  # nor could any worker of this version read it
            return
        self.tickets |= {source.path for _, source in found_in(spec) if source.path}
        if spec.extends:
            self.extended[spec.extends] = run.run_id


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
    """Bytes that are free when these files are gone: none of one that has a link elsewhere.

    Nor of what somebody removes meanwhile.
    """
    found: dict[tuple[int, int], list[os.stat_result]] = {}
    for file in files:
        for inner in _within(file):
            with suppress(FileNotFoundError):
                about = inner.lstat()
                found.setdefault((about.st_dev, about.st_ino), []).append(about)
    whole = (links[0] for links in found.values() if len(links) == links[0].st_nlink)
    return sum(about.st_blocks * 512 for about in whole)


def _within(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names)
    elif path.exists():
        yield path


def _items(root: Path, one: dict[str, Any]) -> Iterator[Item]:
    run = one["run_id"]
    ended = last_end(RunDirectory(root / "runs" / run))
    won = ended.winning.level if ended and ended.winning else None
    for level, files in one["weights"].items():
        paths = tuple(map(Path, files))
        yield Item("weights", run, int(level), paths, int(level) == won, freed(paths))
    for folder in one["checkpoints"]:
        yield _item("checkpoint", run, Path(folder))


def _files(one: dict[str, Any]) -> Iterator[Path]:
    yield from (Path(file) for files in one["weights"].values() for file in files)
    yield from map(Path, one["checkpoints"])


def _leftovers(root: Path) -> Iterator[Item]:
    for path in leftovers.temporary(root):
        inside = path.relative_to(root).parts
        yield _item("temporary", inside[1] if inside[0] == "runs" else "", path)
    for path in leftovers.queued(root):
        yield _item("queue", "", path)


def _item(kind: str, run: str, path: Path) -> Item:
    return Item(kind, run, None, (path,), bytes=freed([path]))
