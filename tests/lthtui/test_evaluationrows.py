"""How evaluations stand in the app's table, and why."""

from __future__ import annotations

from viewed import level, run

from lthtui import evaluationrows
from lthtui.measured import Measured

LEVELS = [level(index, 0.5) for index in range(2)]
NOT = Measured(0, "cifar10_2", inapplicable="this run is on digits")


def of(*measured):
    return [run("r-s0", LEVELS, final=True, winner=1, measured=measured)]


def told(runs, name):
    return ["".join(span.text for span in line) for line in evaluationrows.troubles(runs, name, 80)]


def test_what_does_not_apply_is_told_from_what_failed():
    runs = of(NOT, Measured(0, "fgsm", failure="no images"))
    _, rows = evaluationrows.table(runs, {}, ())
    assert [[cell.text for cell in row.cells] for row in rows] == [
        ["cifar10_2", "does not apply"],
        ["fgsm", "✗ failed"],
    ]
    assert told(runs, "cifar10_2") == ["does not apply: this run is on digits"]
    assert told(runs, "fgsm")[0] == "dense: no images"


def test_what_did_not_apply_to_one_run_of_a_group_may_fail_in_another():
    runs = [*of(NOT), *of(Measured(0, "cifar10_2", failure="no images"))]
    assert evaluationrows.state_of(runs, {}, "cifar10_2") == "failed"
