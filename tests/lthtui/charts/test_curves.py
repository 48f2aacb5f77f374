"""The chart of accuracy against density, and the colours of groups."""

from __future__ import annotations

import numpy as np
from drawn import accuracy_curve, labels, plot, seed

from lthtui.charts import PLAIN, Curve, Point, accuracy_chart, to_text
from lthtui.colours import PALETTE, colours


class TestAccuracyCurve:
    seeds = (seed((1.0, 0.60), (0.5, 0.70), (0.1, 0.64)), seed((1.0, 0.64), (0.5, 0.68)))

    def test_mean_and_sample_deviation_over_seeds(self):
        (series,) = accuracy_chart([Curve("imp", self.seeds)]).series
        np.testing.assert_allclose(series.y, [0.62, 0.69, 0.64])
        np.testing.assert_allclose(series.high - series.y, [0.02 * 2**0.5, 0.01 * 2**0.5, np.nan])
        assert (series.label, series.count) == ("imp", 2)
        assert "imp (n=2)" in to_text(accuracy_curve([Curve("imp", self.seeds)], 70, 13, PLAIN))

    def test_dense_line_is_only_what_is_given(self):
        assert accuracy_chart([Curve("imp", self.seeds)]).baseline is None
        assert accuracy_chart([Curve("imp", self.seeds)], dense=0.5).baseline == 0.5

    def test_winning_ticket_stands_at_its_density(self):
        rows = accuracy_curve([Curve("imp", self.seeds[:1], [Point(0.1, 0.64, 2)])], 70, 18, PLAIN)
        assert [row.rstrip()[-1] for row in plot(rows) if "◆" in row] == ["◆"]
        assert "◆ winning ticket" in to_text(rows)

    def test_ticks_run_from_dense_to_sparse(self):
        rows = accuracy_curve([Curve("imp", self.seeds)], 70, 13, PLAIN)
        assert labels(rows[-1]) == ["100%", "50%", "20%", "10%"]

    def test_no_runs_and_runs_without_levels(self):
        for curves in ([], [Curve("imp", [])], [Curve("imp", [[]])]):
            assert "no level has ended yet" in to_text(accuracy_curve(curves, 60, 10, PLAIN))


class TestColours:
    def test_a_new_group_moves_no_colour(self):
        ids = [f"group {index}" for index in range(20)]
        before = colours(ids[:5])
        assert {name: colours(ids)[name] for name in ids[:5]} == before

    def test_groups_differ_while_there_are_colours(self):
        ids = [str(index) for index in range(len(PALETTE))]
        assert set(colours(ids).values()) == set(PALETTE)

    def test_colours_are_shared_by_as_few_groups_as_can_be(self):
        given = [*colours(str(index) for index in range(2 * len(PALETTE))).values()]
        assert {given.count(colour) for colour in PALETTE} == {2}
