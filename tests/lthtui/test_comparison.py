"""Comparisons of groups, against figures worked out by hand."""

from dataclasses import replace

import pytest

from engine.errors import UsageError
from lthtui.commands.compare import _cells
from lthtui.comparison import compare, describe
from lthtui.identity import Control
from lthtui.labels import by_method
from lthtui.rows import Spread
from lthtui.runview import LevelView, RunView


def level(index, density, test, flops=100.0, total=1000, **more):
    return LevelView(
        index=index,
        density=density,
        kept=round(total * density),
        total=total,
        planned=2,
        epochs=2,
        ended=True,
        val=test + 0.05,
        test=test,
        seconds=10.0,
        ticket=None,
        inference_flops=flops * density,
        training_flops=6 * flops * density,
        **more,
    )


def run(method, seed, *levels, winner=None, group="", **more):
    facts = {
        "run_id": f"{method}{group}-s{seed}",
        "name": method,
        "experiment": "e",
        "group": f"{method}{group}",
        "family": "f",
        "sparsifier": method,
        "dataset": "digits",
        "model": "resnet20",
        "status": "finished",
        "winner": levels[-1].index if winner is None and levels else winner,
        "final": True,
    }
    return RunView(**{**facts, "seed": seed, "levels": levels, **more})


def dense(seed, test, **more):
    return run("dense", seed, level(0, 1.0, test), **more)


def imp(seed, *tests, **more):
    return run("imp", seed, *(level(i, 0.5**i, test) for i, test in enumerate(tests)), **more)


def rigl(seed, test, **more):
    return run("rigl", seed, level(0, 0.25, test), **more)


def table(*runs, level="winning", baselines=("dense",), others=()):
    return compare(runs, {run.group: run.group for run in runs}, level, baselines, others)


def rows(*runs, **options):
    return {row.label: row for row in table(*runs, **options).rows}


def test_gains_are_over_the_baselines_run_of_the_same_seed():
    runs = [dense(0, 0.70), dense(1, 0.80), rigl(0, 0.74), rigl(1, 0.82), rigl(2, 0.10)]
    found = rows(*runs)
    gain = found["rigl"].gains["dense"]
    assert gain.paired and gain.spread.count == 2
    assert gain.spread.mean == pytest.approx(0.03)
    assert gain.spread.deviation == pytest.approx(0.02 / 2**0.5)
    assert found["dense"].gains["dense"] is None
    accuracy = found["rigl"].spread(lambda one: one.level.test)
    assert accuracy.mean == pytest.approx((0.74 + 0.82 + 0.10) / 3) and accuracy.count == 3


def test_a_run_with_a_dense_level_serves_where_there_is_no_dense_run():
    found = rows(imp(0, 0.70, 0.78), imp(1, 0.80, 0.84), rigl(1, 0.79))
    assert found["imp"].gains["dense"].spread.mean == pytest.approx(0.06)
    assert found["rigl"].gains["dense"].spread == Spread(pytest.approx(-0.01), None, 1)
    assert found["rigl"].cost == 0.25  # of the dense level alone, not of all levels


def test_dense_runs_that_were_not_named_come_before_dense_levels_of_other_methods():
    found = rows(imp(0, 0.70, 0.78), others=[dense(0, 0.72)])
    assert found["imp"].gains["dense"].spread.mean == pytest.approx(0.06)


def test_a_seed_that_picked_its_dense_level_gains_nothing_and_counts():
    found = rows(imp(0, 0.70, 0.60, winner=0), imp(1, 0.70, 0.76))
    gain = found["imp"].gains["dense"]
    assert gain.spread.mean == pytest.approx(0.03) and gain.spread.count == 2


def test_a_search_that_stopped_early_is_no_dense_baseline():
    prac = run("prac", 0, level(0, 1.0, 0.1, search=True), level(1, 0.5, 0.7))
    found = table(prac, rigl(0, 0.79))
    assert [row.gains["dense"] for row in found.rows] == [None, None]
    assert "no dense run of the same data and training for prac, rigl" in found.notes
    assert rows(prac, rigl(0, 0.79), level="dense")["prac"].results == ()


