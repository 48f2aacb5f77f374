"""What a linear classifier makes of a ticket's features of some images (Alain & Bengio 2017).

The network is frozen, its normalisations too: multinomial logistic regression is fitted to what its
classifier is given, of training images as a test shows them
(https://arxiv.org/abs/1610.01644; Table 4 of the data-efficient tickets paper, whose code let the
statistics of batch normalisations drift). Features are scaled to variance 1 on the training images;
how strongly the classifier is regularised is picked on validation images, or on every fifth
training image where there are none.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

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

    Array = np.ndarray[Any, Any]


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
    tried = []
    for strength in settings.strengths:
        context.around.tick()
        tried.append(_Fitted(strength, settings.iterations, train, val))
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
    """Features and classes of splits, as arrays, scaled as those of the training images."""

    def __init__(self, context: Context, data: Splits) -> None:
        self._around, self._data, self._net = context.around, data, context.net()
        found = self._raw("train")
        self._mean, self._scale = found.mean(0), found.std(0).clamp_min(1e-6)

    def of(self, split: str) -> tuple[Array, Array]:
        scaled = (self._raw(split) - self._mean) / self._scale
        return scaled.numpy(), getattr(self._data, split).y.cpu().numpy()

    def _raw(self, split: str) -> Tensor:
        return self._around.features(self._net, self._data, split).double()


class _Fitted:
    """A classifier of one strength; `val` is its accuracy on the images that pick one."""

    def __init__(
        self,
        strength: float,
        iterations: int,
        train: tuple[Array, Array],
        val: tuple[Array, Array],
    ) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self.strength = strength
        self._model = LogisticRegression(C=strength, max_iter=iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said in the document
            self._model.fit(*train)
        self.converged = bool((self._model.n_iter_ < iterations).all())
        self.val = self.accuracy(*val)

    def accuracy(self, x: Array, y: Array) -> float:
        return float((self._model.predict(x) == y).mean())

    def by_class(self, x: Array, y: Array, classes: int) -> Tensor:
        """Accuracy of each class, NaN for those without an image."""
        right = torch.from_numpy(self._model.predict(x) == y).double()
        found = torch.from_numpy(y)
        total = torch.bincount(found, minlength=classes)
        return torch.bincount(found, right, minlength=classes) / total


def _drawn(data: Splits, features: _Features) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Images to fit to, and images to pick a strength on."""
    if data.val is not None:
        return features.of("train"), features.of("val")
    x, y = features.of("train")
    held = torch.arange(len(y)).numpy() % 5 == 4
    return (x[~held], y[~held]), (x[held], y[held])


def _check(data: Splits, context: Context) -> None:
    here, there = data.train.x.shape[1], context.splits.train.x.shape[1]
    if here != there:
        raise SpecError(
            f"linear_probe.data: these images have {here} channel(s), the network takes {there}"
        )
