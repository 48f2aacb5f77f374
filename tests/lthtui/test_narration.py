import io
import json
import os
import time

import pytest

from engine import outstanding
from engine.events import (
    EpochEnded,
    Evaluated,
    EvaluationStarted,
    Journal,
    LevelEnded,
    LevelStarted,
    RunEnded,
    RunStarted,
    Warned,
    Winning,
)
from engine.processes import Process
from engine.rundir import RunDirectory, write_json
from engine.sources import TICKET
from lthtui import evaluations, identity, narration, specfiles
from lthtui.launch.queue import Submitted
from lthtui.monitor import Watched


@pytest.fixture
def make(stage):
    """Make a run that this process pretends to train."""

    def make(seed=0, attempt=1):
        (spec,) = stage.specs(seed)
        run = RunDirectory(stage.root / "runs" / f"20260101-play-{spec.digest[:6]}-s{seed}")
        run.path.mkdir(parents=True)
        run.spec_file.write_text(specfiles.write(spec))
        identity.store(run, spec)
        launch(run, attempt)
        return Watched(run)

    yield make
    for run in stage.runs():
        run.launch_file.unlink(missing_ok=True)


def launch(run, attempt):
    process = Process.of(os.getpid()).model_dump()
    fields = {"backend": "local", "process": process, "device": "cpu", "threads": 1}
    write_json(run.launch_file, {**fields, "attempt": attempt, "time": time.time()})


def emit(watched, *happened, attempt=1):
    journal = Journal(watched.directory.events_file, watched.run_id, attempt)
    for event in happened:
        journal.append(event)
    journal.close()
    watched.refresh()


def started(at=100.0, epochs=4):
    return RunStarted(
        time=at,
        levels=2,
        epochs=epochs,
        steps_per_epoch=1,
        images={},
        subset="",
        parameters=9,
        prunable=8,
        environment={},
    )


def epoch(number, at):
    return EpochEnded(
        time=at,
        level=0,
        epoch=number,
        level_epoch=number,
        train_loss=0.25,
        train_accuracy=0.5,
        learning_rate=0.1,
        images_per_second=1234.0,
    )


LEVEL = LevelStarted(level=0, density=0.5, kept=4, total=8, epochs=3, steps=3)
ENDED = LevelEnded(level=0, density=0.5, kept=4, total=8, epochs=3, seconds=2.0, val_accuracy=0.5)


@pytest.fixture
def plain():
    """A Plain display with a clock to set; `plain.said` is what it wrote."""

    class Clocked(narration.Plain):
        now = 1000.0
        said: list[str]

    said = []
    display = Clocked({}, (), said.append, lambda: display.now)
    display.said = said
    return display


def show(display, *runs):
    """Update the display; what it wrote on that."""
    for run in runs:
        display._names[run.run_id] = f"s{run.identity.seed}"
        run.refresh()
    display.said.clear()
    display.update(runs, {run.run_id: run for run in runs})
    return [*display.said]


def test_a_run_that_is_trained_but_not_yet_gone_waits_for_mlflow(make, plain):
    run = make()
    emit(run, started(), LEVEL, epoch(1, 110.0), ENDED)
    show(plain, run)
    emit(run, RunEnded(attempt=1, status="finished"))
    plain.now += 11
    assert show(plain, run) == ["s0  trained; MLflow is being brought up to date"]


def test_of_a_finished_run_it_says_what_is_evaluated_and_nothing_of_training(make, plain):
    run = make()
    won = Winning(level=0, density=1.0, test_accuracy=0.5)
    ended = RunEnded(attempt=1, status="finished", winning=won)
    emit(run, started(), LEVEL, epoch(1, 110.0), ENDED, ended)
    ticket = run.directory.level(0) / TICKET
    ticket.parent.mkdir(parents=True)
    ticket.touch()
    outstanding.ask(run.directory, evaluations.wanted("fgsm,calibration", (), "0"))
    launch(run.directory, 2)
    show(plain, run)
    plain.now += 11
    assert show(plain, run) == ["s0  evaluating fgsm of level 0, 2 left"]
    emit(run, EvaluationStarted(attempt=2, level=0, name="calibration"))
    plain.now += 11
    assert show(plain, run) == ["s0  evaluating calibration of level 0, 2 left"]
    made = [Evaluated(level=0, name=name, metrics={}) for name in ("calibration", "fgsm")]
    emit(run, *made, attempt=2)
    told = [f"s0  level 0 evaluated: {one.name}" for one in made]
    assert show(plain, run) == told
    plain.now += 11
    assert show(plain, run) == ["s0  evaluating"]
    emit(run, made[1].model_copy(update={"tickets": ("another",)}), attempt=2)
    assert show(plain, run) == told[1:]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "goes on, as more evaluations were asked for when it was about to end"),
        (
            -9,
            "not evaluated: the worker was killed (signal 9); often the machine ran out of memory",
        ),
    ],
)
def test_why_a_finished_run_is_started_again_by_itself(code, said, make, plain):
    run = make()
    won = Winning(level=0, density=1.0, test_accuracy=0.5)
    ended = RunEnded(attempt=1, status="finished", winning=won)
    emit(run, started(), LEVEL, epoch(1, 110.0), ENDED, ended)
    launch(run.directory, 2)
    show(plain, run)
    run.directory.launch_file.write_text(
        run.directory.launch_file.read_text().replace('"pid": ', '"pid": 1')
    )
    write_json(run.directory.exit_file, {"attempt": 2, "code": code, "time": 0.0})
    entry = {"run_id": run.run_id, "order": 1, "retries": 1, "launch": {}}
    run.directory.queue_file.parent.mkdir(exist_ok=True)
    write_json(run.directory.queue_file, entry)
    told = f"{said}; tried again in 0 s" if code else said
    assert show(plain, run) == [f"s0  {told}"]