def test_a_small_networks_own_weights_do_not_make_it_the_dense_baseline():
    small = run("small", 0, level(0, 1.0, 0.6, flops=30.0, total=300))
    found = table(small, rigl(0, 0.7))
    assert found.rows[1].gains["dense"] is None
    assert "no dense run of the same data and training for small, rigl" in found.notes
    found = rows(small, dense(0, 0.8))["small"]
    assert found.gains["dense"].spread.mean == pytest.approx(-0.2)
    assert (found.cost, found.inference) == (0.3, 0.3)


def test_the_cost_of_a_picked_level_is_that_of_all_levels():
    one = imp(0, 0.7, 0.8, 0.6, winner=1)
    (row,) = table(one).rows
    (result,) = row.results
    assert result.level.index == 1
    assert (result.spent.training_flops, result.spent.seconds) == (6 * (100 + 50 + 25), 30.0)
    assert (row.cost, row.inference) == (1.75, 0.5)
    (result,) = table(one, level=1).rows[0].results
    assert (result.spent.training_flops, result.spent.seconds) == (6 * 150, 20.0)


def test_costs_that_a_level_lacks_are_not_known():
    one = imp(0, 0.7, 0.8)
    old = replace(one, levels=(replace(one.levels[0], training_flops=None), one.levels[1]))
    (row,) = table(old).rows
    assert row.results[0].spent.training_flops is None and row.cost is None
    assert row.results[0].spent.seconds == 20.0


@pytest.mark.parametrize(
    ("choice", "index"), [("winning", 2), ("last", 3), ("best", 1), ("dense", 0), (3, 3)]
)
def test_the_level_that_is_read(choice, index):
    one = imp(0, 0.7, 0.8, 0.75, 0.6, winner=2)
    ((result,),) = [row.results for row in table(one, level=choice).rows]
    assert result.level.index == index


def test_unfinished_failed_and_missing_seeds_are_said_and_not_averaged():
    failed = rigl(1, 0.2, status="failed", error="the loss became NaN", levels=())
    runs = [dense(0, 0.7), dense(1, 0.7), dense(3, 0.7), rigl(0, 0.8), failed]
    found = table(*runs, rigl(2, 0.1, status="running", final=False))
    assert found.rows[1].spread(lambda one: one.level.test) == Spread(0.8, None, 1)
    assert found.notes == (
        "dense has no run of seed 2, which others have",
        "rigl s1 is left out: it is failed (the loss became NaN)",
        "rigl s2 is left out: it is running",
        "rigl has no run of seed 3, which others have",
    )


def test_a_level_that_has_ended_counts_though_its_run_goes_on():
    found = table(imp(0, 0.7, 0.8, status="running", final=False), imp(1, 0.7), level=1)
    assert [result.run.seed for result in found.rows[0].results] == [0]
    assert found.notes == ("imp s1 is left out: it has no level 1",)


def test_a_level_that_no_run_has_is_refused():
    runs = imp(0, 0.7, 0.8), rigl(0, 0.7)
    with pytest.raises(UsageError, match="these runs has a level 9; they have levels 0 to 1"):
        table(*runs, level=9)
    with pytest.raises(UsageError, match="has a level 1; they have level 0 only"):
        table(runs[1], level=1)
    going = table(replace(runs[0], status="running", final=False), runs[1], level=9)
    assert [row.results for row in going.rows] == [(), ()] and len(going.notes) == 2


def test_without_a_common_seed_means_are_compared_and_it_is_said():
    found = table(dense(0, 0.7), dense(1, 0.8), rigl(2, 0.77), rigl(3, 0.79))
    gain = found.rows[1].gains["dense"]
    assert (gain.paired, gain.spread) == (False, Spread(pytest.approx(0.03), None, 2))
    assert "no seed in common with dense, so of means only: rigl" in found.notes


def test_families_have_their_own_baselines():
    other = {"family": "other", "group": " on other"}
    runs = [dense(0, 0.7), rigl(0, 0.8), dense(0, 0.2, **other), rigl(0, 0.25, **other)]
    found = rows(*runs)
    assert found["rigl"].gains["dense"].spread.mean == pytest.approx(0.1)
    assert found["rigl on other"].gains["dense"].spread.mean == pytest.approx(0.05)


def test_dense_is_read_at_its_level_whichever_is_read_of_others():
    found = table(dense(0, 0.7), imp(0, 0.6, 0.8, 0.75), level=2)
    assert found.rows[1].gains["dense"].spread.mean == pytest.approx(0.05)
    assert found.notes == ("dense s0 is left out: it has no level 2",)


