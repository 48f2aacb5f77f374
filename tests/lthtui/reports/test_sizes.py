"""Data sizes by what else differs, in a report."""

from dataclasses import replace

from lthtui.reports.figures import drawn
from lthtui.reports.sections import sizes


def sized(made, seed, share, augmentation, *tests, **more):
    params = {"data.fraction": str(share), "augmentation.name": augmentation, **more}
    group = f"{share}{augmentation}"
    return made.imp(seed, *tests, group=group, family=group, params=params)


def test_accuracies_stand_by_size_with_dense_beside_ticket(made):
    runs = [
        sized(made, 0, 0.01, "basic", 0.2, 0.3),
        sized(made, 1, 0.01, "basic", 0.2, 0.4),
        replace(sized(made, 2, 0.01, "basic", 0.2, 0.1), winner=0),  # which is no ticket
        sized(made, 0, 0.1, "basic", 0.6, 0.7),
        sized(made, 0, 0.1, "rand", 0.7, 0.8),
        replace(
            sized(made, 0, 0.01, "rand", 0.1), levels=(), winner=None, status="queued", final=False
        ),
    ]
    table, grid, against = sizes.build(made.subject(*runs)).blocks
    assert table.header == ("", "network", "10 %", "1 %")  # from many images to few
    found = {(row[0], row[1]): [cell.values for cell in row[2:]] for row in table.rows}
    assert found["basic", "ticket"] == [(0.7,), (0.3, 0.4)]
    assert found["basic", "dense"] == [(0.6,), (0.2, 0.2, 0.2)]
    assert found["rand", "ticket"] == [(0.8,), ()]
    svg = drawn(grid)["svg"].decode()
    assert ">10 %<" in svg and ">1 %<" in svg and ">rand<" in svg
    assert ">basic, dense<" in drawn(against)["svg"].decode()


def test_harder_images_have_panels_where_they_were_evaluated(made):
    runs = [sized(made, 0, 0.01, "basic", 0.2, 0.3), sized(made, 0, 0.1, "basic", 0.6, 0.7)]
    other = made.imp(0, 0.2, 0.3)
    made.evaluated(other, 1, "fgsm", {"accuracy at 8": 0.07})
    made.evaluated(other, 1, "corruptions", {"mean": 0.07})
    for run in runs:
        made.evaluated(run, 1, "fgsm images:9", {"accuracy at 8": 0.05})
    subject = made.subject(other, *runs)
    *_, against = sizes.build(subject).blocks
    svg = drawn(against)["svg"].decode()
    assert ">FGSM at 8 of 255<" in svg and "corruptions" not in svg
    ((_, asked),) = sizes._evaluated(subject, sizes.placed(subject.methods)[1:])
    assert asked == ("fgsm images:9", "accuracy at 8")


def test_sizes_per_class_and_several_settings_are_named(made):
    runs = [
        made.imp(0, 0.2, 0.3, group=str(n), params={"data.per_class": n, "loss.name": loss})
        for n, loss in (("10", "cosine"), ("50", "tvmf"))
    ]
    points = sizes.placed(made.subject(*runs).methods)
    assert [(point.said, point.way) for point in points] == [
        ("50 per class", "tvmf"),
        ("10 per class", "cosine"),
    ]


def test_what_was_run_on_one_size_only_is_no_subject(made):
    alone = [sized(made, 0, 0.1, name, 0.2, 0.3) for name in ("basic", "rand")]
    assert sizes.build(made.subject(*alone)) is None
    other = sized(made, 0, 0.01, "other", 0.2, 0.3)
    assert sizes.build(made.subject(*alone, other)) is None
    table, *_ = sizes.build(made.subject(*alone, sized(made, 0, 0.01, "rand", 0.1, 0.2))).blocks
    assert {row[0] for row in table.rows} == {"all"}


def test_where_the_weights_of_others_lie_is_not_told(made):
    runs = []
    for share, source in ((0.01, "a-s0"), (0.1, "b-s0")):
        begun = {"start.ticket.run": source, "start.ticket.path": f"/home/me/{source}.safetensors"}
        runs += [sized(made, 0, share, "basic", 0.2), sized(made, 0, share, "begun", 0.3, **begun)]
    ways = {point.way for point in sizes.placed(made.subject(*runs).methods)}
    assert ways == {"basic", "begun ticket=another run's"}


def test_runs_of_others_that_tell_no_size_are_left_out(made):
    odd = [sized(made, 0, one, "basic", 0.2, 0.3) for one in ("all of them", "", "0.1", "0.2")]
    assert [point.size for point in sizes.placed(made.subject(*odd).methods)] == [0.2, 0.1]


def test_groups_that_nothing_tells_apart_both_stay(made):
    runs = [made.imp(0, 0.2, 0.3, group=name, params={"select.split": name}) for name in "ab"]
    ways = {point.way for point in sizes.placed(made.subject(*runs).methods)}
    assert ways == {"all impa", "all impb"}


def test_a_size_of_which_nothing_is_trained_has_an_empty_panel(made):
    waits = sized(made, 0, 0.1, "basic", 0.2)
    waits = replace(waits, levels=(), winner=None, status="queued", final=False)
    _, grid, against = sizes.build(made.subject(sized(made, 0, 0.01, "basic", 0.2), waits)).blocks
    svg = drawn(grid)["svg"].decode()
    assert ">10 %<" in svg and svg.count(">not trained yet<") == 1 and drawn(against)["svg"]
