"""Picks over a sweep, against figures worked out by hand."""

from dataclasses import replace

import pytest
from scored import level, run

from lthtui import best
from lthtui.identity import Control

BY_BALANCED = {"params": {"data.name": "digits", "select.metric": "balanced_accuracy"}}


def trained(group, seed, pairs, **more):
    """A run whose levels have these (validation, test) accuracies; each keeps half of the last."""
    made = run(group, seed, {}, winner=-1, picks="best")
    levels = tuple(level(at, 0.5**at, test, val=val) for at, (val, test) in enumerate(pairs))
    sparse = levels[1:] or levels
    won = max(sparse, key=lambda one: one.val or 0.0).index if levels else None
    params = {"data.name": "digits", **more.pop("params", {})}
    return replace(made, levels=levels, **{"winner": won, "params": params, **more})


@pytest.fixture
def sweep():
    """Two configurations with two seeds. Means of `a`: validation 0.75, test 0.66 where picked."""
    return [
        trained("a", 0, [(0.9, 0.9), (0.7, 0.60), (0.6, 0.80)]),
        trained("a", 1, [(0.9, 0.9), (0.5, 0.70), (0.8, 0.72)]),
        trained("b", 0, [(0.9, 0.9), (0.7, 0.90), (0.5, 0.50)]),
        trained("b", 1, [(0.9, 0.9), (0.6, 0.50), (0.7, 0.80)]),
    ]


def _without(levels, split):
    return tuple(replace(one, **{split: None}) for one in levels)


def _balanced(levels, whole):
    """With balanced accuracies that are the plain ones taken from a number."""
    return tuple(
        replace(one, val_balanced=whole - one.val, test_balanced=whole - one.test) for one in levels
    )


def find(runs, split="val"):
    return best.find(runs, {one.group: one.group for one in runs}, split)


def only(runs, split="val"):
    (found,), notes = find(runs, split)
    return found, notes


def test_validation_picks_levels_and_then_the_configuration(sweep):
    found, notes = only(sweep)
    assert found.picked.label == "a" and notes == []
    assert [one.level.index for one in found.picked.results] == [1, 2]
    assert found.picked.spread(lambda one: one.level.val).mean == pytest.approx(0.75)
    test = found.picked.spread(lambda one: one.level.test)
    assert test.mean == pytest.approx(0.66) and test.deviation == pytest.approx(0.12 / 2**0.5)


def test_beside_it_stands_what_test_images_pick_and_how_that_flatters(sweep):
    found, _ = only(sweep)
    assert found.other.label == "b" and not found.same
    assert [one.level.index for one in found.other.results] == [1, 2]
    assert found.optimism == pytest.approx(0.85 - 0.66)
    found, _ = only(sweep[:2])
    assert found.other.label == "a" and not found.same
    assert found.optimism == pytest.approx((0.80 + 0.72) / 2 - 0.66)
    found, _ = only(sweep[1:2])
    assert found.same and found.optimism == 0


def test_picked_by_test_it_says_as_much(sweep):
    found, _ = only(sweep, "test")
    assert (found.picked.label, found.other.label) == ("b", "a")
    assert found.optimism == pytest.approx(0.85 - 0.66)
    told = best.describe([found], [], "test")["best"][0]
    assert told["optimistic"] and told["picked"] == told["on_test"]
    assert told["on_validation"]["label"] == "a"


def test_runs_that_were_picked_by_test_images_are_picked_anew(sweep):
    tested = [replace(one, split="test", winner=2) for one in sweep]
    found, notes = only(tested)
    assert found.picked.label == "a" and notes == []
    assert [one.level.index for one in found.picked.results] == [1, 2]
    epochs = {"params": {"data.name": "digits", "select.epoch": "best"}}
    _, notes = only([replace(one, **epochs) for one in tested])
    assert notes[0] == "a kept its best epochs by test images, so its test accuracy is optimistic"
    assert only([replace(one, **epochs) for one in sweep])[1] == []


def test_what_a_run_picked_by_validation_images_in_its_own_way_stays(sweep):
    balanced = [replace(one, winner=1) for one in sweep]  # by the mean accuracy of classes, say
    found, notes = only(balanced)
    assert notes == []
    other = [replace(one, **BY_BALANCED) for one in balanced[:2]]
    found, notes = only([*other, *balanced[2:]])
    assert notes == [
        "a picks its levels by balanced accuracy; configurations compete by plain accuracy"
    ]
    assert found.picked.label == "b"
    assert [one.level.index for one in found.picked.results] == [1, 1]


