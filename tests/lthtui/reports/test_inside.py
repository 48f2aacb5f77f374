"""What is inside tickets: figures by hand, and pictures of documents as they may be."""

import pytest
from reported import cells

from lthtui.reports.figures import drawn
from lthtui.reports.model import Absent
from lthtui.reports.sections import inside, layers


def test_dead_filters_stand_beside_those_of_the_dense_network(made):
    run = made.imp(0, 0.5, 0.6)
    for index, dead in ((0, 0.0), (1, 0.25)):
        made.evaluated(run, index, "dead_filters", {"dead filters": dead, "collapsed layers": 1.0})
    (table,) = inside.build(made.subject(run)).blocks
    assert cells(table)["dead filters %", "ticket − dense"] == (0.25,)


def test_overlaps_and_norms_are_of_tickets_over_their_seeds(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run in runs:
        told = {"tickets": [{"name": "level 1"}, {"name": "level 0"}]}
        metrics = {"iou": 0.5 + run.seed / 10, "iou by chance": 0.4}
        made.evaluated(run, 1, "overlap", metrics, overlap=told if run.seed else {})
        made.evaluated(run, 1, "weight_norms", {"norm ratio": 1.25})
    overlap, norms = inside.build(made.subject(*runs)).blocks
    assert cells(overlap)["imp", "IoU %"] == pytest.approx((0.5, 0.6))
    assert cells(overlap)["imp", "of the sparser one %"] == ()
    assert cells(overlap)["imp", "mask"] == "overlap (level 0)"
    assert cells(norms)["imp", "norms"] == (1.25, 1.25)


def test_each_method_has_its_own_overlaps(made):
    runs = [made.imp(0, 0.5, 0.6), made.imp(0, 0.5, 0.6, group="b")]
    for run, iou in zip(runs, (0.5, 0.7), strict=True):
        made.evaluated(run, 1, "overlap", {"iou": iou})
    (table,) = inside.build(made.subject(*runs, made.imp(0, 0.5, 0.6, group="none"))).blocks
    assert [(row[0], row[2].values) for row in table.rows] == [("imp", (0.5,)), ("impb", (0.7,))]


def test_residual_ratios_of_networks_of_other_blocks_have_pictures_of_their_own(made):
    runs = [made.imp(0, 0.5, 0.6), made.imp(0, 0.5, 0.6, group="b")]
    for run, name in zip(runs, ("one", "two"), strict=True):
        document = {f"{name}.bn2": 1.5, f"{name}.bn3": None}
        made.evaluated(run, 1, "residual_ratio", {"mean": 1.5}, residual_ratio=document)
    _, first, second = inside.build(made.subject(*runs)).blocks
    assert ">one.bn2<" in drawn(first)["svg"].decode()
    assert ">two.bn2<" in drawn(second)["svg"].decode()


def test_ratios_of_a_block_are_those_of_all_runs(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run in runs:
        document = {"one.bn2": 1.0 + run.seed, "two.bn2": None}
        made.evaluated(run, 1, "residual_ratio", {"mean": 1.5}, residual_ratio=document)
    subject = made.subject(*runs)
    (row,) = subject.methods
    assert inside.ratios(subject, row, "ticket") == {"one.bn2": (1.0, 2.0)}


def kept(**layers):
    return {name: {"kept": 1, "total": 2, "density": value} for name, value in layers.items()}


def test_layers_are_those_of_the_picked_tickets(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run in runs:
        more = run.seed / 10
        document = kept(conv1=0.8, conv2=0.1 + more, conv3=0.3)
        made.evaluated(run, 1, "layer_density", {}, layer_density=document)
        made.evaluated(run, 0, "layer_density", {}, layer_density=kept(conv1=1, conv2=1, conv3=1))
    table, picture, levels = layers.build(made.subject(*runs)).blocks
    found = cells(table)
    assert found["imp", "sparsest layer %"] == pytest.approx((0.1, 0.2))
    assert found["imp", "densest layer %"] == pytest.approx((0.8, 0.8))
    assert found["imp", "first layer %"] == pytest.approx((0.8, 0.8))
    assert found["imp", "last layer %"] == pytest.approx((0.3, 0.3))
    assert found["imp", "sparsest on average"] == "conv2"
    assert ">conv3<" in drawn(picture)["svg"].decode() and drawn(levels)["png"]


def test_layers_of_another_network_are_left_out(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run, document in zip(runs, (kept(conv1=0.8, conv2=0.1), kept(fc=0.5)), strict=True):
        made.evaluated(run, 1, "layer_density", {}, layer_density=document)
    table, *_ = layers.build(made.subject(*runs)).blocks
    assert cells(table)["imp", "densest layer %"] == (0.8,)


def test_a_layer_that_lost_everything_is_drawn(made):
    run = made.imp(0, 0.5, 0.6)
    for index in (0, 1):
        document = kept(conv1=1.0, conv2=1.0 - index)
        made.evaluated(run, index, "layer_density", {}, layer_density=document)
    for picture in layers.build(made.subject(run)).blocks[1:]:
        assert drawn(picture)["svg"]


def test_documents_of_another_version_are_as_none(made):
    run = made.imp(0, 0.5, 0.6)
    made.evaluated(run, 1, "layer_density", {}, layer_density=[1, 2])
    made.evaluated(run, 1, "residual_ratio", {}, residual_ratio=[1, 2])
    assert isinstance(layers.build(made.subject(run)), Absent)
    assert isinstance(inside.build(made.subject(run)), Absent)


def test_layers_come_in_the_order_of_their_numbers(made):
    run = made.imp(0, 0.5, 0.6)
    document = kept(**{f"l{n}": n / 20 for n in (1, 10, 2)})
    made.evaluated(run, 1, "layer_density", {}, layer_density=document)
    subject = made.subject(run)
    assert [*layers.densities(subject, subject.methods[0])] == ["l1", "l2", "l10"]
