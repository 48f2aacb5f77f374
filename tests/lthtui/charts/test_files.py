"""Charts in files: their numbers, and how they looked last."""

from __future__ import annotations

import csv
from dataclasses import asdict

import numpy as np
import pytest

from engine.errors import UsageError
from lthtui import state
from lthtui.charts import How, Line, Panel, Series, Trace, View
from lthtui.charts.files import FORMS, name, write
from lthtui.charts.habits import SECTION, recall
from lthtui.charts.model import Chart


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def seeds():
    traces = [Trace([1.0, 2.0, np.nan], {"epoch": [1, 2, 3]}), Trace([3.0, 2.5], {"epoch": [1, 2]})]
    return Panel("level 3", [Line("imp", traces)], xs=("epoch",), y_label="loss").chart()


def test_the_numbers_are_all_there(tmp_path):
    file = tmp_path / "a.csv"
    assert write(seeds(), View(x=(1.0, 1.5)), file) == f"wrote {file}"
    rows = [*csv.DictReader(file.read_text().splitlines())]
    assert [*rows[0]] == ["line", "behind", "epoch", "loss", "low", "high", "n"]
    mean = [row for row in rows if not row["behind"]]
    assert [row["epoch"] for row in mean] == ["1.0", "2.0", "3.0"]
    assert [float(row["loss"]) for row in mean[:2]] == [2, 2.25] and mean[2]["loss"] == "nan"
    assert float(mean[0]["low"]) == pytest.approx(2 - 2**0.5) and mean[2]["low"] == ""
    assert [row["n"] for row in mean] == ["2", "2", "0"]
    (lost,) = [row for row in rows if row["behind"]]
    assert (lost["epoch"], lost["loss"]) == ("3.0", "nan")


def test_every_ending_is_written_and_nothing_is_lost(tmp_path):
    for ending in " ".join(FORMS).split():
        file = tmp_path / f"a{ending}"
        write(seeds(), View(), file)
        before = file.read_bytes()
        assert len(before) > 50
        with pytest.raises(UsageError, match="exists already"):
            write(Chart(), View(), file)
        assert file.read_bytes() == before
        write(Chart(), View(), file, overwrite=True)
        assert file.read_bytes() != before
    assert len([*tmp_path.iterdir()]) == 4  # and nothing beside them


def test_a_picture_is_named_after_what_it_shows():
    assert name(seeds()) == "imp-level-3-loss.png"
    assert name(Chart()) == "chart.png"
    assert name(Chart("../../x", [Series("a/b\x1b[0m", [0], [0])])) == "a-b-0m-..-..-x.png"


def test_looks_are_remembered_by_kind():
    how = How("relative", 20, "ci", True, {"loss": "symlog"})
    state.put(SECTION, "training", asdict(how))
    assert recall("training") == how and recall("accuracy") == How()


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        {"x": "moon", "half_life": -1, "band": ["ci"], "traces": 1, "scales": {"loss": "odd"}},
        {"x": None, "half_life": 1e9, "band": None, "scales": [], "more": 1},
        {"half_life": True, "scales": {"loss": None}},
    ],
)
def test_what_cannot_be_read_is_as_at_first(broken):
    state.put(SECTION, "training", broken)
    assert recall("training") == How()
