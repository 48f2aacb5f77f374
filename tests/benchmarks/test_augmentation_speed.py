"""Images per second of augmentation, beside torchvision's transforms image by image.

`pytest -m benchmark -s` prints them. Theirs begin with an array per image and end with a batch, as
with torchvision's own CIFAR-10 and a loader's collation; ours begin with what is kept in memory.
Both take turns, with one thread each, and medians of processor seconds are compared, which other
programs change less than those on the clock.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision import transforms as v1
from torchvision.transforms import v2

from engine import machine, registry
from engine.images import Batch, Geometry
from engine.seeds import rng

pytestmark = pytest.mark.benchmark
BATCH, TURNS = 100, 11
CIFAR = Geometry(32, "pad", 4, ("horizontal",), (0.5,) * 3, (0.2,) * 3)


@pytest.fixture(autouse=True)
def as_in_a_worker() -> None:
    machine.keep_memory()
    torch.set_num_threads(1)


Theirs = Callable[[Any], list[Any]]
"""What torchvision, in either version, does between its crops with flips and its tensors."""

CASES: list[tuple[str, dict[str, Any], Theirs]] = [
    ("basic", {}, lambda t: []),
    ("basic", {"blur": 0.5}, lambda t: [t.RandomApply([t.GaussianBlur(13, (0.1, 2.0))], 0.5)]),
    ("basic", {"cutout": 16}, lambda t: []),  # of these two torchvision has none for an image:
    ("basic", {"mixup": 0.2, "cutmix": 1.0}, lambda t: []),  # ours have more to do
    ("contrast", {}, lambda t: [_jitter(t), t.RandomGrayscale(0.2)]),
    ("auto", {"policy": "cifar"}, lambda t: [t.AutoAugment(t.AutoAugmentPolicy.CIFAR10)]),
    ("auto", {"policy": "imagenet"}, lambda t: [t.AutoAugment()]),
    ("auto", {"policy": "svhn"}, lambda t: [t.AutoAugment(t.AutoAugmentPolicy.SVHN)]),
    ("rand", {"list": "paper"}, lambda t: [t.RandAugment(4)]),
    ("rand", {"list": "standard"}, lambda t: [t.RandAugment(4)]),
    ("trivial", {}, lambda t: [t.TrivialAugmentWide()]),
]


def _jitter(t: Any) -> Any:
    return t.RandomApply([t.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8)


def _images() -> torch.Tensor:
    """Half noise, half smooth; no operation is much faster on either."""
    noise = torch.randint(0, 256, (BATCH, 3, 32, 32), generator=rng(0, "images"))
    noise[::2] = noise[::2, :, :1, :1] + torch.arange(32) * 2
    return noise.clamp(0, 255).to(torch.uint8)


def _torchvision(t: Any, between: Theirs, x: torch.Tensor) -> Callable[[], torch.Tensor]:
    arrays = [image.permute(1, 2, 0).contiguous().numpy() for image in x]
    first = [t.RandomCrop(32, 4), t.RandomHorizontalFlip()]
    change = t.Compose([*first, *between(t), t.PILToTensor()])
    return lambda: torch.stack([change(Image.fromarray(array)) for array in arrays])


def _in_turns(*actions: Callable[[], object]) -> list[float]:
    """Median images per second of each action, run in turns after one turn to warm up."""
    times: list[list[float]] = [[] for _ in actions]
    for turn in range(TURNS + 1):
        for action, seconds in zip(actions, times, strict=True):
            began = time.process_time()
            action()
            if turn:
                seconds.append(time.process_time() - began)
    return [BATCH / statistics.median(seconds) for seconds in times]


@pytest.mark.parametrize(
    ("name", "settings", "theirs"),
    [pytest.param(*case, id="-".join([case[0], *map(str, case[1].values())])) for case in CASES],
)
def test_images_per_second_against_torchvision(
    name: str, settings: dict[str, Any], theirs: Theirs
) -> None:
    module, x, generator = registry.load("augmentations", name), _images(), rng(0, "augment")
    chosen = module.Settings(**settings)
    ours, first, second = _in_turns(
        lambda: module.augment(chosen, Batch(x, None, CIFAR), generator),
        _torchvision(v1, theirs, x),
        _torchvision(v2, theirs, x),
    )
    speeds = {"images_per_second": round(ours), "v1": round(first), "v2": round(second)}
    ratio = round(ours / max(first, second), 1)
    shown = {"augmentation": name, **settings, **speeds, "times_theirs": ratio}
    print(f"\nspeed: {json.dumps(shown)}")
    assert min(ours, first, second) > 0
