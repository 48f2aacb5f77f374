from dataclasses import replace

import pytest

from lthtui import report
from lthtui.runview import LevelView, RunView


def level(index, density, val, test):
    return LevelView(
        index=index,
        density=density,
        kept=round(1000 * density),
        total=1000,
        planned=2,
        epochs=2,
        ended=True,
        val=val,
        test=test,
        seconds=1.0 + index,
        ticket=f"levels/{index:02d}/ticket.safetensors",
    )


def run(seed, *scores, winner=1, beats=True, group="g", name="spec", **more):
    levels = tuple(level(i, 0.5**i, val, test) for i, (val, test) in enumerate(scores))
    facts = dict.fromkeys(("experiment", "family", "sparsifier", "dataset", "model"), "x")
    fields = {
        "run_id": f"20260101-{name}-{group}-s{seed}",
        "name": name,
        "group": group,
        "seed": seed,
        "status": "finished",
        "levels": levels,
        "winner": winner,
        "final": winner is not None,
        "beats_dense": beats,
        "directory": f"/x/s{seed}",
        **facts,
        **more,
    }
    return RunView(**fields)


ONE = run(0, (0.9, 0.8), (0.95, 0.85), (0.7, 0.6))


def table(*runs, **labels):
    return [*report.tables(report.grouped(runs, labels))]


def test_one_run_is_a_table_with_its_winning_ticket_marked():
    assert table(ONE) == [
        "spec",
        "level  kept     weights  val %  test %  seconds",
        "0      100.00%  1,000    90.00  80.00   1.0",
        "1      50.00%   500      95.00  85.00   2.0      ◆ winning",
        "2      25.00%   250      70.00  60.00   3.0",
        "winning ticket (on validation images)",
        "  ticket  val 95.00 %, test 85.00 %, level 1, 50.00 % kept",
        "  dense   val 90.00 %, test 80.00 %",
    ]


def test_costs_are_shown_where_they_are_known():
    first, second, third = ONE.levels
    costs = [replace(first, inference_flops=3e6, training_flops=1.5e12), second, third]
    assert table(replace(ONE, levels=tuple(costs)))[1:4] == [
        "level  kept     weights  val %  test %  seconds  FLOPs/image  train FLOPs",
        "0      100.00%  1,000    90.00  80.00   1.0      3.00 M       1.50 T",
        "1      50.00%   500      95.00  85.00   2.0      –            –            ◆ winning",
    ]


def test_seeds_are_shown_as_mean_and_deviation_with_each_ones_winner():
    second = run(1, (0.8, 0.7), (0.81, 0.75), (0.9, 0.8), winner=2)
    assert table(ONE, second) == [
        "spec, mean ± deviation over 2 seeds",
        "level  kept     weights  val %          test %         seconds",
        "0      100.00%  1,000    85.00 ± 7.07   75.00 ± 7.07   1.0 ± 0.0",
        "1      50.00%   500      88.00 ± 9.90   80.00 ± 7.07   2.0 ± 0.0  ◆ winning s0",
        "2      25.00%   250      80.00 ± 14.14  70.00 ± 14.14  3.0 ± 0.0  ◆ winning s1",
        "2 of 2 are winning tickets (on validation images)",
        "  ticket  val 92.50 ± 3.54 %, test 82.50 ± 3.54 %, level 1, 2, 37.50 ± 17.68 % kept",
        "  dense   val 85.00 ± 7.07 %, test 75.00 ± 7.07 %",
        "  gain    val +7.50 ± 3.54 %, test +7.50 ± 3.54 %, seed by seed",
    ]


def test_a_ticket_that_does_not_beat_dense_is_never_called_winning():
    lost = run(0, (0.9, 0.8), (0.9, 0.9), beats=False)
    lines = table(lost)
    assert lines[3].endswith("picked")
    assert lines[4] == "no winning ticket (on validation images)"
    assert lines[5].startswith("  ticket  val 90.00 %")
    assert not any(report.MARK in line for line in lines)
    chart = report.curves(report.grouped([lost], {}))
    assert chart.series[0].marks == []


def test_seeds_that_do_not_win_count_in_the_mean():
    lines = table(ONE, run(1, (0.9, 0.8), (0.7, 0.6), beats=False))
    assert lines[-4].startswith("1 of 2 are winning tickets")
    # tickets 85 and 60 on test, dense 80 and 80
    assert lines[-3].startswith("  ticket  val 82.50 ± 17.68 %, test 72.50 ± 17.68 %")
    assert lines[-1].endswith("test -7.50 ± 17.68 %, seed by seed")
    assert lines[3].endswith("◆ winning s0")


def test_without_a_dense_level_nothing_is_claimed():
    sparse = run(0, (0.9, 0.8), winner=0, beats=None)
    sparse = replace(sparse, levels=(replace(sparse.levels[0], kept=500, density=0.5),))
    assert table(sparse)[2:] == [
        "0      50.00%  500      90.00  80.00   1.0      picked",
        "picked, no dense level of its own (on validation images)",
        "  ticket  val 90.00 %, test 80.00 %, level 0, 50.00 % kept",
    ]


def test_a_dense_run_has_no_ticket():
    runs = [run(seed, (0.9, 0.8), winner=0, beats=None) for seed in (0, 1)]
    lines = table(*runs)
    assert lines[-1] == "dense, 2 seeds: val 90.00 ± 0.00 %, test 80.00 ± 0.00 %"
    assert lines[2].endswith("0.0")


def test_a_selection_on_test_images_says_so():
    lines = table(run(0, (0.9, 0.8), (0.9, 0.7), beats=False, split="test"))
    assert lines[4].endswith("(on test images)")
    assert report.curves(report.grouped([ONE], {})).y_label == "validation accuracy"
    chart = report.curves(report.grouped([replace(ONE, split="test")], {}))
    assert chart.y_label == "test accuracy" and list(chart.series[0].y) == [0.8, 0.85, 0.6]


