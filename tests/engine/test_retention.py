"""Which levels keep their weights, by every word of `keep`, and how many that can be."""

from __future__ import annotations

import pytest

from engine.events import LevelEnded
from engine.retention import kept
from engine.spec import RunSpec, SelectSpec

SPEC = {"name": "k", "data": "digits", "model": "resnet20", "sparsifier": "imp"}


def history(*scores):
    """Levels with these validation accuracies, each with 10 weights fewer than the one before."""
    return [
        LevelEnded(
            level=index,
            density=1 - index / 10,
            kept=100 - 10 * index,
            total=100,
            epochs=1,
            seconds=1.0,
            val_accuracy=score,
        )
        for index, score in enumerate(scores)
    ]


SEVEN = history(0.9, 0.8, 0.95, 0.7, 0.95, 0.6, 0.5)


@pytest.mark.parametrize(
    "words, levels",
    [
        (("best",), {4}),
        (("last",), {6}),
        (("dense",), {0}),
        (("all",), {0, 1, 2, 3, 4, 5, 6}),
        (("every 3",), {0, 3, 6}),
        (("every 1",), {0, 1, 2, 3, 4, 5, 6}),
        (("every 9", "last"), {0, 6}),
        (("every 2", "every 5"), {0, 2, 4, 5, 6}),
        ((), set()),
    ],
)
def test_what_every_word_keeps(words, levels):
    assert kept(words, SelectSpec(), SEVEN, over=True) == levels
    assert kept(words, SelectSpec(), SEVEN, over=False) == levels | {5, 6}
    spec = RunSpec.model_validate({**SPEC, "keep": words})
    assert len(levels) <= spec.most_kept(7) <= 7


def test_a_run_that_has_only_just_begun_keeps_what_there_is():
    for words in (("best", "last", "dense"), ("every 2",), ("all",)):
        assert kept(words, SelectSpec(), [], over=False) == set()
        assert kept(words, SelectSpec(), SEVEN[:1], over=False) == {0}


def test_how_many_can_be_kept():
    def most(*words):
        return RunSpec.model_validate({**SPEC, "keep": words}).most_kept(16)

    assert (most("best", "last", "dense"), most("best", "best")) == (3, 1)
    assert (most("every 5"), most("every 5", "last"), most("all", "last")) == (4, 5, 16)
    assert (most("every 1", "last"), most()) == (16, 0)


@pytest.mark.parametrize("word", ["every 0", "every", "every -1", "every 1.5", "every 99999", "x"])
def test_other_words_are_refused(word):
    with pytest.raises(ValueError, match="keep"):
        RunSpec.model_validate({**SPEC, "keep": [word]})


def test_what_is_kept_is_no_part_of_what_a_run_is():
    specs = [RunSpec.model_validate({**SPEC, "keep": words}) for words in (["all"], ["every 4"])]
    assert specs[0].digest == specs[1].digest and specs[0].group == specs[1].group
