"""What the paper prints beside our runs, and what a gain is worth, in a report."""

import pytest
from reported import cells, level

from lthtui.identity import Control
from lthtui.reports.model import Absent, Details, Table
from lthtui.reports.sections import published, worth

TABLE1 = {
    "data.name": "cifar10",
    "data.fraction": "0.01",
    "augmentation.name": "rand",
    "sparsifier.name": "imp",
    "model.name": "resnet18",
    "model.convolution": "plain",
    "loss.name": "cross_entropy",
    "model.width": "8",
}
SPEC = "specs/paper/table1-cifar10-1pct-cpu.yaml"


def test_ours_stand_beside_what_is_printed_with_what_differs(made):
    runs = [made.imp(seed, 0.3, 0.4 + seed / 10, params=TABLE1) for seed in range(2)]
    cosine = made.imp(0, 0.2, 0.25, group="c", params={**TABLE1, "loss.name": "cosine"})
    going = made.imp(2, 0.9, 0.9, params=TABLE1, status="running", final=False)
    subject = made.subject(*runs, cosine, going, words=(SPEC,))
    remarks, table, missing = published.build(subject).blocks
    found = cells(table)
    assert table.header[:3] == ("", "D+Aug* % published", "ours")
    (random,) = (row for row in table.rows if row[0] == "Random init. (R18)")
    assert random[1] == "43.80" and random[2].values == (0.3, 0.3)  # engine.md, section 12
    assert random[3] == "59.66" and random[4].values == (0.4, 0.5)
    assert random[5] == "+15.86" and random[6].values == pytest.approx((0.1, 0.2))
    assert found["Cosine loss", "WT+Aug* % published"] == "64.67"
    assert "model.width 8 instead of 64" in remarks and "single seed" in remarks
    assert isinstance(missing, Details)
    assert "table1-cifar10-1pct-cpu.yaml    # t-vMF loss, Full conv." in missing.text
    others = "table1-cifar10-1pct.yaml specs/paper/table1-cifar10-1pct-simclr-cpu.yaml"
    assert missing.text.splitlines()[-1] == (
        f"lthtui report {SPEC} specs/paper/{others} -o DIR    # with their runs"
    )


def test_runs_of_no_table_are_beside_none(made):
    assert published.build(made.subject(made.imp(0, 0.5, 0.6), words=("mine.yaml",))) is None


def control(made, run, kind, test, **more):
    controls = Control(run=run.run_id, level=1, kind=kind)
    levels = (level(0, 0.5, test),) if kind == "random" else (level(0, 1.0, test),)
    name = f"{kind}-of-{run.group}"
    return made.run("dense", run.seed, *levels, group=name, controls=controls, **more)


def test_a_gain_is_split_by_controls_that_were_not_named(made):
    runs = [made.imp(0, 0.50, 0.60), made.imp(1, 0.50, 0.62)]
    known = [control(made, run, "null", 0.53 + run.seed / 100) for run in runs]
    known += [control(made, run, "random", 0.55) for run in runs]
    split, checks, *said = worth.build(made.subject(*runs, known=known)).blocks
    found = cells(split)
    assert found["imp", "ticket − dense"] == pytest.approx((0.10, 0.12))
    assert found["imp", "null − dense"] == pytest.approx((0.03, 0.04))
    assert found["imp", "ticket − null"] == pytest.approx((0.07, 0.08))
    assert found["imp", "budget − dense"] == ()
    (row,) = checks.rows
    assert row[2].values == pytest.approx((0.05, 0.07))
    # 12.706 standard errors of 0.01 around 0.06; t = 6 with one degree of freedom
    assert (row[3], row[-1]) == ("−6.71 to +18.71", "not known")
    assert row[4].values == pytest.approx((0.1051,), abs=1e-4)
    assert "below 1 point." in checks.caption
    assert isinstance(said[-1], Details) and "budget" in said[-1].text
    assert all(isinstance(one, str) and one.startswith("imp: ") for one in said[:-1])


def test_without_controls_it_says_what_makes_them(made):
    absent = worth.build(made.subject(made.imp(0, 0.5, 0.6)))
    assert isinstance(absent, Absent) and "--kind split,sanity" in absent.commands[0]
    assert worth.build(made.subject(made.run("dense", 0, level(0, 1.0, 0.5)))) is None


def test_a_split_without_any_check_has_no_table_of_checks(made):
    run = made.imp(0, 0.5, 0.6)
    blocks = worth.build(made.subject(run, known=[control(made, run, "null", 0.5)])).blocks
    assert [one.name for one in blocks if isinstance(one, Table)] == ["gain-split"]
