"""Overlaps of the masks of groups, from files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from maskfiles import write_mask
from scored import TOTAL, run

from engine.rundir import RunDirectory
from lthtui.comparison import compare
from lthtui.maskpairs import measured
from lthtui.reports import masks
from lthtui.reports.subject import Subject


@pytest.fixture
def masked(tmp_path):
    """Makes runs whose last level keeps these of 1000 weights."""

    def make(group, seed, kept, size=TOTAL):
        made = run(group, seed, {1.0: 0.5, kept.stop / TOTAL - kept.start / TOTAL: 0.6})
        made = replace(made, directory=str(tmp_path / made.run_id))
        bits = np.zeros(size, bool)
        bits[kept.start : kept.stop] = True
        write_mask(RunDirectory(made.directory).level(1), {"layer": bits})
        return made

    return make


def found(*runs):
    rows = compare(runs, {run.group: run.group for run in runs}, "winning", ()).rows
    """By seed, of runs without folds."""
    return {
        measure.name: [{which.seed: value for which, value in one.items()} for one in values]
        for measure, values in measured(rows, rows[0])
    }


def test_overlaps_are_with_the_baselines_ticket_of_the_same_seed(masked):
    runs = [masked("a", 0, range(0, 400)), masked("a", 1, range(0, 400))]
    runs += [
        masked("b", 0, range(200, 600)),
        masked("b", 1, range(0, 100)),
        masked("b", 2, range(9)),
    ]
    seen = found(*runs)
    assert seen["IoU with a"] == [{0: 1.0, 1: 1.0}, {0: 200 / 600, 1: 100 / 400}]
    assert seen["IoU by chance"][1] == {0: pytest.approx(160 / 640), 1: pytest.approx(40 / 460)}


def test_a_dense_baseline_gives_way_to_the_first_ticket(masked):
    dense = run("dense", 0, {1.0: 0.5})
    seen = found(dense, masked("a", 0, range(400)), masked("b", 0, range(200, 600)))
    assert seen["IoU with a"] == [{}, {0: 1.0}, {0: 200 / 600}]


def test_tickets_that_cannot_be_compared_do_not_count(masked):
    base = masked("a", 0, range(400))
    assert found(base, masked("b", 0, range(400), size=500)) == {}  # of another network
    gone = masked("c", 0, range(300))
    (RunDirectory(gone.directory).level(1) / "mask.safetensors").unlink()
    assert found(base, gone) == {}
    assert found(base, replace(masked("d", 0, range(400)), directory="")) == {}
    dense = replace(masked("e", 0, range(400)), winner=0)
    write_mask(RunDirectory(dense.directory).level(0), {"layer": np.ones(TOTAL, bool)})
    assert found(base, dense) == {}


def table(*runs):
    """Of a report: the cells of each line."""
    made = Subject("r", (), runs, runs, {run.group: run.group for run in runs}, {}, "std", {})
    return [row for one in masks.table(made) for row in one.rows]


def test_reports_have_overlaps_with_other_seeds_and_with_other_methods(masked):
    runs = [masked("a", seed, range(at, at + 400)) for seed, at in enumerate((0, 100, 200))]
    runs += [masked("b", 0, range(0, 100)), masked("b", 7, range(100))]
    # of a: 300/500 of two pairs, 200/600 of one; b with a: seed 0 alone
    assert [row[:4] for row in table(*runs)] == [
        ("a", "itself", "3", "51.11"),
        ("b", "itself", "1", "100.00"),
        ("b", "a", "1", "25.00"),
    ]
    assert table(*runs)[0][4] == "25.00"  # 160 / 640


def test_reports_have_no_overlaps_of_dense_networks_or_single_tickets(masked):
    dense = run("dense", 0, {1.0: 0.5})
    assert table(dense, masked("a", 0, range(400))) == []
    pair = table(dense, masked("a", 0, range(400)), masked("b", 0, range(200, 600)))
    assert pair == [("b", "a", "1", "33.33", "25.00")]
