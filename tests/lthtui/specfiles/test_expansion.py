"""The runs of a spec file: their names, seeds, sweeps, images and plans."""

from __future__ import annotations

import itertools

import pytest
from spectexts import GOOD, spec_file

from engine.errors import UsageError
from lthtui import specpaths
from lthtui.specfiles import expand, load
from lthtui.yamlfile import FileError


def test_the_runs_of_a_file(folder):
    spec_file(folder, GOOD + "seeds: [3, 1]\nvary: {sparsifier.rate: [0.1, 0.5]}\n", "two words")
    runs = load("specs/two words.yaml")
    assert [(r.seed, r.sparsifier.rate) for r in runs] == [(3, 0.1), (1, 0.1), (3, 0.5), (1, 0.5)]
    assert {(r.name, r.experiment) for r in runs} == {("two-words", "two-words")}
    assert len({r.digest for r in runs}) == 4 and len({r.group for r in runs}) == 2


def test_name_and_experiment_are_the_files_unless_given(folder):
    [run] = load(spec_file(folder, GOOD + "name: a\n", "isic"))
    assert (run.name, run.experiment) == ("a", "isic")
    [run] = load(spec_file(folder, GOOD + "experiment: b\n", "isic"))
    assert (run.name, run.experiment) == ("isic", "b")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("seeds: 7", [7]), ("seed: 7", [7]), ("seeds: 0..2", [0, 1, 2]), ("", [0])],
)
def test_seeds_in_a_file(folder, text, seeds):
    assert [run.seed for run in load(spec_file(folder, GOOD + text + "\n"))] == seeds


@pytest.mark.parametrize(
    ("change", "seeds"),
    [("seeds=0..2", [0, 1, 2]), ("seeds=4,2", [4, 2]), ("seed=9", [9]), ("seeds=[5, 6]", [5, 6])],
)
@pytest.mark.parametrize("text", ["seeds: [0, 1]\n", "seed: 8\n", ""])
def test_seeds_on_the_command_line_replace_the_files(folder, text, change, seeds):
    assert [run.seed for run in load(spec_file(folder, GOOD + text), [change])] == seeds


def test_whole_blocks_vary_and_inner_fields_apply_on_them(folder):
    path = spec_file(
        folder,
        GOOD + "vary:\n  sparsifier.prunable: [conv, conv+linear]\n"
        "  sparsifier: [{name: imp, levels: 2}, random]\n",
    )
    found = {(r.sparsifier.name, r.sparsifier.prunable) for r in load(path)}
    assert found == set(itertools.product(("imp", "random"), ("conv", "conv+linear")))
    assert {r.sparsifier.levels for r in load(path) if r.sparsifier.name == "imp"} == {2}


def test_repeated_runs_are_merged_with_a_note(folder):
    found = expand("good", ["sparsifier.rate=0.2,0.20,0.3"])
    assert [run.spec.sparsifier.rate for run in found.runs] == [0.2, 0.3]
    assert found.notes[0] == "1 of 3 runs repeat others and are left out"


def test_runs_that_nothing_tells_apart_are_refused(folder):
    with pytest.raises(FileError, match="override launch.threads=1,2: runs that differ only in la"):
        load("good", ["launch.threads=1,2"])
    path = spec_file(folder, GOOD + "vary:\n  keep: [[best], [last]]\n")
    with pytest.raises(FileError, match=f"{path}:12:3: runs that differ only in keep"):
        load(path)


def test_too_many_runs_are_refused_before_they_are_made(folder):
    with pytest.raises(FileError, match="100,000 runs; at most 10,000"):
        load("good", ["seeds=0..999", f"train.epochs={','.join(map(str, range(1, 101)))}"])


def test_warnings_of_the_images_become_notes(folder):
    found = expand("good", ["data={name: digits, per_class: 500}"])
    assert any("500" in note for note in found.notes)


def test_each_run_comes_with_its_plan_and_images(folder):
    [run] = expand("good").runs
    assert (run.images.train, run.images.val, run.images.test) == (200, 300, 797)
    assert len(run.plan.levels) == 4
    assert run.plan.steps == (5 + 3 * 3) * 2  # rewind 2ep of 5 epochs, 2 steps of 100 images


def test_of_a_list_of_grids_the_runs_of_each_are_made(folder):
    text = GOOD + (
        "vary:\n"
        "  - {}\n"
        "  - {loss: [cosine, {name: tvmf, kappa: 4.0}], train.epochs: [7, 9]}\n"
        "  - model: [resnet32]\n"
    )
    runs = load(spec_file(folder, text + "seeds: [0, 1]\n"))
    plain, epochs = load("good")[0], load("good")[0].train.epochs
    found = [(r.loss.name, r.model.name, r.train.epochs) for r in runs if r.seed == 0]
    small = plain.model.name
    assert found == [
        ("cross_entropy", small, epochs),
        *itertools.product(("cosine", "tvmf"), (small,), (7, 9)),
        ("cross_entropy", "resnet32", epochs),
    ]
    assert len(runs) == 2 * len(found)
    assert runs[0].digest == plain.digest
    change = load(spec_file(folder, text), ["loss=tvmf", "train.epochs=3,4"])
    assert {(r.loss.name, r.train.epochs) for r in change} == {("tvmf", 3), ("tvmf", 4)}


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("  - loss: [cosin]\n", ":12:12: unknown loss 'cosin'; did you mean cosine?"),
        ("  - {}\n  - seeds: [1, 2]\n", ":13:5: seeds vary by"),
        ("  - loss: cosine\n", ":12:11: .*expected a list"),
        ("  []\n", ":12:3: must have at least 1 item"),
    ],
)
def test_what_is_wrong_in_a_list_of_grids_is_told_where(folder, vary, message):
    with pytest.raises(FileError, match=message):
        load(spec_file(folder, GOOD + "vary:\n" + vary))


def test_specs_in_folders_are_found_by_their_name_too(folder, monkeypatch):
    monkeypatch.chdir(folder)
    inner = folder / "specs" / "paper"
    inner.mkdir(parents=True, exist_ok=True)
    (inner / "deep.yaml").write_text(GOOD)
    (folder / "specs" / "twin.yaml").write_text(GOOD)
    (inner / "twin.yaml").write_text(GOOD)
    assert specpaths.find("deep").as_posix() == "specs/paper/deep.yaml"
    assert specpaths.find("twin").as_posix() == "specs/twin.yaml"
    with pytest.raises(UsageError, match="did you mean specs/paper/deep.yaml"):
        specpaths.find("depe")


@pytest.mark.parametrize(
    ("text", "changes", "kinds"),
    [
        ("", [], ()),
        ("control: [same_layer, null]", [], ("same_layer", "null")),  # as YAML reads that
        ("control: all", [], ("all",)),
        ("control: all", ["control=null"], ()),
        ("control: all", ["control=reinit,null"], ("reinit", "null")),
    ],
)
def test_controls_that_follow(folder, text, changes, kinds):
    found = expand(spec_file(folder, f"{GOOD}{text}\n"), changes)
    assert found.control == kinds and len(found.runs) == 1
    said = f"controls of every run follow: {', '.join(kinds)}"
    assert (said in found.notes) == bool(kinds)
