"""What a journal's events add up to."""

from engine.events import EpochEnded, Evaluated, TicketSaved
from lthtui.progress import RunProgress


def epoch(number, loss):
    return EpochEnded(
        level=0,
        epoch=number,
        level_epoch=number,
        train_loss=loss,
        train_accuracy=0.5,
        learning_rate=0.1,
        images_per_second=9.0,
    )


def evaluated(level, value):
    return Evaluated(level=level, name="robust", metrics={"accuracy": value})


def folded(*events):
    progress = RunProgress()
    for event in events:
        progress.apply(event)
    return progress


def test_the_newest_value_of_a_metric_is_that_of_the_highest_step():
    progress = folded(evaluated(3, 0.7), evaluated(5, 0.6), evaluated(4, 0.9), evaluated(5, 0.8))
    assert progress.metrics == {"evaluation/robust/accuracy": 0.8}
    assert progress.extremes == {"evaluation/robust/accuracy": (0.6, 0.9)}


def test_what_is_no_number_is_the_newest_value_but_no_extreme():
    nan, inf = float("nan"), float("inf")
    only = folded(epoch(1, nan))
    assert repr(only.metrics["epoch/train_loss"]) == "nan"
    assert "epoch/train_loss" not in only.extremes and "epoch/learning_rate" in only.extremes
    assert folded(epoch(1, 2.0), epoch(2, nan)).extremes["epoch/train_loss"] == (2.0, 2.0)
    assert folded(epoch(1, inf)).extremes["epoch/train_loss"] == (inf, inf)
    assert folded(epoch(1, 1.0), epoch(2, -inf)).extremes["epoch/train_loss"] == (-inf, 1.0)


def test_what_was_found_of_a_ticket_goes_with_it():
    def of(level, name, *tickets):
        return Evaluated(level=level, name=name, metrics={}, tickets=tickets)

    def saved(level, sha256):
        counts = {"density": 0.5, "kept": 1, "total": 2, "bytes": 1}
        return TicketSaved(level=level, sha256=sha256, path="t", **counts)

    before = [saved(1, "a"), of(0, "fgsm", "a"), of(1, "fgsm", "a", "x"), of(1, "old")]
    assert [*folded(*before, saved(1, "a")).evaluations] == [(0, "fgsm"), (1, "fgsm"), (1, "old")]
    assert [*folded(*before, saved(1, "b")).evaluations] == [(0, "fgsm"), (1, "old")]
    newer = folded(*before, of(1, "pgd", "b"))
    assert [*newer.evaluations] == [(0, "fgsm"), (1, "old"), (1, "pgd")]
