"""The command `lthtui compare` on run folders: what it is told, and what it writes."""

import csv
import io
import json
from dataclasses import replace

import pytest
from rundirs import FLOPS, FakeRun

from engine.events import RunEnded, Winning
from engine.rundir import RunDirectory
from lthtui.choosing import labelled
from lthtui.cli import main
from lthtui.monitor import Watched
from lthtui.runview import view

SPEC = """\
name: both
experiment: both
data: {name: digits, validation: 300}
model: resnet20
train: {epochs: 4}
seeds: [0, 1, 2]
vary: {sparsifier: [dense, {name: imp, levels: 5}]}
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two seeds of dense and IMP, the third still running; another experiment; a spec file."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mlruns"
    monkeypatch.setenv("LTHTUI_ROOT", str(root))
    for seed in range(2):
        top = 0.9 + 0.02 * seed
        dense = FakeRun(root, "both", seed, levels=0, dense=top, sparsifier="dense")
        won = Winning(level=0, density=1.0, test_accuracy=top - 0.01)
        dense.start().train(1)._append(RunEnded(status="finished", winning=won))
        FakeRun(root, "both", seed, dense=top).start().train(6).end()
    FakeRun(root, "both", 2).start(alive=True).train(2)
    FakeRun(root, "else", 0, model="resnet32").start().train(6).end()
    (tmp_path / "both.yaml").write_text(SPEC)
    return root


def compare(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["compare", *arguments]) == code
    return capsys.readouterr()


def test_an_experiment_as_a_plain_table(root, capsys):
    said = compare(capsys, "both", "--level", "3")
    header, first, second = (line.split("  ") for line in said.out.splitlines())
    cells = [[cell.strip() for cell in line if cell.strip()] for line in (header, first, second)]
    assert cells[0] == ["method", "n", "kept %", "test %", "over dense", "train FLOPs", "× dense",
                        "FLOPs/image", "× dense", "time"]  # fmt: skip
    training = 3 * 200 * 4 * FLOPS * (1 + 0.8 + 0.64 + 0.512) / 1e9
    assert cells[2][:5] == ["imp", "2", "51.20 ± 0.00", "93.60 ± 1.41", "+3.60 ± 0.00"]
    assert cells[2][5] == f"{training:.1f} G"
    assert "dense s0 is left out: it has no level 3" in said.err
    assert "imp s2 is left out: it is running" in said.err
    assert "dense has no run of seed 2, which others have" in said.err


def test_a_spec_file_whose_images_are_not_here_is_told_from_its_experiment(root, capsys, tmp_path):
    gone = SPEC.replace("{name: digits,", f"{{name: cifar10, root: {tmp_path}/nowhere,")
    (tmp_path / "both.yaml").write_text(gone)
    hint = "both.yaml: runs of the experiment both are here: name that instead of the file, or say"
    assert hint in compare(capsys, "both.yaml", code=2).err
    (tmp_path / "both.yaml").write_text(gone.replace("resnet20", "resnet9000"))
    assert hint not in compare(capsys, "both.yaml", code=2).err
    (tmp_path / "both.yaml").write_text(gone.replace("experiment: both", "experiment: third"))
    assert hint not in compare(capsys, "both.yaml", code=2).err


def test_a_spec_file_names_its_runs_and_what_was_never_started(root, capsys):
    said = compare(capsys, "both.yaml", "--level", "last", "--json")
    assert "both.yaml: 1 of its 6 runs were never started; `lthtui run both.yaml`" in said.err
    found = json.loads(said.out)
    assert [one["label"] for one in found["groups"]] == ["dense", "imp"]
    imp = found["groups"][1]
    assert [one["seed"] for one in imp["runs"]] == [0, 1]
    assert imp["gains"]["dense"]["mean"] == pytest.approx(0.004 * (9 - 4))
    assert imp["gains"]["dense"]["std"] == pytest.approx(0)
    assert imp["training_flops_ratio"] == pytest.approx(sum(0.8**i for i in range(6)))
    assert imp["inference_flops_ratio"] == pytest.approx(0.8**5, abs=1e-4)
    assert imp["seconds"]["mean"] == 18.0
    assert found["notes"][0] == "dense has no run of seed 2, which others have"


def test_a_spec_file_is_compared_with_the_overrides_it_was_run_with(root, capsys):
    spec = SPEC.replace("{name: imp, levels: 5}", "{name: imp, levels: 9}")
    (root.parent / "other.yaml").write_text(spec)
    changes = ["seeds=1", "sparsifier={name: imp, levels: 5}"]
    (group,) = json.loads(compare(capsys, "other.yaml", *changes, "--json").out)["groups"]
    assert group["label"] == "imp" and [one["seed"] for one in group["runs"]] == [1]


def test_a_spec_with_a_search_names_its_trials(root, capsys):
    path = root.parent / "else.yaml"
    path.write_text("{data: {name: digits, validation: 300}, model: resnet20,"
                    " search: {over: {sparsifier.rate: [0.1, 0.2]}}}")  # fmt: skip
    (group,) = json.loads(compare(capsys, "else.yaml", "--json").out)["groups"]
    assert group["model"] == "resnet32"


def test_runs_groups_and_names_are_found(root, capsys):
    def runs(*words):
        groups = json.loads(compare(capsys, *words, "--json").out)["groups"]
        return {(one["model"], len(one["runs"])) for one in groups}

    group = json.loads(compare(capsys, "else", "--json").out)["groups"][0]["group"]
    assert runs(group[:8]) == runs("else-s0") == runs("else") == {("resnet32", 1)}
    assert runs("else", "else-s0", group) == {("resnet32", 1)}
    folder = next((root / "runs").glob("*-else-*"))
    assert runs(str(folder)) == {("resnet32", 1)}


def test_a_word_too_short_for_a_group_says_which_run_it_names(root, capsys):
    group = json.loads(compare(capsys, "both", "--json").out)["groups"][1]["group"]
    said = compare(capsys, group[:5], "--json", "--level", "0")
    assert len(json.loads(said.out)["groups"][0]["runs"]) == 1
    (run,) = (root / "runs").glob(f"*{group[:6]}-s0")
    assert f"{group[:5]} names the run {run.name}; 6 characters name its group" in said.err
    whole = compare(capsys, group[:6], "--json", "--level", "0")
    assert len(json.loads(whole.out)["groups"][0]["runs"]) == 3 and "names the run" not in whole.err


def test_dense_runs_that_were_not_named_are_the_baseline_all_the_same(root, capsys):
    imp = json.loads(compare(capsys, "both", "--json").out)["groups"][1]["group"]
    said = compare(capsys, imp[:6], "--json")
    gains = json.loads(said.out)["groups"][0]["gains"]["dense"]
    assert (gains["mean"], gains["n"]) == (pytest.approx(0.036), 2)
    assert "dense is taken from runs that were not named: 20261121-both-" in said.err


def test_csv_has_a_row_for_each_group_and_full_numbers(root, capsys):
    rows = list(csv.DictReader(io.StringIO(compare(capsys, "both", "--csv").out)))
    assert [row["label"] for row in rows] == ["dense", "imp"]
    assert float(rows[1]["test_accuracy.mean"]) == pytest.approx(0.936)
    assert float(rows[1]["gains.dense.mean"]) == pytest.approx(0.036)
    assert len(rows[1]["runs"].split()) == 2


def test_markdown_is_a_table(root, capsys):
    lines = compare(capsys, "both", "--markdown", "--baseline", "dense", "--baseline", "imp").out
    header, rule, *rows = lines.splitlines()
    assert len({line.count("|") for line in (header, rule, *rows)}) == 1 and len(rows) == 2
    assert "over dense | over imp" in header
    assert "+3.60 ± 0.00" in rows[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing-like-it"], "no run 'nothing-like-it'"),
        (["both", "--level", "top"], "give winning, best, last, dense or a level's number"),
        (["both", "--csv", "--json"], "give one of --csv, --json"),
        (["both", "--baseline", "rigl"], "no group is called 'rigl'"),
        (["missing.yaml"], "no such spec"),
        (["both", "seeds=1"], "seeds=1: overrides go with a spec file, and none is named"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_compared_is_refused(root, capsys, arguments, words):
    said = compare(capsys, *arguments, code=2)
    assert words in said.err and not said.out


def test_an_empty_root_says_how_to_begin(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path))
    assert "lthtui run SPEC" in compare(capsys, "x", code=2).err


def test_names_with_escapes_are_shown_harmless(root, capsys):
    said = compare(capsys, "both\x1b[2J", code=2)
    assert "\x1b" not in said.err


def test_a_run_of_another_version_keeps_its_label(root, capsys):
    for file in root.glob("runs/*/spec.yaml"):
        if "name: imp" in file.read_text():
            file.write_text(file.read_text() + "gone_field: 1\n")
    said = compare(capsys, "both", "--level", "3", "--json")
    dense, imp = json.loads(said.out)["groups"]
    assert dense["label"] == "dense" and imp["label"] == "imp"


def test_a_run_that_only_the_store_knows_is_called_by_its_method_and_group(root):
    run = view(Watched(RunDirectory(next((root / "runs").glob("*-else-*")))))
    assert labelled([replace(run, directory="")]) == {run.group: f"imp {run.group[:6]}"}


@pytest.mark.parametrize("noted", ["[", "{}", '[{"gone_field": 1}, 7]'])
def test_notes_that_cannot_be_read_hide_no_run(root, capsys, noted):
    before = compare(capsys, "both", "--level", "3", "--json").out
    for run in root.glob("runs/*"):
        (run / "also.json").write_text(noted)
    assert compare(capsys, "both", "--level", "3", "--json").out == before
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 6 and not any(run["also_controls"] for run in listed)


def test_a_comparison_as_a_file_is_tested_against_the_baseline(root, tmp_path, capsys):
    said = compare(capsys, "both", "--level", "3", "-o", "found.md", "--test", "unpaired")
    assert said.out == "" and f"wrote {tmp_path / 'found.md'}" in said.err
    assert "imp s2 is left out: it is running" in said.err
    text = (tmp_path / "found.md").read_text()
    assert "| test accuracy % | – | 93.60 ± 1.41 (2) |" in text  # dense has no level 3
    assert "Welch's unpaired t-test against dense" in text
    compare(capsys, "both", "--baseline", "imp", "-o", "found.csv")
    rows = [*csv.DictReader((tmp_path / "found.csv").read_text().splitlines())]
    picked = [r for r in rows if r["measure"] == "test accuracy" and not r["density"]]
    assert {(r["label"], r["seed"]): float(r["value"]) for r in picked if r["seed"]} == {
        ("dense", "0"): pytest.approx(0.89),
        ("dense", "1"): pytest.approx(0.91),
        ("imp", "0"): pytest.approx(0.926),
        ("imp", "1"): pytest.approx(0.946),
    }
    [dense] = [r for r in picked if r["label"] == "dense" and not r["seed"]]
    assert float(dense["difference"]) == pytest.approx(-0.036)
    assert dense["p"] == ""  # the same difference in both seeds


def test_files_are_not_overwritten_without_a_person_who_says_so(root, tmp_path, capsys):
    (tmp_path / "found.md").write_text("precious")
    said = compare(capsys, "both", "-o", "found.md", code=2)
    assert "found.md exists already; it was left as it is" in said.err
    assert (tmp_path / "found.md").read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "found.docx"], "found.docx: give it one of the endings .md, .tex"),
        (["-o", "found.md", "--json"], "give --output or --json"),
        (["-o", "found.md", "--test", "sign"], "--test sign: give paired, wilcoxon, unpaired"),
    ],
)
def test_what_files_cannot_be(root, tmp_path, capsys, options, said):
    assert said in compare(capsys, "both", *options, code=2).err
    assert not [*tmp_path.glob("found*")]
