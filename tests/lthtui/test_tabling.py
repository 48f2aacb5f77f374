"""Columns, sorting, hiding and folding of the table of runs; what of it is made again."""

import random
from dataclasses import replace
from datetime import datetime

import manyruns
import pytest
from viewed import boarded, level, run

from lthtui import columns, fields
from lthtui.board import board
from lthtui.columns import Heading
from lthtui.fields import Field, Misread
from lthtui.identity import Control
from lthtui.table import NOTHING
from lthtui.tabling import Tabler
from lthtui.views import View, orders

VALS = {0: 0.90, 1: 0.94, 2: 0.95}


def seeds(group="g", vals=VALS, **changes):
    """A group of seeds whose picked level has these accuracies; None for one that waits."""
    return [
        run(
            f"{group}{seed}",
            [] if val is None else [level(0, 0.80, 0.79), level(1, val, val - 0.01)],
            group=group,
            seed=seed,
            **{"created": float(seed), "name": group, **changes},
        )
        for seed, val in vals.items()
    ]


def table(runs, *, labels=None, tabler=None, **view):
    if "columns" in view:
        view["headings"] = columns.parse(view.pop("columns"))
    if "sort" in view:
        view["order"] = orders(view.pop("sort"))
    return (tabler or Tabler()).table(boarded(*runs, labels=labels), View(**view))


def texts(runs, **view):
    return [[cell.text for cell in row.cells] for row in table(runs, **view).rows]


def test_cells_of_a_group_are_mean_and_sample_deviation():
    # mean of 90, 94, 95 is 93; deviations -3, 1, 2; variance 14 / 2; its root 2.6458
    head, *children = texts(seeds(), columns="name,val,test,density,best_level,seed")
    assert head == ["g  n=3", "93.0±2.6", "92.0±2.6", "80%", "1", "0, 1 +1"]
    assert children[0] == ["s0", "90.0 @1", "89.0", "80%", "1", "0"]
    assert [row[1] for row in texts(seeds(), columns="sparsity")] == ["20.0%"] * 4


def test_how_many_have_a_value_is_said_where_not_all_do():
    head, *_ = texts(seeds(vals={0: 0.90, 1: 0.94, 2: None}), columns="name,val,status")
    assert head == ["g  n=3", "92.0±2.8 (2)", "✓ finished"]  # root of 8 is 2.828
    (head, *_) = texts(seeds(vals={0: 0.90, 1: None}), columns="name,val")
    assert head == ["g  n=2", "90.0 (1)"]


RESULTS = "val,test,gain,density,best_level,size,duration,a/loss,min(a/loss)"


def under_way(status="running", **changes):
    """A seed that goes on, or was cut short, with results that are far from those of `seeds`."""
    levels = [level(0, 0.30, 0.29), level(1, 0.20, 0.19), level(2, 0.40, 0.45)]
    figures = {"metrics": {"a/loss": 9.0}, "extremes": {"a/loss": (7.0, 9.0)}, "duration": 5.0}
    return run("g9", levels, seed=9, created=9.0, status=status, **{**figures, **changes})


@pytest.mark.parametrize("status", ["running", "queued", "paused", "stopped", "failed", "lost"])
def test_results_of_a_group_are_those_of_its_finished_runs(status):
    done = [
        replace(
            one,
            metrics={"a/loss": 1.0 + one.seed},
            extremes={"a/loss": (one.seed, 4.0)},
            duration=60.0,
        )
        for one in seeds(vals={0: 0.90, 1: 0.94})
    ]
    before = texts(done, columns=RESULTS)[0]
    assert before[1:] == "92.0±2.8 91.0±2.8 +12.0 80% 1 – 1:00±0:00 1.5±0.71 0.5±0.71".split()
    after = texts([*done, under_way(status)], columns=RESULTS)[0]
    assert (before[0], after[0]) == ("g  n=2", "g  n=2/3") and after[1:] == before[1:]


def test_results_of_a_group_of_which_none_has_finished_are_the_best_so_far():
    going = [replace(one, status="running") for one in seeds(vals={0: 0.90, 1: 0.94, 2: None})]
    assert texts(going, columns="val,gain")[0] == ["g  n=3", "92.0±2.8 (2)", "+12.0"]
    first = replace(going[2], status="finished")  # without any level
    assert texts([*going[:2], first], columns="val,gain,density")[0][1:] == ["–"] * 3


