"""The list of criteria is whole and names tests that are there."""

from criteria import CRITERIA, missing


def test_every_criterion_names_tests_that_are_there():
    assert missing() == []
    assert [criterion.number for criterion in CRITERIA] == [*range(1, 31)]
