"""How far a run is, folded from its events."""

from __future__ import annotations

import pytest
from happened import WHOLE, WON, epoch, started

from engine.events import MaskChanged, RunEnded, Warned
from lthtui.progress import RunProgress


def fold(*happened):
    progress = RunProgress()
    for event in happened:
        progress.apply(event)
    return progress


def test_a_whole_run_is_folded_into_levels_and_curves():
    progress = fold(*WHOLE)
    assert (progress.level, progress.level_epoch, progress.epoch, progress.step) == (1, 2, 4, 20)
    assert (progress.planned_levels, progress.planned_epochs) == (2, 4)
    assert (progress.ended, progress.winning) == ("finished", WON)
    first, second = progress.finished_levels
    assert (first.level, first.density, first.kept, first.total, first.epochs) == (0, 1.0, 8, 8, 2)
    assert (second.density, second.sparsity, second.val_accuracy) == (0.5, 0.5, 0.75)
    assert (second.test_accuracy, second.seconds) == (0.5, 20.0)
    assert second.ticket == "levels/01/ticket.safetensors"
    assert first.train_losses == [1.0, 0.5]
    assert first.val_accuracies == [None, 0.5]


def test_midway_it_knows_where_it_is():
    progress = fold(*WHOLE[:8])
    assert (progress.level, progress.level_epoch, progress.epoch) == (1, 1, 3)
    assert progress.val_accuracy == 0.5  # of the last epoch that was evaluated
    assert (progress.train_loss, progress.images_per_second) == (1 / 3, 77.0)
    assert [level.level for level in progress.finished_levels] == [0]
    assert progress.levels[1].planned == 2


def test_the_time_left_follows_from_the_measured_pace():
    assert fold(*WHOLE[:2]).eta is None
    assert fold(*WHOLE[:3]).eta == pytest.approx(30.0)  # 10 s an epoch, 3 epochs left
    assert fold(*WHOLE[:9]).eta == 0.0


def test_the_pace_is_that_of_the_newest_attempt():
    resumed = [started(at=5000.0, attempt=2), epoch(2, at=5004.0)]
    progress = fold(*WHOLE[:3], *resumed)
    assert progress.seconds_per_epoch == pytest.approx(4.0)
    assert progress.started == 100.0 and progress.attempt == 2


def test_a_resumed_run_is_not_ended_any_more():
    failed = RunEnded(status="failed", error="disk full")
    assert fold(*WHOLE[:3], failed).error == "disk full"
    progress = fold(*WHOLE[:3], failed, started(at=200.0, attempt=2))
    assert (progress.ended, progress.error) == (None, None)
    assert progress.levels[0].train_losses == [1.0]


def test_a_mask_that_changes_in_training_changes_the_level():
    progress = fold(*WHOLE[:3], MaskChanged(level=0, density=0.25, kept=2), Warned(message="w"))
    assert (progress.levels[0].density, progress.levels[0].kept) == (0.25, 2)
    assert progress.warning == "w"


def test_a_journal_whose_beginning_is_missing_harms_nothing():
    progress = fold(*WHOLE[7:])
    assert [level.level for level in progress.finished_levels] == [1]


def test_the_time_left_is_by_the_epochs_trained_here():
    begun = started(at=1000.0).model_copy(update={"epochs": 10})
    taken_over = [epoch(number, at=10.0 * number) for number in (1, 2, 3, 4)]  # long ago
    assert fold(begun, *taken_over).seconds_per_epoch is None
    progress = fold(begun, *taken_over, epoch(5, at=1003.0), epoch(6, at=1006.0))
    assert progress.seconds_per_epoch == 3.0 and progress.eta == 12.0
