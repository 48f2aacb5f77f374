"""How the app looks and behaves for one person: theme, signs, keys, what follows a run's end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from lthtui import settings
from lthtui.text import clean_line


@dataclass(frozen=True)
class Preferences:
    """What `lthtui/config.toml` says of the app.

    Attributes:
        theme: by its name; empty for the app's own.
        ascii: draw with the 95 characters that every terminal has.
        on_end: a command for the shell that is run when a run ends; empty for none.
        keys: by the name of a binding, the keys that take its place.
        said_in: the files and variables that say so.
    """

    theme: str = ""
    ascii: bool = False
    on_end: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    said_in: tuple[str, ...] = field(default=(), compare=False)


def load() -> Preferences:
    """The person's own, with what the project sets above it and the environment above that.

    Raises:
        UsageError: a settings file has an unknown or misused key, or a project's has a command.
    """
    found: dict[str, Any] = {"keys": {}}
    said_in: dict[str, None] = {}
    for file in (settings.user_file(), settings.PROJECT_FILE):
        for key, value in _checked(file):
            found[key] = {**found["keys"], **value} if key == "keys" else value
            said_in[clean_line(str(file))] = None
    if theme := os.environ.get("LTHTUI_THEME"):
        found["theme"] = theme
        said_in["LTHTUI_THEME"] = None
    if (plain := os.environ.get("LTHTUI_ASCII")) is not None:
        found["ascii"] = plain not in ("", "0")
    return Preferences(**found, said_in=tuple(said_in))


def _checked(file: Path) -> Iterator[tuple[str, Any]]:
    kinds = {"theme": (str, "text"), "ascii": (bool, "true or false"), "on_end": (str, "text")}
    read = settings.read(file)
    for key, (kind, what) in kinds.items():
        if key in read:
            if not isinstance(read[key], kind):
                raise UsageError(f"{clean_line(str(file))}: {key} must be {what}")
            yield key, read[key]
    if "on_end" in read and file == settings.PROJECT_FILE:
        raise UsageError(
            f"{file}: on_end is a command, which a project's file may not bring along; it belongs"
            f" into {settings.user_file()}"
        )
    if "keys" in read:
        keys = read["keys"]
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            raise UsageError(
                f'{clean_line(str(file))}: keys takes names and keys, as "run.stop" = "X,delete"'
            )
        yield "keys", keys
