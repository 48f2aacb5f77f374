"""Files of a run on their way to MLflow's artifacts: linked where both are on one disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse


@dataclass(frozen=True)
class Drawer:
    """Where artifacts of one run, or of one level's record, are kept.

    Attributes:
        uri: the artifact location that MLflow gave it.
        upload: MLflow's call for it: `upload(file, folder)`.
    """

    uri: str
    upload: Callable[[str, str | None], Any]

    @property
    def folder(self) -> Path | None:
        """The folder of a local location; None elsewhere."""
        return local_folder(self.uri)


def local_folder(uri: str) -> Path | None:
    """The folder of an artifact location on this machine; None elsewhere."""
    if uri.startswith("file:"):
        return Path(unquote(urlparse(uri).path))
    return Path(uri) if uri.startswith("/") else None


class Cabinet:
    """What still has to be filed of one run folder."""

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._waiting: dict[tuple[str, str, str], Drawer] = {}

    def add(self, drawer: Drawer, file: str, folder: str = "") -> None:
        """Plan to file `file`, a path within the run's folder, under `folder`."""
        self._waiting[drawer.uri, file, folder] = drawer

    def empty(self) -> None:
        """File everything that still exists; what fails stays for the next call.

        Raises:
            Exception: the last failure, after everything else was filed.
        """
        failure: Exception | None = None
        for key, drawer in list(self._waiting.items()):
            try:
                self._file(drawer, key[1], key[2])
                del self._waiting[key]
            except Exception as error:  # MLflow's, or the system's
                failure = error
        if failure is not None:
            raise failure

    def _file(self, drawer: Drawer, file: str, folder: str) -> None:
        source = self._home / file
        inside = source.resolve().is_relative_to(self._home)  # a journal may come from elsewhere
        if not inside or not source.is_file():
            return
        if drawer.folder is None:
            drawer.upload(str(source), folder or None)
        else:
            put(source, drawer.folder / folder / source.name)


def put(source: Path, target: Path) -> None:
    """Make `target` the file `source`: a hard link, or a copy where there can be none.

    Raises:
        OSError: the target's disk is full or cannot be written.
    """
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    try:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
