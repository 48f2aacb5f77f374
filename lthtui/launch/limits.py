"""Most runs at once of a person and on a device, as set for a root: queue/limits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.rundir import write_json

EVERY = "*"
Most = Annotated[int, Field(ge=0, le=10_000)]


class Limits(BaseModel):
    """Most runs at once by person and by device; `*` stands for all that are not named."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    users: Mapping[str, Most] = {}
    devices: Mapping[str, Most] = {}

    def of(self, user: str) -> int | None:
        """The most that a person may have running; None if as many as there is room for."""
        return self.users.get(user, self.users.get(EVERY))


def read(root: Path) -> Limits:
    """The limits of a root; none where nobody set any."""
    try:
        return Limits.model_validate_json(_file(root).read_bytes())
    except (OSError, ValidationError):
        return Limits()


def write(root: Path, limits: Limits) -> None:
    """Set the limits; the caller holds the queue's lock."""
    write_json(_file(root), limits.model_dump(mode="json"))


def _file(root: Path) -> Path:
    return root / "queue" / "limits"
