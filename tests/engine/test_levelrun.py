"""Around the steps of a level: when it is scored, which epoch counts, what is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from inprocess import run

from engine import levels
from engine.events import EpochEnded, Event, LevelEnded, RunStarted, Warned
from engine.rundir import RunDirectory
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]


def _scored(events: list[Event], field: str) -> list[int]:
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    return [e.level_epoch for e in epochs if getattr(e, field) is not None]


@pytest.mark.parametrize(
    ("cadence", "val", "test"),
    [
        ({"every": 3}, [3, 6, 7], []),
        ({"every": 0}, [7], []),
        ({"every": 0, "last": 3}, [5, 6, 7], []),
        ({"every": 4, "test": "epoch"}, [4, 7], [4, 7]),
    ],
)
def test_epochs_are_scored_when_the_cadence_says(
    cadence: dict[str, Any], val: list[int], test: list[int], tiny: Specs, run_folder: Folders
) -> None:
    train = {"epochs": 7, "batch_size": 50, "evaluate": cadence}
    events = run(run_folder(tiny(sparsifier="dense", train=train)))
    assert _scored(events, "val_accuracy") == val
    assert _scored(events, "test_accuracy") == test
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    assert ended.val_total == 100 and ended.test_total == 797


def test_the_cadence_changes_no_weight(tiny: Specs, run_folder: Folders) -> None:
    often = run_folder(tiny(train={"epochs": 4, "batch_size": 25, "evaluate": {"every": 1}}), "a")
    seldom = run_folder(tiny(train={"epochs": 4, "batch_size": 25, "evaluate": {"every": 0}}), "b")
    for directory in (often, seldom):
        run(directory)
    mine, other = levels.ticket(often, 2), levels.ticket(seldom, 2)
    assert mine.card["sha256"] == other.card["sha256"]


def test_the_best_epoch_keeps_its_weights_while_pruning_uses_the_last(
    tiny: Specs, run_folder: Folders
) -> None:
    train = {"epochs": 6, "batch_size": 25, "schedule": "constant", "evaluate": {"every": 1}}
    best = run_folder(tiny(train=train, select={"epoch": "best"}, keep=["all"]), "best")
    last = run_folder(tiny(train=train, keep=["all"]), "last")
    events, other = run(best), run(last)
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    ended = {e.level: e for e in events if isinstance(e, LevelEnded)}
    for level in range(3):
        scores = {e.level_epoch: e.val_accuracy for e in epochs if e.level == level}
        assert ended[level].val_accuracy == max(v for v in scores.values() if v is not None)
        first = min(e for e, v in scores.items() if v == ended[level].val_accuracy)
        assert ended[level].scored_epoch == first
        # the same steps were taken and the same weights pruned
        assert levels.mask(best, level).same(levels.mask(last, level))
    finals = [e.val_accuracy for e in other if isinstance(e, LevelEnded)]
    assert [e.val_accuracy for e in ended.values()] != finals, "the best epoch was the last one"


def test_selecting_on_test_scores_it_along_the_way_and_says_so(
    tiny: Specs, run_folder: Folders
) -> None:
    select = {"split": "test", "epoch": "best"}
    data = {"name": "digits", "per_class": 10, "validation": "none"}
    events = run(run_folder(tiny(select=select, data=data, sparsifier="dense")))
    [started] = [e for e in events if isinstance(e, RunStarted)]
    assert started.images == {"train": 100, "test": 797}
    assert _scored(events, "test_accuracy") == [1, 2, 3]
    assert _scored(events, "val_accuracy") == []


@pytest.mark.parametrize(
    ("keep", "kept"),
    [(["best"], {1}), (["dense", "last"], {0, 3}), (["all"], {0, 1, 2, 3})],
)
def test_weights_are_kept_as_asked_and_masks_always(
    keep: list[str], kept: set[int], tiny: Specs, run_folder: Folders
) -> None:
    sparsifier = {"name": "imp", "levels": 3, "rewind": "init"}
    train = {"epochs": 1, "batch_size": 50}
    directory = run_folder(tiny(sparsifier=sparsifier, train=train, keep=keep, select={"level": 1}))
    run(directory)
    assert {i for i in range(4) if levels.ticket_path(directory, i)} == kept
    densities = [levels.mask(directory, i).density for i in range(4)]
    assert densities == sorted(densities, reverse=True)


def test_layers_that_a_mask_leaves_empty_are_named(tiny: Specs, run_folder: Folders) -> None:
    settings = {"name": "imp", "density": 0.002, "levels": 1, "rewind": "1ep"}
    train = {"epochs": 2, "batch_size": 50}
    events = run(run_folder(tiny(sparsifier=settings, train=train)))
    kept = [e.kept for e in events if isinstance(e, LevelEnded)]
    (said,) = [e.message for e in events if isinstance(e, Warned) and "no weight" in e.message]
    assert kept[1] < 40 and said.startswith("level 1: no weight is left in ")
    assert re.search(r"in 1\d of 21 layers \(\S+, \S+, \S+ and \d+ more\); a higher density", said)
