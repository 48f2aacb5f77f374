"""What a linear classifier makes of a ticket's features of some images (Alain & Bengio 2017).

The network is frozen, its normalisations too: multinomial logistic regression is fitted to what its
classifier is given, of training images as a test shows them
(https://arxiv.org/abs/1610.01644; Table 4 of the data-efficient tickets paper, whose code let the
statistics of batch normalisations drift). Features are scaled to variance 1 on the training images;
how strongly the classifier is regularised is picked on validation images, or on every fifth
training image where there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.choice import Choice
from engine.context import Context, Result
from engine.dataspec import DataSettings
from engine.errors import SpecError
from engine.evaluationspec import EvaluationSettings
from engine.images import Splits
from engine.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Split = tuple[Tensor, Tensor]  # features and classes of images

SLOPE = 1e-4  # of a mean loss, in any direction, below which a fit has converged, or once a step
EPSILON = 2.0**-52  # gains a share of it that is no more than a few roundings


class Settings(EvaluationSettings):
    """Which images, and how strongly the classifier may be regularised."""

    shares: ClassVar[str] = "(test|val) .*"

    data: Annotated[DataSettings, Choice("datasets")] | None = Field(
        None, description="the images, as in a spec; the run's own unless given"
    )
    strengths: tuple[Annotated[float, Field(gt=0, le=1e9)], ...] = Field(
        (1e-3, 1e-2, 1e-1, 1.0, 10.0),
        min_length=1,
        max_length=50,
        description="inverse strengths of L2 regularisation that are tried, as scikit-learn's C",
    )
    iterations: int = Field(500, ge=1, le=100_000, description="steps of L-BFGS at most")


def evaluate(settings: Settings, context: Context) -> Result:
    """Accuracies of the best classifier, and those of all strengths in a document.

    Raises:
        SpecError: the images have other channels than the network takes.
    """
    data = context.splits if settings.data is None else context.around.images(settings.data)
    _check(data, context)
    features = _Features(context, data)
    train, val = _drawn(data, features)
    test = features.of("test")
    tick, steps = context.around.tick, settings.iterations
    tried = [_Fitted(strength, steps, train, val, tick) for strength in settings.strengths]
    best = max(tried, key=lambda one: one.val)  # of equal ones the first
    accuracies = best.by_class(*test, len(data.test.classes))
    present = accuracies[~torch.isnan(accuracies)]
    metrics = {
        "test accuracy": best.accuracy(*test),
        "test balanced": present.mean().item(),
        "val accuracy": best.val,
        "strength": best.strength,
    }
    document = {
        "val accuracy by strength": {str(one.strength): one.val for one in tried},
        "converged": best.converged,
        "classes": data.test.classes,
        "test accuracy by class": [None if a != a else a for a in accuracies.tolist()],
    }
    return Result(metrics, {"linear_probe.json": document})


class _Features:
    """Features and classes of splits, scaled as those of the training images."""

    def __init__(self, context: Context, data: Splits) -> None:
        self._around, self._data, self._net = context.around, data, context.net()
        found = self._raw("train")
        self._mean, self._scale = found.mean(0), found.std(0).clamp_min(1e-6)

    def of(self, split: str) -> Split:
        scaled = (self._raw(split) - self._mean) / self._scale
        return scaled, getattr(self._data, split).y.cpu()

    def _raw(self, split: str) -> Tensor:
        return self._around.features(self._net, self._data, split).double()


class _Fitted:
    """A classifier of one strength; `val` is its accuracy on the images that pick one.

    It knows the classes of its training images. Of two it fits one row of weights, as
    scikit-learn does: with one for each, the same strength would regularise half as much.
    """

    def __init__(
        self, strength: float, iterations: int, train: Split, val: Split, tick: Callable[[], None]
    ) -> None:
        from scipy.optimize import minimize

        x, y = train
        classes, right = torch.unique(y, return_inverse=True)
        self.strength = strength
        self._classes: Tensor = classes
        rows = 1 if len(self._classes) == 2 else len(self._classes)

        def loss(flat: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, object]:
            tick()
            weights = torch.from_numpy(flat).view(rows, -1).requires_grad_()
            with torch.enable_grad():
                penalty = weights[:, :-1].square().sum() / (2 * strength * len(y))
                mean = torch.nn.functional.cross_entropy(_logits(weights, x), right) + penalty
                mean.backward()  # type: ignore[no-untyped-call]
            assert weights.grad is not None
            return mean.item(), weights.grad.flatten().numpy()

        first = torch.zeros(rows * (x.shape[1] + 1), dtype=torch.double).numpy()
        options = {"maxiter": iterations, "gtol": SLOPE, "ftol": 64 * EPSILON}
        found = minimize(loss, first, jac=True, method="L-BFGS-B", options=options)
        self._weights = torch.from_numpy(found.x).view(rows, -1)
        self.converged = bool(found.success)
        self.val = self.accuracy(*val)

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        return self._right(x, y).mean().item()

    def by_class(self, x: Tensor, y: Tensor, classes: int) -> Tensor:
        """Accuracy of each class, NaN for those without an image."""
        total = torch.bincount(y, minlength=classes)
        return torch.bincount(y, self._right(x, y), minlength=classes) / total

    def _right(self, x: Tensor, y: Tensor) -> Tensor:
        """1 for each image whose class it says, else 0."""
        return (self._classes[_logits(self._weights, x).argmax(1)] == y).double()


def _logits(weights: Tensor, x: Tensor) -> Tensor:
    """[images, classes] of weights [rows, features + 1], the last of which are biases.

    One row is that of the second of two classes, the first of which has 0.
    """
    found: Tensor = x @ weights[:, :-1].T + weights[:, -1]
    return found if len(weights) > 1 else torch.cat([torch.zeros_like(found), found], 1)


def _drawn(data: Splits, features: _Features) -> tuple[Split, Split]:
    """Images to fit to, and images to pick a strength on."""
    if data.val is not None:
        return features.of("train"), features.of("val")
    x, y = features.of("train")
    held = torch.arange(len(y)) % 5 == 4
    return (x[~held], y[~held]), (x[held], y[held])


def _check(data: Splits, context: Context) -> None:
    here, there = data.train.x.shape[1], context.splits.train.x.shape[1]
    if here != there:
        raise SpecError(
            f"linear_probe.data: these images have {here} channel(s), the network takes {there}"
        )