def test_several_baselines_and_costs_relative_to_the_first():
    runs = [dense(0, 0.7), imp(0, 0.7, 0.8), rigl(0, 0.75)]
    row = rows(*runs, baselines=("imp", "dense"))["rigl"]
    assert row.gains["imp"].spread.mean == pytest.approx(-0.05)
    assert row.gains["dense"].spread.mean == pytest.approx(0.05)
    assert row.cost == pytest.approx(25 / 150)


def test_a_baseline_that_is_none_or_many_is_refused():
    first, second = rigl(0, 0.8), rigl(0, 0.7, group=" alpha=0.3")
    with pytest.raises(UsageError, match="no group is called 'rigll'; did you mean rigl?"):
        table(first, baselines=("rigll",))
    with pytest.raises(UsageError, match=r"means several(.|\n)*rigl alpha=0.3"):
        labels = {"rigl": "rigl alpha=0.1", "rigl alpha=0.3": "rigl alpha=0.3"}
        compare([first, second], labels, "winning", ["rigl"])
    assert table(first, second, baselines=("rigl alpha=0.3",)).rows[0].gains


def test_all_dense_groups_are_one_baseline_and_the_null_control_gains_over_it():
    null = run("dense", 0, level(0, 1.0, 0.7), level(1, 1.0, 0.75), group=" levels=1")
    found = rows(dense(0, 0.7), null, rigl(0, 0.8))
    assert found["dense levels=1"].gains["dense"].spread.mean == pytest.approx(0.05)
    assert found["dense"].gains["dense"] is None
    assert found["rigl"].gains["dense"].spread.mean == pytest.approx(0.1)
    assert found["dense levels=1"].cost == 2.0
    over_null = rows(dense(0, 0.7), null, rigl(0, 0.8), baselines=("dense levels=1",))
    assert over_null["rigl"].gains["dense levels=1"].spread.mean == pytest.approx(0.05)


def test_controls_stand_behind_what_they_control_and_have_its_name_as_a_baseline():
    source = imp(0, 0.7, 0.8)
    control = Control(run=source.run_id, level=1, kind="same_layer")
    same = run("ticket", 0, level(0, 0.5, 0.72), controls=control)
    found = table(same, rigl(0, 0.8), source, baselines=("same_layer", "dense"))
    assert [row.label for row in found.rows] == ["rigl", "imp", "ticket"]
    assert found.rows[1].gains["same_layer"].spread.mean == pytest.approx(0.08)
    assert describe(found)["groups"][2]["control"] == "same_layer"


def test_of_runs_with_the_same_seed_the_newest_finished_one_counts():
    old, new = rigl(0, 0.5, run_id="a", created=1.0), rigl(0, 0.6, run_id="b", created=2.0)
    third = rigl(0, 0.7, run_id="c", created=3.0, status="failed")
    (row,) = table(new, third, old).rows
    assert [result.run.run_id for result in row.results] == ["b"]


def test_every_group_has_the_same_fields_as_json():
    waiting = rigl(0, 0.5, status="queued", final=False, levels=())
    groups = describe(table(dense(0, 0.7), waiting))["groups"]
    assert groups[0].keys() == groups[1].keys()
    assert groups[1]["test_accuracy"] == {"mean": None, "std": None, "n": 0}
    assert groups[0]["runs"] == [
        {"run_id": "dense-s0", "draw": 0, "fold": None, "seed": 0, "level": 0}
    ]


def test_groups_are_named_by_method_and_what_tells_them_apart():
    def spec(name, width=4, **settings):
        return {"sparsifier": {"name": name, **settings}, "model": {"name": "m", "width": width}}

    assert by_method({"a": spec("dense"), "b": spec("rigl", alpha=0.1, interval=5)}) == {
        "a": "dense",
        "b": "rigl",
    }
    assert by_method({"a": spec("rigl", alpha=0.1), "b": spec("rigl", alpha=0.3)}) == {
        "a": "rigl alpha=0.1",
        "b": "rigl alpha=0.3",
    }
    assert by_method({"a": spec("rigl"), "b": spec("imp", 8)}) == {
        "a": "rigl width=4",
        "b": "imp width=8",
    }
    controls = {"controls": {"kind": "null", "source": "x:1"}}
    assert by_method({"a": {**spec("dense", levels=3), **controls}, "b": spec("dense")}) == {
        "a": "null",
        "b": "dense",
    }
    alike = by_method({"abcdef1": {"sparsifier": {"name": "x"}}, "fedcba2": spec("x", 4)})
    assert len(set(alike.values())) == 2


