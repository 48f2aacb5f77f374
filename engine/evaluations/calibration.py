"""Whether probabilities are what they say: ECE, NLL, Brier, temperature (Guo et al. 2017).

On test images, as the network is, and with the temperature that fits validation images best, where
there are some that are not all right: of such, the colder the better, without end.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.evaluations import _outputs
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

COLDEST, HOTTEST = 0.01, 100.0  # temperatures
HALVINGS = 30  # of their range: the temperature is right to eight digits


class Settings(EvaluationSettings):
    """How fine confidence is looked at."""

    shares: ClassVar[str] = "(scaled )?((adaptive )?ece|overconfidence)"

    bins: int = Field(
        15, ge=1, le=1000, description="bins of confidence, of equal width, or of as many images"
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Scores before and after temperature scaling; every bin of both in a document."""
    test, val = context.splits.test, context.splits.val
    said, y = _outputs.logits(context, test), test.y.cpu()
    metrics, plain = _judged(said, y, settings.bins)
    document: dict[str, Any] = {"test": plain, "temperature": None, "scaled": None}
    temperature = None if val is None else fitted(_outputs.logits(context, val), val.y.cpu())
    if temperature is not None:
        scaled, document["scaled"] = _judged(said / temperature, y, settings.bins)
        metrics |= {f"scaled {name}": value for name, value in scaled.items()}
        metrics["temperature"] = document["temperature"] = temperature
    return Result(metrics, {"calibration.json": document})


def fitted(logits: Tensor, y: Tensor) -> float | None:
    """The temperature from `COLDEST` to `HOTTEST` with the least NLL (equation 9 of Guo et al.).

    The NLL is convex in 1 / temperature, so its slope has one root. Where it is 0 everywhere, as
    of equal logits, the temperature is 1; where all images are right, there is no root, and None.

    Args:
        logits: float64 [N, classes], as of `_outputs.logits`.
        y: int64 [N].
    """
    low, high = 1 / HOTTEST, 1 / COLDEST
    true = logits.gather(1, y[:, None]).mean()
    if true == 0 and logits.any():
        return None
    for _ in range(HALVINGS):
        middle = sqrt(low * high)
        expected = ((middle * logits).softmax(1) * logits).sum(1).mean()
        if expected == true:
            break
        low, high = (middle, high) if expected < true else (low, middle)
    return 1 / middle


def _judged(logits: Tensor, y: Tensor, bins: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores of probabilities by name, and as JSON with the bins that some are made of.

    nll: mean of -log p of the class. brier: mean over images of the sum over classes of squared
    differences, 0 to 2 (Brier 1950). ece: mean distance of accuracy and confidence over bins of
    equal width (Guo et al., equation 3). adaptive ece: over bins of as many images each (Nguyen
    and O'Connor 2015). overconfidence: mean confidence less accuracy.
    """
    confidence, right = _outputs.confidence(logits), _outputs.right(logits, y).double()
    surprise = -logits.log_softmax(1).gather(1, y[:, None])
    squares = logits.softmax(1).square().sum(1, keepdim=True)
    even = torch.arange(1, bins, dtype=torch.float64) / bins
    places = torch.arange(1, bins) * len(y) // bins - 1
    filled = confidence.sort().values[places.clamp(min=0)]
    reliability, adaptive = (_bins(confidence, right, edges) for edges in (even, filled))
    scores = {
        "nll": surprise.mean().item(),
        "brier": (squares - 2 * (-surprise).exp() + 1).mean().item(),
        "ece": _distance(reliability),
        "adaptive ece": _distance(adaptive),
        "overconfidence": (confidence.mean() - right.mean()).item(),
    }
    return scores, {**scores, "bins": reliability, "adaptive bins": adaptive}


def _bins(confidence: Tensor, right: Tensor, edges: Tensor) -> list[dict[str, Any]]:
    """Images by confidence, each bin with its upper edge and without its lower one.

    Equal confidences are in one bin. Of a bin without images the means are None.

    Args:
        confidence: float64 [N].
        right: float64 [N], 1 where the prediction is right.
        edges: float64 [bins - 1], rising, those between bins.
    """
    bin = torch.bucketize(confidence, edges)
    counts, confident, correct = (
        torch.bincount(bin, weights, minlength=len(edges) + 1).tolist()
        for weights in (None, confidence, right)
    )
    ends = [0.0, *edges.tolist(), 1.0]
    return [
        {
            "above": ends[at],
            "to": ends[at + 1],
            "images": count,
            "confidence": confident[at] / count if count else None,
            "accuracy": correct[at] / count if count else None,
        }
        for at, count in enumerate(counts)
    ]


def _distance(bins: list[dict[str, Any]]) -> float:
    """Mean distance of confidence and accuracy over all images."""
    held = [one for one in bins if one["images"]]
    apart = sum(one["images"] * abs(one["confidence"] - one["accuracy"]) for one in held)
    return float(apart / sum(one["images"] for one in held))
