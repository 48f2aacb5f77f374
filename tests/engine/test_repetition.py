"""What is a repetition of the same experiment: how it is written, and what folds share."""

import pytest

from engine.repetition import Repetition, listed, names, overlap, unit

S0, S1 = Repetition(), Repetition(seed=1)
F0, F1 = (Repetition(folds=3, fold=fold) for fold in range(2))


@pytest.mark.parametrize(
    ("which", "written"),
    [
        (S1, "s1"),
        (F1, "f1-s0"),
        (Repetition(2, 0, 0, 7), "d2-s7"),
        (Repetition(2, 5, 4), "d2-f4-s0"),
    ],
)
def test_it_is_written_without_what_a_run_does_not_have(which, written):
    assert str(which) == written == f"{which}"


def test_the_settings_of_mlflow_tell_it():
    params = {"data.seed": "2", "data.fold": "1"}
    assert Repetition.of(params, 4) == Repetition(2, 0, 0, 4)
    assert Repetition.of({**params, "data.folds": "3"}, 4) == Repetition(2, 3, 1, 4)
    assert Repetition.of({"data.seed": "a", "data.folds": "9" * 5000}, 4) == Repetition(seed=4)


def test_words_say_seeds_only_where_nothing_else_differs():
    assert listed([S0, S1]) == "seeds 0, 1" and listed([S1]) == "seed 1"
    assert listed([F0, F1]) == "repetitions f0-s0, f1-s0"
    assert listed([F1], [F0]) == "repetition f1-s0"
    assert names([F0, F0._replace(seed=3)]) == ["0", "3"] and unit([F0, S0]) == "repetition"


def test_only_several_folds_overlap():
    assert overlap([]) == overlap([S0, S1]) == overlap([F0, F0._replace(seed=1)]) == 0
    assert overlap([F0, F1]) == 1 / 2
    assert overlap([Repetition(folds=10), Repetition(folds=10, fold=9)]) == 1 / 9