def test_a_resumed_run_is_not_taken_for_trained_before_it_speaks(make, plain):
    run = make()
    emit(run, started(), LEVEL, epoch(1, 110.0), RunEnded(attempt=1, status="stopped"))
    show(plain, run)
    launch(run.directory, 2)
    assert show(plain, run) == ["s0  started on cpu, attempt 2, goes on at level 0"]
    plain.now += 11
    (line,) = show(plain, run)
    assert line.startswith("s0  level 0/1  50.0% kept  epoch 1/3")


def test_a_line_on_progress_comes_every_ten_seconds_at_most(make, plain):
    run = make()
    emit(run, started(), LEVEL)
    assert show(plain, run) == ["s0  started on cpu"]
    emit(run, epoch(1, 110.0))
    plain.now += 9
    assert show(plain, run) == []
    emit(run, epoch(2, 120.0))
    plain.now += 2
    assert show(plain, run) == [
        "s0  level 0/1  50.0% kept  epoch 2/3  loss 0.2500  val –  1,234 img/s  0:20 left"
    ]
    emit(run, epoch(3, 130.0))
    assert show(plain, run) == []
    emit(run, ENDED)
    assert show(plain, run) == ["s0  level 0 ended: 50.00% kept  val 50.00%  2.0 s"]
    assert show(plain, run) == []


def test_a_run_that_goes_on_says_so_and_repeats_no_level(make, plain):
    run = make(attempt=3)
    emit(run, started(), LEVEL, ENDED, attempt=2)
    assert show(plain, run) == ["s0  started on cpu, attempt 3, goes on at level 0"]


def test_warnings_are_told_once_and_cleaned(make, plain):
    run = make()
    show(plain, run)
    emit(run, Warned(message="odd \x1b[2J"))
    assert show(plain, run) == ["s0  warning: odd \\x1b[2J"]
    emit(run, Warned(message="odd \x1b[2J"))
    assert show(plain, run) == []


def test_json_lines_pass_on_what_is_new_in_ascii(make):
    run = make()
    emit(run, Warned(message="old"))
    out = io.StringIO()
    known = Submitted(run.directory, "active", journal=run.directory.events_file.stat().st_size)
    display = narration.JsonLines([known, known], out)
    emit(run, Warned(message="é\x9b\u202e"))
    with run.directory.events_file.open("a") as file:
        file.write('not json\n{"kind": "future", "x": NaN}\n{"kind": "torn')
    display.update([], {})
    display.update([], {})
    lines = out.getvalue().splitlines()
    assert out.getvalue().isascii()
    assert json.loads(lines[0])["message"] == "é\x9b\u202e"
    assert json.loads(lines[1])["kind"] == "future" and len(lines) == 2


def test_the_time_left_of_all_runs_counts_those_that_wait(make):
    first, second, waiting = make(0), make(1), make(2)
    waiting.directory.launch_file.unlink()
    waiting.directory.queue_file.parent.mkdir()
    waiting.directory.queue_file.write_text("{}")
    for run in (first, second, waiting):
        run.refresh()
    assert narration.total_eta([first, second, waiting]) is None
    emit(first, started(), LEVEL, epoch(1, 110.0))
    emit(second, started(), LEVEL, epoch(1, 105.0))
    # 3 + 3 + 4 epochs are left, at 1/10 + 1/5 epochs a second
    assert narration.total_eta([first, second, waiting]) == pytest.approx(10 / 0.3)
    waiting.directory.queue_file.unlink()
