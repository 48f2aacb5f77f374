"""What evaluations measured of the tickets of a run, as screens show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lthtui.progress import RunProgress

MOST_WHY = 1000  # characters of a reason


class Measured(NamedTuple):
    """What came of one evaluation of one ticket; neither names nor the reason are cleaned.

    Attributes:
        name: its name, with the settings that are not at their defaults.
        metrics: numbers by name, in its own order.
        files: where its documents are within the run's folder.
        failure: why it could not be made; empty if it was.
        inapplicable: why it means nothing for this ticket; empty if it does.
    """

    level: int
    name: str
    metrics: Mapping[str, float] = {}
    files: tuple[str, ...] = ()
    failure: str = ""
    inapplicable: str = ""

    @property
    def kind(self) -> str:
        """The evaluation's name without settings."""
        return kind(self.name)


def kind(name: str) -> str:
    """The name of an evaluation without settings."""
    return name.partition(" ")[0]


def told(progress: RunProgress) -> tuple[Measured, ...]:
    """What a run's journal tells, by name and level."""
    made = [
        Measured(
            level, name, one.metrics, one.files, inapplicable=(one.inapplicable or "")[:MOST_WHY]
        )
        for (level, name), one in progress.evaluations.items()
    ]
    failed = [
        Measured(level, name, failure=why[:MOST_WHY])
        for (level, name), why in progress.unevaluated.items()
    ]
    return tuple(sorted([*made, *failed], key=lambda one: (one.name, one.level)))


def kept(listed: Iterable[Any]) -> tuple[Measured, ...]:
    """The same, from JSON."""
    return tuple(
        Measured(level, name, metrics, tuple(files), *why)
        for level, name, metrics, files, *why in listed
    )
