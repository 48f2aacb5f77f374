import json
import shlex
import sys

import pytest

from engine.errors import LthError, UsageError
from engine.plan import plan
from engine.registry import names
from engine.spec import RunSpec
from lthtui import cli, costs, specfiles
from lthtui.costs import Measurement
from lthtui.planning import duration, size

GOOD = """\
data: {name: digits, per_class: 20, validation: 300}
model: {name: resnet20, width: 4}
sparsifier: {name: imp, rate: 0.2, levels: 2}
train: {epochs: 5, batch_size: 50}
seeds: [0, 1, 2]
"""
MEASURED = {
    "parameters": 1100,
    "prunable": 1000,
    "kept": [1000, 800, 640],
    "seconds_per_step": 0.5,
    "seconds_per_validation": 2.0,
    "seconds_per_test": 3.0,
    "seconds_to_start": 10.0,
    "ticket_bytes": 1_000_000,
    "peak_bytes": 9_000_000,
    "device": "cpu",
    "threads": 2,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder with specs/good.yaml and specs/bad.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "good.yaml").write_text(GOOD)
    (tmp_path / "specs" / "bad.yaml").write_text(GOOD + "modl: resnet20\n")
    return tmp_path


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A worker program that reports MEASURED and keeps the spec it was given."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, shutil, sys\nassert sys.argv[1] == 'measure'\n"
        f"shutil.copy(sys.argv[2], {str(tmp_path / 'seen.yaml')!r})\n"
        f"print(json.dumps({MEASURED!r}))\n"
    )
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join([sys.executable, str(script)]))
    return script


def test_check_says_what_a_good_spec_makes(capsys):
    assert cli.main(["check", "specs/good.yaml"]) == 0
    printed = capsys.readouterr()
    assert printed.out == (
        "specs/good.yaml: ok, 3 runs; 200 training, 300 validation, 797 test images\n"
    )
    assert printed.err == ""


def test_check_reports_every_bad_spec_and_ends_with_2(capsys):
    assert cli.main(["check", "bad", "good", "none", "seeds=0..4"]) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("specs/good.yaml: ok, 5 runs")
    assert "specs/bad.yaml:6:1: unknown field 'modl'; did you mean model?" in printed.err
    assert "none: no such spec" in printed.err


def test_check_as_json(capsys):
    assert cli.main(["check", "good", "bad", "--json"]) == 2
    printed = capsys.readouterr()
    good, bad = json.loads(printed.out)
    assert (good["ok"], good["runs"], good["problems"]) == (True, 3, [])
    [problem] = bad["problems"]
    assert (problem["source"], problem["line"], problem["column"]) == ("specs/bad.yaml", 6, 1)
    assert problem["message"] == "unknown field 'modl'; did you mean model?"


def test_check_notes_go_to_stderr(capsys):
    assert cli.main(["check", "good", "train.epochs=5,5"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("specs/good.yaml: ok, 3 runs")
    assert "3 of 6 runs repeat others" in printed.err


def test_only_overrides_are_no_spec(capsys):
    assert cli.main(["check", "a=b"]) == 2
    assert "no spec given" in capsys.readouterr().err


def test_plan_lists_the_levels_and_what_they_cost(capsys, worker, folder):
    assert cli.main(["plan", "good", "sparsifier.after=rewind,finetune"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert rows[0][:3] == ["specs/good.yaml:", "6", "runs;"]
    assert ["0", "1.0000", "1,000", "5", "20", "init"] == rows[4][:6]
    assert ["1", "0.8000", "800", "3", "12", "2ep", "schedule,", "epochs", "2", "to", "5"] == rows[
        5
    ]
    assert "seeds 0, 1, 2  sparsifier.after=finetune" in out
    assert "level before  last of the schedule" in out
    # 10 s to start + 44 steps of 0.5 s + 3 validations of 2 s + 3 tests of 3 s = 47 s
    assert "about 47 s a run; disk 3 MB kept, 9 MB at the peak" in out
    assert "measured on cpu, 2 threads: 10 s to start, 500 ms a step" in out
    assert "all runs one after another: about " in out
    seen = specfiles.load("seen.yaml")
    assert seen[0].sparsifier.after == "finetune" and seen[0].name == "good"


def test_a_quick_plan_measures_nothing(capsys, monkeypatch):
    monkeypatch.setenv("LTHTUI_WORKER", "/nonexistent")
    assert cli.main(["plan", "good", "--quick"]) == 0
    out = capsys.readouterr().out
    assert "3 trainings, 11 epochs, 44 steps a run" in out and "about" not in out


def test_plan_as_json(capsys, worker):
    assert cli.main(["plan", "good", "train.epochs=5,7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 6
    first, second = found["groups"]
    assert (first["seeds"], first["differs"]) == ([0, 1, 2], {"train.epochs": "5"})
    assert first["levels"][1]["kept"] == 800 and first["levels"][1]["density"] == 0.8
    assert (first["seconds"], first["disk_bytes"]) == (47.0, 3_000_000)
    assert found["seconds"] == 3 * (first["seconds"] + second["seconds"])


def test_a_plan_leaves_open_what_only_training_will_tell(capsys):
    told = "sparsifier={name: continuous, rounds: 2, density: 0.25}"
    assert cli.main(["plan", "good", told, "--quick"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:6] for row in rows[4:7]] == [
        ["0", "-", "-", "5", "20", "init"],
        ["1", "-", "-", "5", "20", "level"],
        ["2", "0.2500", "-", "5", "20", "2ep"],
    ]
    assert cli.main(["plan", "good", "sparsifier=continuous", "--quick", "--json"]) == 0
    [group] = json.loads(capsys.readouterr().out)["groups"]
    assert [level["density"] for level in group["levels"]] == [None] * 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import sys; sys.exit('cifar10 is not here')", "measuring failed: cifar10 is not here"),
        ("print('{}')", "measuring failed: exit code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
    ],
)
def test_a_measurement_that_fails_says_how_to_do_without(body, words, tmp_path):
    spec = specfiles.load("good")[0]
    with pytest.raises(LthError, match=words) as caught:
        costs.measure(spec, [sys.executable, "-c", body])
    assert "--quick" in str(caught.value)


def test_a_measurement_that_finds_the_spec_impossible_says_what_is_wrong():
    body = "import sys; print('a layer is empty', file=sys.stderr); sys.exit(2)"
    with pytest.raises(UsageError, match="^a layer is empty$"):
        costs.measure(specfiles.load("good")[0], [sys.executable, "-c", body])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"every": 0, "last": 1}, (2, 2)),
        ({"every": 0, "last": 3}, (6, 2)),
        ({"every": 2, "last": 1}, (5, 2)),  # 10 epochs: 2 4 6 8 10
        ({"every": 3, "last": 1}, (4 + 4, 2)),  # 3 6 9 10
        ({"every": 1, "last": 99}, (20, 2)),
        ({"every": 3, "last": 1, "test": "epoch"}, (8, 10)),
    ],
)
def test_scorings_are_counted_as_the_cadence_says(changes, expected):
    every_two = changes["every"] == 2
    spec = RunSpec.model_validate(
        {
            "name": "x",
            "data": "digits",
            "model": "resnet20",
            "sparsifier": "dense" if every_two else {"name": "imp", "levels": 1, "rewind": "init"},
            "train": {"epochs": 10, "evaluate": changes},
        }
    )
    levels = 1 if every_two else 2
    assert costs.scorings(spec, plan(spec, 100)) == (expected[0], expected[1] if levels == 2 else 1)


def test_an_estimate_counts_the_kept_levels():
    measured = Measurement.model_validate_json(json.dumps(MEASURED))
    for keep, tickets in ((["all"], 3), (["best", "last"], 2), (["dense", "last", "best"], 3)):
        spec = specfiles.load("good", [f"keep={json.dumps(keep)}"])[0]
        assert costs.estimate(spec, plan(spec, 200), measured).disk_bytes == tickets * 1_000_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0256, "25.6 ms"),
        (3.26, "3.3 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (7200, "2 h"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (3_210_000, "3.21 MB"), (5e12, "5 TB")]
)
def test_sizes_are_readable(count, text):
    assert size(count) == text


