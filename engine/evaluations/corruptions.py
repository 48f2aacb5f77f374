"""Accuracy on corrupted test images (CIFAR-10-C: Hendrycks & Dietterich 2019).

Those of any data set are made like the published ones, with the published constants. Two differ:
frost is drawn, where the original shows photographs, and drops of water are found by their
outlines, not by Canny's filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from engine.context import Context, Result
from engine.corruptions import GROUPS, NAMES, SEVERITIES
from engine.errors import Inapplicable, did_you_mean
from engine.evaluations import _others, _outputs, _samples, _shown
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    Says = Mapping[str, Callable[[Tensor], Tensor]]
    Errors = dict[str, list[float]]


class Settings(EvaluationSettings):
    """Which corruptions of which images."""

    shares: ClassVar[str] = "(?!mCE).*"

    corruptions: tuple[str, ...] = Field(
        NAMES, min_length=1, max_length=len(NAMES), description="such as fog; all 19 if unset"
    )
    severities: tuple[int, ...] = Field(
        SEVERITIES, min_length=1, max_length=len(SEVERITIES), description="how strong, from 1 to 5"
    )
    images: _samples.Most = 2000
    source: _shown.Source = Field(
        "auto",
        description="images of CIFAR-10-C, which stand below data.root (published), or made of the"
        " run's test images (made); auto takes the published ones where they are",
    )

    @field_validator("corruptions")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in NAMES:
                raise ValueError(f"'{name}' is no corruption{did_you_mean(name, list(NAMES))}")
        return tuple(name for name in NAMES if name in value)

    @field_validator("severities")
    @classmethod
    def _from_one_to_five(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if {*value} - {*SEVERITIES}:
            raise ValueError("severities are numbers from 1 to 5")
        return tuple(sorted({*value}))


def evaluate(settings: Settings, context: Context) -> Result:
    """Accuracies, and errors relative to those of the run's dense ticket where it is kept.

    Raises:
        Inapplicable: images like these cannot have any of the corruptions.
        DataError: CIFAR-10-C was asked for in vain.
    """
    names = _possible(settings.corruptions, context.splits.test.x.shape[1])
    images = context.splits.test
    images = images.subset(_samples.positions(images, settings.images))
    shown = _shown.shown(settings.source, context, images, names[0])
    says = {"ticket": context.around.says(context.net())}
    dense = _others.dense(context)
    if dense and context.level:
        says["dense"] = context.around.says(dense.net())
    clean, y, balanced = _wrong(says, _shown.plain(context, images)), images.y.cpu(), list[float]()
    errors: dict[str, Errors] = {which: {name: [] for name in names} for which in says}
    for name in names:
        for severity in settings.severities:
            wrong = _wrong(says, shown.batches(name, severity))
            balanced.append(_outputs.balanced(~wrong["ticket"], y))
            for which, found in wrong.items():
                errors[which][name].append(_share(found))
    ticket = errors["ticket"]
    relative = _relative(ticket, errors["dense" if context.level else "ticket"] if dense else None)
    document = {
        "images": len(images),
        "published": shown.published,
        "made because": shown.why,
        "severities": list(settings.severities),
        "clean error": {which: _share(found) for which, found in clean.items()},
        "errors": errors,
        "relative to dense": relative,
    }
    metrics = {
        "clean": 1 - _share(clean["ticket"]),
        "clean balanced": _outputs.balanced(~clean["ticket"], y),
        **_accuracies(ticket),
        "mean balanced": fmean(balanced),
        **_mean_error(relative),
    }
    return Result(metrics, {"corruptions.json": document})


def _possible(names: Sequence[str], channels: int) -> list[str]:
    """The corruptions that images with so many channels can have."""
    if channels not in (1, 3):
        raise Inapplicable(
            f"corruptions are of grey images and of colour ones; these have {channels} channels"
        )
    possible = [name for name in names if channels == 3 or name != "saturate"]
    if not possible:
        raise Inapplicable("saturate changes colours, and these images are grey; name others too")
    return possible


def _wrong(says: Says, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Which images each network gets wrong: bool [N] on the CPU."""
    found: dict[str, list[Tensor]] = {which: [] for which in says}
    for x, y in batches:
        with torch.no_grad():
            for which, said in says.items():
                found[which].append((said(x).argmax(1) != y).cpu())
    return {which: torch.cat(wrong) for which, wrong in found.items()}


def _share(wrong: Tensor) -> float:
    return wrong.double().mean().item()


def _accuracies(errors: Errors) -> dict[str, float]:
    """Means over severities: of each corruption, of each group, and of all."""
    each = {name: 1 - fmean(found) for name, found in errors.items()}
    groups = {
        f"mean of {group}": fmean(each[name] for name in names if name in each)
        for group, names in GROUPS.items()
        if {*names} & {*each}
    }
    return {"mean": fmean(each.values()), **groups, **each}


def _relative(errors: Errors, dense: Errors | None) -> dict[str, float | None]:
    """Corruption errors (the paper's section 3.2): summed over severities, relative to dense's.

    None where dense is not there, or makes no error.
    """
    sums = {name: sum(found) for name, found in (dense or {}).items()}
    return {
        name: sum(found) / sums[name] if sums.get(name) else None for name, found in errors.items()
    }


def _mean_error(relative: Mapping[str, float | None]) -> dict[str, float]:
    """The mean corruption error, without the corruptions that were meant to tune on."""
    found = [
        error
        for name, error in relative.items()
        if error is not None and name not in GROUPS["extra"]
    ]
    return {"mCE": fmean(found)} if found else {}
