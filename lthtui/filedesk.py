"""What is done about the files of runs: found, looked into, copied; here or on an MLflow server."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from engine import link
from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import filetree, placing, preview
from lthtui.places import Folder, Kept, Place, Unshown
from lthtui.preview import Preview
from lthtui.runview import RunView
from lthtui.store import Store
from lthtui.table import Row
from lthtui.text import clean_line

ARTIFACTS = "MLflow artifacts"  # what that is called on screen
SERVERS = ("http://", "https://")
KEPT = 64  # runs of servers whose lists of files are remembered, those that were asked for last


class Copy:
    """A file in a folder of its own, which goes once nobody holds this any more.

    Answers that come too late are dropped by whoever notices that first; nobody has to tidy up.
    """

    def __init__(self, name: str) -> None:
        folder = tempfile.mkdtemp(prefix="lthtui-")
        self.file = Path(folder, name)
        self.discard = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def __enter__(self) -> Path:
        return self.file

    def __exit__(self, *_: object) -> None:
        self.discard()


class FileDesk:
    """Knows the files of the runs of a root, or of a store that is browsed instead of its own."""

    def __init__(self, root: Path, store: str | None = None) -> None:
        self._root, self._store = root, store
        self._kept = lru_cache(KEPT)(Kept)  # what was listed of a run is not asked again at once

    def places(self, runs: Sequence[RunView]) -> dict[str, Place]:
        """Where files of runs are, by what that is called."""
        found: dict[str, Place] = {}
        for run in runs:
            lead = f"{run.repetition} " if len(runs) > 1 else ""
            if run.directory:
                found[_free(f"{lead}run folder", found)] = Folder(Path(run.directory))
            for place in self._artifacts(run):
                found[_free(lead + ARTIFACTS, found)] = place
        return found

    def rows(self, runs: Sequence[RunView], opened: Collection[str]) -> list[Row]:
        """The files of runs as rows of a tree; those of `opened` folders, too."""
        return filetree.rows(self.places(runs), opened)

    def preview(self, runs: Sequence[RunView], key: str) -> tuple[str, Preview]:
        """The key of a row of that tree, and what there is to see of its file."""
        found = filetree.found(self.places(runs), key)
        return key, preview.look(*found) if found else Preview("")

    def path(self, runs: Sequence[RunView], key: str) -> str:
        """What others know a file by; empty for what is no file."""
        found = filetree.found(self.places(runs), key)
        return found[0].path(found[1]) if found else ""

    def copy(self, runs: Sequence[RunView], key: str, to: Path, overwrite: bool = False) -> str:
        """Copy a file to a path; say where it is.

        Raises:
            UsageError: there is such a file already, or it cannot be written or read.
        """
        place, within = self._file(runs, key)

        def fill(aside: Path) -> None:
            with aside.open("wb") as file:
                self._fetch(place, within, file)

        try:
            made = placing.place(to, fill, overwrite)
        except OSError as error:
            raise UsageError(f"{clean_line(str(to))}: {error.strerror or error}") from None
        return f"copied to {clean_line(str(made), 1000)}"

    def at_hand(self, runs: Sequence[RunView], key: str) -> Copy:
        """A copy of a file for another program.

        Raises:
            UsageError: it cannot be read.
        """
        place, within = self._file(runs, key)
        copy = Copy(_plain(PurePosixPath(within).name))
        try:
            with copy.file.open("xb") as file:
                self._fetch(place, within, file)
        except BaseException:
            copy.discard()
            raise
        return copy

    def artifact(self, run: RunView, within: str) -> Copy:
        """A copy of a file that MLflow keeps of a run; as `at_hand`."""
        if ARTIFACTS not in self.places([run]):
            raise UsageError(f"what MLflow keeps of {run.run_id} is not on this machine")
        return self.at_hand([run], f"{ARTIFACTS}{filetree.SEPARATOR}{within}")

    def _file(self, runs: Sequence[RunView], key: str) -> tuple[Place, str]:
        found = filetree.found(self.places(runs), key)
        if found is None:
            raise UsageError("choose a file; folders are not copied")
        return found

    def _fetch(self, place: Place, within: str, to: BinaryIO) -> None:
        try:
            place.fetch(within, to)
        except (Unshown, ValueError, RuntimeError) as error:
            raise UsageError(f"{clean_line(within)}: {clean_line(str(error))}") from None

    def _artifacts(self, run: RunView) -> Iterator[Place]:
        """What MLflow keeps of a run, if it can be reached."""
        known = link.read(RunDirectory(run.directory)) if run.directory else None
        id, address = run.stored, self._store or ""
        if known is not None:
            id, address = known.mlflow_run_id, known.tracking_uri
        if not (id.isascii() and id.replace("-", "").isalnum()):
            return
        if address.startswith(SERVERS):
            yield self._kept(address, id)
        elif folder := self._local(id, "" if known else address):
            yield Folder(folder)

    def _local(self, id: str, address: str) -> Path | None:
        """The folder of a run's files: below the root, or where its store says that it is."""
        here = next(iter(sorted((self._root / "artifacts").glob(f"*/{id}/artifacts"))), None)
        if here is not None and not address:
            return here
        parts = urlsplit(Store(address or self._root).artifacts(id))
        folder = Path(unquote(parts.path))
        return folder if parts.scheme in ("", "file") and parts.path and folder.is_dir() else None


def _plain(name: str) -> str:
    """A file's name without signs that hide, for a program that may show it."""
    return "".join(sign if sign.isprintable() else "_" for sign in name).lstrip("-") or "file"


def _free(name: str, taken: Collection[str]) -> str:
    """A name that is not taken: groups may have a seed twice."""
    numbered = (f"{name} {number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)
