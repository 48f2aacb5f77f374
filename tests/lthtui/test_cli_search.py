"""Searches through the queue, with workers that play: scores, failures, stops, and going on."""

import json
import signal
import threading

import pytest

from engine.events import KINDS, Journal, Tail
from engine.rundir import RunDirectory, Status, status
from lthtui import specfiles
from lthtui.cli import main
from lthtui.launch import entries, lease

SPEC = """\
name: play
data: {name: digits, per_class: 5, validation: 100}
model: {name: resnet20, width: 4}
sparsifier: {name: imp, levels: 1, rewind: init}
train: {epochs: 2, batch_size: 50}
tracking: off
"""
GRID = "{over: {sparsifier.rate: {low: 0.1, high: 0.5, step: 0.1}}, sampler: grid, at_once: 2}"
HALVES = "{over: {sparsifier.rate: [0.1, 0.5]}, goal: {density: 0.7, tolerance: 0.1}, at_once: 1}"


@pytest.fixture
def real(stage, monkeypatch):
    """A current folder with play.yaml and a root of its own; workers are processes."""
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    write(stage, GRID)
    return stage


@pytest.fixture
def here(real, monkeypatch):
    """The same, where this very process plays what is queued, at once."""
    monkeypatch.setattr(lease, "ensure", lambda root: perform(real))
    return real


def perform(stage):
    script = json.loads(stage.script.read_text())
    for entry in entries.read(stage.root):
        run = RunDirectory(stage.root / "runs" / entry.run_id)
        attempt = 1 + max((event.attempt for event in Tail(run.events_file).read()), default=0)
        journal = Journal(run.events_file, run.run_id, attempt)
        for step in script if isinstance(script, list) else script[entry.run_id[-9:]]:
            if "emit" in step:
                journal.append(KINDS[step["emit"]["kind"]].model_validate(step["emit"]))
        journal.close()
        run.queue_file.unlink()


def attempts(stage):
    """How often each run was started, by the last event of its journal."""
    return [[*Tail(run.events_file).read()][-1].attempt for run in stage.runs()]


def write(stage, search, more=""):
    (stage.folder / "play.yaml").write_text(f"{SPEC}{more}search: {search}\n")


def trained(rate, val):
    """What a worker does that prunes at this rate and scores so on validation images."""
    emitted = []
    for level, density, score in ((0, 1.0, 0.0), (1, 1 - rate, val)):
        counts = {"level": level, "density": density, "kept": 1, "total": 2 - level}
        scores = {"val_accuracy": score, "test_accuracy": 1 - val, "val_balanced_accuracy": 1 - val}
        emitted.append({"kind": "level_ended", **counts, **scores, "epochs": 2, "seconds": 1.0})
    won = {"level": 1, "density": 1 - rate, "val_accuracy": val, "beats_dense": True}
    return [{"emit": one} for one in (*emitted, {"kind": "run_ended", "status": "finished",
                                                 "winning": won})]  # fmt: skip


def play(stage, *rates, of=None, seeds=(0,), **other):
    """Workers of these rates score `of(rate, seed)`; `other` say what those of a rate do."""
    score, script = of or (lambda rate, seed: 1 - abs(rate - 0.3)), {}
    _, trial = specfiles.trials("play.yaml")
    for rate in rates:
        for run in trial({"sparsifier.rate": rate}):
            part = f"{run.spec.digest[:6]}-s{run.spec.seed}"  # how the run's id ends
            script[part] = trained(rate, score(rate, run.spec.seed))
            script[part] = other.get(f"s{run.spec.seed}", {}).get(rate, script[part])
    stage.play(**script)


def search(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["search", "play.yaml", *arguments]) == code
    return capsys.readouterr()


def summary(said):
    return json.loads(said.out.splitlines()[-1])


TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5)


def test_a_search_ends_with_its_trials_and_what_to_type_for_the_best(real, capsys):
    here = real
    play(here, *TENTHS)
    said = search(capsys)
    assert [line.split() for line in said.out.splitlines()] == [
        ["trial", "sparsifier.rate", "val_accuracy", "%"],
        ["1", "0.1", "80.00"],
        ["2", "0.2", "90.00"],
        ["3", "0.3", "100.00", "◆", "best"],
        ["4", "0.4", "90.00"],
        ["5", "0.5", "80.00"],
    ]
    assert "trial 4 of 5: sparsifier.rate=0.4\n" in said.err
    assert "trial-3-s0  finished\n" in said.err
    assert said.err.endswith("  lthtui run play.yaml search=null sparsifier.rate=0.3\n")
    assert len(here.runs()) == 5
    tags = [run.spec().tags["search"] for run in here.runs()]
    assert sorted(tag.rpartition("/")[2] for tag in tags) == ["1", "2", "3", "4", "5"]
    assert len({tag.partition("/")[0] for tag in tags}) == 1


