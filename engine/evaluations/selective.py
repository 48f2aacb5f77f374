"""What is gained by abstaining where confidence is low: risk by coverage, AURC (Geifman 2019).

A network answers for the images of which it is most confident (Geifman and El-Yaniv 2017, with the
largest probability of the softmax), and its risk is the share of wrong answers among them.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.evaluations import _outputs
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

POINTS = 100  # of a curve, at most


class Settings(EvaluationSettings):
    """How many images are answered for."""

    shares: ClassVar[str] = ".*"

    coverages: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.8, 0.9, 1.0),
        min_length=1,
        max_length=10,
        description="shares of test images, the most confident ones, whose accuracy is measured",
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Areas under the risk-coverage curve and accuracies at coverages; the curve in a document.

    aurc: mean risk over all coverages (Geifman, Uziel and El-Yaniv 2019, equation 1). excess aurc:
    less that of the best order there could be with as many mistakes, which is taken exactly, not
    by their approximation.
    """
    images = context.splits.test
    said = _outputs.logits(context, images)
    wrong = ~_outputs.right(said, images.y.cpu())
    risk = risks(_outputs.confidence(said), wrong.double())
    least = risks(-wrong.double(), wrong.double())
    size = len(risk)
    metrics = {"aurc": risk.mean().item(), "excess aurc": (risk.mean() - least.mean()).item()}
    for coverage in settings.coverages:
        answered = max(1, ceil(round(coverage * size, 6)))  # 0.07 * 100 is a little more than 7
        metrics[f"accuracy at {coverage:g}"] = 1 - risk[answered - 1].item()
    kept = sorted({ceil(size * point / POINTS) for point in range(1, POINTS + 1)})
    curve = [{"coverage": n / size, "risk": risk[n - 1].item()} for n in kept]
    return Result(metrics, {"selective.json": {**metrics, "images": size, "curve": curve}})


def risks(confidence: Tensor, wrong: Tensor) -> Tensor:
    """The share of mistakes among the 1, 2, ..., N most confident images: float64 [N].

    Equally confident images come in any order: each counts as the mean of these.

    Args:
        confidence: float64 [N].
        wrong: float64 [N], 1 for a mistake.
    """
    ranked, order = confidence.sort(descending=True)
    group = (ranked.diff() != 0).cumsum(0)
    group = torch.cat([group.new_zeros(1), group])
    mean = torch.bincount(group, wrong[order]) / torch.bincount(group)
    return mean[group].cumsum(0) / torch.arange(1, len(wrong) + 1)
