"""What it takes to repeat a report's runs: those of controls too, and what was asked of them."""

from reported import level

from engine import outstanding
from engine.rundir import RunDirectory
from lthtui.evaluations import wanted
from lthtui.identity import Control
from lthtui.reports.model import Figure
from lthtui.reports.sections import reproduction


def test_controls_that_were_not_named_and_evaluations_can_be_made_again(made, monkeypatch):
    monkeypatch.setattr(reproduction, "_digest", lambda run: f"digest of {run.run_id}")
    run = made.imp(0, 0.5, 0.6)
    controls = Control(run=run.run_id, level=1, kind="null")
    null = made.run("dense", 0, level(0, 1.0, 0.5), group="null", controls=controls)
    asked = wanted("fgsm,calibration", ("fgsm.epsilon=[4,8]",), "best")
    outstanding.ask(RunDirectory(made.folder / run.run_id), asked)
    for settings in asked[:1]:
        made.evaluated(run, 1, settings.label, {"accuracy at 4": 0.1})
    for one in (run, null):
        (made.folder / one.run_id / "spec.yaml").write_text(f"name: {one.run_id}")
    _, table, commands, _, *specs = reproduction.build(made.subject(run, known=[null])).blocks
    assert [row[0] for row in table.rows] == [run.run_id, null.run_id]
    assert commands.text.splitlines()[1:] == [
        "lthtui control imp --kind null",
        "lthtui evaluate imp --with fgsm --level best 'fgsm.epsilon=[4.0, 8.0]'",
    ]
    assert [one.text for one in specs] == [f"name: {run.run_id}", f"name: {null.run_id}"]


def test_runs_whose_specs_are_gone_are_listed_nevertheless(made):
    _, table, _, _ = reproduction.build(made.subject(made.imp(0, 0.5))).blocks
    assert table.rows[0][:3] == ("imp-s0", "imp", "–")


def test_a_figure_says_what_its_bands_are():
    figure = Figure("a", "A line.", lambda canvas: None, spread=True)
    assert (
        figure.said("std")
        == "A line. Bars and bands, of several runs: mean ± sample standard deviation."
    )
    assert Figure("a", "A map.", lambda canvas: None).said("ci") == "A map."
