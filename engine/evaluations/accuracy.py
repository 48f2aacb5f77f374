"""Accuracy: top-1, top-5, balanced, by class, confusions (intervals: Efron and Tibshirani 1993).

Of test images, and of validation images where there are some. The intervals are percentiles of the
bootstrap (chapter 13): each resample draws as many images as there are, whatever their classes.
They say how far other test images would have moved a number; of seeds and training images they say
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor

MEASURES = ("top1", "balanced")  # that have intervals
DRAWN = 2**22  # images, or classes, at once


class Settings(EvaluationSettings):
    """How many guesses count, and what the intervals are made of."""

    shares: ClassVar[str] = ".*"

    top: int = Field(
        5,
        ge=2,
        le=1000,
        description="guesses of which one must be right; of few classes all but one, and the name"
        " of the number says how many",
    )
    resamples: int = Field(
        2000, ge=100, le=100_000, description="times that images are drawn for the intervals"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="share of resamples in an interval")


def evaluate(settings: Settings, context: Context) -> Result:
    """Accuracies with their intervals by split; counts by class and confusions in a document."""
    net = context.net()
    metrics, document = dict[str, float](), {}
    for split, images in (("test", context.splits.test), ("val", context.splits.val)):
        if images is None:
            continue
        guesses = _guesses(context.logits(net, images), settings.top)
        rng = context.rng("accuracy", split)
        numbers = _numbers(guesses, images.y.cpu(), len(images.classes), settings, rng)
        metrics |= {f"{split} {name}": value for name, value in numbers.items()}
        document[split] = {**numbers, **_counts(guesses, images.y.cpu(), images.classes)}
    return Result(metrics, {"accuracy.json": document})


def _guesses(said: Tensor, top: int) -> Tensor:
    """The classes with the largest logits, the largest first: [N, guesses].

    Of equal ones the first comes first, as where a run counts what is correct. As many guesses as
    classes would always be right, so there is at least one fewer.
    """
    ranked = said.argsort(dim=1, descending=True, stable=True)
    return ranked[:, : max(1, min(top, said.shape[1] - 1))]


def _numbers(
    guesses: Tensor, y: Tensor, classes: int, settings: Settings, rng: Generator
) -> dict[str, float]:
    """Accuracies as fractions of 1, with both ends of intervals."""
    cells, among = 2 * y + (guesses[:, 0] == y), guesses.shape[1]
    counts = torch.bincount(cells, minlength=2 * classes).view(classes, 2)
    low, high = _intervals(cells, classes, settings, rng).tolist()
    found = dict[str, float]()
    for at, name in enumerate(MEASURES):
        value = _measures(counts)[at].item()
        found |= {name: value, f"{name} low": low[at], f"{name} high": high[at]}
    by_class = counts[:, 1] / counts.sum(1).double()
    found["worst class"] = by_class.nan_to_num(1.0).min().item()
    if among > 1:
        found[f"top{among}"] = (guesses == y[:, None]).any(1).double().mean().item()
    return found


def _measures(counts: Tensor) -> Tensor:
    """`MEASURES` of numbers of images by class, wrong and right ones: [..., classes, 2].

    Returns:
        float64 [..., 2]; classes without images count in neither.
    """
    right, sizes = counts[..., 1].double(), counts.sum(-1)
    return torch.stack([right.sum(-1) / sizes.sum(-1), (right / sizes).nanmean(-1)], -1)


def _intervals(cells: Tensor, classes: int, settings: Settings, rng: Generator) -> Tensor:
    """The ends of the bootstrap's percentile intervals of `MEASURES`, the lower ones first.

    Args:
        cells: int64 [N], twice each image's class, and one more if it is right.
    """
    size, width, drawn = len(cells), 2 * classes, []
    at_once = ceil(DRAWN / max(size, width))
    for first in range(0, settings.resamples, at_once):
        many = min(at_once, settings.resamples - first)
        picked = cells[torch.randint(size, (many, size), generator=rng)]
        apart = picked + width * torch.arange(many)[:, None]
        counts = torch.bincount(apart.flatten(), minlength=width * many)
        drawn.append(_measures(counts.view(many, classes, 2)))
    outside = (1 - settings.confidence) / 2
    ends = torch.tensor([outside, 1 - outside], dtype=torch.float64)
    return torch.cat(drawn).quantile(ends, 0)


def _counts(guesses: Tensor, y: Tensor, names: Sequence[str]) -> dict[str, object]:
    """Numbers of images: of each class, and of each (a row) taken for each (a column)."""
    classes = len(names)
    pairs = torch.bincount(classes * y + guesses[:, 0], minlength=classes**2)
    confusion = pairs.view(classes, classes)
    sizes, correct = confusion.sum(1).tolist(), confusion.diagonal().tolist()
    return {
        "images": len(y),
        "correct": sum(correct),
        "classes": [
            {"class": name, "images": n, "correct": k, "accuracy": k / n if n else None}
            for name, n, k in zip(names, sizes, correct, strict=True)
        ],
        "confusion": confusion.tolist(),
    }
