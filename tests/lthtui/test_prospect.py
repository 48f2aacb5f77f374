"""What the text of a spec would do: problems, plan, cost by past runs, and what is done of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rundirs import FakeRun

from lthtui import cloning, forecast, planning, specfiles, yamlfile
from lthtui.launch import devices
from lthtui.lookout import Lookout
from lthtui.prospect import prospect

SPEC = """\
data: {name: digits, validation: 300}
model: resnet20
sparsifier: {name: imp, levels: 5}
train: {epochs: 4}
seeds: [0, 1]
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "gpus", lambda: ())
    return tmp_path / "mlruns"


@pytest.fixture
def look(root):
    def ask(text, past=(), disk=None):
        return prospect(root, "specs/x.yaml", text, disk, past)

    return ask


def said(found):
    return "\n".join(line.text for line in found.lines)


def past(root):
    lookout = Lookout(root)
    runs = list(lookout.look().runs.values())
    lookout.close()
    return runs


def test_it_says_what_each_group_would_do(look):
    found = look(SPEC + "vary: {sparsifier.rate: [0.1, 0.5]}\n")
    assert found.runs == 4 and found.problems == ()
    assert found.brief[0] == "4 runs: 2 variants × 2 seeds"
    text = said(found)
    assert "sparsifier.rate 0.1" in text and "sparsifier.rate 0.5" in text
    assert "6 levels, 100% to 59% of the weights" in text
    assert "700 training, 300 validation, 797 test images" in text
    assert "level  5  0.5905  " in text and "seeds 0, 1" in text


@pytest.mark.parametrize(
    ("sparsifier", "words"),
    [
        ("dense", "1 level with 100% of the weights"),
        ("continuous", "4 levels, as sparse as training makes them"),
        ("{name: continuous, density: 0.05}", "4 levels, the last with 5% of the weights"),
    ],
)
def test_it_says_no_more_of_the_density_than_is_known(look, sparsifier, words):
    assert words in said(look(SPEC.replace("{name: imp, levels: 5}", sparsifier)))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (SPEC.replace("resnet20", "resnet2O"), 2, "did you mean resnet"),
        (SPEC + "sedes: 3\n", 6, "did you mean seeds?"),
        ("a: [1\n", 1, "never closed"),
        ("", 1, "the file is empty"),
    ],
)
def test_problems_are_those_of_check_with_their_places(look, root, text, line, words):
    found = look(text)
    assert found.runs == 0 and found.problems[0].mark.line == line
    assert words in found.problems[0].message
    file = root.parent / "specs" / "x.yaml"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(yamlfile.FileError) as caught:
        specfiles.expand("specs/x.yaml")
    assert caught.value.problems == list(found.problems)


def test_the_form_is_there_while_there_are_problems(look):
    assert look(SPEC + "sedes: 3\n").knobs and look("a: [1\n").knobs is None


def test_a_search_is_planned_and_not_queued(look):
    found = look(SPEC + "search: {over: {sparsifier.rate: [0.1, 0.4]}, trials: 3}\n")
    assert found.runs == 0 and "`lthtui search` runs it" in said(found)


def test_gpus_that_are_not_here_are_a_problem(look):
    found = look(SPEC + "launch: {devices: ['7']}\n")
    assert "no GPU '7' here" in found.problems[0].message


def test_what_is_done_already_is_told_apart(look, root):
    FakeRun(root, "x", 0, train={"epochs": 4}).start().train(6).end()
    found = look(SPEC)
    assert "1 new, 1 finished already" in found.brief


def test_time_is_foretold_from_past_runs_with_the_same_model_and_data(look, root):
    for seed in (5, 6):
        FakeRun(root, "old", seed, levels=3).start(alive=True).train(4).end()
    FakeRun(root, "wide", 0, model={"name": "resnet20", "width": 64}).start(alive=True).train(6)
    runs = past(root)
    found = look(SPEC, runs)
    train = specfiles.expand_document(yamlfile.parse(SPEC, "x"), "x").runs[0]
    # each level of the past runs took 3 s for its 4 epochs; later levels here train 2 epochs
    each = train.plan.epochs / 4 * 3
    assert (
        f"≈ {planning.duration(each)} a run, {planning.duration(2 * each)} one after another"
        in (found.brief[1])
    )
    assert "(from 2 past runs on cpu)" in found.brief[1]
    elsewhere = [replace(run, device="GPU-1") for run in runs]
    assert "no past run here has this model and data" in look(SPEC, elsewhere).brief[1]


def test_with_other_numbers_of_images_their_own_count_is_used(root):
    FakeRun(root, "old", 5).start(alive=True).train(6).end()
    (run,) = past(root)
    (group,) = planning.groups(
        specfiles.expand_document(
            yamlfile.parse(SPEC.replace("validation: 300", "validation: 500"), "x"), "x"
        ).runs
    )
    found = forecast.forecast(group, [run], frozenset({"cpu"}))
    images = group.first.plan.epochs * group.first.images.train
    assert found.seconds == pytest.approx(images / 312.0)
    ticket = max(file.stat().st_size for file in (root / "runs").glob("*/levels/*/ticket*"))
    assert found.disk_bytes == 3 * ticket  # keep: best, last and dense


@pytest.mark.parametrize(
    "differs",
    [
        {"train": {"epochs": 4, **one}}
        for one in (
            {"batch_size": 50},
            {"precision": "fp32"},
            {"sam": 0.05},
            {"ema": 0.99},
            {"advprop": {"steps": 1}},
        )
    ]
    + [
        {"loss": "cosine"},
        {"augmentation": "none"},
        {"model": "resnet32"},
        {"data": {"name": "digits", "validation": 300, "root": "elsewhere"}},
    ],
    ids=lambda one: str(*one),
)
def test_runs_that_take_another_time_for_an_image_foretell_nothing(root, differs):
    FakeRun(root, "other", 5, **differs).start(alive=True).train(6).end()
    (run,) = past(root)
    (group,) = planning.groups(specfiles.expand_document(yamlfile.parse(SPEC, "x"), "x").runs)
    found = forecast.forecast(group, [run], frozenset({"cpu"}))
    assert (found is None) == ("data" not in differs)


def test_changes_since_it_was_cloned_are_shown(look, root):
    run = FakeRun(root, "old", 3)
    text = cloning.clone([run.directory])
    assert f"as {run.run_id}" in said(look(text))
    found = said(look(text.replace("levels: 5", "levels: 2\n  rate: 0.5")))
    assert f"changed from {run.run_id}" in found
    assert [line.split() for line in found.splitlines() if "→" in line] == [
        ["sparsifier.levels", "5", "→", "2"],
        ["sparsifier.rate", "–", "→", "0.5"],
    ]


def test_the_command_counts_from_what_is_saved(look):
    assert look(SPEC, disk=SPEC).command == "lthtui run specs/x.yaml"
    changed = look(SPEC.replace("[0, 1]", "[2]"), disk=SPEC)
    assert changed.command == "lthtui run specs/x.yaml seeds=2" and not changed.saved
    assert look(SPEC).saved
