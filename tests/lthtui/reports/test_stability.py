"""Barriers in a report: by level, by when copies part, and along the line."""

import pytest
from reported import cells

from lthtui.reports.figures import drawn
from lthtui.reports.model import Absent
from lthtui.reports.sections import stability


def test_barriers_are_told_by_level_over_seeds(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run in runs:
        metrics = {"barrier": 0.1 + run.seed / 10, "error_of_ends": 0.4}
        line = {"share": [0.0, 0.5, 1.0], "error": [0.4, 0.5 + run.seed / 10, 0.4]}
        made.evaluated(run, 1, "connectivity", metrics, connectivity=line)
    table, picture = stability.build(made.subject(*runs)).blocks
    (row,) = table.rows
    assert row[:3] == ("imp", "connectivity", "picked") and row[-1] == "2"
    assert cells(table)["imp", "barrier"] == pytest.approx((0.1, 0.2))
    assert cells(table)["imp", "old statistics"] == ()
    subject = made.subject(*runs)
    found = stability._along(subject, subject.methods[0], "connectivity")
    assert found[0.5] == pytest.approx((0.5, 0.6))
    assert "share of the picked ticket" in drawn(picture)["svg"].decode()  # where the line ends


def test_instability_by_level_and_by_when_copies_part_is_a_map(made):
    run = made.imp(0, 0.5, 0.6)
    for level in (0, 1):
        metrics = {"init/barrier": 0.3, "2ep/barrier": 0.1 - level / 20}
        line = {"share": [0.0, 1.0], "error": [0.4, 0.4]}
        documents = {"init": line, "2ep": line}
        made.evaluated(run, level, "instability after=init,2ep", metrics, instability=documents)
    table, line, map_ = stability.build(made.subject(run)).blocks
    label = "instability after=init,2ep"
    told = {(row[1].removeprefix(f"{label} "), row[2]): row[3].values for row in table.rows}
    assert told == {
        ("after init", "picked"): (0.3,),
        ("after init", "0"): (0.3,),
        ("after init", "1"): (0.3,),
        ("after 2ep", "picked"): (0.05,),
        ("after 2ep", "0"): (0.1,),
        ("after 2ep", "1"): (0.05,),
    }
    svg = drawn(map_)["svg"].decode()
    assert ">2ep<" in svg and ">init<" in svg and drawn(line)["svg"]


def test_maps_of_several_settings_have_names_of_their_own(made):
    run = made.imp(0, 0.5, 0.6)
    for label in ("instability", "instability images:100"):
        for level in (0, 1):
            made.evaluated(run, level, label, {"init/barrier": 0.3, "2ep/barrier": 0.1})
    _, *maps = stability.build(made.subject(run)).blocks
    assert [one.name for one in maps] == ["instability-map-imp", "instability-map-imp-1"]


def test_tickets_of_other_levels_are_pooled_and_levels_that_some_lack_are_not_told(made):
    runs = [made.imp(0, 0.5, 0.6), made.imp(1, 0.5, 0.6, 0.7)]
    for run in runs:
        made.evaluated(run, run.winner, "connectivity", {"barrier": run.winner / 100})
    (table,) = stability.build(made.subject(*runs)).blocks
    assert [(row[2], row[3].values) for row in table.rows] == [("picked", (0.01, 0.02))]


def test_without_any_it_says_which_command_makes_them(made):
    absent = stability.build(made.subject(made.imp(0, 0.5, 0.6)))
    assert isinstance(absent, Absent) and "connectivity,instability" in absent.commands[0]
