"""The specs that come with lthtui, as the runs that they ask for, without any data sets."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from engine import registry
from engine.description import Description
from engine.spec import RunSpec
from lthtui import specfiles
from lthtui.sources import Patience

SPECS = Path(__file__).parents[2] / "specs"
PAPER = tuple(sorted(SPECS.glob("paper/*.yaml")))
CLASSES = {"cifar100": 100, "imagenet": 1000, "clamm": 12, "isic2018": 7}
WAITING = ("retrained", "table1-cifar10-1pct-simclr", "table1-cifar10-2pct-simclr", "figure7")


def describe(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Data sets that are elsewhere, with as many classes as they have."""
    monkeypatch.chdir(folder)
    for name in registry.names("datasets"):
        classes = tuple(map(str, range(CLASSES.get(name, 10))))
        about = Description(classes, 3, 32, 45_000, 100, 100, 50_000, 10**6, "0" * 64)
        module = registry.load("datasets", name)
        monkeypatch.setattr(module, "describe", lambda settings, about=about: about)


@cache
def runs_of(file: Path) -> tuple[RunSpec, ...]:
    """The runs of a spec, those that wait for others too."""
    waits = file.parent.name == "paper" and any(one in file.stem for one in WAITING)
    found = specfiles.expand(file, patience=patience() if waits else None)
    return (*(run.spec for run in found.runs), *(one.spec for one in found.later))


@cache
def patience() -> Patience:
    """All runs of the paper's specs that others may start from, each once."""
    made = {}
    for file in PAPER:
        if not any(one in file.stem for one in WAITING):
            runs = runs_of(file)
            made |= {(run.name, run.repetition): [f"{run.name}-{run.repetition}"] for run in runs}
    return Patience(made)
