"""What a user can set for all of lthtui: command line, then environment, project, user, default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.errors import UsageError, did_you_mean
from lthtui.text import clean_line

DEFAULT_ROOT = Path("mlruns")
PROJECT_FILE = Path(".lthtui.toml")
KNOWN = ["root", "slurm", "theme", "ascii", "on_end", "keys"]


def root(given: Path | None = None) -> Path:
    """The folder that holds all state, as an absolute path; it need not exist.

    The first of `given`, `LTHTUI_ROOT`, `root` in `.lthtui.toml` here, `root` in the user's
    `lthtui/config.toml`, and `mlruns`. Relative paths start from the current folder.

    Raises:
        UsageError: a settings file is no TOML, or has an unknown or misused key.
    """
    if given is not None:
        return given.expanduser().absolute()
    if variable := os.environ.get("LTHTUI_ROOT"):
        return Path(variable).expanduser().absolute()
    for file in (PROJECT_FILE, user_file()):
        if (value := read(file).get("root")) is not None:
            return Path(value).expanduser().absolute()
    return DEFAULT_ROOT.absolute()


def use(given: Path | None) -> Path:
    """As `root`, and the same for whatever this process asks for it from now on."""
    found = root(given)
    if given is not None:
        os.environ["LTHTUI_ROOT"] = str(found)
    return found


def user_file() -> Path:
    """Where the user's own settings are, whether the file exists or not."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "lthtui" / "config.toml"


def read(file: Path) -> dict[str, Any]:
    """Read a settings file; an absent one sets nothing.

    `lthtui.launch.profiles` checks `slurm`, and `lthtui.preferences` what is about the app.

    Raises:
        UsageError: it is no TOML, or has an unknown or misused key.
    """
    try:
        text = file.read_text("utf-8")
        import tomllib  # most people have no such file

        settings: dict[str, Any] = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        quotes = "; a text needs quotes" if str(error).startswith("Invalid value") else ""
        raise UsageError(f"{clean_line(str(file))}: {clean_line(str(error))}{quotes}") from None
    for key, value in settings.items():
        if key not in KNOWN:
            hint = did_you_mean(key, KNOWN)
            raise UsageError(f"{clean_line(str(file))}: unknown key '{clean_line(key)}'{hint}")
        if key == "root" and (not isinstance(value, str) or not value):
            raise UsageError(f"{clean_line(str(file))}: {key} must be text in quotes")
    return settings
