"""Accuracies, against scikit-learn, closed forms and what a run counts itself."""

from __future__ import annotations

import json

import pytest
import torch
from inprocess import run
from repeating import Repeats, saying
from sklearn import metrics as reference
from torch import nn

from engine.evaluations import accuracy
from engine.events import Evaluated, LevelEnded

CLASSES = 7


@pytest.fixture
def drawn():
    """Logits and classes of 500 images: often right, with ties, and class 3 without images."""
    rng = torch.Generator().manual_seed(1)
    y = torch.randint(CLASSES - 1, (500,), generator=rng)
    y[y >= 3] += 1
    logits = torch.randint(20, (500, CLASSES), generator=rng)
    logits[torch.arange(500), y] += 6
    return logits, y


def evaluated(context, images, **settings):
    found = accuracy.evaluate(accuracy.Settings(**settings), context(Repeats, images))
    assert json.loads(json.dumps(found.files, allow_nan=False)) == found.files
    return found.metrics, found.files["accuracy.json"]


def test_numbers_are_those_of_scikit_learn(context, drawn):
    logits, y = drawn
    found, document = evaluated(context, saying(logits, y), resamples=100)
    guessed = torch.tensor([row.tolist().index(max(row)) for row in logits])
    present = [index for index in range(CLASSES) if index != 3]
    recall = reference.recall_score(y, guessed, labels=present, average=None)
    assert found["test top1"] == reference.accuracy_score(y, guessed)
    assert found["test balanced"] == pytest.approx(recall.mean())
    confusion = reference.confusion_matrix(y, guessed, labels=range(CLASSES))
    told = document["test"]
    assert told["confusion"] == confusion.tolist()
    assert (told["images"], told["correct"]) == (500, int((guessed == y).sum()))
    by_class = [one["accuracy"] for one in told["classes"]]
    assert by_class[3] is None and told["classes"][3]["images"] == 0
    assert [by_class[index] for index in present] == pytest.approx(recall.tolist())
    assert found["test worst class"] == pytest.approx(min(recall))
    distinct = logits * 16 + torch.arange(CLASSES).flip(0)  # the first of equal ones comes first
    top = reference.top_k_accuracy_score(y, distinct, k=5, labels=range(CLASSES))
    assert found["test top5"] == top


@pytest.mark.parametrize(("classes", "name"), [(2, None), (3, "top2"), (5, "top4"), (9, "top5")])
def test_as_many_guesses_as_classes_are_never_counted(context, classes, name):
    y = torch.arange(60) % classes
    logits = torch.arange(classes).expand(60, classes)  # the last class first, the first one last
    found, _ = evaluated(context, saying(logits, y), resamples=100)
    tops = {key for key in found if key.startswith("test top") and key[-1].isdigit()}
    assert tops == {"test top1", *([f"test {name}"] if name else [])}
    if name:
        guessed = y >= classes - int(name[-1])
        assert found[f"test {name}"] == guessed.double().mean()


def test_equal_logits_are_the_first_class(context):
    y = torch.arange(40) % 4
    found, document = evaluated(context, saying(torch.full((40, 4), 7), y), resamples=100)
    assert found["test top1"] == found["test balanced"] == 0.25
    assert found["test top3"] == 0.75 and found["test worst class"] == 0
    assert [row[0] for row in document["test"]["confusion"]] == [10, 10, 10, 10]


def test_a_network_that_is_always_right_has_no_interval(context):
    y = torch.arange(30) % 3
    found, _ = evaluated(context, saying(nn.functional.one_hot(y, 3) * 9, y))
    assert {found[f"test {name}"] for name in ("top1", "balanced", "worst class", "top2")} == {1}
    assert {found[f"test {name} {end}"] for name in accuracy.MEASURES for end in ("low", "high")} \
        == {1.0}  # fmt: skip


def test_an_interval_is_that_of_as_many_draws_of_the_binomial(context):
    y = torch.zeros(400, dtype=torch.int64)
    logits = torch.tensor([[5, 1]] * 300 + [[1, 5]] * 100)
    found, _ = evaluated(context, saying(logits, y), resamples=4000, confidence=0.9)
    spread = 1.6449 * (0.75 * 0.25 / 400) ** 0.5
    ends = [found["test top1 low"], found["test top1 high"]]
    assert ends == pytest.approx([0.75 - spread, 0.75 + spread], abs=0.003)
    again, _ = evaluated(context, saying(logits, y), resamples=4000, confidence=0.9)
    assert again == found


def test_images_are_drawn_whatever_their_classes(context):
    y = torch.arange(100) % 2  # one class is always right, the other never: within classes
    logits = torch.tensor([[5, 1]] * 100)  # nothing would vary, but how many there are of each does
    found, _ = evaluated(context, saying(logits, y), resamples=1000)
    assert found["test balanced low"] == found["test balanced high"] == 0.5
    assert found["test top1 low"] == pytest.approx(0.4, abs=0.03)


def test_counts_are_those_of_the_run_with_equal_logits_of_bf16_too(tiny, run_folder):
    listed = [{"name": "accuracy", "levels": ["all"], "resamples": 100}]
    train = {"epochs": 2, "batch_size": 25, "precision": "bf16"}
    imp = {"name": "imp", "levels": 1, "rewind": "1ep"}
    directory = run_folder(tiny(evaluate=listed, train=train, sparsifier=imp, keep=["all"]))
    events = run(directory)
    ended = [one for one in events if isinstance(one, LevelEnded)]
    made = [one for one in events if isinstance(one, Evaluated)]
    assert len(ended) == len(made) == 2
    for level, one in zip(ended, made, strict=True):
        told = json.loads((directory.path / one.files[0]).read_text())
        assert told["test"]["correct"] == level.test_correct
        assert told["val"]["correct"] == level.val_correct
        assert one.metrics["test top1"] == level.test_accuracy
        assert one.metrics["val top1"] == level.val_accuracy
        assert one.metrics["test balanced"] == level.test_balanced_accuracy
