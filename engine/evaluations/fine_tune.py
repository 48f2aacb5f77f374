"""What a ticket learns of other images when it is trained on, its mask as it is.

The trained network goes on as its run trains, on a data set of its own choice, with a classifier
that is drawn anew where there are other classes (as in the transfer of tickets by Morcos et al.
2019, https://arxiv.org/abs/1906.02773, but from trained weights).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.choice import Choice
from engine.context import Context, Result
from engine.dataspec import DataSettings
from engine.errors import Inapplicable, SpecError
from engine.evaluations import _outputs
from engine.evaluationspec import EvaluationSettings
from engine.images import Images
from engine.plan import Level


class Settings(EvaluationSettings):
    """Which images, and how long."""

    shares: ClassVar[str] = ".*"

    data: Annotated[DataSettings, Choice("datasets")] | None = Field(
        None, description="the images, as in a spec; the run's own unless given"
    )
    epochs: int | None = Field(
        None, ge=1, le=100_000, description="of the training; as many as the run's own unless given"
    )
    lr: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="learning rate to begin with; a tenth of the run's own unless given",
    )
    weights: str = Field(
        "trained",
        pattern="^(trained|rewind)$",
        description="the ticket's trained weights (trained), or those that it started from, so that"
        " its mask alone is transferred (rewind)",
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Accuracies on test and validation images after the last epoch.

    Raises:
        SpecError: the images have other channels than the network takes.
        Inapplicable: the run's loss has no use for classes.
    """
    spec, ticket = context.subject.spec, context.subject.ticket
    chosen = settings.data or spec.data
    data = context.splits if settings.data is None else context.around.images(chosen)
    here, there = data.train.x.shape[1], context.splits.train.x.shape[1]
    if here != there:
        raise SpecError(
            f"fine_tune.data: these images have {here} channel(s), the network takes {there}"
        )
    if not spec.labelled:
        raise Inapplicable(
            f"{spec.loss.name} trains without classes; evaluate with linear_probe, or"
            " begin a run with labels from this one (start: RUN)"
        )
    optimizer = spec.train.optimizer
    rate = settings.lr or optimizer.lr / 10
    train = spec.train.model_copy(
        update={
            "optimizer": optimizer.model_copy(update={"lr": rate}),
            "epochs": settings.epochs or spec.train.epochs,
            "multiplier": 1.0,
        }
    )
    state = ticket.trained if settings.weights == "trained" else ticket.rewind
    tuned = spec.model_copy(update={"data": chosen, "train": train})
    net = context.around.train(tuned, Level(0, None), data, state, context.mask)

    def accuracies(split: str, images: Images) -> dict[str, float]:
        y = images.y.cpu()
        right = _outputs.right(context.around.logits(net, images, data.geometry), y)
        plain = right.double().mean().item()
        return {f"{split} accuracy": plain, f"{split} balanced": _outputs.balanced(right, y)}

    val = {} if data.val is None else accuracies("val", data.val)
    return Result(accuracies("test", data.test) | val, {})
