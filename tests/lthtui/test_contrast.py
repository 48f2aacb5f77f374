"""Groups side by side: which values count where, and that a group's figures are its own."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from scored import level, run, shown, unfinished

from lthtui import sides
from lthtui.contrast import Entry, at, densities
from lthtui.sides import Asked

IMP = {1.0: 0.70, 0.8: 0.74, 0.64: 0.76}


def table(*runs, others=(), baseline="", test="paired", split="test"):
    """The contrast of the groups of runs, on a board of these, or of more that are given first."""
    board = shown(*others, *runs)
    groups = [one for one in board.groups if one.id in {run.group for run in runs}]
    groups.sort(key=lambda one: [run.group for run in runs].index(one.id))
    return sides.look(groups, {}, Asked(baseline, test, split)).contrast


def line(found, name, density=None):
    [one] = [
        one
        for one in found.lines
        if one.measure.name == name
        and (one.measure.density == pytest.approx(density) if density else not one.measure.density)
    ]
    return one


def values(found, name, density=None):
    """By seed, of runs without folds."""
    entries = line(found, name, density).entries
    return [{which.seed: value for which, value in one.values.items()} for one in entries]


def test_picked_levels_gains_and_costs():
    imp = [run("imp", seed, {d: t + seed / 100 for d, t in IMP.items()}) for seed in (0, 1)]
    rigl = [run("rigl", 1, {0.2: 0.79})]
    found = table(*imp, *rigl)
    assert found.labels == ("imp", "rigl") and found.baseline == 0
    assert values(found, "test accuracy") == [{0: 0.76, 1: 0.77}, {1: 0.79}]
    gains = values(found, "gain")  # over imp's dense levels of the same seeds
    assert gains[0] == {0: pytest.approx(0.06), 1: pytest.approx(0.06)}
    assert gains[1] == {1: pytest.approx(0.08)}
    assert values(found, "training FLOPs")[0][0] == pytest.approx(600 * 2.44)
    assert values(found, "training time") == [{0: 30.0, 1: 30.0}, {1: 10.0}]
    assert [one.best for one in line(found, "training time").entries] == [False, True]
    assert [one.best for one in line(found, "weights kept").entries] == [False, False]


def test_levels_are_matched_by_the_nearest_density():
    one = run("imp", 0, {1.0: 0.1, 0.8: 0.2, 0.64: 0.3, 0.512: 0.4})
    assert [at(one, d).test for d in (0.99, 0.82, 0.7, 0.5)] == [0.1, 0.2, 0.3, 0.4]
    assert at(one, 0.4) is None
    twice = run("retrained", 0, {1.0: 0.1})
    twice = replace(
        twice, levels=(*twice.levels, level(1, 1.0, 0.6), level(2, 1.0, 0.9, search=True))
    )
    assert at(twice, 1.0).test == 0.6  # the later one, but no search
    found = table(run("imp", 0, {1.0: 0.7, 0.5: 0.8}), run("rigl", 0, {0.52: 0.6, 0.1: 0.5}))
    assert [one.measure.density for one in found.lines if one.measure.density] == [1.0, 0.5, 0.1]
    assert values(found, "test accuracy", 0.5) == [{0: 0.8}, {0: 0.6}]
    assert values(found, "test accuracy", 0.1) == [{}, {0: 0.5}]


def test_densities_are_means_over_the_seeds_of_each_level():
    runs = [run("a", 0, {1.0: 0.5, 0.20: 0.5}), run("a", 1, {1.0: 0.5, 0.22: 0.5})]
    rows = [type("Row", (), {"runs": runs})]
    assert densities(rows) == [1.0, pytest.approx(0.21)]


def test_seeds_in_common_are_tested_and_said():
    mine = [run("a", seed, {0.5: 0.7 + seed / 50}) for seed in (0, 1, 2)]
    other = [run("b", seed, {0.5: 0.72 + seed / 90}) for seed in (1, 2, 3)]
    found = table(*mine, *other)
    finding = line(found, "test accuracy").entries[1].finding
    assert finding.n == 2 and finding.p is not None
    assert "b is tested on the seeds in common: 1, 2" in found.notes
    assert "a has no run of seed 3, which others have" in found.notes
    assert not any("in common" in note for note in table(*mine, *other, test="unpaired").notes)


def test_p_values_are_corrected_for_the_groups_of_a_line():
    rng = random.Random(1)
    runs = [
        run(name, seed, {0.5: base + rng.gauss(0, 0.01)})
        for name, base in (("a", 0.7), ("b", 0.73), ("c", 0.701), ("d", 0.74))
        for seed in range(5)
    ]
    found = table(*runs, baseline="c")
    assert found.baseline == 2
    findings = [one.finding for one in line(found, "test accuracy").entries]
    assert findings[2] is None
    ranked = sorted(one.p for one in findings if one)
    assert sorted(one.holm for one in findings if one) == pytest.approx(
        [3 * ranked[0], max(3 * ranked[0], 2 * ranked[1]), max(2 * ranked[1], ranked[2])]
    )
    assert "against c, n = 5, Holm-corrected over 3 groups" in found.tested


def test_what_cannot_be_tested_does_not_count_among_the_groups_that_are():
    runs = [run(name, seed, {0.5: 0.7 + seed**2 / 50}) for name in "ab" for seed in range(3)]
    runs += [run("c", seed, {0.5: 0.8 + seed / 50}) for seed in range(3)]
    runs.append(run("d", 0, {0.5: 0.9}))
    assert "Holm" not in table(*runs[3:], baseline="c").tested  # b alone is tested
    assert "Holm-corrected over 2 groups" in table(*runs, baseline="c").tested


def test_accuracies_on_other_images_are_not_tested():
    mine = [run("a", seed, {0.5: 0.7 + seed / 50}) for seed in (0, 1, 2)]
    other = [replace(run("b", seed, {0.5: 0.8 + seed / 90}), dataset="c") for seed in (0, 1)]
    for test in ("paired", "unpaired"):
        found = table(*mine, *other, test=test)
        finding = line(found, "test accuracy").entries[1].finding
        assert finding.p is None and finding.why == "the images are of another data set"
        assert not any("in common" in note for note in found.notes)


def test_dense_is_the_baseline_unless_another_is_named():
    runs = [run("imp", 0, IMP), run("dense", 0, {1.0: 0.7}, sparsifier="dense")]
    assert table(*runs).baseline == 1
    assert table(*runs, baseline="imp").baseline == 0
    assert table(*runs, baseline="gone").baseline == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_groups_figures_do_not_depend_on_what_else_is_shown(seed):
    rng = random.Random(seed)

    def group(name):
        density = {i: rng.uniform(0.6, 0.9) ** i for i in range(rng.randint(1, 6))}
        seeds = rng.sample(range(6), rng.randint(1, 5))
        return [run(name, s, {d: rng.random() for d in density.values()}) for s in seeds]

    groups = {name: group(name) for name in "abcdef"}
    everything = [one for runs in groups.values() for one in runs]
    alone = table(*groups["a"], others=everything)
    own = {one.measure.name: one.entries[0] for one in alone.lines if not one.measure.density}
    for count in range(1, 6):
        chosen = rng.sample("bcdef", count)
        runs = [one for name in rng.sample(["a", *chosen], count + 1) for one in groups[name]]
        found = table(*runs, others=everything, baseline=chosen[0])
        index = found.groups.index("a")
        for one in found.lines:
            entry, density = one.entries[index], one.measure.density
            if density is None:
                known = own.get(one.measure.name, Entry({}))
                assert (entry.values, entry.mean) == (known.values, known.mean)
                assert entry.deviation == known.deviation
            else:
                levels = {one.repetition: at(one, density) for one in groups["a"]}
                assert entry.values == {s: level.test for s, level in levels.items() if level}


def test_a_group_without_finished_levels_has_no_figures_and_says_why():
    new = unfinished(replace(run("new", 0, {}), winner=None))
    found = table(run("a", 0, {0.5: 0.7}), new)
    assert values(found, "test accuracy") == [{0: 0.7}, {}]
    assert line(found, "test accuracy").entries[1].mean is None
    assert "new s0 is left out: it is running" in found.notes
    assert not any("densities" in note for note in found.notes)
    only = table(new)
    assert only.lines == () and only.baseline is None and only.tested == ""


def test_the_levels_of_what_still_runs_count_at_their_densities():
    runs = unfinished(run("a", 0, IMP)), run("b", 0, {0.8: 0.5})
    found = table(*runs)
    assert values(found, "test accuracy") == [{}, {0: 0.5}]
    assert values(found, "test accuracy", 0.8) == [{0: 0.74}, {0: 0.5}]
    told = [note for note in found.notes if "densities" in note]
    assert told == ["a s0 counts at the densities that it got to"]


def test_one_seed_has_neither_deviation_nor_p():
    found = table(run("a", 0, {0.5: 0.7}), run("b", 0, {0.5: 0.8}))
    a, b = line(found, "test accuracy").entries
    assert a.deviation is None and b.best and not a.best
    assert b.finding.p is None and "needs two" in b.finding.why


def test_not_a_number_is_shown_and_never_best():
    runs = [run("a", s, {0.5: math.nan if s else 0.9}) for s in (0, 1)]
    found = table(*runs, *[run("b", s, {0.5: 0.5 + s / 10}) for s in (0, 1)])
    a, b = line(found, "test accuracy").entries
    assert math.isnan(a.mean) and math.isnan(a.deviation)
    assert b.finding.p is None and b.finding.why == "a value is no number"
    assert not a.best and not b.best
    more = [run("c", s, {0.5: 0.6 + s / 9}) for s in (0, 1)]
    found = table(*runs, *[run("b", s, {0.5: 0.5}) for s in (0, 1)], *more)
    assert [one.best for one in line(found, "test accuracy").entries] == [False, False, True]


def test_equal_groups_have_no_best():
    runs = [run(name, s, {0.5: 0.7 + s / 10}) for name in "ab" for s in (0, 1)]
    found = line(table(*runs), "test accuracy")
    assert [one.best for one in found.entries] == [False, False]
    assert found.entries[1].finding.p is None


def test_accuracies_at_densities_are_of_the_images_asked_for():
    runs = run("a", 0, IMP), run("b", 0, {0.8: None})
    found = table(*runs, split="val")
    assert values(found, "val accuracy", 0.8) == [{0: pytest.approx(0.79)}, {}]


def test_gains_need_the_dense_network_of_the_same_seed():
    dense = [run("dense", 0, {1.0: 0.6}, sparsifier="dense")]
    runs = [run("rigl", s, {0.2: 0.7 + s / 10}) for s in (0, 1)]
    assert values(table(*runs, others=dense), "gain") == [{0: pytest.approx(0.1)}]
    assert not [one for one in table(*runs).lines if one.measure.name == "gain"]
    assert values(table(*runs, *dense), "gain") == [{0: pytest.approx(0.1)}, {}]


def folded(group, scores, folds=2):
    """Runs of folds and seeds, with an accuracy each; a fold trains one run after the other."""
    return [
        run(
            group,
            seed,
            {0.5: score},
            run_id=f"{group}-f{fold}-s{seed}",
            params={"data.folds": str(folds), "data.fold": str(fold)},
        )
        for fold, of in enumerate(scores)
        for seed, score in enumerate(of)
    ]


def test_folds_are_repetitions_that_are_paired_one_by_one():
    mine, other = folded("a", [[0.52, 0.64], [0.71, 0.85]]), folded("b", [[0.5, 0.6], [0.7, 0.8]])
    found = table(*reversed(mine), *other, baseline="b")
    one = line(found, "test accuracy").entries[0]
    assert [str(which) for which in one.values] == ["f0-s0", "f0-s1", "f1-s0", "f1-s1"]
    assert one.mean == pytest.approx(0.68)  # (0.52 + 0.64 + 0.71 + 0.85) / 4
    assert one.deviation == pytest.approx(math.sqrt(0.0570 / 3))
    # differences 0.02, 0.04, 0.01, 0.05: as in test_significance, with 1 / (k - 1) = 1
    assert one.finding.n == 4 and one.finding.p == pytest.approx(0.237986, abs=1e-6)
    assert found.tested == "paired t-test by repetition against b, n = 4"
    assert sum("corrected for that (Nadeau & Bengio 2003)" in note for note in found.notes) == 1
    assert "p of this test is too small" in " ".join(table(*mine, *other, test="wilcoxon").notes)


def test_the_seeds_of_one_fold_are_as_independent_as_any():
    mine, other = folded("a", [[0.52, 0.64]]), folded("b", [[0.5, 0.6]])
    found = table(*mine, *other)
    assert found.notes == () and "by seed against" in found.tested


def test_folds_that_only_one_group_has_are_named():
    mine, other = folded("a", [[0.52], [0.71]], 3), folded("b", [[0.5], [0.7], [0.9]], 3)
    notes = " ".join(table(*mine, *other, baseline="b").notes)
    assert "a has no run of repetition f2-s0, which others have" in notes
    assert "a is tested on the repetitions in common: f0-s0, f1-s0" in notes
