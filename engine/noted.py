"""notes.json: what people changed of a run through lthtui, kept beside it on its way into MLflow.

A note, a name to show, tags and whether a run is archived are all tags of its run in MLflow, where
people edit them as well: what MLflow has counts. A change made here counts until MLflow was told of
it, which a tag there says: so a store that is made anew is told everything again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from engine import schema
from engine.errors import Foreign
from engine.rundir import RunDirectory, write_json

FILE = "notes.json"


class Change(BaseModel):
    """The last change of one tag.

    Attributes:
        value: None where it was removed.
        order: nanoseconds since 1970, but always more than any earlier change of the run has.
        user: who made it; empty where nothing says so.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    value: str | None
    order: int
    user: str = ""


class Noted(BaseModel):
    """The file's content, by the tags' names in MLflow. The caller of `change` holds a lock."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    changes: Mapping[str, Change] = {}

    @property
    def newest(self) -> int:
        """The order of the last change; 0 if there is none."""
        return max((one.order for one in self.changes.values()), default=0)

    def news(self, tags: Mapping[str, str]) -> dict[str, str | None]:
        """What a run with these tags in MLflow was not told of yet; None for what is to go."""
        mark = schema.digits(tags.get(schema.NOTED, "")) or 0
        return {key: one.value for key, one in self.changes.items() if one.order > mark}

    def over(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags as they are to be: those in MLflow, with what it was not told of yet."""
        whole = {**tags, **self.news(tags)}
        return {key: value for key, value in whole.items() if value is not None}


def read(directory: RunDirectory) -> Noted:
    """What was changed of a run; nothing where the file is damaged."""
    try:
        return _read(directory)
    except (OSError, ValidationError):
        return Noted()


def change(directory: RunDirectory, tags: Mapping[str, str | None], user: str = "") -> None:
    """Have a user set tags, or remove those that are None. The caller holds the queue's lock.

    Raises:
        Foreign: the file is damaged, or of another version.
        OSError: it cannot be written.
    """
    try:
        known = _read(directory)
    except FileNotFoundError:
        known = Noted()
    except ValidationError:
        raise Foreign(
            f"{directory.path / FILE} is damaged, or of another version; move it away to begin anew"
        ) from None
    order = max(time.time_ns(), known.newest + 1)
    new = {key: Change(value=value, order=order, user=user) for key, value in tags.items()}
    whole = known.model_copy(update={"changes": {**known.changes, **new}})
    write_json(directory.path / FILE, whole.model_dump())


def _read(directory: RunDirectory) -> Noted:
    return Noted.model_validate_json((directory.path / FILE).read_bytes())
