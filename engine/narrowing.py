"""Small dense networks: the widest of a kind that has no more parameters than a ticket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import SpecError
from engine.layouts import laid_out
from engine.plugin import Settings
from engine.registry import load
from engine.spec import RunSpec

STEP = 1 / 64  # of widths that are factors, such as a wide ResNet's: one channel of its last stage


def narrow(spec: RunSpec, limit: int) -> dict[str, Any]:
    """The largest `model.width` with which the whole network has at most `limit` parameters.

    Other widths of the model, such as a stem's, shrink in proportion. No weight is made.

    Returns:
        `model` (the fields to set), `parameters`, and `whole`, the parameters at the spec's width.

    Raises:
        SpecError: the model has no width, or is too large even with the smallest.
    """
    width = getattr(spec.model, "width", None)
    if width is None:
        raise SpecError(
            f"{spec.model.name} has no width to narrow; leave small_dense out, or write a spec of"
            " your own with fewer units (model.hidden) and sparsifier: dense",
            "model",
        )
    about = load("datasets", spec.data.name).describe(spec.data)
    shape = len(about.classes), about.channels, about.size

    def parameters(steps: int) -> int:
        return count(spec.model.model_copy(update=_widths(spec.model, steps)), *shape)

    least = _smallest(spec.model)
    if parameters(least) > limit:
        raise SpecError(
            f"{spec.model.name} of the smallest width has {parameters(least):,} parameters, more"
            f" than {limit:,}; a small dense control needs a denser level or a shallower model",
            "model",
        )
    steps = _largest(least, round(width / _step(width)), limit, parameters)
    return {
        "model": _widths(spec.model, steps),
        "parameters": parameters(steps),
        "whole": count(spec.model, *shape),
    }


def count(model: Settings, classes: int, channels: int, size: int) -> int:
    """The parameters of a network."""
    return sum(p.numel() for p in laid_out(model, classes, channels, size).parameters())


def _largest(low: int, high: int, limit: int, parameters: Callable[[int], int]) -> int:
    """The largest number of steps within the limit, which `low` is."""
    while low < high:
        middle = (low + high + 1) // 2
        if parameters(middle) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _smallest(model: Settings) -> int:
    """Steps of the smallest width that a network takes."""
    (bound,) = (
        mark.ge for mark in type(model).model_fields["width"].metadata if hasattr(mark, "ge")
    )
    return int(bound / _step(bound))


def _step(width: float) -> float:
    return 1 if isinstance(width, int) else STEP


def _widths(model: Settings, steps: int) -> dict[str, float]:
    """The fields of a network so many steps wide."""
    width = getattr(model, "width")  # noqa: B009
    narrowed = {"width": steps * _step(width)}
    if (stem := getattr(model, "stem_width", None)) is not None:
        narrowed["stem_width"] = max(1, int(stem * narrowed["width"] / width))
    return narrowed
