"""Accuracy on adversarial images, whichever attack makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from engine.context import Context, Result
from engine.evaluations import _outputs, _samples
from engine.evaluationspec import EvaluationSettings
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

    Objective = Callable[[Tensor], Tensor]
    Attack = Callable[[Tensor, Objective, tuple[str, ...], float], Tensor]

Epsilon = Annotated[float, Field(gt=0, le=255)]


class AttackSettings(EvaluationSettings):
    """What every attack can be told."""

    shares: ClassVar[str] = ".*"

    epsilon: tuple[Epsilon, ...] = Field(
        (8.0,),
        min_length=1,
        max_length=10,
        description="how far a pixel may be moved, in grey levels of 255; one result for each",
    )
    images: _samples.Most = None


def accuracies(settings: AttackSettings, context: Context, attack: Attack) -> Result:
    """Accuracies on test images as they are, and on what an attack on each finds.

    Args:
        attack: of images [B, C, H, W] in 0..255, their summed objective, their ids and an epsilon,
            makes images in 0..255.
    """
    whole, geometry = context.splits.test, context.splits.geometry
    images = whole.subset(_samples.positions(whole, settings.images))
    says = context.around.says(context.net().requires_grad_(False))
    bounds = (0.0, *sorted(set(settings.epsilon)))
    found: dict[float, list[Tensor]] = {epsilon: [] for epsilon in bounds}
    at_once = context.subject.spec.train.batch_size  # for which the device has room
    for at in torch.split(torch.arange(len(images)), at_once):
        x, y = images.batch(at, geometry).x, images.y[at.to(images.device)]
        ids = tuple(images.ids[position] for position in at.tolist())
        objective = _objective(says, y)
        for epsilon, said in found.items():
            shown = attack(x, objective, ids, epsilon) if epsilon else x
            with torch.no_grad():
                said.append(says(shown).argmax(1).cpu())
    right = {epsilon: torch.cat(said) == images.y.cpu() for epsilon, said in found.items()}
    rows = [_row(epsilon, right[epsilon], right[0.0], images.y.cpu()) for epsilon in bounds]
    metrics = {
        _named(measure, row["epsilon"]): row[measure]
        for measure in ("accuracy", "balanced")
        for row in rows
    }
    return Result(metrics, {f"{settings.name}.json": {"images": len(images), "results": rows}})


def _objective(says: Objective, y: Tensor) -> Objective:
    """The summed cross-entropy: no image's gradient depends on how many others there are."""
    return lambda x: functional.cross_entropy(says(x), y, reduction="sum")


def _row(epsilon: float, right: Tensor, clean: Tensor, y: Tensor) -> dict[str, Any]:
    """What is right at one epsilon, and how many images that were right are no longer."""
    return {
        "epsilon": epsilon,
        "accuracy": right.double().mean().item(),
        "balanced": _outputs.balanced(right, y),
        "correct": int(right.sum()),
        "turned": int((clean & ~right).sum()),
    }


def _named(measure: str, epsilon: float) -> str:
    return f"{measure} at {epsilon:g}" if epsilon else f"clean {measure}"
