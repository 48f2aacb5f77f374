"""How alike what layers tell images apart by is: linear CKA within a network and to another one.

Centred kernel alignment (Kornblith et al. 2019, https://arxiv.org/abs/1905.00414) of the outputs of
convolutions and linear maps, by the unbiased estimate of HSIC in batches of images (Nguyen et al.
2021, https://arxiv.org/abs/2010.15327, equations 2 to 4), whose mean does not depend on their size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from engine import seeds
from engine.context import Context, Result, Subject
from engine.errors import DataError, SpecError
from engine.evaluations import _others, _samples
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST = 4  # images for an unbiased estimate
COLUMNS = 1 << 16  # features that are in float64 at a time


class Settings(EvaluationSettings):
    """Which layers, on which images, and to which network."""

    other: _others.Other = Field(
        "dense",
        union_mode="left_to_right",
        description=f"the ticket to whose network layers are compared: {_others.SAID}; dense that"
        " is not kept is left out",
    )
    layers: str = Field(
        "",
        max_length=200,
        description="regular expression that is searched in the names of layers, such as"
        " layer[34]|fc; empty for all convolutions and linear maps",
    )
    images: _samples.Most = 2000
    batch: int = Field(
        128, ge=2 * LEAST, le=4096, description="images at a time, of which products are taken"
    )

    @field_validator("layers")
    @classmethod
    def _expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"'{value}' is no regular expression: {error}") from None
        return value


def evaluate(settings: Settings, context: Context) -> Result:
    """Matrices over layers; as metrics their means off the diagonal, and between like layers.

    A layer that gives the same for all images is like none.

    Raises:
        SpecError: there are no such layers, or the other network takes no such images.
        DataError: there are too few test images.
    """
    other = _other(settings, context)
    mine = Watched(context, context.net(), settings.layers)
    theirs = _watched(settings, context, other) if other else mine
    own, across, foreign = _totals(mine, theirs, _batches(settings, context))
    within = aligned(own, own.diagonal(), own.diagonal())
    images = len(_samples.positions(context.splits.test, settings.images))
    document: dict[str, Any] = {"images": images, "layers": [*mine.maps], "within": _listed(within)}
    metrics = {"within": within[~torch.eye(len(within), dtype=torch.bool, device=within.device)]}
    if other:
        between = aligned(across, own.diagonal(), foreign.diagonal())
        name = _others.called(settings.other, other)
        layers = {layer: at for at, layer in enumerate(theirs.maps)}
        document["other"] = {"name": name, "layers": [*layers], "across": _listed(between)}
        like = [(at, layers[layer]) for at, layer in enumerate(mine.maps) if layer in layers]
        rows, columns = torch.tensor(like, dtype=torch.int64).view(-1, 2).T
        metrics["diagonal"] = between[rows, columns]
    known = {name: found[found.isfinite()] for name, found in metrics.items()}
    means = {name: found.mean().item() for name, found in known.items() if len(found)}
    return Result(means, {"cka.json": document})


class Watched:
    """A network of which every layer's output is seen.

    Attributes:
        maps: its layers, by name: every module with a weight of two dimensions or more that a test
            goes through, which a head for training alone is not.
    """

    def __init__(self, context: Context, net: nn.Module, layers: str) -> None:
        self._says: Callable[[Tensor], Tensor] = context.around.says(net)
        weights = ((name, m, getattr(m, "weight", None)) for name, m in net.named_modules())
        self.maps = {
            name: module
            for name, module, weight in weights
            if isinstance(weight, torch.nn.Parameter) and weight.ndim > 1
            if re.search(layers, name)
        }
        one = context.splits.test.batch(torch.arange(1), context.splits.geometry).x
        seen = self._seen(one)
        self.maps = {name: module for name, module in self.maps.items() if name in seen}
        if not self.maps:
            raise SpecError(f"cka.layers: '{layers}' matches no convolution or linear map")

    def products(self, x: Tensor) -> Tensor:
        """Products of what layers give for images [B, C, H, W]: float64 [layers, B, B]."""
        found = self._seen(x)
        return torch.stack([found[name] for name in self.maps])

    def _seen(self, x: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}

        def seen(name: str) -> Callable[..., None]:
            # at once: what follows may change the output in its place
            return lambda module, inputs, output: found.update({name: products(output)})

        with ExitStack() as stack, torch.no_grad():
            for name, module in self.maps.items():
                stack.enter_context(module.register_forward_hook(seen(name)))
            self._says(x)
        return found


def products(features: Tensor) -> Tensor:
    """Scalar products of images' features [B, ...], centred, with zeros on the diagonal.

    Centring changes no unbiased estimate; it leaves fewer digits to cancel.
    """
    found = features.new_zeros(len(features), len(features), dtype=torch.float64)
    for part in torch.split(features.flatten(1), COLUMNS, 1):
        part = part.double()
        part = part - part.mean(0)
        found += part @ part.T
    return found.fill_diagonal_(0)


def hsic(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased estimate of every two of [L, B, B] and [M, B, B] products: float64 [L, M].

    Equation 3 of Nguyen et al. 2021 (Song et al. 2012), whose B must be 4 or more.
    """
    n = one.shape[1]
    rows, columns = one.sum(2), other.sum(2)
    found = one.flatten(1) @ other.flatten(1).T - 2 / (n - 2) * rows @ columns.T
    found += torch.outer(rows.sum(1), columns.sum(1)) / ((n - 1) * (n - 2))
    return found / (n * (n - 3))