def test_an_unfinished_run_shows_its_levels_and_no_verdict():
    lines = table(run(0, (0.9, 0.8), (0.95, None), winner=None, beats=None))
    assert lines[2:] == [
        "0      100.00%  1,000    90.00  80.00   1.0",
        "1      50.00%   500      95.00  –       2.0",
    ]


def test_a_run_without_a_level_has_no_table_and_no_curve():
    empty = run(0, winner=None)
    assert table(empty) == []
    assert report.curves(report.grouped([empty], {})) is None


def test_many_groups_have_a_line_each():
    runs = [replace(ONE, group=g, run_id=g) for g in "dcba"]
    lines = table(*runs, d="rate=0.1", c="rate=0.2")
    assert lines[0].split() == "n level kept val % test % dense val % dense test %".split()
    assert [line.split()[0] for line in lines[1:]] == ["rate=0.1", "rate=0.2", "spec", "spec"]
    assert lines[1].split()[1:] == ["1", "1", "50.00%", "95.00", "85.00", "90.00", "80.00"]
    assert len(report.curves(report.grouped(runs, {})).series) == 4


def test_the_deviation_of_what_was_kept_is_shown_where_seeds_differ():
    runs = [replace(ONE, group=g, run_id=g) for g in "dcba"]
    runs += [run(1, (0.9, 0.8), (0.7, 0.6), (0.95, 0.9), winner=2, group="d", run_id="d1")]
    lines = table(*runs, d="imp")
    assert "  1 2    37.50 ± 17.68%  " in lines[1] and "  50.00%  " in lines[2]


def test_tickets_are_listed_with_where_they_are(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    near = replace(ONE, directory=str(tmp_path / "mlruns" / "runs" / "r"), run_id="near")
    unkept = run(5, (0.9, 0.8), (0.95, 0.9))
    unkept = replace(unkept, levels=tuple(replace(one, ticket=None) for one in unkept.levels))
    names = {"near": "n", ONE.run_id: "f", unkept.run_id: "u"}
    groups = report.grouped([near, ONE, unkept], {})
    assert [*report.tickets(groups, names)] == [
        "ticket  f  /x/s0/levels/01/ticket.safetensors",
        "ticket  n  mlruns/runs/r/levels/01/ticket.safetensors",
    ]


def test_a_long_list_of_tickets_is_cut():
    runs = [run(seed, (0.9, 0.8), (0.95, 0.85)) for seed in range(20)]
    names = {one.run_id: "n" for one in runs}
    lines = [*report.tickets(report.grouped(runs, {}), names)]
    assert len(lines) == report.LISTED + 1 and "12 more" in lines[-1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], "–"), ([None], "–"), ([0.5], "50.00"), ([0.4, None, 0.6], "50.00 ± 14.14")],
)
def test_a_mean_has_a_deviation_from_two_values_on(values, expected):
    assert report.spread(values) == expected


def test_nothing_that_was_not_pruned_is_called_a_ticket():
    levels = tuple(level(i, 1, *scores) for i, scores in enumerate(((0.8, 0.7), (0.9, 0.75))))
    null = run(0, winner=1, beats=None)
    lines = table(replace(null, levels=levels))
    assert not [line for line in lines if "winning" in line]
    assert lines[3].endswith("picked")
    assert lines[4:] == [
        "nothing pruned, so no ticket",
        "  picked  val 90.00 %, test 75.00 %, the only retraining",
        "  dense   val 80.00 %, test 70.00 %",
        "  gain    val +10.00 %, test +5.00 %, without any pruning",
    ]


def test_searches_are_called_so_and_no_part_of_the_line():
    early = [replace(one, search=True) for one in ONE.levels[:2]]
    found = replace(ONE, levels=(*early, ONE.levels[2]), winner=2, beats_dense=None)
    assert [line.split()[-1] for line in table(found)[2:5]] == ["search", "search", "picked"]
    later = replace(found, levels=(early[0], *ONE.levels[1:]), seed=1, run_id="later")
    assert table(found, later)[3].endswith("  search s0")
    chart = report.curves(report.grouped([found, later], {}))
    assert list(chart.series[0].x) == [0.5, 0.25] and chart.baseline is None
    assert report.curves(report.grouped([found], {})) is None


def test_the_curves_of_one_family_have_its_dense_line():
    runs = [replace(ONE, group=g, run_id=g) for g in "ab"]
    assert report.curves(report.grouped(runs, {})).baseline == 0.9
    other = replace(runs[1], family="other")
    assert report.curves(report.grouped([runs[0], other], {})).baseline is None


@pytest.mark.parametrize(
    ("picks", "said"), [("best", "the best"), ("last", "the last"), ("2", "level 2")]
)
def test_what_was_picked_without_pruning_is_called_what_select_asked_for(picks, said):
    levels = tuple(level(i, 1, val, 0.7) for i, val in enumerate((0.8, 0.9, 0.85)))
    null = replace(run(0, winner=2, beats=None, picks=picks), levels=levels)
    assert f"  picked  val 85.00 %, test 70.00 %, {said} of 2 retrainings" in table(null)


def test_what_is_its_own_dense_level_gains_nothing_over_it():
    levels = (level(0, 0.5, 0.1, 0.1), level(1, 1, 0.9, 0.8))
    found = run(0, winner=1, beats=None)
    found = replace(found, levels=(replace(levels[0], search=True), levels[1]))
    assert table(found)[4:] == [
        "nothing pruned, so no ticket",
        "  picked  val 90.00 %, test 80.00 %, the only retraining",
    ]
