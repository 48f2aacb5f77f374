"""The command `lthtui best` on run folders: what it is told, and what it writes."""

import json

import pytest
from rundirs import FakeRun


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Two seeds of two rates; validation images like 0.2 better by a point, test images 0.5."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mlruns"
    monkeypatch.setenv("LTHTUI_ROOT", str(root))
    for rate, dense in ((0.2, 0.81), (0.5, 0.80)):
        for seed in range(2):
            imp = {"name": "imp", "levels": 5, "rate": rate}
            made = FakeRun(root, "sweep", seed, dense=dense + seed / 50, sparsifier=imp)
            made.start().train(6).end()
            if rate == 0.5:
                flatter(made, 0.03)
    return root


def flatter(run, more):
    """Have test images like what a run has trained better."""
    run.close()
    lines = [json.loads(line) for line in run.directory.events_file.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "level_ended":
            line["test_accuracy"] += more
    run.directory.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def cells(text):
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text]


def test_it_says_what_is_picked_on_how_many_tries_and_what_test_would_have(sweep, command):
    code, out, said = command("best", "sweep")
    first, *table, last = out.splitlines()
    assert code == 0 and said == ""
    assert first == "digits, 2 configurations × 2 seeds: 4 runs, 20 levels"
    _, picked, other = cells(table)
    top = 0.81 + 0.004 * 9
    assert picked[:2] == ["val", "imp rate=0.2"] and picked[3:6] == ["2", "3 3", "51.20 ± 0.00"]
    assert picked[6:] == [f"{100 * top + 1:.2f} ± 1.41", f"{100 * top:.2f} ± 1.41"]
    assert other[:2] == ["test", "imp rate=0.5"] and other[7] == f"{100 * top + 2:.2f} ± 1.41"
    assert last == "best on test would have said imp rate=0.5: optimism of 2.00 points"


def test_as_json(sweep, command):
    code, out, _ = command("best", "sweep", "--json")
    told = json.loads(out)
    (best,) = told["best"]
    assert code == 0 and told["split"] == "val" and told["notes"] == []
    assert (best["configurations"], best["runs"], best["levels"]) == (2, 4, 20)
    assert best["picked"] == best["on_validation"] and not best["optimistic"]
    assert best["picked"]["label"] == "imp rate=0.2"
    assert [(one["seed"], one["level"]) for one in best["picked"]["runs"]] == [(0, 3), (1, 3)]
    assert best["on_test"]["label"] == "imp rate=0.5"
    assert best["optimism"] == pytest.approx(0.02)
    assert best["picked"]["test_accuracy"]["mean"] == pytest.approx(0.846)


def test_by_test_it_warns(sweep, command):
    code, out, _ = command("best", "sweep", "--split", "test")
    _, picked, other = cells(out.splitlines()[1:-1])
    assert code == 0 and (picked[0], picked[1]) == ("test", "imp rate=0.5")
    assert (other[0], other[1]) == ("val", "imp rate=0.2")
    assert out.splitlines()[-1] == (
        "picked on test images, so its test accuracy is optimistic by 2.00 points"
    )


def test_where_both_pick_the_same_it_says_so(sweep, command):
    group = json.loads(command("best", "sweep", "--json")[1])["best"][0]["picked"]["group"]
    code, out, _ = command("best", group[:6])
    assert code == 0 and "1 configuration × 2 seeds" in out
    assert out.splitlines()[-1] == "best on test would have said the same"
    _, out, _ = command("best", group[:6], "--split", "test")
    assert out.splitlines()[-1] == "picked on test images; validation images pick the same"


def test_what_does_not_compete_is_said(sweep, command):
    imp = {"name": "imp", "levels": 5, "rate": 0.9}
    FakeRun(sweep, "sweep", 0, sparsifier=imp).start(alive=True).train(2)
    code, out, said = command("best", "sweep")
    assert code == 0 and "2 configurations × 2 seeds" in out
    assert "imp rate=0.9 does not compete because of s0: it is running" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-like-it"], "no run 'nothing-like-it'"),
        (["sweep", "--split", "train"], "--split train: give val or test"),
        (["going"], "none of 1 run can be picked by val; --split test picks by test images"),
    ],
)
def test_what_cannot_be_picked_is_refused(sweep, command, words, said):
    FakeRun(sweep, "going", 0).start(alive=True).train(2)
    code, out, err = command("best", *words)
    assert code == 2 and out == "" and said in err
