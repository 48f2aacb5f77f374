"""Whether a ticket is faster where it runs: real time for a batch, dense against sparse.

Zeros cost as much as other numbers, so that the masked network gains nothing (Hooker 2021,
https://arxiv.org/abs/2009.06489, on what hardware makes of sparsity). Time is gained by a network
without the channels that can go (narrowed), which says the same, and by formats that store living
weights only, for linear maps: compressed sparse rows on CPUs, 2:4 on NVIDIA GPUs, for which the
ticket may have to lose some weights. What the network or the device gains nothing from is not
timed, and the file says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from engine.context import Context, Result
from engine.evaluationspec import EvaluationSettings
from engine.images import normalise
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 1e-3  # of the largest logit: what a narrowed network may say otherwise in float32


class Settings(EvaluationSettings):
    """How many images at a time, and how often."""

    batches: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (1, 128), min_length=1, max_length=4, description="images at a time"
    )
    repeats: int = Field(30, ge=3, le=1000, description="times that each network is timed at most")
    seconds: float = Field(
        10.0,
        gt=0,
        le=600,
        description="time for all networks with a batch, after which none but the third repeat is"
        " begun",
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Medians over repeats, and of how many times faster than dense; quartiles in the file."""
    from engine.evaluations import _timing

    device = context.around.device
    bf16 = context.subject.spec.train.in_bf16(device.type)
    nets = _Variants(context, bf16)
    metrics, batches = dict(nets.metrics), {}
    for size in settings.batches:
        shown = _shown(context, size)
        actions = {name: _forward(net, shown, bf16) for name, net in nets.made.items()}
        with torch.no_grad():
            times = _timing.rounds(
                actions, settings.repeats, settings.seconds, _waiting(device), context.around.tick
            )
        found = {name: _timing.summary(taken, times["dense"]) for name, taken in times.items()}
        batches[str(size)] = found
        metrics |= _figures(f"batch {size}", found)
    document = {
        "device": _named(device),
        "threads": torch.get_num_threads(),
        "precision": "bf16" if bf16 else "fp32",
        "batches": batches,
        "not timed": nets.missing,
        "narrowed layers": nets.layers,
    }
    return Result(metrics, {"latency.json": document})


class _Variants:
    """The networks that are timed.

    Attributes:
        made: by name, on the device, in evaluation mode.
        missing: by name, why there is no such network.
        layers: how many channels stay where, in the narrowed network.
        metrics: what else is known of them.
    """

    def __init__(self, context: Context, bf16: bool) -> None:
        self._context, self._bf16 = context, bf16
        self._image = _shown(context, 1)
        self.made = {"dense": _dense(context)}
        self.missing: dict[str, str] = {}
        self.layers: dict[str, dict[str, int]] = {}
        self.metrics: dict[str, float] = {}
        if context.mask.kept == context.mask.total:
            self.missing = dict.fromkeys(
                ("masked", "narrowed", "csr", "2_4"), "no weight is pruned"
            )
            return
        self.made["masked"] = context.net()
        for name, make in (("narrowed", self._narrowed), ("csr", self._csr), ("2_4", self._2_4)):
            try:
                self.made[name] = make()
            except Exception as error:  # what one of them lacks must not cost the others
                self.missing[name] = str(error).partition("\n")[0] or type(error).__name__

    def _narrowed(self) -> nn.Module:
        from engine import flops
        from engine.evaluations import _formats, _narrowed

        found = _narrowed.narrowed(self._context.net(), self._image)
        self.layers = found.layers
        kept, total = (
            sum(one[which] for one in found.layers.values())
            for which in ("outputs kept", "outputs")
        )
        self.metrics["channels removed"] = (total - kept) / total if total else 0.0
        if kept == total:
            raise _formats.Unfit("no channel can go")
        self._check(found.net)
        counts = [
            flops.count(net, *self._image.shape[1:3]).dense
            for net in (found.net, self.made["dense"])
        ]
        self.metrics["narrowed FLOPs"] = counts[0] / counts[1]
        return found.net

    def _check(self, net: nn.Module) -> None:
        """Refuse a network that does not say what the masked one says, in float32."""
        from engine.evaluations import _formats

        shown = _shown(self._context, 32)
        with torch.no_grad():
            masked, other = self.made["masked"](shown), net(shown)
        away, most = (masked - other).abs().max().item(), masked.abs().max().item()
        self.metrics["narrowed logits differ by"] = away
        if not away <= TOLERANCE * max(1.0, most):
            raise _formats.Unfit(f"its logits differ by {away:.3g}, which are up to {most:.3g}")

    def _csr(self) -> nn.Module:
        from engine.evaluations import _formats

        net = self._context.net()
        _formats.compressed(net, self._context.mask, self._bf16)
        return self._tried(net)

    def _2_4(self) -> nn.Module:
        from engine.evaluations import _formats

        net = self._context.net()
        lost = _formats.semi_structured(net, self._context.mask, self._bf16)
        self._tried(net)
        self.metrics["2_4 weights left out"] = lost
        return net

    def _tried(self, net: nn.Module) -> nn.Module:
        """A network that has been seen to work here: formats are young, and kernels few."""
        with torch.no_grad():
            _forward(net, self._image, self._bf16)()
        _waiting(self._context.around.device)()
        return net


def _dense(context: Context) -> nn.Module:
    """The same network with all of its weights: small ones are drawn where pruned ones were."""
    net, rng = context.net(), context.rng("latency")
    weights = dict(net.named_parameters())
    with torch.no_grad():
        for name, alive in context.mask.items():
            drawn = 0.01 * torch.randn(alive.shape, generator=rng)
            weights[name].copy_(torch.where(alive, weights[name], drawn.to(alive.device)))
    return net


def _shown(context: Context, size: int) -> Tensor:
    """The first test images as networks see them, over again where they are too few."""
    images, geometry = context.splits.test, context.splits.geometry
    positions = torch.arange(size) % len(images)
    return normalise(images.batch(positions, geometry).x, geometry)


def _forward(net: nn.Module, shown: Tensor, bf16: bool) -> Callable[[], object]:
    def action() -> object:
        with torch.autocast(shown.device.type, torch.bfloat16, enabled=bf16):
            return net(shown)

    return action


def _waiting(device: torch.device) -> Callable[[], object]:
    """What returns when the device has done what it was told."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _figures(batch: str, found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Medians."""
    medians = {f"{batch} {name} ms": one["ms"] for name, one in found.items()}
    others = {name: one for name, one in found.items() if name != "dense"}
    faster = {f"{batch} {name} speed-up": one["speed-up"] for name, one in others.items()}
    return {**medians, **faster}
