"""What tickets cost, in a report, against figures by hand."""

import pytest
from matplotlib.figure import Figure
from reported import cells, level

from lthtui.reports.figures import drawn
from lthtui.reports.model import Details
from lthtui.reports.sections import cost


def test_all_trainings_count_that_a_pick_took(made):
    run = made.imp(0, 0.5, 0.6, 0.7, winner=1)  # levels cost 600, 300 and 150
    table, picture, missing = cost.build(made.subject(run)).blocks
    found = cells(table)
    assert found["imp", "training FLOPs"] == (1050.0,)  # it was picked out of all three
    assert found["imp", "time (m:s)"] == (30.0,)
    assert found["imp", "× dense to train"] == "1.75" and found["imp", "× dense per image"] == "0.5"
    assert "energy" not in table.header  # which nobody measured
    assert isinstance(missing, Details) and "latency" in missing.text
    svg = drawn(picture)["svg"].decode()
    assert ">operations of all trainings<" in svg and "mathdefault" not in svg


def test_sizes_and_latency_stand_beside_the_dense_network(made):
    run = made.imp(0, 0.5, 0.6)
    for index, kept in ((0, 4000.0), (1, 1000.0)):
        made.evaluated(run, index, "cost", {"packed bytes": kept})
    metrics = {"batch 1 masked speed-up": 1.01, "batch 128 narrowed speed-up": 2.5}
    document = {"device": "cpu", "threads": 1, "precision": "fp32"}
    made.evaluated(run, 1, "latency", metrics, latency=document)
    *_, sizes, latency = cost.build(made.subject(run)).blocks
    assert cells(sizes)["bytes, packed", "ticket − dense"] == (-3000.0,)
    assert [row[1] for row in latency.rows] == ["1", "128"]
    assert latency.rows[0][2].values == (1.01,) and latency.rows[0][3].values == ()
    assert latency.rows[1][3].values == (2.5,)
    assert "cpu (1 thread, fp32)" in latency.caption


def test_every_kind_of_training_has_its_own_dense_point(made):
    runs = [made.imp(0, 0.5, 0.6), made.imp(0, 0.3, 0.4, group="b", family="other")]
    _, picture, *_ = cost.build(made.subject(*runs)).blocks
    canvas = Figure()
    picture.draw(canvas)
    points = [(*one[0].get_xdata(), *one[0].get_ydata()) for one in canvas.axes[0].containers]
    assert points == [(900.0, 0.6), (900.0, 0.4), (600.0, 0.5), (600.0, 0.3)]


def test_runs_of_unknown_cost_have_no_picture(made):
    levels = (level(0, 1.0, 0.5, training_flops=None), level(1, 0.5, 0.6, training_flops=None))
    table, _ = cost.build(made.subject(made.run("imp", 0, *levels))).blocks
    assert "training FLOPs" not in table.header
    assert cells(table)["imp", "time (m:s)"] == pytest.approx((20.0,))
