"""Which evaluations of which tickets a run has yet to make."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from maskfiles import write_ticket

from engine import outstanding
from engine.choice import Choice
from engine.evaluations import layer_density, overlap
from engine.evaluationspec import EvaluationSettings
from engine.events import Evaluated, EvaluationFailed, EvaluationStarted, Journal, LevelEnded
from engine.outstanding import Told
from engine.rundir import RunDirectory
from engine.sources import TICKET, Source
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]


def _ended(level: int, val: float) -> LevelEnded:
    return LevelEnded(
        level=level, density=0.5**level, kept=8 >> level, total=8, epochs=1, seconds=1.0,
        val_accuracy=val,
    )  # fmt: skip


HISTORY = [_ended(0, 0.5), _ended(1, 0.9), _ended(2, 0.7), _ended(3, 0.6)]


@pytest.fixture
def run(tiny: Specs, run_folder: Folders) -> Callable[..., RunDirectory]:
    def make(kept: list[int], **fields: Any) -> RunDirectory:
        directory = run_folder(tiny(**fields))
        for level in kept:
            directory.level(level).mkdir(parents=True)
            (directory.level(level) / "ticket.safetensors").touch()
        return directory

    return make


def _levels(
    directory: RunDirectory, words: list[Any], over: bool, made: tuple[int, ...] = ()
) -> list[int]:
    told = Told(HISTORY, {(level, "layer_density"): () for level in made})
    more = [layer_density.Settings(levels=tuple(words))]
    found = outstanding.tasks(directory, directory.spec(), told, over=over, more=more)
    return [task.level for task in found]


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        (["best"], [1]),
        (["last"], [3]),
        (["dense"], [0]),
        (["all"], [0, 1, 3]),  # the weights of level 2 are gone
        (["every 2"], [0]),
        ([3, "best", "dense"], [0, 1, 3]),
        ([2, 7], [2]),  # which has to be told
    ],
)
def test_words_and_numbers_name_tickets_that_are_there(
    words: list[Any], levels: list[int], run: Callable[..., RunDirectory]
) -> None:
    assert _levels(run([0, 1, 3]), words, over=True) == levels


def test_which_is_the_best_is_known_when_training_is_over(
    run: Callable[..., RunDirectory],
) -> None:
    assert _levels(run([0, 1, 2, 3]), ["best", "last", "dense", 2], over=False) == [0, 2]


def test_what_was_made_is_not_made_again(run: Callable[..., RunDirectory]) -> None:
    assert _levels(run([0, 1, 2, 3]), ["all"], over=True, made=(1, 3)) == [0, 2]


def test_what_was_made_of_other_tickets_is_made_again(run: Callable[..., RunDirectory]) -> None:
    directory, own = run([0]), {"layer": np.ones((2, 2), bool)}
    for level, checksum in ((1, "now"), (2, "now")):
        write_ticket(directory.level(level) / TICKET, own, sha256=checksum)
    there = directory.path / "there.safetensors"
    other = overlap.Settings(levels=("all",), other=Source(path=str(there), sha256="b"))
    made = {
        (0, other.label): ("damaged since", "b"),
        (1, other.label): ("now", "b"),
        (2, other.label): ("before", "b"),
        (3, other.label): ("gone", "b"),
    }

    def left(other: EvaluationSettings) -> list[int]:
        told = Told(HISTORY, made)
        found = outstanding.tasks(directory, directory.spec(), told, more=[other])
        return [task.level for task in found]

    assert left(other) == [0, 2]
    changed = other.model_copy(update={"other": Source(path=str(there), sha256="c")})
    assert left(changed) == [0, 1, 2]


def test_of_two_tickets_of_one_name_the_last_that_was_asked_for_counts(
    run: Callable[..., RunDirectory],
) -> None:
    directory = run([0])
    one, two = (
        overlap.Settings(levels=("dense",), other=Source(path="/t.safetensors", sha256=64 * letter))
        for letter in "ab"
    )
    for asked in (one, two, one):
        outstanding.ask(directory, [asked])
    found = outstanding.tasks(directory, directory.spec(), Told(HISTORY, {}))
    assert [task.settings for task in found] == [one]


def test_the_same_is_asked_for_once_and_what_cannot_be_read_is_left_alone(
    run: Callable[..., RunDirectory],
) -> None:
    directory, asked = run([]), layer_density.Settings(levels=(1,))
    outstanding.ask(directory, [asked])
    outstanding.ask(directory, [asked])
    file = directory.path / outstanding.FILE
    file.write_text(json.dumps([{"name": "of the future"}, 7, *json.loads(file.read_text())]))
    assert outstanding.asked(directory) == (asked,)
    outstanding.ask(directory, [layer_density.Settings()])
    assert len(json.loads(file.read_text())) == 4


def test_a_journal_tells_what_failed_and_what_was_cut_short(
    run: Callable[..., RunDirectory],
) -> None:
    directory = run([0, 1, 2], evaluate=[{"name": "layer_density", "levels": ["all"]}])
    journal = Journal(directory.events_file, directory.run_id, 1)
    for event in HISTORY[:3]:
        journal.append(event)
    for level in range(3):
        journal.append(EvaluationStarted(level=level, name="layer_density"))
        if level < 2:
            journal.append(EvaluationFailed(level=level, name="layer_density", error="no"))
    journal.append(EvaluationStarted(level=0, name="layer_density"))
    journal.append(Evaluated(level=0, name="layer_density", metrics={}))
    found = outstanding.told(directory)
    outcomes = [[level for level, _ in kind] for kind in (found.made, found.failed, found.cut)]
    assert outcomes == [[0], [1], [2]]
    spec = directory.spec()
    assert [task.level for task in outstanding.left(directory, spec)] == [1, 2]
    assert [task.level for task in outstanding.unreached(directory, spec)] == [2]


def test_weights_that_are_not_kept_cannot_be_evaluated_at_the_end(tiny: Specs) -> None:
    with pytest.raises(ValueError, match="looks at the best ticket, whose weights are not kept"):
        tiny(evaluate=[{"name": "layer_density", "levels": ["best"]}], keep=["last"])


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "linear_probe"),
        ({"levels": ["last"], "iterations": 500}, "linear_probe"),
        ({"strengths": [0.5, 2.0]}, "linear_probe strengths:0.5-2.0"),
        ({"data": {"name": "digits", "root": "/any/where"}}, "linear_probe data:digits"),
        ({"data": {"name": "digits", "per_class": 3}}, "linear_probe data:digits.per_class-3"),
    ],
)
def test_labels_tell_evaluations_apart_in_letters_that_mlflow_takes(
    settings: dict[str, Any], label: str
) -> None:
    found = Choice("evaluations").resolve({"name": "linear_probe", **settings})
    assert isinstance(found, EvaluationSettings) and found.label == label