def test_a_new_spec_passes_check_as_it_is(capsys):
    assert cli.main(["new", "mine"]) == 0
    assert capsys.readouterr().out == "specs/mine.yaml\n"
    assert cli.main(["check", "mine"]) == 0


def test_a_new_spec_can_be_uncommented_line_by_line(folder):
    """Every default shown is one that the spec has anyway."""
    cli.main(["new", "mine"])
    lines = (folder / "specs" / "mine.yaml").read_text().splitlines()
    plain = specfiles.load("mine")
    shown = 0
    for index, line in enumerate(lines):
        key = line.strip().removeprefix("# ").partition(":")[0]
        if not line.strip().startswith("# ") or not key.isidentifier():
            continue
        freed = [*lines[:index], line.replace("# ", "", 1), *lines[index + 1 :]]
        (folder / "specs" / "mine.yaml").write_text("\n".join(freed))
        assert specfiles.load("mine") == plain, line
        shown += 1
    assert shown > 40


@pytest.mark.parametrize(
    "choice",
    [f"sparsifier={name}" for name in names("sparsifiers") if name != "ticket"]
    + [f"model={name}" for name in names("models")]
    + ["train.optimizer=adam", "train.schedule=multistep", "augmentation=none"],
)
def test_a_new_spec_for_any_choice_passes_check(choice, capsys):
    assert cli.main(["new", "mine", choice]) == 0
    assert cli.main(["check", "mine"]) == 0, capsys.readouterr().err
    field, _, name = choice.partition("=")
    found = specfiles.load("mine")[0]
    for key in field.split("."):
        found = getattr(found, key)
    assert found.name == name


def test_a_new_spec_says_what_its_choices_are(folder):
    cli.main(["new", "mine", "sparsifier=snip"])
    text = (folder / "specs" / "mine.yaml").read_text()
    assert "sparsifier:\n  # (SNIP: keep the connections" in text


def test_new_never_overwrites(folder, capsys):
    before = (folder / "specs" / "good.yaml").read_text()
    assert cli.main(["new", "good"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (folder / "specs" / "good.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["../evil"], "one name"),
        ([], "Missing argument"),
        (["a", "b"], "one name"),
        (["a", "data=digitz"], "did you mean digits?"),
        (["a", "train.epochs=3"], "only choices can be named here"),
        (["a", "train.optimizer=sdg"], "only choices can be named here"),
    ],
)
def test_new_refuses_what_it_cannot_do(arguments, words, folder, capsys):
    assert cli.main(["new", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert sorted(file.name for file in folder.rglob("*.yaml")) == ["bad.yaml", "good.yaml"]


def test_schema_is_json_on_stdout(capsys):
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "lthtui spec"


def test_a_new_spec_for_a_ticket_lacks_only_the_ticket(folder, capsys):
    assert cli.main(["new", "mine", "sparsifier=ticket"]) == 0
    assert cli.main(["check", "mine"]) == 2
    errors = capsys.readouterr().err
    assert "source is missing: the ticket to train, as RUN, RUN:LEVEL" in errors
    line = (folder / "specs" / "mine.yaml").read_text().splitlines().index("sparsifier:") + 1
    assert f"specs/mine.yaml:{line}:1: source is missing" in errors
