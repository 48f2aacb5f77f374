"""Maps of CKA, and transfer to other images, in a report."""

import pytest
from reported import cells

from lthtui.reports.figures import drawn
from lthtui.reports.model import Absent
from lthtui.reports.sections import similarity, transfer


def alike(made, run, index, between, other=None):
    document = {"layers": ["a", "b"], "within": [[1.0, between], [between, 1.0]]}
    if other is not None:
        across = [[other], [None]]
        document["other"] = {"name": "level 0", "layers": ["c"], "across": across}
    made.evaluated(run, index, "cka", {"within": between}, cka=document)


def test_maps_are_means_over_runs_of_dense_and_ticket(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run in runs:
        alike(made, run, 0, 0.2)
        alike(made, run, 1, 0.4 + run.seed / 5)
    subject = made.subject(*runs)
    table, within = similarity.build(subject).blocks
    (row,) = subject.methods
    found = similarity.similarity(subject, row, "cka", "ticket", "within")
    assert found.values == [[1.0, pytest.approx(0.5)], [pytest.approx(0.5), 1.0]]
    assert cells(table)["between layers of one network", "dense"] == (0.2, 0.2)
    svg = drawn(within)["svg"].decode()
    assert ">dense<" in svg and ">ticket<" in svg and ">CKA<" in svg


def test_other_networks_have_maps_with_their_names_and_gaps_where_nothing_is_known(made):
    run = made.imp(0, 0.5, 0.6)
    alike(made, run, 1, 0.4, other=0.7)
    subject = made.subject(run)
    _, _, across = similarity.build(subject).blocks
    found = similarity.similarity(subject, subject.methods[0], "cka", "ticket", "across")
    assert found.values[0] == [0.7] and found.values[1][0] != found.values[1][0]
    assert ">level 0<" in drawn(across)["svg"].decode()


def test_layers_of_another_network_are_not_averaged_in(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    alike(made, runs[0], 1, 0.4)
    document = {"layers": ["x"], "within": [[0.9]]}
    made.evaluated(runs[1], 1, "cka", {}, cka=document)
    made.evaluated(made.imp(2, 0.5, 0.6), 1, "cka", {}, cka={"layers": ["x"], "within": [[1, 2]]})
    subject = made.subject(*runs)
    found = similarity.similarity(subject, subject.methods[0], "cka", "ticket", "within")
    assert found.layers == ["a", "b"] and found.values[0][1] == 0.4


def test_tickets_of_each_data_set_stand_beside_one_another_on_each(made):
    digits, moons = made.imp(0, 0.5, 0.6), made.imp(0, 0.5, 0.7, group="b", dataset="moons")
    for run, values in ((digits, (0.9, 0.3)), (moons, (0.2, 0.8))):
        for label, value in zip(("data:digits", "data:moons"), values, strict=True):
            made.evaluated(run, 1, f"linear_probe {label}", {"test accuracy": value})
    table, matrix = transfer.build(made.subject(digits, moons)).blocks
    assert cells(table)["imp: on moons %", "ticket"] == (0.3,)
    assert matrix.header == ("found on", "method", "itself %", "digits %", "moons %")
    assert [row[0] for row in matrix.rows] == ["digits", "moons"]
    assert [[cell.values for cell in row[2:]] for row in matrix.rows] == [
        [(0.9,), (0.9,), (0.3,)],
        [(0.8,), (0.2,), (0.8,)],
    ]


def test_a_target_is_named_with_what_else_was_set():
    assert transfer.target("linear_probe") == "its own images"
    assert transfer.target("fine_tune data:cifar100 epochs:5") == "cifar100 (epochs:5)"


def test_without_any_it_says_which_commands_make_them(made):
    subject = made.subject(made.imp(0, 0.5, 0.6))
    assert isinstance(similarity.build(subject), Absent)
    assert "linear_probe.data.name=cifar100" in transfer.build(subject).commands[0]
