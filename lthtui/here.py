"""The current folder, which somebody may have removed meanwhile."""

from __future__ import annotations

from pathlib import Path


def here() -> Path | None:
    """The current folder; None where it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return None
