"""The straight line between two networks, and how high the error rises along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.context import Context
from engine.images import Images, normalise
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.tickets import State

BATCH = 500  # images whose statistics a normalisation takes at once


@dataclass(frozen=True)
class Line:
    """Errors at points between two networks, ends included; fractions of 1.

    Attributes:
        shares: how much of the second network there is at each point, 0 to 1.
        kept: with running statistics of normalisations interpolated as weights are.
        anew: with those taken anew of the training images at each point; the same as `kept` for
            a network without any.
        distance: length of the difference of the weights.
        cosine: of the angle between the weights.
    """

    shares: tuple[float, ...]
    kept: tuple[float, ...]
    anew: tuple[float, ...]
    distance: float
    cosine: float

    def metrics(self) -> dict[str, float]:
        """Barriers, the mean error of the ends, and how far they are apart."""
        return {
            "barrier": barrier(self.anew),
            "barrier_without_recalibration": barrier(self.kept),
            "error_of_ends": (self.anew[0] + self.anew[-1]) / 2,
            "distance": self.distance,
            "cosine": self.cosine,
        }

    def document(self) -> dict[str, tuple[float, ...]]:
        """The errors along it, to draw."""
        return {
            "share": self.shares,
            "error": self.anew,
            "error_without_recalibration": self.kept,
        }


def barrier(errors: tuple[float, ...]) -> float:
    """How far the highest error is above the mean of the ends (Frankle et al. 2020, section 2)."""
    return max(errors) - (errors[0] + errors[-1]) / 2


def walk(context: Context, first: nn.Module, second: nn.Module, points: int) -> Line:
    """Score `points` networks at equal distances on the line from one network to another.

    They are left as they are. Whole numbers in a state, such as counts of batches, are the first's.
    """
    one, two = ({n: t.clone() for n, t in net.state_dict().items()} for net in (first, second))
    shares = tuple(step / (points - 1) for step in range(points))
    between, kept, anew = context.net(), list[float](), list[float]()
    for share in shares:
        between.load_state_dict(_mixed(one, two, share))
        kept.append(_error(context, between))
        found = recalibrate(between, context.splits.train, context)
        anew.append(_error(context, between) if found else kept[-1])
    return Line(shares, tuple(kept), tuple(anew), *_apart(first, second))


def recalibrate(net: nn.Module, images: Images, context: Context) -> bool:
    """Take the running statistics of batch normalisations anew; False if there are none.

    They are the mean over batches of `BATCH` images as a test shows them, in their order.
    """
    norms = [m for m in net.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    norms = [norm for norm in norms if norm.track_running_stats]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    with torch.no_grad():
        for positions in torch.split(torch.arange(len(images)), BATCH) if norms else ():
            context.around.tick()
            if len(positions) > 1:  # one has no variance
                shown = context.around.plain(images.batch(positions, context.splits.geometry))
                net(normalise(shown.x, shown.geometry))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
    return bool(norms)


def _mixed(one: State, two: State, share: float) -> State:
    return {
        name: torch.lerp(t, two[name], share) if t.is_floating_point() else t
        for name, t in one.items()
    }


def _error(context: Context, net: nn.Module) -> float:
    wrong = context.logits(net, context.splits.test).argmax(1) != context.splits.test.y.cpu()
    return wrong.double().mean().item()


def _apart(first: nn.Module, second: nn.Module) -> tuple[float, float]:
    """Distance and cosine of all parameters, as one vector each."""
    one, two = (_vector(net) for net in (first, second))
    return (one - two).norm().item(), torch.cosine_similarity(one, two, dim=0).item()


def _vector(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in net.parameters()])