def aligned(found: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """CKA [L, M] of HSIC [L, M], with those of layers and themselves [L] and [M].

    It is not finite where one of these is not above zero.
    """
    return found / torch.outer(one.clamp(min=0).sqrt(), other.clamp(min=0).sqrt())


def _other(settings: Settings, context: Context) -> Subject | None:
    if settings.other == "dense" and _others.dense(context) is None:
        return None
    return _others.find("cka", settings.other, context)


def _watched(settings: Settings, context: Context, other: Subject) -> Watched:
    """The other network, which must take the images of this run."""
    test, geometry = context.splits.test, context.splits.geometry
    try:
        return Watched(context, other.net(), settings.layers)
    except RuntimeError:
        raise SpecError(
            f"cka.other: the network of {_others.called(settings.other, other)} takes no images of"
            f" {test.x.shape[1]} channels and {geometry.size} pixels, as this run's are; compare"
            " networks for images of one size"
        ) from None


def _totals(
    mine: Watched, theirs: Watched, batches: Iterable[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of HSIC over batches: within one network, to the other, and within that."""
    totals: list[Tensor] = []
    for x in batches:
        ours = mine.products(x)
        beside = ours if theirs is mine else theirs.products(x)
        found = [hsic(ours, ours), hsic(ours, beside), hsic(beside, beside)]
        totals = [a + b for a, b in zip(totals, found, strict=True)] if totals else found
    own, across, foreign = totals
    return own, across, foreign


def _batches(settings: Settings, context: Context) -> Iterator[Tensor]:
    """Test images [B, C, H, W], in batches of nearly one size, the same for every ticket."""
    test, geometry = context.splits.test, context.splits.geometry
    chosen = _samples.positions(test, settings.images).tolist()
    if len(chosen) < LEAST:
        raise DataError(f"cka needs {LEAST} test images or more, not {len(chosen)}")
    mixed = sorted(chosen, key=lambda at: seeds.number(0, "cka", test.ids[at]))
    for ids in torch.tensor(mixed).tensor_split(-(-len(mixed) // settings.batch)):
        yield test.batch(ids, geometry).x


def _listed(matrix: Tensor) -> list[list[float | None]]:
    return [
        [round(value, 6) if math.isfinite(value) else None for value in row]
        for row in matrix.tolist()
    ]