def test_the_command_for_the_best_finds_its_run_finished(here, capsys):
    play(here, *TENTHS)
    search(capsys)
    assert main(["run", "play.yaml", "search=null", "sparsifier.rate=0.3"]) == 0
    assert "is finished already" in capsys.readouterr().err
    assert main(["run", "play.yaml"]) == 2
    assert "`lthtui search play.yaml` runs it" in capsys.readouterr().err


def test_no_more_trials_are_under_way_than_at_once(here, capsys, monkeypatch):
    play(here, *TENTHS)
    seen = []

    def counted(root):
        seen.append(len(entries.read(root)))
        perform(here)

    monkeypatch.setattr(lease, "ensure", counted)
    search(capsys)
    assert seen == [2, 2, 1]


def test_finished_trials_are_not_trained_again(here, capsys):
    play(here, *TENTHS)
    first = search(capsys, "--json")
    here.play()
    again = search(capsys, "--json")
    assert summary(again) == summary(first)
    assert attempts(here) == [1] * 5


def test_json_ends_with_one_object_for_all(here, capsys):
    play(here, *TENTHS)
    found = summary(search(capsys, "--json"))
    assert (found["kind"], found["best"], found["met"]) == ("summary", 3, True)
    ids = [trial["run_ids"] for trial in found["trials"]]
    assert sorted(sum(ids, [])) == sorted(run["run_id"] for run in found["runs"])
    assert found["trials"][1] == {
        "trial": 2,
        "values": {"sparsifier.rate": 0.2},
        "score": 0.9,
        "scores": [0.9],
        "run_ids": ids[1],
        "error": None,
    }


def test_the_score_is_the_mean_over_seeds_and_of_validation_images(here, capsys):
    write(here, GRID, "seeds: [0, 1]\n")
    play(here, *TENTHS, of=lambda rate, seed: rate + 0.2 * seed)
    found = summary(search(capsys, "--json"))
    assert [trial["score"] for trial in found["trials"]] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    assert found["best"] == 5
    balanced = summary(search(capsys, "--json", "search.goal=val_balanced_accuracy"))
    assert balanced["best"] == 1


def test_a_trial_of_which_a_seed_fails_has_failed_and_stays_so_until_retried(here, capsys):
    write(here, GRID, "seeds: [0, 1]\n")
    nan = {"emit": {"kind": "run_ended", "status": "failed", "error": "the loss became NaN"}}
    play(here, *TENTHS, s1={0.3: [nan]})
    said = search(capsys)
    assert "s1 failed: the loss became NaN" in said.out
    assert "trial 3 failed; to try again, `lthtui retry RUN`" in said.err
    assert "◆" in next(line for line in said.out.splitlines() if line.startswith("2 "))
    play(here, *TENTHS)
    assert summary(search(capsys, "--json"))["best"] == 2
    (failed,) = [run for run in here.runs() if status(run) == Status.FAILED]
    main(["retry", failed.run_id])
    assert sorted(attempts(here)) == [1] * 9 + [2]
    assert summary(search(capsys, "--json"))["best"] == 3


def test_if_every_trial_fails_so_does_the_search(here, capsys):
    here.play({"emit": {"kind": "run_ended", "status": "failed"}})
    said = search(capsys, "--write", "best.yaml", code=1)
    assert "trials 1, 2, 3, 4, 5 failed" in said.err and "best" not in said.out
    assert not (here.folder / "best.yaml").exists()


def test_settings_that_do_not_go_together_are_a_failed_trial(here, capsys):
    over = (
        "{sparsifier.rewind: {low: 1, high: 3, step: 2, unit: ep}, train.epochs: {choices: [4, 2]}}"
    )
    write(here, f"{{over: {over}, sampler: grid, at_once: 4}}", "seeds: [1]\n")
    text = (here.folder / "play.yaml").read_text().replace("epochs: 2", "epochs: 9")
    (here.folder / "play.yaml").write_text(text)
    here.play(*trained(0.2, 0.5))
    trials = summary(search(capsys, "--json"))["trials"]
    assert [trial["error"] is None for trial in trials] == [True, True, True, False]
    assert "rewind 3ep lies at or beyond the end of training" in trials[3]["error"]
    assert trials[3]["run_ids"] == [] and len(here.runs()) == 3


