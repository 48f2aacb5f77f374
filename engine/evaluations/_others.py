"""The ticket that another one is compared with: of the same run, or of any other."""

from __future__ import annotations

from typing import Literal

from engine.context import Context, Subject
from engine.errors import SpecError
from engine.sources import Source

Other = Literal["before", "dense"] | Source
SAID = (
    "before (that of the kept level before), dense (that of the run's dense level), or another"
    " run's ticket, as RUN or RUN:LEVEL"
)


def find(name: str, other: Other, context: Context) -> Subject | None:
    """The other ticket; None where nothing comes before this one.

    Args:
        name: of the evaluation.

    Raises:
        SpecError: it is to be dense, and none such is kept.
        Damaged: its file is missing or broken.
    """
    around = context.around
    if isinstance(other, Source):
        return around.other(other)
    before = [level for level in around.kept if level < context.level]
    if not before:
        return None
    if other == "before":
        return around.at(before[-1])
    if (found := dense(context)) is None:
        raise SpecError(f"{name}.other: the run has kept no dense ticket; name another one")
    return found


def dense(context: Context) -> Subject | None:
    """The dense ticket of the run; None where it is not kept, or the run began sparse."""
    found = context.around.at(0) if 0 in context.around.kept else None
    return found if found and found.ticket.mask.kept == found.ticket.mask.total else None


def called(other: Other, found: Subject) -> str:
    """What a ticket is called beside this one."""
    return str(other) if isinstance(other, Source) else f"level {found.level}"
