"""Whether the straight line from a ticket to another leads over a barrier (Frankle et al. 2020).

The other is the dense network of the same run, the level before, or the ticket of another run, such
as that of another seed. Tickets of one search are reported to lie in one valley, level by level
(https://arxiv.org/abs/1912.05671, section 4).
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.errors import SpecError
from engine.evaluations import _lines, _others
from engine.evaluationspec import EvaluationSettings


class Settings(EvaluationSettings):
    """To which network, and how closely the line is looked at."""

    shares: ClassVar[str] = "barrier.*|error.*"

    other: _others.Other = Field(
        "before",
        union_mode="left_to_right",
        description=f"the network at the other end: {_others.SAID}",
    )
    points: int = Field(
        11, ge=3, le=101, description="networks on the line between the two, ends included"
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """The barrier, as a fraction of the test images; nothing for a level that has none before it.

    Raises:
        SpecError: the other network is not there, or of another kind.
    """
    other = _others.find("connectivity", settings.other, context)
    if other is None:
        return Result({}, {})
    mine, theirs = context.net(), other.net()
    shapes = [{n: t.shape for n, t in net.state_dict().items()} for net in (mine, theirs)]
    if shapes[0] != shapes[1]:
        raise SpecError(
            f"connectivity.other: {settings.other} is of another network than this ticket; no line"
            " leads from one to the other"
        )
    line = _lines.walk(context, theirs, mine, settings.points)
    return Result(line.metrics(), {"connectivity.json": line.document()})
