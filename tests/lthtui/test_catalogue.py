"""What can be asked of runs, in words."""

from viewed import level, run

from lthtui import catalogue, fields
from lthtui.catalogue import entries, found

RUN = run(
    params={"sparsifier.rate": "0.2"},
    tags={"why": "x"},
    metrics={"epoch/val_loss": 1.0, "epoch/val_accuracy": 0.9},
)


def test_everything_that_runs_have_is_there_with_its_words():
    about = {one.field.name: one.about for one in entries([RUN])}
    assert [*about][: len(fields.BUILT_IN)] == [*fields.BUILT_IN] == [*catalogue.ABOUT]
    assert about["sparsifier.rate"] == "setting" and about["tags.why"] == "tag"
    assert about["epoch/val_loss"] == "metric, its newest value"
    assert about["best(epoch/val_loss)"] == "metric, its best value: the smallest"
    assert about["best(epoch/val_accuracy)"] == "metric, its best value: the largest"
    assert about["max(epoch/val_loss)"] == "metric, its largest value"
    assert len(about) == len(entries([RUN])) == len(fields.BUILT_IN) + 2 + 2 * 4


def test_what_can_be_asked_at_any_share_of_weights_has_examples_where_there_are_levels():
    pruned = entries([run(levels=[level(0, 0.9), level(1, 0.9)])])
    about = {one.field.name: one.about for one in pruned}
    assert [name for name in about if "@" in name] == ["val@10%", "test@10%", "gain@10%"]
    said = "gain where about 10% of weights are kept (±12% of that, else –); type any share"
    assert about["gain@10%"] == said
    assert not [one for one in entries([RUN]) if "@" in one.field.name]
    assert [one.field.name for one in found(pruned, "VAL@2.5%")] == ["val@2.5%"]
    assert [one.field.name for one in found(pruned, "val@10%")] == ["val@10%"]
    assert found(pruned, "val@x") == []


def test_what_begins_with_the_text_comes_first_and_words_count_too():
    known = entries([RUN])
    names = [one.field.name for one in found(known, "VAL")]
    assert names[0] == "val" and "epoch/val_loss" in names[1:]
    assert [one.field.name for one in found(known, "why it failed")] == ["error"]
    assert "size" in [one.field.name for one in found(known, "file")]
    assert found(known, " ") == [*known] and found(known, "nonsense") == []
