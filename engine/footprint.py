"""How much of the disk a run takes at most, counted from its network and what it keeps."""

from __future__ import annotations

import os
from pathlib import Path

from engine.spec import RunSpec

CHECKPOINTS = 3  # two that are there, and the one that is being written
COPIES = 3  # of the network in each: weights, momentum, the best epoch's weights


def peak_bytes(spec: RunSpec, levels: int, tensors: int, prunable: int) -> int:
    """Bytes that a run takes at most while it runs; MLflow has links to the same files.

    Args:
        levels: how many it trains.
        tensors: bytes of the network's tensors.
        prunable: number of its prunable weights.
    """
    mask = prunable // 8
    ticket = 2 * tensors + mask  # the weights it starts from, and the trained ones
    newest = 2  # beyond those that stay: one to start from, one to fall back on
    tickets = ticket * min(levels, spec.most_kept(levels) + newest)
    return tickets + 2 * mask * levels + CHECKPOINTS * COPIES * tensors


def used_bytes(folder: Path) -> int:
    """Bytes on disk of all files below a folder; what goes meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