def test_configurations_compete_by_what_all_of_them_pick_levels_by(sweep):
    turned = [
        replace(one, **BY_BALANCED, levels=_balanced(one.levels, whole), winner=least)
        for one, whole, least in zip(sweep, (1, 1, 1.1, 1.1), (2, 1, 2, 1), strict=True)
    ]
    found, notes = only(turned)
    assert notes == [] and found.picked.label == "b"  # (0.6 + 0.5) / 2; a has (0.4 + 0.5) / 2
    assert found.other.label == "b" and [one.level.index for one in found.other.results] == [2, 1]
    told = best.describe([found], [], "val")["best"][0]
    assert told["metric"] == "balanced_accuracy" and told["merit"] == pytest.approx(0.55)
    assert best.describe([only(sweep)[0]], [], "val")["best"][0]["metric"] == "accuracy"
    unscored = [replace(one, **BY_BALANCED) for one in sweep]
    assert find(unscored)[0] == []


@pytest.mark.parametrize(("picks", "index"), [("last", 2), ("1", 1)])
def test_a_level_that_was_asked_for_is_the_only_one(sweep, picks, index):
    fixed = [replace(one, picks=picks, winner=index) for one in sweep]
    found, _ = only(fixed)
    rows = (found.picked, found.other)
    assert {one.level.index for row in rows for one in row.results} == {index}
    assert found.levels == 4 and found.tries == "2 configurations × 2 seeds: 4 runs, 4 levels"


def test_tries_are_counted(sweep):
    assert only(sweep)[0].tries == "2 configurations × 2 seeds: 4 runs, 8 levels"
    found, notes = only(sweep[:3])
    assert found.tries == "2 configurations: 3 runs, 6 levels"
    assert notes == ["b has no run of seed 1, which others have"]
    assert only(sweep[:1])[0].tries == "1 configuration × 1 seed: 1 run, 2 levels"
    folds = [
        replace(one, seed=0, params={**one.params, "data.folds": "2", "data.fold": str(fold)})
        for fold, one in enumerate(sweep[:2])
    ]
    assert only(folds)[0].tries == "1 configuration × 2 repetitions: 2 runs, 4 levels"


def test_the_newest_run_of_a_repetition_counts(sweep):
    again = replace(sweep[2], run_id="again", created=9.0, levels=sweep[0].levels)
    found, _ = only([*sweep, again])
    assert found.tries.endswith("4 runs, 8 levels")
    assert found.optimism == pytest.approx((0.80 + 0.80) / 2 - 0.66)


def test_of_equal_ones_the_first_wins(sweep):
    same = [replace(one, group="c", run_id=f"c{one.seed}") for one in sweep[:2]]
    assert only([*same, *sweep])[0].picked.label == "c"
    assert only([*sweep, *same])[0].picked.label == "a"


def test_what_has_lost_a_run_does_not_win_by_the_others(sweep):
    lost = replace(sweep[0], status="failed", error="diverged")
    found, notes = only([lost, *sweep[1:]])
    assert found.picked.label == "b" == found.other.label
    assert found.tries == "1 configuration × 2 seeds: 2 runs, 4 levels"
    assert notes == ["a does not compete because of s0: it is failed (diverged)"]


def test_test_images_pick_among_the_same_configurations(sweep):
    unseen = [replace(one, levels=_without(one.levels, "val")) for one in sweep[2:]]
    found, notes = only([*sweep[:2], *unseen])
    assert found.picked.label == "a" == found.other.label and len(notes) == 1


def test_without_validation_images_only_test_images_can_pick(sweep):
    bare = [replace(one, levels=_without(one.levels, "val"), split="test") for one in sweep]
    found, notes = find(bare)
    assert found == []
    assert notes[0] == "a does not compete because of s0: it has no accuracy on validation images"
    found, _ = only(bare, "test")
    assert found.picked.label == "b" and found.other is None and found.optimism is None


def test_where_test_images_were_not_looked_at_nothing_is_known_of_optimism(sweep):
    blind = [replace(one, levels=_without(one.levels, "test")) for one in sweep]
    found, _ = only(blind)
    assert found.picked.label == "a" and found.other is None and found.optimism is None


def test_each_set_of_images_has_a_pick(sweep):
    few = [
        replace(one, group=f"few {one.group}", run_id=f"few-{one.run_id}",
                params={**one.params, "data.per_class": "5", "data.root": "/elsewhere"})
        for one in sweep
    ]  # fmt: skip
    many = [replace(one, params={**one.params, "data.per_class": "50"}) for one in sweep]
    found, _ = find([*many, *few])
    assert [one.images for one in found] == ["digits per_class=50", "digits per_class=5"]
    assert [one.picked.label for one in found] == ["a", "few a"]
    own = ("root", "seed", "fold", "examples")  # by which validation images are no others
    elsewhere = [
        replace(one, params={**one.params, **{f"data.{name}": one.group for name in own}})
        for one in sweep
    ]
    assert [one.images for one in find(elsewhere)[0]] == ["digits"]


def test_controls_do_not_compete(sweep):
    control = replace(
        sweep[0], group="null", run_id="null-s0", controls=Control(run="a-s0", level=1, kind="null")
    )
    found, notes = only([*sweep, control])
    assert [row.label for row in found.rows] == ["a", "b"]
    assert notes == ["controls do not compete: null"]
