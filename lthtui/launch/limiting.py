"""Sets how many runs a person may have running at once, or a device takes."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from engine.errors import UsageError
from lthtui import people, runnames
from lthtui.launch import devices, entries, lease, limits, nvml, owner
from lthtui.launch.limits import EVERY
from lthtui.text import clean_line

LONGEST = 100  # characters of a person's name


def limit(root: Path, kind: Literal["users", "devices"], name: str, most: int | None) -> None:
    """Set the most runs at once of a person or on a device; None lifts the limit.

    Raises:
        UsageError: nobody can be called so, this machine has no such device, or the root belongs to
            somebody else.
    """
    owner.check(root)
    if name not in getattr(limits.read(root), kind):  # one that is set can always be lifted
        _check_person(name) if kind == "users" else _check_device(name)
    with entries.changing(root):
        known = limits.read(root)
        others = {key: value for key, value in getattr(known, kind).items() if key != name}
        of = others if most is None else {**others, name: most}
        limits.write(root, known.model_copy(update={kind: of}))
        lease.ensure(root)


def stranger(root: Path, name: str) -> bool:
    """Whether a person has no login here, and never queued anything in this root."""
    if name in (EVERY, entries.person()) or name in {one.user for one in entries.read(root)}:
        return False
    try:
        pwd.getpwnam(name)
        return False
    except KeyError:
        return not any(people.of(run) == name for run in runnames.every(root))


def _check_person(name: str) -> None:
    spoilt = not name.isprintable() or name != name.strip()
    if not name or spoilt or len(name) > LONGEST:
        raise UsageError(
            f"'{clean_line(name)}' is nobody's name; give a login or what somebody has in"
            f" LTHTUI_USER: 1 to {LONGEST} visible characters, or {EVERY} for everybody else"
        )


def _check_device(name: str) -> None:
    known = [devices.cpu(), *devices.gpus()]
    if name == EVERY or any(name in (one.name, one.index) for one in known):
        return
    why = f" (the NVIDIA driver says nothing: {nvml.trouble()})" if nvml.trouble() else ""
    raise UsageError(
        f"'{clean_line(name)}' is no device of this machine, which has {', '.join(_named())};"
        f" {EVERY} is every other{why}"
    )


def _named() -> Iterator[str]:
    yield devices.CPU
    for gpu in devices.gpus():
        yield f"{gpu.index} ({gpu.name})"
