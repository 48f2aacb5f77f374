"""What methods share that prune once, before training, by scores of the untrained weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from engine import masks, plugin, seeds, sparsifier
from engine.errors import Diverged, some
from engine.lazy import torch
from engine.plan import Level, Plan
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.training import Training

    Batches = Iterator[tuple[Tensor, Tensor, float]]

S = TypeVar("S", bound=plugin.AllocationSettings)


class SampleSettings(plugin.AllocationSettings):
    """What every method can be told that scores weights by training images."""

    images_per_class: int = Field(
        10,
        ge=1,
        le=100_000,
        description="training images of each class to score with, drawn at random and augmented as"
        " in training; all of a class that has fewer",
    )
    mode: Literal["eval", "train"] = Field(
        "eval",
        description="normalise by the running statistics, which say nothing yet, and drop nothing"
        " out (eval), or normalise and drop out as in training (train)",
    )


class AtInit(sparsifier.Sparsifier[S]):
    """One training under the mask of the highest scores."""

    def levels(self) -> Sequence[Level]:
        return [Level(0, self.settings.density)]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        self.settings.check_sparse()

    def check_shapes(self, weights: Mapping[str, Tensor]) -> None:
        masks.allotted(weights, self.settings, self.settings.density)

    @abstractmethod
    def scores(self, training: Training, net: nn.Module) -> dict[str, Tensor]:
        """By name, how much each prunable weight of `net` is worth.

        `net` is a copy of the network, with the weights pruned that earlier rounds pruned.
        """

    def rounds(self) -> int:
        """Rounds of scoring and pruning; densities fall geometrically to the last."""
        return 1

    def prepared(self, net: nn.Module) -> nn.Module:
        """The copy of the network that is scored."""
        return net

    def mask_before(self, training: Training) -> masks.Mask:
        net = self.prepared(deepcopy(training.net))
        weights = dict(net.named_parameters())
        mask = training.mask
        rounds = self.rounds()
        for done in range(1, rounds + 1):
            scores = self.scores(training, net)
            check(self.settings.name, scores, mask)
            density = self.settings.density ** (done / rounds)
            # what was pruned ranks last, but may fill up a count that rounding raised
            ranked = {n: s.masked_fill(~mask[n], float("-inf")) for n, s in scores.items()}
            mask = masks.allocate(ranked, self.settings, density)
            with torch.no_grad():
                for name, alive in mask.items():
                    weights[name].mul_(alive)
        return mask


def check(method: str, scores: Mapping[str, Tensor], mask: masks.Mask) -> None:
    """Refuse scores that rank nothing.

    Raises:
        Diverged: some are not finite, or all are the same.
    """
    broken = [name for name, score in scores.items() if not bool(score.isfinite().all())]
    if broken:
        raise Diverged(
            f"the scores of {method} are infinite or no numbers in {some(broken)}; train from"
            " smaller initial weights (model.init) or prune with another sparsifier"
        )
    alive = torch.cat([score[mask[name]] for name, score in scores.items()])
    if len(alive) > 1 and bool((alive == alive[0]).all()):
        if mask.kept < mask.total:
            raise Diverged(
                f"the {mask.kept:,} weights that {method} leaves on the way to its density connect"
                " nothing, so that their scores rank nothing; raise the density"
            )
        raise Diverged(
            f"the scores of {method} are {float(alive[0]):g} for every weight and rank nothing;"
            " has the network layers that begin at zero (model.zero_init)?"
        )


def batches(training: Training, settings: SampleSettings, passes: float) -> Batches:
    """Sampled training images: inputs [B, C, size, size], classes [B], share of the whole sample.

    The same each time it is called. No batch is larger than those of training.

    Args:
        passes: what is done with them, in forward passes.
    """
    sample = draw(training.data.train.y.cpu(), settings.images_per_class, training.rng("score"))
    count = -(-len(sample) // training.spec.train.batch_size)
    for index, ids in enumerate(torch.tensor_split(sample, count)):
        seeds.settle(training.device, training.spec.seed, "score", index)
        training.charge(len(ids), passes)
        there = ids.to(training.device)
        share = len(ids) / len(sample)
        x = training.inputs(training.augmented(ids, "score", index, mixed=False))
        yield x, training.data.train.y.index_select(0, there), share


def draw(classes: Tensor, per_class: int, rng: torch.Generator) -> Tensor:
    """Positions int64 of `per_class` images of each class, or all it has, in a random order.

    Args:
        classes: int64 [N].
    """
    order = torch.randperm(len(classes), generator=rng)
    of_each = [order[classes[order] == c][:per_class] for c in range(int(classes.max()) + 1)]
    drawn = torch.cat(of_each)
    return drawn[torch.randperm(len(drawn), generator=rng)]