def test_a_stopped_search_goes_on_where_it_was(real, capsys):
    write(real, "{over: {sparsifier.rate: {choices: [0.1, 0.3, 0.4]}}, sampler: grid, at_once: 2}")
    rates = (0.1, 0.3, 0.4)
    play(real, *rates, s0={0.3: [{"sleep": 600}]})

    def states():
        return {run.spec().sparsifier.rate: status(run) for run in real.runs()}

    def somebody():
        midway = {0.1: Status.FINISHED, 0.3: Status.RUNNING}
        try:
            real.wait(lambda: len(real.runs()) == 2 and states() == midway)
        finally:  # else a run would sleep on
            signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=somebody)
    thread.start()
    said = search(capsys, code=130)
    thread.join()
    assert "the search was stopped; the same command goes on from here" in said.err
    assert "best:" not in said.err
    assert states() == {0.1: Status.FINISHED, 0.3: Status.STOPPED}
    play(real, *rates)
    assert summary(search(capsys, "--json"))["best"] == 2
    started = {run.spec().sparsifier.rate: run.launch().attempt for run in real.runs()}
    assert started == {0.1: 1, 0.3: 2, 0.4: 1}


def test_runs_stopped_by_somebody_else_stop_the_search(here, capsys):
    stop = {"emit": {"kind": "run_ended", "status": "stopped"}}
    play(here, *TENTHS, s0={0.2: [stop]})
    search(capsys, code=75)
    assert len(here.runs()) == 2


def test_a_density_is_found_between_the_ends(here, capsys):
    write(here, HALVES)
    play(here, 0.1, 0.5, 0.345751)  # where log odds of the density pass those of 0.7
    said = search(capsys)
    assert [line.split()[:3] for line in said.out.splitlines()[1:]] == [
        ["1", "0.1", "90.00"], ["2", "0.5", "50.00"], ["3", "0.345751", "65.42"]
    ]  # fmt: skip
    assert "sparsifier.rate=0.345751" in said.err.splitlines()[-1]


def test_a_density_that_is_not_met_fails_and_says_what_to_widen(here, capsys):
    write(here, HALVES.replace("0.7", "0.2"))
    play(here, 0.1, 0.5)
    said = search(capsys, "--write", "best.yaml", code=1)
    assert said.err.splitlines()[-3:] == [
        "nearest: sparsifier.rate=0.5, with a density of 50.00%",
        "best.yaml was not written",
        "sparsifier.rate from 0.1 to 0.5 gives densities from 50.00% to 90.00%; widen over",
    ]
    assert "best" not in said.out and "best:" not in said.err
    assert said.out.splitlines()[2].split()[3] == "nearest"
    assert not (here.folder / "best.yaml").exists()
    found = summary(search(capsys, "--json", code=1))
    assert (found["best"], found["met"]) == (None, False)


def test_the_best_is_written_as_a_spec_that_runs_it(here, capsys):
    write(here, GRID, "seeds: [0, 1]\ntags: {mine: yes}\n")
    play(here, *TENTHS)
    search(capsys, "--write", "best.yaml")
    _, trial = specfiles.trials("play.yaml")
    wanted = [run.spec for run in trial({"sparsifier.rate": 0.3})]
    assert specfiles.load("best.yaml") == wanted
    text = (here.folder / "best.yaml").read_text()
    assert search(capsys, "-w", "best.yaml", code=2).err.startswith("lthtui: best.yaml exists")
    assert (here.folder / "best.yaml").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search=null"], "play.yaml has no search"),
        (["other.yaml"], "search takes one spec; 2 given"),
        (["search.trials=0"], "must be at least 1"),
        (["sparsifier.rate=0.3"], "this field is set, too"),
        (["train.epochs=1,2"], "exclude each other"),
    ],
)
def test_what_cannot_be_searched_starts_nothing(here, capsys, arguments, words):
    said = search(capsys, *arguments, code=2)
    assert words in said.err and not said.out
    assert not here.root.exists()
