"""Versions of this program and of what it stands on."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from lthtui.doctor.findings import Case, Finding, Severity

SHOWN = ("lthtui", "torch", "mlflow", "textual")


def check(case: Case) -> Iterator[Finding]:
    """Say which versions there are, and what is missing."""
    found = [f"{name} {_version(name) or 'missing'}" for name in SHOWN]
    message = f"Python {platform.python_version()}, {', '.join(found)}"
    yield Finding("program", Severity.FINE, message)
    missing = [name for name in needed() if _version(name) is None]
    if missing:
        message = f"packages are missing: {', '.join(missing)}"
        remedy = f"{sys.executable} -m pip install {' '.join(missing)}"
        yield Finding("program", Severity.ERROR, message, remedy)


def needed() -> list[str]:
    """The packages that this one cannot do without."""
    try:
        listed = requires("lthtui") or []
    except PackageNotFoundError:  # run from its sources
        listed = [*SHOWN]
    plain = (one for one in listed if "extra ==" not in one)
    return [match[0] for one in plain if (match := re.match(r"[A-Za-z0-9._-]+", one))]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
