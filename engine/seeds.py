"""Every random draw comes from a named stream, so that no generator state is ever saved.

The numbers of level 7, epoch 30 are the same in any process and on any device, whatever was drawn
before: a run that was killed and resumed equals one that was not.
"""

from __future__ import annotations

import hashlib

from engine.lazy import torch


def number(seed: int, *key: str | int) -> int:
    """A 63-bit number that depends on nothing but the seed and the key."""
    text = "\x1f".join([str(seed), *map(str, key)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def settle(device: torch.device, seed: int, *key: str | int) -> None:
    """Put the generators that modules such as dropout draw from at the start of stream `key`."""
    torch.default_generator.manual_seed(number(seed, *key))
    if device.type == "cuda":
        torch.cuda.manual_seed(number(seed, *key))


def rng(seed: int, *key: str | int) -> torch.Generator:
    """A CPU generator for the stream `key`, such as `rng(seed, "order", level, epoch)`."""
    return torch.Generator().manual_seed(number(seed, *key))
