"""How much of its mask a ticket shares with another, beside what random masks would.

The overlap is the number of weights that live in both over that of those that live in either
(intersection over union); by chance, that of masks with as many weights in every layer is expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.errors import SpecError
from engine.evaluations import _others
from engine.evaluationspec import CheapSettings
from engine.overlap import Overlap, describe

if TYPE_CHECKING:
    from torch import Tensor


class Settings(CheapSettings):
    """With which mask."""

    shares: ClassVar[str] = ".*"

    other: _others.Other = Field(
        "before",
        union_mode="left_to_right",
        description=f"the ticket whose mask is compared: {_others.SAID}",
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """The overlap as a metric, and by layer; nothing for a level that has none before it.

    Raises:
        SpecError: the other mask is not there, or covers other weights.
    """
    other = _others.find("overlap", settings.other, context)
    if other is None:
        return Result({}, {})
    name = _others.called(settings.other, other)
    if _shapes(context.mask) != _shapes(other.mask):
        raise SpecError(
            f"overlap.other: the mask of {name} covers other weights than that of this ticket;"
            " compare tickets of one model, with the same prunable weights"
        )
    found = Overlap(
        (f"level {context.level}", name),
        {name: mask.numel() for name, mask in context.mask.items()},
        {name: _counts(mask, other.mask[name]) for name, mask in context.mask.items()},
    )
    metrics = {
        "iou": found.iou(0, 1),
        "iou by chance": found.by_chance(0, 1),
        "share of the sparser": found.within(0, 1),
    }
    known = {name: value for name, value in metrics.items() if value is not None}
    return Result(known, {"overlap.json": describe(found)})


def _counts(mine: Tensor, other: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    both = int((mine & other).sum())
    return (int(mine.sum()), both), (both, int(other.sum()))


def _shapes(mask: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(m.shape) for name, m in mask.items()}
