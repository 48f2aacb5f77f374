"""Dense networks beside tickets: which numbers of an evaluation a report has."""

from reported import cells

from lthtui.reports.sections import robustness


def test_runs_that_pick_by_balanced_accuracy_are_told_by_it_too(made):
    for metric, told in (("accuracy", ()), ("balanced_accuracy", (0.3,))):
        run = made.imp(0, 0.5, 0.6, group=metric, params={"select.metric": metric})
        found = {"accuracy at 8": 0.1, "balanced at 8": 0.3, "clean balanced": 0.5}
        made.evaluated(run, 1, "fgsm", found)
        (table,) = robustness.build(made.subject(run)).blocks
        named = cells(table)
        assert named["accuracy at epsilon 8/255, %", "ticket"] == (0.1,)
        balanced = "accuracy at epsilon 8/255, balanced over classes %"
        assert named.get((balanced, "ticket"), ()) == told


def test_images_that_share_a_source_by_other_settings_have_lines_of_their_own(made):
    run = made.imp(0, 0.5, 0.6)
    for label, share in (("shared_sources", 0.1), ("shared_sources likeness:0.9", 0.2)):
        made.evaluated(run, 1, label, {"alike - share": share, "alike - accuracy without": 0.5})
    (table,) = robustness.build(made.subject(run)).blocks
    found = cells(table)
    assert found["test images with near-duplicates %", "ticket"] == (0.1,)
    assert found["test images with near-duplicates (likeness:0.9) %", "ticket"] == (0.2,)
