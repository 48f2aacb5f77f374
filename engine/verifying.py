"""Checking a ticket: reload it into a fresh network and score the same images again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from engine import tickets
from engine.errors import DataError, UsageError
from engine.evaluation import score
from engine.images import Splits
from engine.plan import Level
from engine.registry import load
from engine.setup import build
from engine.spec import RunSpec
from engine.training import Training


def verify(path: Path, data_root: str | None, device: torch.device) -> dict[str, Any]:
    """Score a ticket's trained weights and compare correct counts with the card's.

    Args:
        data_root: where the images are now, if not where the card says.

    Returns:
        `verified`, and per split the counted and the claimed numbers.

    Raises:
        Damaged: the file is broken.
        DataError: the ticket was imported and makes no claim, or its images are missing.
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    ticket = tickets.load(path)
    card = ticket.card
    if card.get("imported"):
        raise DataError(f"{path}: an imported ticket claims no accuracies to verify")
    spec = RunSpec.model_validate(card["spec"])
    if data_root:
        moved = spec.data.model_copy(update={"root": data_root})
        spec = spec.model_copy(update={"data": moved})
    torch.set_num_threads(int(card["environment"].get("threads", 1)))
    data = _images(spec).to(device)
    net = build(spec, data, device)
    net.load_state_dict(ticket.trained)
    judge = Training(spec, Level(0, 1.0), data, net, ticket.mask, device).judge()
    report: dict[str, Any] = {"ticket": str(path), "sha256": card["sha256"], "splits": {}}
    report["same_images"] = data.subset.hash == card["subset"]
    report["density"] = ticket.mask.density
    for name, split in (("val", data.val), ("test", data.test)):
        if split is None or card.get(f"{name}_correct") is None:
            continue
        found = score(net, split, data.geometry, judge)
        report["splits"][name] = {
            "correct": found.correct,
            "total": found.total,
            "claimed_correct": card[f"{name}_correct"],
            "claimed_total": card[f"{name}_total"],
        }
    report["verified"] = report["same_images"] and all(
        (s["correct"], s["total"]) == (s["claimed_correct"], s["claimed_total"])
        for s in report["splits"].values()
    )
    return report


def _images(spec: RunSpec) -> Splits:
    try:
        images: Splits = load("datasets", spec.data.name).load(spec.data)
    except DataError as error:
        raise DataError(f"{error}; --data-root says where the images are now") from None
    return images
