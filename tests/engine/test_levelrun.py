"""Around the steps of a level: when it is scored, which epoch counts, what is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from inprocess import run

from engine import levels
from engine.events import EpochEnded, Event, LevelEnded, MaskChanged, RunStarted, Warned
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


@pytest.mark.parametrize("after", ["continue", "finetune", "lr_rewind"])
def test_a_level_goes_on_with_the_last_weights_whatever_epoch_a_ticket_keeps(
    after: str, tiny: Specs, run_folder: Folders
) -> None:
    """A mask belongs to the weights that it was made of, which are those of the last step."""
    train = {"epochs": 6, "batch_size": 25, "schedule": "constant", "evaluate": {"every": 1}}
    train["optimizer"] = {"name": "sgd", "lr": 0.5}
    sparsifier = {"name": "imp", "rate": 0.5, "levels": 1, "after": after}
    fields: dict[str, Any] = {"train": train, "sparsifier": sparsifier, "keep": ["all"]}
    best = run_folder(tiny(**fields, select={"epoch": "best"}), "best")
    last = run_folder(tiny(**fields), "last")
    events, _ = run(best), run(last)
    mine, other = levels.ticket(best, 1), levels.ticket(last, 1)
    assert mine.mask.same(other.mask)
    assert all(torch.equal(mine.rewind[name], other.rewind[name]) for name in other.rewind)
    first = next(e for e in events if isinstance(e, LevelEnded))
    assert first.scored_epoch < 6, "the best epoch was the last one, so that this shows nothing"


def test_a_few_weights_more_or_less_do_not_hide_the_best_epoch(
    tiny: Specs, run_folder: Folders
) -> None:
    """Whole blocks fill a density more or less, update by update."""
    sparsifier = {"name": "rigl", "density": 0.3, "interval": "3it", "stop": 1.0}
    blocks = {"structure": "channel", "redistribute": "gradient", "alpha": 0.5}
    train = {"epochs": 12, "batch_size": 25, "schedule": "constant", "evaluate": {"every": 1}}
    train["optimizer"] = {"name": "sgd", "lr": 1.0}
    spec = tiny(sparsifier={**sparsifier, **blocks}, train=train, select={"epoch": "best"})
    events = run(run_folder(spec))
    kept = [e.kept for e in events if isinstance(e, MaskChanged)]
    assert any(one < before for before, one in pairwise(kept)), "the count never fell"
    scores = [e.val_accuracy or 0.0 for e in events if isinstance(e, EpochEnded)]
    (ended,) = (e for e in events if isinstance(e, LevelEnded))
    assert ended.val_accuracy == max(scores) and ended.kept <= round(0.3 * ended.total)


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
