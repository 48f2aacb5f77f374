"""What a site's Slurm needs, kept in settings files: `[slurm.NAME]` tables that specs refer to.

[slurm]
default = "lab"                 # for specs that name no profile

[slurm.lab]
partition = "gpu"
gres = "gpu:1"
time = "12:00:00"
python = "/shared/lthtui/.venv/bin/python"      # the user's own file only
setup = ["module load cuda/12"]                 # the user's own file only
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from engine.errors import UsageError, did_you_mean
from engine.launchspec import SlurmOptions, SlurmSpec, seconds
from lthtui import settings
from lthtui.text import clean_line

WARNING = 120  # seconds before the time limit, where nobody says otherwise
TRUSTED = ("python", "setup")  # programs: a folder that one happens to work in must not name them


class Profile(SlurmOptions):
    """Options of a site's jobs, and how its nodes come to run lthtui."""

    python: str = Field(
        sys.executable,
        pattern=r"^/[^\x00-\x1f\x7f]+$",
        description="interpreter with lthtui on the nodes; the one that submits by default",
    )
    setup: tuple[str, ...] = Field(
        (), description="shell lines that a job begins with, such as `module load cuda`"
    )


def names() -> list[str]:
    """The profiles that the settings files have."""
    return sorted(_read()[0])


def resolve(slurm: SlurmSpec) -> Profile:
    """What a run asks for: its spec's word first, then its profile's.

    Raises:
        UsageError: there is no such profile, a settings file is wrong, or what they say together
            makes no sense.
    """
    profiles, default = _read()
    name = slurm.profile or default
    if name is not None and name not in profiles:
        hint = did_you_mean(name, sorted(profiles)) if profiles else "; there is none"
        raise UsageError(
            f"launch.slurm.profile: no profile '{name}'{hint}; profiles are the [slurm.NAME] of"
            f" {settings.PROJECT_FILE} and {clean_line(str(settings.user_file()))}"
        )
    profile = profiles[name] if name else Profile()
    asked = slurm.model_dump(exclude={"profile", "array"}, exclude_none=True)
    asked["extra"] = {**profile.extra, **slurm.extra}
    together = profile.model_copy(update=asked)
    limit, warning = together.time, warning_of(together)
    if limit is not None and 0 < seconds(limit) <= warning:
        raise UsageError(
            f"launch.slurm: a time limit of {limit} leaves nothing to train in when the warning"
            f" comes {warning} s before; lower `warning` or raise `time`"
        )
    return together


def warning_of(options: SlurmOptions) -> int:
    """Seconds before the time limit at which a job is to be warned."""
    return WARNING if options.warning is None else options.warning


def _read() -> tuple[dict[str, Profile], str | None]:
    """All profiles, the project's fields over the user's, and the default's name."""
    found: dict[str, dict[str, Any]] = {}
    default = None
    for file in (settings.user_file(), settings.PROJECT_FILE):
        for name, value in _tables(file).items():
            if name == "default" and isinstance(value, str):
                default = value
            elif isinstance(value, dict):
                _check(file, name, value)
                found[name] = {**found.get(name, {}), **value}
            else:
                raise UsageError(f"{_shown(file)}: [slurm] {clean_line(name)} must be a table")
    return {name: Profile.model_validate(fields) for name, fields in found.items()}, default


def _tables(file: Path) -> dict[str, Any]:
    slurm = settings.read(file).get("slurm", {})
    if not isinstance(slurm, dict):
        raise UsageError(f"{_shown(file)}: slurm must be a table, such as [slurm.lab]")
    return slurm


def _check(file: Path, name: str, fields: dict[str, Any]) -> None:
    """Refuse a wrong profile, with the file and the field to blame."""
    where = f"{_shown(file)}: [slurm.{clean_line(name)}]"
    for field in fields:
        if field not in Profile.model_fields:
            hint = did_you_mean(field, [*Profile.model_fields])
            raise UsageError(f"{where}: unknown key '{clean_line(field)}'{hint}")
        if field in TRUSTED and file == settings.PROJECT_FILE:
            own = _shown(settings.user_file())
            raise UsageError(f"{where}: {field} says what is run, so it may be set in {own} only")
    try:
        Profile.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UsageError(f"{where}: {at}: {clean_line(first['msg'])}") from None


def _shown(file: Path) -> str:
    return clean_line(str(file))
