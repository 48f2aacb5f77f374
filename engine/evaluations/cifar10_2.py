"""Accuracy on CIFAR-10.2, newer images of CIFAR-10's classes (Lu et al. 2020)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.errors import Inapplicable
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch


class Settings(EvaluationSettings):
    """Where the images are."""

    shares: ClassVar[str] = ".*"

    root: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="the folder of cifar102_train.npz and cifar102_test.npz, or the one above;"
        " data.root if unset",
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Accuracy on its training and test images together, and on the run's own test images.

    Raises:
        Inapplicable: the run is on another data set.
        DataError: the images are missing or broken.
    """
    data = context.subject.spec.data
    if data.name != "cifar10":
        raise Inapplicable(f"CIFAR-10.2 has CIFAR-10's classes; this run is on {data.name}")
    images = context.around.shifted("cifar10_2", settings.root or data.root)
    images, own = images.to(context.around.device), context.splits.test
    net = context.net()
    right, ours = (context.logits(net, one).argmax(1) == one.y.cpu() for one in (images, own))
    parts = {
        part: right[torch.tensor([name.startswith(part) for name in images.ids])]
        for part in ("train", "test")
    }
    accuracy = right.double().mean().item()
    drop = ours.double().mean().item() - accuracy
    document = {
        "images": len(right),
        "correct": int(right.sum()),
        "parts": {part: [int(found.sum()), len(found)] for part, found in parts.items()},
        "per class": {
            name: [int(right[images.y.cpu() == label].sum()), int((images.y == label).sum())]
            for label, name in enumerate(images.classes)
        },
    }
    return Result({"accuracy": accuracy, "drop": drop}, {"cifar10_2.json": document})
