"""Runs of others: which belong together, which stand under which, and what is shown of them."""

from __future__ import annotations

import pytest

from lthtui import storedruns, strangers
from lthtui.board import board
from lthtui.columns import DEFAULT
from lthtui.fields import Field
from lthtui.records import summary, ticket
from lthtui.suited import suited
from lthtui.tabling import Tabler
from lthtui.views import View, orders


def run(id, name="", params=None, tags=None, metrics=None, start=1000, status="FINISHED"):
    found = {key: str(value) for key, value in (params or {}).items()}
    times = (start, start + 5000)
    return summary(id, name, "e", status, times, metrics or {}, found, tags or {})


def under(parent):
    return {"mlflow.parentRunId": parent}


def shown(runs, folded=(), **options):
    views = storedruns.views(runs, {})
    made = board(views, {}, {})
    view = View(folded=frozenset(folded), **options)
    return [
        f"{'  ' * row.depth}{row.fold}{row.cells[0].text}"
        for row in Tabler().table(made, view).rows
    ]


def test_runs_that_differ_in_their_seed_only_are_a_group():
    runs = [
        run("a", "calm-ant-1", {"lr": 1, "seed": 0}),
        run("b", "bold-bee-2", {"lr": 1, "seed": 1}),
        run("c", "big-cat-3", {"lr": 2, "seed": 0}),
        run("d", "any-dog-4", {"lr": 1}),
        run("e", "each-elk-5", {"lr": 1, "seed": "abc"}),
        run("f", "net-seed3", {"opt.random_state": 3}),
        run("g", "net-seed4", {"opt.random_state": 4}),
        run("h", "net-seed4", {"opt.random_state": 4}, under("a")),
    ]
    kin = [strangers.kin(one) for one in runs]
    groups = [one.group for one in kin]
    assert groups[0] == groups[1] and len(set(groups)) == 6
    assert groups[5] == groups[6] != groups[7]
    assert [one.seed for one in kin] == [0, 1, 0, None, None, 3, 4, 4]
    assert [one.name for one in kin][:1] + [kin[5].name] == ["calm-ant-1", "net"]
    assert (kin[3].group, kin[4].group) == ("d", "e")


def test_a_number_that_is_too_long_is_no_seed():
    assert strangers.kin(run("a", "net", {"seed": "9" * 4400})) == strangers.Kin("a", "net")
    assert strangers.kin(run("a", "net-" + "9" * 4400, {"seed": 9})).name == "net-" + "9" * 4400


@pytest.mark.parametrize(("val", "beats"), [(0.8, False), (0.9, False), (0.91, True)])
def test_only_what_is_better_than_dense_beats_it(val, beats):
    def level(number, kept, val, **tags):
        params = {"run_id": "r", "level": number, "density": kept / 9, "kept": kept, "total": 9}
        texts, metrics = {key: str(one) for key, one in params.items()}, {"level/val_accuracy": val}
        return ticket(f"m{number}", "t", "a", "e", 1, "", texts, tags, metrics)

    levels = [level(0, 9, 0.9), level(1, 3, val, winning="true")]
    assert storedruns.view(run("a", tags={"lthtui.run_id": "r"}), levels).beats_dense is beats


def test_a_name_that_ends_with_another_number_is_kept_whole():
    assert strangers.kin(run("a", "resnet20", {"seed": 20})).name == "resnet20"
    assert strangers.kin(run("a", "fold_7", {"seed": 1})).name == "fold_7"
    assert strangers.kin(run("a", "run.S7", {"seed": 7})).name == "run"


def test_nested_runs_stand_under_their_parents_whatever_the_order():
    runs = [
        run("p", "parent", start=1000, metrics={"loss": 5.0}),
        run("k1", "old", tags=under("p"), start=2000, metrics={"loss": 1.0}),
        run("k2", "new", tags=under("p"), start=3000, metrics={"loss": 2.0}),
        run("g", "grandchild", tags=under("k1"), start=4000, metrics={"loss": 0.5}),
        run("x", "apart", start=2500, metrics={"loss": 3.0}),
        run("o", "orphan", tags=under("gone"), start=500),
    ]
    assert shown(runs) == ["apart", "▾parent", "  new", "  ▾old", "    grandchild", "orphan"]
    by_loss = [line.strip() for line in shown(runs, order=orders("-metrics.loss"))]
    assert by_loss == ["▾parent", "new", "▾old", "grandchild", "apart", "orphan"]
    assert shown(runs, folded={"k1"})[1:4] == ["▾parent", "  new", "  ▸old"]
    assert shown(runs, folded={"p"}) == ["apart", "▸parent", "orphan"]


def test_a_filter_leaves_what_the_found_runs_are_nested_under():
    runs = [run("p", "parent"), run("k", "kid", tags=under("p")), run("x", "apart")]
    assert shown(runs, filter="name:kid") == ["▾parent", "  kid"]
    assert shown(runs, filter="name:parent") == ["parent"]


def test_parents_in_a_circle_are_shown_once_each():
    runs = [run("a", "one", tags=under("b")), run("b", "two", tags=under("a"))]
    assert sorted(shown(runs)) == ["one", "two"]


def test_a_parent_is_no_member_of_a_group_of_seeds():
    params = {"seed": 1}
    runs = [run("a", "x", params), run("b", "x", params), run("k", "kid", tags=under("a"))]
    assert sorted(shown(runs)) == ["  kid", "x", "▾x"]


def test_columns_are_those_that_most_runs_of_others_have():
    metrics = {"loss": 1.0, "acc": 2.0, "system/cpu": 3.0}
    runs = [
        run("a", params={"lr": 1, "same": 1, "net.depth": 3}, metrics=metrics),
        run("b", params={"lr": 2, "same": 1, "net.depth": 4}, metrics={"loss": 1.0, "f1": 0.5}),
        run("c", params={"lr": 2, "same": 1}),
    ]
    views = storedruns.views(runs, {})
    names = [one.field.name for one in suited(views.values())]
    metric = [f"metrics.{key}" for key in ("loss", "acc", "f1")]
    assert names == ["name", "status", *metric, "params.lr", "net.depth", "created", "duration"]
    assert suited([]) == DEFAULT
    ours = run("d", tags={"lthtui.run_id": "d-s0"})
    assert suited(storedruns.views([*runs, ours], {}).values()) == DEFAULT


def test_what_a_run_of_others_does_not_have_is_not_made_up():
    (view,) = storedruns.views([run("a", "x")], {}).values()
    assert Field.parse("seed").of(view) is None and Field.parse("val").of(view) is None
    (seeded,) = storedruns.views([run("a", "x", {"seed": 7})], {}).values()
    assert Field.parse("seed").of(seeded) == 7.0
