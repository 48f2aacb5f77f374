"""Accuracy on CIFAR-10.2, counted by hand; runs on other images are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.context import Context
from engine.errors import Inapplicable
from engine.evaluations import cifar10_2
from engine.images import Images

Make = Callable[..., Context]


class Repeats(nn.Module):
    """Two logits: a pixel and its complement, so that dark images are of class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        pixel = x[:, 0, 0, :1] * self.weight
        return torch.cat([pixel, 255 - pixel], 1)


def dots(values: list[int], labels: list[int], ids: list[str]) -> Images:
    x = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)
    return Images(x, torch.tensor(labels), tuple(ids), ("light", "dark"))


def on(ticket: Context, name: str, **around: Any) -> Context:
    data = {"name": name, "root": "there"}
    whole = {**ticket.subject.spec.model_dump(mode="json"), "data": data}
    spec = type(ticket.subject.spec).model_validate(whole)
    subject = replace(ticket.subject, spec=spec)
    return replace(ticket, subject=subject, around=replace(ticket.around, **around))


def test_both_parts_are_counted(context: Make) -> None:
    own = dots([200, 10, 20, 30], [0, 1, 1, 0], ["a", "b", "c", "d"])
    newer = dots(
        [200, 10, 250, 20, 30],
        [0, 0, 1, 1, 1],
        ["train/0", "train/1", "train/2", "test/0", "test/1"],
    )
    asked = []

    def shifted(*which: str) -> Images:
        asked.append(which)
        return newer

    ticket = on(context(Repeats, own), "cifar10", shifted=shifted)
    found = cifar10_2.evaluate(cifar10_2.Settings(), ticket)
    assert found.metrics == pytest.approx({"accuracy": 3 / 5, "drop": 3 / 4 - 3 / 5})
    assert found.files["cifar10_2.json"] == {
        "images": 5,
        "correct": 3,
        "parts": {"train": [1, 3], "test": [2, 2]},
        "per class": {"light": [1, 2], "dark": [2, 3]},
    }
    cifar10_2.evaluate(cifar10_2.Settings(root="elsewhere"), ticket)
    assert asked == [("cifar10_2", "there"), ("cifar10_2", "elsewhere")]


def test_other_data_sets_are_refused(context: Make) -> None:
    own = dots([1, 2], [0, 1], ["a", "b"])
    with pytest.raises(Inapplicable, match="this run is on cifar100"):
        cifar10_2.evaluate(cifar10_2.Settings(), on(context(Repeats, own), "cifar100"))
