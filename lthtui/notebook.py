"""What people noted of all runs, to be looked up: what MLflow has, and changes on the way there.

Most runs have no such change, and nothing here waits for pydantic then.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import schema
from engine.errors import StoreError
from engine.storefile import PATIENCE
from lthtui.store import Store

CHANGES = "notes.json"
PROGRAMS = ("lthtui.", "mlflow.")  # begin the tags that programs write for themselves


@dataclass(frozen=True)
class Notes:
    """What people noted of one run; not cleaned.

    Attributes:
        note: Markdown; empty where there is only the one that MLflow's run began with.
        name: to show instead of the run's own; empty where nobody gave it one.
        archived: whether lists leave it out.
    """

    note: str = ""
    name: str = ""
    archived: bool = False
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, tags: Mapping[str, str], run_id: str = "") -> Notes:
        """Read the tags of a run in MLflow; `run_id` is that of its folder, if it has one."""
        note, name = tags.get(schema.NOTE, ""), tags.get(schema.NAME, "")
        return cls(
            note="" if schema.is_about(note) else note,
            name="" if name == schema.display_name(run_id) else name,
            archived=tags.get(schema.ARCHIVED) == "true",
            tags={key: tags[key] for key in sorted(tags) if not key.startswith(PROGRAMS)},
        )

    @property
    def shown(self) -> dict[str, Any]:
        """As the JSON object of a run shows it."""
        return {
            "note": self.note,
            "display_name": self.name or None,
            "archived": self.archived,
            "tags": dict(self.tags),
        }


class Book:
    """What people noted of all runs of a root. Runs of a server: what was changed here.

    Args:
        patience: seconds that the store may be locked.
    """

    def __init__(self, root: Path, patience: float = PATIENCE) -> None:
        self._store = Store(root, patience)
        self._version: object = None
        self._tags: dict[str, dict[str, str]] = {}

    def refresh(self) -> None:
        """Read the store again if it has changed; if it can't be read, what is known stays."""
        try:
            version = self._store.version()
            if version != self._version:
                self._tags = self._store.tags()
                self._version = version
        except StoreError:  # which whoever shows the store's own runs tells of
            return

    def of(self, folder: Path, asked: Mapping[str, Any] | None = None) -> Notes:
        """What people noted of a run; `asked` is its spec, where that was read already."""
        tags: Mapping[str, str] | None = self._tags.get(folder.name)
        if tags is None:
            tags = _tags(_asked(folder) if asked is None else asked)
        return Notes.of(_changed(folder, tags), folder.name)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()


def _asked(folder: Path) -> Mapping[str, Any]:
    """The spec of a run; empty where it can't be read."""
    from engine.rundir import RunDirectory
    from lthtui import identity

    try:
        return identity.read(RunDirectory(folder)).asked
    except (OSError, ValueError):
        return {}


def _tags(asked: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a spec gives its run, which MLflow will get."""
    return {str(key): str(value) for key, value in asked.get("tags", {}).items()}


def _changed(folder: Path, tags: Mapping[str, str]) -> Mapping[str, str]:
    """Tags as MLflow has them, with what was changed of them since."""
    if not os.path.exists(folder / CHANGES):
        return tags
    from engine import noted
    from engine.rundir import RunDirectory

    return noted.read(RunDirectory(folder)).over(tags)