def test_the_state_and_the_settings_of_a_group_are_those_of_all_its_runs():
    going = under_way(params={"lr": "2"}, level=0, eta=30.0)
    runs = [*seeds(vals={0: 0.9}, params={"lr": "1"}), going]
    shown = texts(runs, columns="status,level,eta,seed,params.lr")[0]
    assert shown[1:] == ["●1 ✓1", "0/2", "0:30", "0, 9", "1, 2"]


def test_what_counts_first_is_sorted_by_first():
    runs = [
        *seeds("best", {0: 0.99}),
        *seeds("least", {0: 0.80}),
        *seeds("other", {0: 0.95}, sparsifier="dense"),
    ]
    names = [row[0] for row in texts(runs, columns="name", sort="sparsifier,-val")]
    assert names == ["other", "best", "least"]


def test_what_is_no_number_comes_last_in_either_direction():
    figures = {"nan": float("nan"), "one": 1.0, "two": 2.0, "none": None}
    runs = [
        *(run(name, group=name, name=name, metrics={"a/b": value} if value is not None else {})
          for name, value in figures.items())
    ]  # fmt: skip
    up, down = ([row[0] for row in texts(runs, columns="name", sort=by)] for by in ("a/b", "-a/b"))
    assert (up[:2], down[:2]) == (["one", "two"], ["two", "one"])