def test_the_dense_level_of_a_dense_run_comes_before_that_of_the_null_control():
    null = run("dense", 0, level(0, 1.0, 0.7), level(1, 1.0, 0.75), group=" levels=1")
    for order in ((dense(0, 0.7), null), (null, dense(0, 0.7))):
        labels = {one.group: f"{one.group} here" for one in order}
        by_label = {row.label: row for row in compare(order, labels).rows}
        assert by_label["dense here"].gains["dense"] is None


def test_what_starts_from_other_runs_has_their_cost_left_out():
    runs = [imp(0, 0.7, 0.8), rigl(0, 0.8), run("ticket", 0, level(0, 0.25, 0.8))]
    found = compare(runs, {one.group: one.group for one in runs}, given={"rigl": {"tickets"},
                    "imp": {"images"}, "ticket": {"tickets", "weights"}})  # fmt: skip
    assert found.notes == (
        "the cost of finding the tickets they start from is left out: rigl, ticket",
        "the cost of finding the images they train on is left out: imp",
        "the cost of finding the weights they begin with is left out: ticket",
    )


def test_the_cost_of_runs_that_others_start_from_is_theirs_too():
    source = {"sparsifier.source.run": "imp-s0", "sparsifier.source.sha256": "ab"}
    again = run("ticket", 0, level(0, 0.25, 0.8), params={**source, "sparsifier.source.pick": "1"})
    found = table(dense(0, 0.7), again, others=[imp(0, 0.7, 0.8, 0.9)])
    (mine,) = found.rows[1].results
    assert mine.spent.training_flops == 6 * (100 + 50 + 25)  # its own, and levels 0 and 1 of imp
    assert mine.spent.seconds == 30.0 and found.rows[1].cost == pytest.approx(1.75)
    assert found.notes == ("the cost of finding the tickets they start from is included: ticket",)


def test_energy_has_a_column_where_it_is_known():
    counted = run("rigl", 0, level(0, 0.25, 0.8, joules=1500.0))
    header, cells = _cells(table(imp(0, 0.7, 0.8), counted))
    assert header[-1] == "energy (J)" and [row[-1] for row in cells] == ["–", "1.50 k"]
    assert "energy (J)" not in _cells(table(imp(0, 0.7, 0.8)))[0]


def test_a_baseline_is_named_by_its_first_words_or_by_its_kind_where_its_runs_are_the_same():
    control = Control(run="imp-s0", level=1, kind="budget")
    one = run("dense", 0, level(0, 1.0, 0.72), controls=control, group="b1")
    two = replace(one, group="b2")
    labels = {"imp": "imp", one.group: "budget of imp multiplier=3", "b2": "budget of rigl"}
    runs = [imp(0, 0.7, 0.8), one, two]
    for name in ("budget of imp", "budget"):
        found = compare(runs, labels, baselines=[name])
        assert found.rows[0].gains[name].spread.mean == pytest.approx(0.08)
    shared = "budget of imp multiplier=3 and budget of rigl"
    assert found.notes == (f"the same trainings stand in {shared}: {one.run_id}",)
    other = replace(two, run_id="other")
    with pytest.raises(UsageError, match="baseline budget means several groups"):
        compare([imp(0, 0.7, 0.8), one, other], labels, baselines=["budget"])


def test_a_reused_tickets_cost_is_said_to_be_only_a_part():
    again = run("ticket", 0, level(0, 0.25, 0.8))
    assert table(dense(0, 0.7), again).notes == (
        "the cost of finding the tickets they start from is left out: ticket",
    )


def test_a_run_whose_winner_is_named_counts_while_more_is_evaluated_of_it():
    waiting = imp(0, 0.7, 0.8, status="queued")
    found = rows(waiting, imp(1, 0.7, 0.9, status="running", final=False), dense(0, 0.7))
    assert [one.run.seed for one in found["imp"].results] == [0]


def test_rows_whose_levels_are_picked_by_another_metric_are_said_to_be():
    params = {"select.metric": "balanced_accuracy"}
    found = table(imp(0, 0.7, 0.8, params=params), rigl(0, 0.75))
    assert found.notes == (
        "levels are picked by balanced accuracy; what is only called accuracy is plain: imp",
    )
