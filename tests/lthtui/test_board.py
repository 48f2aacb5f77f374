"""Grouping, figures and rows of the table of runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rundirs import FakeRun

from engine.repetition import Repetition
from lthtui import levels
from lthtui.board import board, duration, gain, operations, percent
from lthtui.charts import How
from lthtui.columns import summary
from lthtui.comparison import compare
from lthtui.fields import Field
from lthtui.identity import Control
from lthtui.monitor import Watched
from lthtui.plots import density_curve
from lthtui.runview import LevelView, RunView, best, view
from lthtui.tabling import Tabler
from lthtui.verdict import note, of_group, of_run, standing
from lthtui.views import View


def level(index, val, test=None, density=None, ended=True):
    kept = round(1000 * (0.8**index if density is None else density))
    return LevelView(index, kept / 1000, kept, 1000, 4, 4, ended, val, test, 1.0, None)


def run(seed=0, levels=(), **changes):
    whole = {
        "run_id": f"r-s{seed}",
        "name": "digits",
        "experiment": "digits",
        "group": "g",
        "family": "f",
        "seed": seed,
        "sparsifier": "imp",
        "dataset": "digits",
        "model": "resnet20",
        "status": "finished",
        "levels": tuple(levels),
        "planned_levels": 3,
        "level": levels[-1].index if levels else None,
        "winner": best(levels, "val"),
        **changes,
    }
    return RunView(**whole)


def texts(runs, **options):
    made = board({one.run_id: one for one in runs}, {}, {})
    return [[cell.text for cell in row.cells] for row in rows_of(made, **options)]


def rows_of(made, **options):
    return Tabler().table(made, View(**options)).rows


def test_best_is_the_best_sparse_level_and_ties_go_to_the_sparser():
    assert best([level(0, 0.9), level(1, 0.8)], "val") == 1
    assert best([level(0, 0.5), level(1, 0.8), level(2, 0.8)], "val") == 2
    assert best([level(0, 0.9)], "val") == 0
    assert best([level(0, 0.9), level(1, 0.95, ended=False)], "val") == 0
    assert best([], "val") is None
    assert best([level(0, 0.9, 0.1), level(1, 0.9, 0.2), level(2, 0.95, 0.1)], "test") == 1
    again = [level(at, 0.9 - at / 10, density=1.0) for at in range(3)]
    assert best(again, "val") == 1  # where nothing is pruned, what was trained again


def test_of_levels_as_sparse_as_is_meant_the_later_counts():
    twice = [level(0, 0.9), level(1, 0.95, density=0.5), level(2, 0.8, density=0.5)]
    assert run(0, twice).meant(0.5).index == 2 and run(0, twice).meant(0.4) is None


def test_group_shows_mean_and_sample_deviation():
    runs = [
        run(0, [level(0, 0.90, 0.88), level(1, 0.94, 0.92)]),
        run(1, [level(0, 0.90, 0.88), level(1, 0.96, 0.93)]),
    ]
    head, *_ = texts(runs)
    assert head == ["digits  n=2", "✓ finished", "1/2", "80%", "95.0±1.4", "92.5±0.7", "+4.5", "–"]


def test_group_says_over_how_many_seeds_when_not_all_have_a_value():
    head, *_ = texts([run(0, [level(0, 0.90), level(1, 0.94)]), run(1, status="queued")])
    assert head[0] == "digits  n=1/2" and head[1] == "◌1 ✓1" and head[4] == "94.0"


def test_single_run_is_one_row_with_the_level_of_its_best():
    assert texts([run(3, [level(0, 0.90, 0.88), level(1, 0.94, 0.92)])]) == [
        ["digits", "✓ finished", "1/2", "80%", "94.0 @1", "92.0", "+4.0", "–"]
    ]


def test_run_that_waits_has_no_figures():
    assert texts([run(status="queued")])[0][1:] == ["◌ queued", *"––––––"]


def test_stalled_is_said():
    stalled = run(status="running", stalled=True)
    cell = rows_of(board({stalled.run_id: stalled}, {}, {}))[0].cells[1]
    assert (cell.text, cell.tone) == ("● stalled", "lost")


def test_gain_is_on_test_images_where_they_were_scored():
    for trained, gained in (
        ([level(0, 0.90, 0.88), level(1, 0.99, 0.89)], pytest.approx(0.01)),
        ([level(0, 0.90), level(1, 0.99)], pytest.approx(0.09)),
        ([level(0, 0.90, 0.88)], None),
    ):
        assert gain([run(0, trained)], {Repetition(): trained[0]}) == gained


def test_gain_of_a_method_without_dense_level_is_over_the_familys_dense_runs():
    levels = [level(0, 0.9, 0.89, density=0.1)]
    sparse = run(1, levels, group="sparse", winner=0)
    dense = [
        run(seed, [level(0, 0.9, 0.8 + 0.04 * seed)], group="dense", run_id=f"d{seed}")
        for seed in (0, 1)
    ]
    rows = texts([sparse, *dense])
    assert next(row for row in rows if row[3] == "10%")[6] == "+5.0"  # over seed 1
    unpaired = texts([replace(sparse, seed=2), *dense])
    assert next(row for row in unpaired if row[3] == "10%")[6] == "+7.0"
    other = replace(sparse, family="another")
    assert texts([other, *dense])[0][6] == "–"


def test_gains_are_those_of_the_comparison():
    runs = [
        run(0, [level(0, 0.9, 0.70)], group="d", run_id="d", sparsifier="dense"),
        *(run(s, [level(0, 0.9, 0.72), level(1, 0.9, 0.8)], run_id=f"i{s}") for s in (0, 1)),
        run(1, [level(0, 0.9, 0.83, density=0.1)], group="r", run_id="r", winner=0),
    ]
    runs = [replace(one, final=True) for one in runs]
    compared = compare(runs[3:], {"r": "r"}, others=runs)
    assert compared.rows[0].gains["dense"].spread.mean == pytest.approx(0.13)
    assert "not named: d" in compared.notes[-1]
    shown = board({one.run_id: one for one in runs}, {}, {}).groups
    cells = {group.id: summary(Field.parse("gain"), group).text for group in shown}
    assert cells == {"d": "–", "g": "+10.0", "r": "+13.0"}
    for row in compare(runs, {"d": "d", "g": "g", "r": "r"}).rows:
        gained = row.gains["dense"]
        assert cells[row.label] == (f"{100 * gained.spread.mean:+.1f}" if gained else "–")


def test_what_was_kept_is_said_of_the_level_whose_accuracy_is_shown():
    levels = [level(0, 0.9, density=0.4), level(1, 0.8, density=0.2)]
    (row,) = texts([run(0, levels, winner=0)])
    assert row[3:5] == ["40%", "90.0 @0"]
    head, *_ = texts([run(0, levels, winner=0), run(1, levels, winner=1)])
    assert head[3] == "30%"
    (row,) = texts([run(0, [level(0, None, ended=False), level(1, None, ended=False)])])
    assert row[3] == "80%"


def test_loss_against_dense_is_shown_with_a_true_minus():
    assert texts([run(0, [level(0, 0.9, 0.88), level(1, 0.94, 0.85)])])[0][6] == "−3.0"


def test_the_tenth_seed_comes_behind_the_second():
    seeds = (10, 2, 1)
    names = [row[0] for row in texts([run(seed, created=100.0 - seed) for seed in seeds])]
    assert names == ["digits  n=3", "s1", "s2", "s10"]


def test_what_is_nested_under_several_stands_under_the_nearest():
    top = run(group="top", name="top", run_id="t", stored="t", created=4.0)
    chain = [
        run(group=one, name=one, run_id=one, stored=one, parent=parent, created=created)
        for one, parent, created in (("a", "t", 3.0), ("b", "t", 2.0), ("below b", "b", 9.0))
    ]
    names = [row[0] for row in texts([top, *chain])]
    assert names == ["top", "a", "b", "below b"]
    circle = [replace(top, parent="below b"), *chain]
    assert sorted(row[0] for row in texts(circle)) == ["a", "b", "below b", "top"]


def test_groups_are_newest_first_and_members_by_seed():
    runs = [
        run(1, group="old", created=1.0, run_id="b"),
        run(0, group="old", created=2.0, run_id="a"),
        run(0, group="new", created=3.0, run_id="c"),
    ]
    made = board({one.run_id: one for one in runs}, {"new": "named"}, {})
    assert [group.label for group in made.groups] == ["named", "digits"]
    assert [one.run_id for one in made.members("group:old")] == ["a", "b"]
    assert [one.run_id for one in made.members("a")] == ["a"]
    assert made.members("nothing") == () and made.members(None) == ()


def test_filter_keeps_groups_of_which_a_run_matches():
    runs = [run(0), run(1, status="failed"), run(0, group="h", run_id="other", model="vgg16")]
    assert len(texts(runs)) == 4
    assert [row[0] for row in texts(runs, filter="failed")] == ["digits  n=1/2 (1 shown)", "s1"]
    assert [row[0] for row in texts(runs, filter="VGG digits")] == ["digits"]
    assert texts(runs, filter="nothing like it") == []


def test_folded_groups_hide_their_runs():
    made = board({one.run_id: one for one in (run(0), run(1))}, {}, {"g": "#123456"})
    (row,) = rows_of(made, folded=frozenset({"group:g"}))
    assert (row.fold, row.cells[0].tone) == ("▸", "#123456")
    assert rows_of(made)[0].fold == "▾"


def test_nothing_wins_where_all_labels_are_random():
    won = run(0, [level(0, 0.1, 0.1), level(1, 0.12, 0.1)], final=True, beats_dense=True)
    assert of_run(won).startswith("◆ winning ticket")
    noise = replace(won, params={**won.params, "data.random_labels": "1.0"})
    assert "winning" not in of_run(noise) and of_run(noise).startswith("picked: level 1")
    some = replace(won, params={**won.params, "data.random_labels": "0.4"})
    assert of_run(some) == of_run(won)


def test_note_says_when_no_level_beats_dense():
    lost = run(0, [level(0, 0.9, 0.88), level(1, 0.85, 0.8)], final=True, beats_dense=False)
    made = board({lost.run_id: lost, "r-s1": replace(lost, run_id="r-s1", seed=1)}, {}, {})
    assert note(made.groups[0], (lost,)) == (
        "no winning ticket: level 1 at 80%, val 85.0 (dense 90.0), test 80.0 (88.0)"
    )
    assert note(made.groups[0], made.groups[0].runs) == (
        "gain −8.0, test 80.0±0.0, val 85.0±0.0; 0 of 2 winning by val"
    )


def test_only_what_beats_dense_is_called_winning():
    levels = [level(0, 0.9, 0.88), level(1, 0.95, 0.94)]
    won = run(0, levels, final=True, beats_dense=True)
    assert of_run(won) == (
        "◆ winning ticket: level 1 at 80%, val 95.0 (dense 90.0), test 94.0 (88.0)"
    )
    assert of_run(replace(won, final=False, beats_dense=None)).startswith("best so far: level 1 ")
    alone = run(0, [level(0, 0.9, 0.88, density=0.9978)], final=True)
    assert (
        of_run(alone) == "picked, no dense level of its own: level 0 at 99.8%, val 90.0, test 88.0"
    )
    assert of_run(run(0, [level(0, 0.9, 0.88)], final=True)) == "dense: val 90.0, test 88.0"
    assert of_run(run(0)) == "" and standing([run(0), won]) == "winning ticket"
    lost = replace(won, beats_dense=False, seed=1, run_id="r-s1")
    assert standing([won, lost]) == "1 of 2 are winning tickets"
    group = replace(board({"a": won, "b": lost}, {}, {}).groups[0], runs=(won, lost))
    assert of_group(group).startswith("◆ gain ") and len(of_group(group)) <= 68
    assert of_group(group).endswith(", val 95.0±0.0; 1 of 2 winning by val")
    by_test = [replace(one, split="test") for one in (won, lost)]
    assert of_group(replace(group, runs=tuple(by_test))).endswith(" winning by test")
    going = replace(lost, final=False, beats_dense=None)
    assert of_group(replace(group, runs=(won, going))).endswith("; best so far")
    unscored = replace(won, levels=tuple(replace(one, test=None) for one in levels))
    group = board({"a": unscored, "b": replace(unscored, seed=1, run_id="b")}, {}, {}).groups[0]
    assert of_group(group) == "◆ gain +5.0, val 95.0±0.0; 2 of 2 winning by val"
    assert standing([won, alone]) == "picked, no dense level of its own"


def test_what_a_group_came_to_is_said_of_its_finished_runs_once_there_are_any():
    won = run(0, [level(0, 0.9, 0.88), level(1, 0.94, 0.92)], final=True, beats_dense=True)
    lost = run(1, [level(0, 0.98, 0.95), level(1, 0.96, 0.93)], final=True, beats_dense=False)
    going = run(2, [level(0, 0.5, 0.4)], status="running")
    assert standing([won, lost, going]) == "1 of 2 are winning tickets"
    (group,) = board({one.run_id: one for one in (won, lost, going)}, {}, {}).groups
    # gains are 92 - 88 = 4 and 93 - 95 = -2
    assert note(group, group.runs) == (
        "◆ gain +1.0, test 92.5±0.7, val 95.0±1.4; 1 of 2 winning by val"
    )
    one = replace(group, runs=(won, going, replace(going, seed=3)))
    assert of_group(one) == "◆ gain +4.0, test 92.0, val 94.0; winning ticket (1) by val"
    alone = [replace(one, beats_dense=None) for one in (won, lost)]
    assert of_group(replace(group, runs=(*alone, going))).endswith("val 95.0±1.4; picked (2)")
    cut = run(3, [level(0, 0.6, 0.5)], status="stopped")
    (group,) = board({one.run_id: one for one in (going, cut)}, {}, {}).groups
    assert of_group(group).startswith("test 45.0±7.1, val 55.0±7.1; ")  # root of 50


def test_the_curve_marks_the_picks_that_its_verdict_counts():
    won = run(0, [level(0, 0.9), level(1, 0.94)], final=True, beats_dense=True)
    going = run(1, [level(0, 0.5), level(1, 0.6)], status="running")
    (mixed,) = (density_curve(of, "x", "#123456", {}).chart() for of in ([won, going],))
    assert mixed.series[0].marks == [(0.8, 0.94, "◆")] and mixed.marks_label == "winning ticket"
    assert list(mixed.series[0].y) == [pytest.approx(0.7), pytest.approx(0.77)]  # of both
    alone = density_curve([going], "x", "#123456", {}).chart()
    assert alone.series[0].marks == [(0.8, 0.6, "◇")] and alone.marks_label == "best so far"


def test_the_longest_note_fits_eighty_columns():
    levels = [replace(level(i, 0.9, 0.88), index=10 + i) for i in range(2)]
    worst = run(0, levels, final=True, beats_dense=False)
    alone = run(0, [level(0, 0.9, 0.88, density=0.069)], final=True)
    won = run(0, [level(0, 0.8, 0.77), level(1, 0.9, 0.88)], final=True, beats_dense=True)
    notes = [of_run(worst), of_run(alone)]
    for one in (alone, won):
        runs = [replace(one, run_id=f"r{seed}", seed=seed) for seed in range(3)]
        runs[2] = replace(runs[2], status="running", final=False, beats_dense=None)
        for some in (runs[:2], runs):
            (group,) = board({each.run_id: each for each in some}, {}, {}).groups
            notes.append(note(group, group.runs))
    assert all(len(one) <= 78 for one in notes), notes  # the line has a blank at either side


def test_the_levels_and_the_chart_tell_winning_from_picked_ones():
    won = run(0, [level(0, 0.9), level(1, 0.95)], final=True, beats_dense=True)
    lost = run(1, [level(0, 0.9), level(1, 0.85)], final=True, beats_dense=False)
    names = [[row.cells[0].text for row in levels.rows(of)] for of in ([won], [lost], [won, lost])]
    assert names == [["0", "1 ◆"], ["0", "1 ◇"], ["0", "1 ◆ ×1 ◇ ×1"]]
    chart = density_curve([won, lost], "x", "#123456", {}).chart()
    assert chart.series[0].marks == [(0.8, 0.95, "◆"), (0.8, 0.85, "◇")]
    assert chart.marks_label == "1 of 2 are winning tickets"
    assert density_curve([lost], "x", "#123456", {}).marks_label == "no winning ticket"


def test_the_curve_over_levels_counts_those_that_were_searches():
    searched = [level(0, 0.9), replace(level(1, 0.8), search=True), level(2, 0.95)]
    panel = density_curve([run(0, searched)], "x", "#123456", {})
    (series,) = panel.chart(How(x="level")).series
    assert (list(series.x), list(series.y)) == ([0, 2], [0.9, 0.95])
    assert list(panel.chart().series[0].x) == [1.0, 0.64]


def test_note_prefers_errors():
    failed = run(1, status="failed", error="out of memory")
    made = board({"r-s0": run(0), "r-s1": failed}, {}, {})
    assert note(made.groups[0], (failed,)) == "out of memory"
    assert note(made.groups[0], made.groups[0].runs) == "s1: out of memory"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "100%"),
        (0.8, "80%"),
        (0.0687, "6.9%"),
        (0.0041, "0.41%"),
        (0.1, "10%"),
        (None, "–"),
        (0.9978, "99.8%"),
        (0.99999, "99.9%"),
    ],
)
def test_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (None, "–")]
)
def test_duration(value, text):
    assert duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.00"),
        (315.0, "315"),
        (315_460_224, "315 M"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (1.204e15, "1.20 P"),
        (5e18, "5.00 E"),
        (-2_000_000, "-2.00 M"),
    ],
)
def test_operations(value, text):
    assert operations(value) == text


def test_groups_in_which_nothing_happened_are_not_made_again():
    runs = {"r-s0": run(0), "r-s1": run(1), "x": run(0, group="h", run_id="x")}
    first = board(runs, {}, {})
    changed = {**runs, "x": replace(runs["x"], status="failed")}
    second = board(changed, {}, {}, before=first.groups)
    by_id = {group.id: group for group in first.groups}
    assert [by_id[group.id] is group for group in second.groups] == [
        group.id == "g" for group in second.groups
    ]


def control(seed, source, kind, sets=(), **changes):
    linked = Control(run=source, level=1, kind=kind, sets=sets)
    facts = {"group": kind, "run_id": f"{kind}-s{seed}", "name": kind, "controls": linked}
    return run(seed, **{**facts, "created": 100.0 + seed, **changes})


def test_controls_stand_under_the_group_that_they_control():
    sources = [run(0, [level(0, 0.9, 0.8)], created=1.0), run(1, created=2.0)]
    runs = [
        control(0, "r-s0", "null"),
        control(0, "null-s0", "of_null", created=500.0),
        control(0, "gone", "orphan", created=90.0),
        *sources,
        run(0, group="newer", run_id="n", name="newer", created=50.0),
    ]
    names = [row[0] for row in texts(runs)]
    assert names == ["orphan", "newer", "digits  n=2", "s0", "s1", "└ of_null", "└ null"]


def test_a_narrower_network_is_no_baseline_but_is_compared_with_one():
    levels = [level(0, 0.9, 0.70)]
    narrow = control(0, "r-s0", "small_dense", ("model.width",), levels=tuple(levels), winner=0)
    source = run(0, [level(0, 0.9, 0.80), level(1, 0.9, 0.85)])
    rows = {row[0]: row for row in texts([source, narrow])}
    assert narrow.dense is None
    assert rows["└ small_dense"][6] == "−10.0" and rows["digits"][6] == "+5.0"


def test_the_null_control_gains_over_its_first_training_and_wins_no_ticket():
    levels = tuple(level(i, val, val, density=1) for i, val in enumerate((0.8, 0.9, 0.9)))
    null = control(0, "r-s0", "null", levels=levels, winner=best(levels, "val"), final=True)
    group = board({"null-s0": null}, {}, {}).groups[0]
    assert null.winner == 2 and gain([null], group.dense) == pytest.approx(0.1)
    said = note(group, (null,))
    assert said == "nothing pruned, so no ticket: level 2, val 90.0 (dense 80.0), test 90.0 (80.0)"


def drawn(group):
    return density_curve(group.runs, "x", "#123456", group.dense).chart()


def test_the_dense_line_is_what_gains_are_over():
    null = [level(i, val, 0.5, density=1) for i, val in enumerate((0.7, 0.9, 0.9))]
    runs = [
        run(0, [level(0, 0.8)], group="d", run_id="d0", sparsifier="dense"),
        run(1, [level(0, 0.6)], group="d", run_id="d1", sparsifier="dense"),
        run(1, [level(0, 0.9), level(1, 0.95)], group="i", run_id="i1"),
        run(7, [level(0, 0.9, density=0.1)], group="far", run_id="f"),
        run(0, null, group="alone", run_id="n", family="other"),
        run(0, [level(0, 0.4, density=0.1)], group="r", run_id="r", family="third"),
        control(0, "i1", "small_dense", ("model.width",), levels=(level(0, 0.3),), winner=0),
    ]
    groups = {group.id: group for group in board({one.run_id: one for one in runs}, {}, {}).groups}
    lines = {id: drawn(group).baseline for id, group in groups.items()}
    assert lines["r"] is None
    assert lines == {
        "d": pytest.approx(0.7),
        "i": 0.6,  # seed by seed
        "far": pytest.approx(0.7),  # of no seed in common, of all
        "alone": 0.7,  # its first training, not its later ones
        "r": None,
        "small_dense": 0.8,
    }


def test_only_levels_whose_weights_are_there_have_a_ticket(tmp_path):
    made = FakeRun(tmp_path, "play", levels=2).start().train(3).end()
    watched = Watched(made.directory)
    watched.refresh()
    before = view(watched)
    (made.directory.level(1) / "ticket.safetensors").unlink()
    after = view(watched, before)
    path = "levels/{:02d}/ticket.safetensors".format
    tickets = [[row.cells[-1].text for row in levels.rows([one])] for one in (before, after)]
    assert tickets == [[path(0), path(1), path(2)], [path(0), "–", path(2)]]
    assert after.levels[0] is before.levels[0]


def test_searches_are_no_part_of_the_line_and_are_called_so():
    searches = [replace(level(i, 0.1, density=d), search=True) for i, d in ((0, 1), (1, 0.5))]
    found = run(0, [*searches, level(2, 0.9, density=0.3)], winner=2, final=True)
    (group,) = board({"r-s0": found}, {}, {}).groups
    chart = drawn(group)
    assert (list(chart.series[0].x), list(chart.series[0].y)) == ([0.3], [0.9])
    assert chart.baseline is None and chart.series[0].marks == [(0.3, 0.9, "◇")]
    assert [row.cells[-1].text for row in levels.rows([found])] == ["search", "search", "–"]
    going = run(0, searches, winner=1)
    assert drawn(replace(group, runs=(going,))).series[0].marks == []