def test_what_is_the_same_in_all_that_is_shown_is_hidden():
    runs = [replace(one, params={"lr": str(one.seed // 2)}) for one in seeds()]
    made, tabler = boarded(*runs), Tabler()
    view = View(headings=columns.parse("name,params.lr,val"), hide_constant=True)
    for filter, hidden in (("seed<2", ["params.lr"]), ("", []), ("seed<2", ["params.lr"])):
        found = tabler.table(made, replace(view, filter=filter))
        assert [one.field.name for one in found.hidden] == hidden


def test_rows_are_made_again_where_other_columns_are_asked_for():
    made, tabler = boarded(*seeds(vals={0: 0.90})), Tabler()
    for name, shown in (("val", "90.0 @1"), ("test", "89.0"), ("val", "90.0 @1")):
        (row,) = tabler.table(made, View(headings=columns.parse(f"name,{name}"))).rows
        assert row.cells[1].text == shown


def test_groups_are_sorted_by_what_their_cells_show():
    low = [*seeds("low", {0: 0.80}), *seeds("low", {1: 0.99}, status="running")]
    high = [*seeds("high", {0: 0.85}), *seeds("high", {1: 0.10}, status="running")]
    folded = frozenset({"group:low", "group:high"})
    for key in ("val", "test", "gain", "max(a/b)"):
        runs = [
            replace(one, extremes={"a/b": (0.0, one.winning.val)}, group=one.group)
            for one in [*low, *high]
        ]
        names = [row[0] for row in texts(runs, sort=f"-{key}", folded=folded)]
        assert names == ["high  n=1/2", "low  n=1/2"], key


def test_at_a_share_of_weights_a_run_counts_once_it_prunes_on_beyond_it():
    # finished: 70, 73 and 76 at 100, 80 and 64 %; another is 10 lower and trains its third level
    ended = [level(at, 0.9, 0.70 + 0.03 * at) for at in range(3)]
    lower = [level(at, 0.9, 0.60 + 0.03 * at) for at in range(2)]
    third = replace(level(2, None), ended=False)
    asked = "test@100%,test@80%,test@64%,gain@80%"
    for more, expected in (
        ([], ["65.0±7.1 (2)", "73.0", "76.0", "+3.0"]),  # its second may not be its last at 80%
        ([third], ["65.0±7.1 (2)", "68.0±7.1 (2)", "76.0", "+3.0"]),
    ):
        going = run("g1", [*lower, *more], seed=1, status="running")
        assert texts([run("g0", ended), going], columns=asked)[0][1:] == expected


def test_metrics_have_means_and_extremes_and_say_what_is_no_number():
    measured = [(2.0, (1.0, 9.0)), (5.0, (3.0, 9.0)), (float("nan"), (2.0, 4.0))]
    runs = [
        replace(one, metrics={"a/loss": last}, extremes={"a/loss": around})
        for one, (last, around) in zip(seeds(), measured, strict=True)
    ]
    asked = "name,a/loss,best(a/loss),max(a/loss),no/metric"
    assert texts(runs, columns=asked)[0] == ["g  n=3", "nan", "2±1", "7.333±2.9", "–"]
    assert texts(runs[:2], columns=asked)[0][1] == "3.5±2.1"  # root of 4.5
    assert texts(runs, columns=asked)[3] == ["s2", "nan", "2", "4", "–"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((float("inf"), 1.0, 2.0), "inf"),
        ((float("inf"), float("-inf"), 1.0), "nan"),
        ((1.7e308, 1.7e308, 1.7e308), "nan"),
        ((1e300, 2e300, 3e300), "2e+300±inf"),
        ((3.0, 3.0, 3.0), "3±0"),
    ],
)
def test_numbers_without_a_mean_or_a_deviation_break_nothing(values, shown):
    runs = [
        replace(one, metrics={"a/b": value}, duration=abs(value))
        for one, value in zip(seeds(), values, strict=True)
    ]
    head, *_ = texts(runs, columns="name,a/b,duration", sort="a/b,-duration")
    assert head[1] == shown


def test_another_way_to_show_a_group_can_be_asked_for():
    val = Field.parse("val")
    headings = tuple(Heading(val, together=way) for way in ("mean", "min", "max", "each"))
    (head, *_) = texts(seeds(), headings=headings)
    assert head == ["g  n=3", "93.0±2.6", "90.0", "95.0", "90.0, 94.0 +1"]
    with pytest.raises(Misread, match="expected mean, min, max, each; did you mean max"):
        columns.together("maxx")


def test_settings_and_tags_of_a_group_are_named_if_they_differ():
    runs = [
        replace(one, params={"data.seed": str(one.seed), "lr": "0.10"}, tags={"why": "a\x1b[2J"})
        for one in seeds()
    ]
    head, child, *_ = texts(runs, columns="name,data.seed,params.lr,tags.why,tags.none")
    assert head == ["g  n=3", "0, 1 +1", "0.10", "a\\x1b[2J", "–"]
    assert child == ["s0", "0", "0.10", "a\\x1b[2J", "–"]


def test_times_and_durations_are_shown_as_people_write_them():
    at = datetime(2026, 11, 20, 14, 5).timestamp()
    runs = [replace(one, created=at + one.seed, duration=60.0 + one.seed * 2) for one in seeds()]
    head, child, *_ = texts(runs, columns="name,created,duration")
    assert head == ["g  n=3", "2026-11-20 14:05", "1:02±0:02"] and child[2] == "1:00"


def test_the_level_of_a_group_is_that_of_runs_that_go_on_and_tags_say_how_many_have_them():
    first, second, third = seeds("a")
    failed = replace(first, status="failed", level=0)
    tagged = replace(second, tags={"why": "baseline"})
    cells = texts([failed, tagged, third], columns="level,tags.why")[0]
    assert cells[1:] == [texts([second, third], columns="level")[0][1], "baseline (1)"]
    alone = texts([failed, replace(second, status="failed", level=1)], columns="level")[0]
    assert alone[1].startswith("0/")
    longer = replace(second, planned_levels=first.planned_levels + 2, level=1)
    last = first.planned_levels + 1
    assert texts([third, longer], columns="level")[0][1] == f"1/{last}"


def test_gain_and_level_of_a_group_are_those_of_its_runs_together():
    assert texts(seeds(), columns="name,gain,level")[0] == ["g  n=3", "+13.0", "1/2"]


def test_accuracies_at_a_share_of_weights_are_means_over_those_that_have_such_a_level():
    # three levels of s0, s1 and s2, of which s2 has not come to 64 %; dense tests are 70, 71, 72
    runs = [
        run(
            f"g{seed}",
            [level(at, 0.9, 0.70 + 0.01 * seed + 0.03 * at) for at in range(3 - seed // 2)],
            seed=seed,
        )
        for seed in range(3)
    ]
    asked = "name,test@64%,test@80% as at 80,gain@64%,gain@80%,val@1%"
    # at 64 %: 76 and 77, deviation the root of 0.5; at 80 %: 73, 74, 75
    head, *_, last = texts(runs, columns=asked)
    assert head == ["digits  n=3", "76.5±0.7 (2)", "74.0±1.0", "+6.0", "+3.0", "–"]
    assert last == ["s2", "–", "75.0", "–", "+3.0", "–"]
    titles = [one.title for one in table(runs, columns=asked, sort="-test@64%").columns]
    assert titles == ["run", "test@64%↓", "at 80", "gain@64%", "gain@80%", "val@1%"]
    assert [row[0] for row in texts(runs, sort="-test@64%")][1:] == ["s1", "s0", "s2"]
    assert [row[0] for row in texts(runs, sort="-gain@64%,-test@80%")][1:] == ["s1", "s0", "s2"]
    assert [row[0] for row in texts(runs, filter="test@64%>76.5%")][1:] == ["s1"]
    other = run("b", [level(0, 0.9, 0.70), level(1, 0.95, 0.80), level(2, 0.9, 0.75)], group="b")
    shown = texts([*runs, other], columns="name,gain@64%", sort="gain@64%", folded={"group:g"})
    assert shown == [["digits", "+5.0"], ["digits  n=3", "+6.0"]]


def test_groups_are_sorted_by_their_means_and_what_has_none_comes_last():
    runs = [
        *seeds("low", {0: 0.99, 1: 0.81}),
        *seeds("high", {0: 0.92, 1: 0.91}),
        *seeds("none", {0: None}),
        *seeds("mid", {0: 0.905}),
    ]
    names = [
        row[0] for row in texts(runs, sort="-val", folded=frozenset({"group:low", "group:high"}))
    ]
    assert names == ["high  n=2", "mid", "low  n=2", "none"]
    names = [row[0] for row in texts(runs, sort="val") if "s" not in row[0]]
    assert names == ["low  n=2", "mid", "high  n=2", "none"]


def test_later_keys_decide_where_earlier_ones_do_not_and_seeds_are_sorted_too():
    runs = [
        *seeds("a", {0: 0.9, 1: 0.95}, params={"lr": "0.1"}, created=1.0),
        *seeds("b", {0: 0.9}, params={"lr": "0.02"}, created=1.0),
        *seeds("c", {0: 0.9}, params={"lr": "10"}, created=1.0),
        *seeds("d", {0: 0.9}, params={"lr": "auto"}, created=1.0),
    ]
    names = [row[0] for row in texts(runs, sort="density,-params.lr")]
    assert names == ["c", "a  n=2", "s0", "s1", "b", "d"]  # numbers first in either direction
    names = [row[0] for row in texts(runs, sort="params.lr", folded=frozenset({"group:a"}))]
    assert names == ["b", "a  n=2", "c", "d"]
    names = [row[0] for row in texts(runs, sort="created,-val")]
    assert names[:3] == ["a  n=2", "s1", "s0"] and names[3:] == ["b", "c", "d"]


def test_controls_stand_under_their_source_unless_sorted():
    control = Control(run="imp0", level=1, kind="random")
    runs = [*seeds("imp", {0: 0.9}), *seeds("other", {0: 0.8}, created=9.0)]
    runs += seeds("random", {0: 0.95}, controls=control, created=5.0)
    assert [row[0] for row in texts(runs)] == ["other", "imp", "└ random"]
    assert [row[0] for row in texts(runs, sort="-val")] == ["random", "imp", "other"]


PART = ("s0", "val>93%", "name=a seed>0")  # filters that leave some runs of a group out


def test_figures_of_a_group_do_not_depend_on_what_else_is_shown():
    runs = [*seeds("a"), *seeds("b", {0: 0.5, 1: 0.6})]
    whole = {row.key: row.cells[1:] for row in table(runs).rows}
    for text in ("a", "s0", "val>93%", "name=a seed>0"):
        shown = table(runs, filter=text)
        assert shown.rows and all(whole[row.key] == row.cells[1:] for row in shown.rows)
        for row in shown.rows:  # which says how many of them are shown
            assert row.cells[0].text.endswith(" shown)") == (text in PART and row.fold != "")
        assert [row.key for row in table(runs, filter=text, sort="-val").rows][0] == "group:a"
    assert table(runs, filter="val>93%").runs == 2
    assert [row.key for row in table(runs, filter="val>93%").rows] == ["group:a", "a1", "a2"]


def test_no_filter_order_or_fold_changes_a_figure():
    draw, runs = random.Random(7), [*manyruns.runs(60).values()]
    made = boarded(*runs)
    asked = "name,val,test,gain,density,epoch/val_loss,train.optimizer.lr"
    whole = {row.key: row.cells[1:] for row in table(runs, columns=asked).rows}
    tabler, shown = Tabler(), 0
    for _ in range(60):
        wanted = draw.choice(["", f"val>{draw.random():.2f}", f"s{draw.randrange(5)}", "imp or cs"])
        keys = draw.sample(["val", "-gain", "-epoch/val_loss", "name", "-seed", "created"], 2)
        folded = frozenset(draw.sample([group.key for group in made.groups], 5))
        found = table(runs, tabler=tabler, columns=asked, filter=wanted, folded=folded)
        ordered = table(runs, columns=asked, filter=wanted, folded=folded, sort=",".join(keys))
        assert {row.key for row in ordered.rows} == {row.key for row in found.rows}
        assert all(whole[row.key] == row.cells[1:] for row in (*found.rows, *ordered.rows))
        shown += len(found.rows)
    assert shown > 500


def test_columns_that_are_the_same_everywhere_can_be_hidden():
    runs = [*seeds("a", {0: 0.9}, params={"lr": "1"}), *seeds("b", {0: 0.9}, params={"lr": "2"})]
    asked = {"columns": "name,val,test,params.lr,model", "hide_constant": True}
    shown = table(runs, **asked)
    assert [one.title for one in shown.columns] == ["run", "lr"]
    assert [one.shown for one in shown.hidden] == ["val", "test", "model"]
    headings = columns.parse(asked["columns"])
    pinned = (*headings[:4], replace(headings[4], pinned=True))
    shown = table(runs, headings=pinned, hide_constant=True)
    assert [one.title for one in shown.columns] == ["run", "lr", "model"]
    shown = table(runs, filter="name=a", **asked)
    assert len(shown.columns) == 5 and not shown.hidden  # one run: nothing to tell apart
    shown = table([*runs, *seeds("c", {0: None})], **asked)
    assert [one.title for one in shown.columns] == ["run", "val", "test", "lr"]


def test_a_folded_group_hides_its_runs_but_not_its_figures():
    whole, folded = table(seeds()), table(seeds(), folded=frozenset({"group:g"}))
    assert (whole.rows[0].fold, folded.rows[0].fold) == ("▾", "▸")
    assert folded.rows[0].cells == whole.rows[0].cells and len(folded.rows) == 1
    assert (folded.groups, folded.runs) == (1, 3)


def test_a_filter_unfolds_quiet_groups_that_it_asks_for_single_runs_of():
    runs, quiet = [*seeds("a"), *seeds("b")], {"group:a", "group:b"}

    def keys(**view):
        return [one.key for one in Tabler().table(boarded(*runs), View(**view), quiet=quiet).rows]

    assert keys() == keys(filter="val>0.5") == ["group:a", "group:b"]
    assert keys(filter="name=a val>0.5") == ["group:a"]
    assert keys(filter="name=a val>0.92") == ["group:a", "a1", "a2"]
    assert keys(filter="name=a val>0.92", folded=frozenset({"group:a"})) == ["group:a"]
    assert keys(filter="name=a", unfolded=frozenset({"group:a"})) == ["group:a", "a0", "a1", "a2"]


def test_only_groups_that_changed_are_made_again():
    tabler, runs = Tabler(), [*seeds("a"), *seeds("b")]
    before = boarded(*runs)
    first = tabler.table(before, View())
    again = tabler.table(before, View())
    assert all(one is other for one, other in zip(first.rows, again.rows, strict=True))
    changed = {one.run_id: one for one in (*runs[:-1], replace(runs[-1], winner=0))}
    after = tabler.table(board(changed, {}, {}, before=before.groups), View())
    kept = {row.key for row in after.rows if any(row is one for one in first.rows)}
    assert kept == {"group:a", "a0", "a1", "a2"}
    (old,), (new,) = ([row for row in one.rows if row.key == "group:b"] for one in (first, after))
    assert old.cells != new.cells


def test_columns_say_what_they_are_sorted_by_and_how_they_give_way():
    headings = columns.parse("val, train.lr as rate, best(a/loss), name")
    headings = (*headings[:2], replace(headings[2], pinned=True, width=9), headings[3])
    shown = table(seeds(), headings=headings, sort="-val,best(a/loss)").columns
    assert [one.title for one in shown] == ["val↓1", "rate", "best loss↑2", "run"]
    assert [one.rank for one in shown] == [2, 11, 1, 0] and shown[2].width == 9
    assert [one.right for one in shown] == [True, False, True, False]
    assert table(seeds(), sort="-val").columns[4].title == "val↓"
    shown = table(seeds(), columns="val")
    assert shown.columns[0].title == "run"  # rows are known by it
    assert [one.field.name for one in shown.headings] == ["name", "val"]


@pytest.mark.parametrize(
    ("text", "column"), [("name,vall", 6), ("name, best(a/b) as x,,val", 22), ("a as b", 1)]
)
def test_columns_that_mean_nothing_are_said_where(text, column):
    with pytest.raises(Misread) as caught:
        columns.parse(text)
    assert caught.value.column == column


def test_an_order_that_means_nothing_is_said_where():
    with pytest.raises(Misread) as caught:
        orders("-val, -vol")
    assert caught.value.column == 8 and "did you mean val" in caught.value.problem


def test_values_that_nobody_has_are_a_dash():
    empty = run("x", status="queued")
    (row,) = table(
        [empty], headings=tuple(Heading(Field.parse(one)) for one in fields.BUILT_IN)
    ).rows
    shown = dict(zip(fields.BUILT_IN, (cell.text for cell in row.cells), strict=True))
    assert shown["eta"] == shown["created"] == shown["val"] == shown["note"] == NOTHING.text


def test_what_is_archived_is_shown_where_a_filter_asks_for_it():
    aside = [replace(one, archived=True) for one in seeds("aside", created=9.0)]
    half = seeds("half")
    half[1] = replace(half[1], archived=True)
    every = [*aside, *half]
    usual = table(every, columns="name")
    assert [row.cells[0].text for row in usual.rows] == ["half  n=3 (2 shown)", "s0", "s2"]
    assert (usual.runs, usual.archived) == (2, 4)
    assert table(every, filter="s1").archived == 2 and not table(half[:1]).archived
    whole = texts(every, columns="name,val", filter="archived=true")
    assert [row[0] for row in whole] == [
        *("aside  n=3", "s0  archived", "s1  archived", "s2  archived"),
        *("half  n=3 (1 shown)", "s1  archived"),
    ]
    assert whole[0][1] == whole[4][1]  # a group's figures are those of all its runs
    both = table(every, archived=True, filter="s1")
    assert (both.runs, both.archived) == (2, 0)
    (alone,) = texts(half[1:2], archived=True)
    assert alone[0] == "half  archived"


def test_an_experiment_is_shown_alone():
    runs = [*seeds("a", {0: 0.9}, experiment="x"), *seeds("b")]
    runs[1] = replace(runs[1], experiment="x")
    shown = Tabler().table(boarded(*runs), View(), "x")
    assert [row.key for row in shown.rows] == ["group:b", "b0", "a0"]
    assert (shown.groups, shown.runs) == (2, 2)
    assert (
        shown.rows[0].cells[1:] == table(runs).rows[0].cells[1:]
    )  # figures are those of all its seeds


def test_a_level_is_shown_alone_where_it_is_not_known_how_many_there_are():
    for planned, shown in ((0, "4"), (1, "4"), (5, "4/4"), (6, "4/5")):
        known = [run(f"g{seed}", seed=seed, level=4, planned_levels=planned) for seed in (0, 1)]
        assert [row[1] for row in texts(known, columns="name,level")] == [shown] * 3
