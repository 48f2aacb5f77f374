"""What a report reads of evaluations from the journals of runs."""

from engine import outstanding
from engine.events import Evaluated, EvaluationFailed
from engine.rundir import RunDirectory
from lthtui.evaluations import wanted
from lthtui.reports import making
from lthtui.reports.evaluated import Evaluations, told


def test_values_are_those_of_the_level_that_is_meant_of_each_run(made):
    runs = [made.imp(0, 0.5, 0.6), made.imp(1, 0.5, 0.6, 0.7)]
    for run in runs:
        made.evaluated(run, 0, "fgsm", {"accuracy": 0.1})
        made.evaluated(run, run.winner, "fgsm", {"accuracy": 0.2 + run.seed / 10})
    found = Evaluations(runs)
    ticket = found.values(runs, "fgsm", "accuracy")
    assert {one.seed: value for one, value in ticket.items()} == {0: 0.2, 1: 0.2 + 1 / 10}
    assert [*found.values(runs, "fgsm", "accuracy", "dense").values()] == [0.1, 0.1]
    assert [*found.values(runs, "fgsm", "accuracy", 2)] == [runs[1].repetition]
    assert found.values(runs, "fgsm", "no such", "ticket") == {}


def test_the_newest_of_an_evaluation_counts_and_settings_tell_labels_apart(made):
    run = made.imp(0, 0.5, 0.6)
    made.evaluated(run, 1, "fgsm", {"accuracy": 0.1})
    made.evaluated(run, 1, "fgsm epsilon=4", {"accuracy": 0.3})
    made.evaluated(run, 1, "fgsm", {"accuracy": 0.2})
    made.evaluated(run, 1, "fgsm_of_mine", {"accuracy": 0.9})
    found = Evaluations([run])
    assert found.called("fgsm") == ("fgsm", "fgsm epsilon=4")
    assert found.of(run, "fgsm").metrics == {"accuracy": 0.2}


def test_settings_that_are_empty_are_not_told(made):
    run = made.imp(0, 0.5, 0.6)
    made.evaluated(run, 1, "cka", {"within": 0.5})
    outstanding.ask(RunDirectory(made.folder / run.run_id), wanted("cka", (), "best"))
    assert told(Evaluations([run]), ["cka"]) == " cka: other dense, batch 128."


def test_what_failed_or_does_not_apply_is_told_with_why(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(4)]
    for run in runs:
        made.noted(run, EvaluationFailed(level=1, name="fgsm", error="no\nmemory", attempt=1))
        why = "no branches"
        made.noted(run, Evaluated(level=0, name="r", metrics={}, inapplicable=why, attempt=1))
    made.evaluated(runs[3], 1, "fgsm", {"accuracy": 0.1})  # once more, and well
    found = Evaluations(runs)
    assert found.lost == (
        "fgsm of level 1 of imp-s0, level 1 of imp-s1, level 1 of imp-s2 failed: no\\nmemory",
        "r of level 0 of imp-s0, level 0 of imp-s1, level 0 of imp-s2 and 1 more"
        " does not apply: no branches",
    )
    assert found.labels == ("fgsm",)
    assert found.lost[0] in making.make(made.subject(*runs), "lthtui report").notes


def test_what_was_of_a_ticket_that_was_replaced_is_told_and_not_shown(made):
    run = made.imp(0, 0.5, 0.6)
    for name, ticket in (("fgsm", "before"), ("pgd", "before"), ("fgsm", "now")):
        of = Evaluated(level=1, name=name, metrics={"a": 1.0}, tickets=(ticket,), attempt=1)
        made.noted(run, of)
    found = Evaluations([run])
    assert found.labels == ("fgsm",)
    assert found.lost == (
        f"pgd of level 1 of {run.run_id} was of a ticket in whose place there is another now;"
        " `lthtui evaluate` makes it again",
    )


def test_documents_that_are_gone_or_damaged_are_left_out(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(3)]
    for run in runs:
        made.evaluated(run, 1, "cka", {}, cka={"layers": [run.seed]})
    (made.folder / "imp-s0/evaluations/01/cka.json").unlink()
    (made.folder / "imp-s1/evaluations/01/cka.json").write_text("{")
    found = Evaluations(runs).documents(runs, "cka", "cka.json")
    assert [*found.values()] == [{"layers": [2]}]


def test_a_dense_winner_is_no_ticket(made):
    run = made.run("dense", 0, *made.imp(0, 0.5).levels)
    made.evaluated(run, 0, "fgsm", {"accuracy": 0.1})
    assert Evaluations([run]).of(run, "fgsm") is None
