"""A ticket by hand: any network, its images, and what evaluations may ask for beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine import masks, seeds
from engine.context import Context, Subject, Surroundings
from engine.images import Geometry, Images, Splits, normalise
from engine.plan import Plan
from engine.subsets import Subset
from engine.tickets import Ticket

Make = Callable[..., Context]


def split(x: Tensor, y: Tensor, classes: int, name: str = "i") -> Images:
    """Images uint8 [N, C, H, W] with classes [N]."""
    ids = tuple(f"{name}{index}" for index in range(len(x)))
    return Images(x, y, ids, tuple(f"class {index}" for index in range(classes)))


def _absent(*arguments: Any) -> Any:
    raise AssertionError("nobody gave this test what it asks for")


@pytest.fixture
def context(tiny: Callable[..., Any]) -> Make:
    """Make the context of a network's ticket: where `mask` is false its weights are zero.

    The mean is 0 and the deviation 1/255 in every channel, so that networks see 0 to 255.
    """

    def make(
        net: Callable[[], nn.Module],
        test: Images,
        *,
        train: Images | None = None,
        val: Images | None = None,
        mask: masks.Mask | None = None,
        rewind: dict[str, Tensor] | None = None,
        level: int = 0,
        **around: Any,
    ) -> Context:
        channels, size = test.x.shape[1], test.x.shape[-1]
        geometry = Geometry(size, "pad", 0, (), (0.0,) * channels, (1 / 255,) * channels)
        splits = Splits(train or test, val, test, geometry, Subset(("a",), ()))
        made = net().eval()
        state = {name: t.detach().clone() for name, t in made.state_dict().items()}
        kept = mask or masks.ones({n: p for n, p in made.named_parameters() if p.ndim > 1})
        ticket = Ticket(kept, rewind or state, state, {"level": level, "kept": kept.kept})

        def fresh() -> nn.Module:
            new = net().eval()
            new.load_state_dict(state)
            return new

        def logits(network: nn.Module, images: Images, other: Geometry | None = None) -> Tensor:
            with torch.inference_mode():
                return network(normalise(images.x, other or geometry)).float()

        def features(network: nn.Module, data: Splits, name: str) -> Tensor:
            return normalise(getattr(data, name).x, geometry).flatten(1)

        subject = Subject(tiny(), level, ticket, kept, fresh)
        found = Surroundings(
            splits=splits,
            plan=Plan((), 1),
            device=torch.device("cpu"),
            history=(),
            kept=(level,),
            at=lambda asked: subject,
            other=_absent,
            logits=logits,
            features=features,
            says=lambda network: lambda x: network(normalise(x, geometry)),
            images=_absent,
            shifted=_absent,
            plain=lambda batch: batch,
            train=_absent,
            tick=lambda: None,
        )
        return Context(subject, replace(found, **around), lambda *key: seeds.rng(0, *key, level))

    return make
