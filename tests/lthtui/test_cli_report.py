"""The command `lthtui report` on run folders: what it writes, and what it refuses."""

import html
from pathlib import Path

import pytest
from rundirs import FakeRun

from engine.rundir import RunDirectory
from lthtui import identity
from lthtui.commands import report
from lthtui.runview import RunView


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two finished seeds, and one that was stopped."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mlruns"
    monkeypatch.setenv("LTHTUI_ROOT", str(root))
    for seed in range(2):
        FakeRun(root, "both", seed, dense=0.9 + seed / 50).start().train(6).end()
    FakeRun(root, "both", 2).start().train(1)
    return root


def test_a_report_has_tables_figures_and_a_page_with_what_repeats_it(root, command):
    code, out, said = command("report", "both", "-o", "out/r")
    assert code == 0 and out.strip() == "out/r/index.html"
    assert "s2 is left out: it is stopped" in said
    page = Path("out/r/index.html").read_text()
    assert "lthtui report both -o out/r" in page
    for run in root.glob("runs/*"):
        assert run.name in page
    run = RunDirectory(next(root.glob("runs/*-s0")))
    assert identity.read(run).digest[:12] in page
    assert html.escape(run.spec_file.read_text()) in page
    group = identity.read(run).group[
        :6
    ]  # by which other commands name it, as spec files they don't
    assert f"lthtui evaluate {group} --with corruptions" in page  # what there is not
    tables = {path.name for path in Path("out/r/tables").iterdir()}
    assert {"accuracy.md", "accuracy.tex", "accuracy.csv", "cost.csv", "runs.csv"} <= tables
    pictures = {path.name for path in Path("out/r/figures").iterdir()}
    assert {"accuracy-density.svg", "accuracy-density.pdf", "accuracy-density.png"} <= pictures


def test_of_runs_that_only_a_store_knows_nothing_is_asked(root, command, monkeypatch):
    plain = RunView("r", "base", "e", "abcdefgh", "f", 0, "", "", "", "finished", stored="r")
    monkeypatch.setattr(report, "known_runs", lambda *_: ([plain], ""))
    code, _, said = command("report", "r", "-o", "r", "--tracking-uri", "sqlite:///m.db")
    page = Path("r/index.html").read_text()
    assert code == 0 and "1 run is left out: no folder is here" in said
    assert "lthtui report r --tracking-uri sqlite:///m.db -o r" in page
    assert "base abcdef" in page and "lthtui evaluate" not in page


def test_what_is_wrong_is_said_before_anything_is_read_or_written(root, command):
    Path("thesis").mkdir()
    Path("thesis/main.tex").write_text("x")
    for arguments, why in (
        (("both", "-o", "thesis"), "thesis has files that are no report's"),
        (("both", "-o", "r", "--spread", "sem"), "--spread sem: give std or ci"),
        (("nobody", "-o", "r"), "nobody"),
    ):
        code, out, said = command("report", *arguments)
        assert code == 2 and out == "" and why in said
    assert not Path("r").exists() and [one.name for one in Path("thesis").iterdir()] == ["main.tex"]
