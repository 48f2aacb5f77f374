import json
import os
import signal
import subprocess
import sys

import pytest
from terminal import Terminal
from waiting import PATIENCE

from engine.rundir import Status, status

SPEC = """\
name: play
data: {name: digits, per_class: 5, validation: 100}
model: {name: resnet20, width: 4}
sparsifier: {name: imp, rate: 0.5, levels: 1, rewind: init}
train: {epochs: 2, batch_size: 50}
"""
COMMAND = [sys.executable, "-m", "lthtui", "run", "play.yaml"]
STARTED = {
    "kind": "run_started",
    "levels": 2,
    "epochs": 4,
    "steps_per_epoch": 1,
    "images": {},
    "subset": "x",
    "parameters": 9,
    "prunable": 8,
    "environment": {},
}
LEVEL = {"level": 0, "density": 1.0, "kept": 8, "total": 8}
EPOCH = {
    "kind": "epoch_ended",
    "level": 0,
    "epoch": 1,
    "level_epoch": 1,
    "train_loss": 0.5,
    "train_accuracy": 0.5,
    "learning_rate": 0.1,
    "images_per_second": 1234.0,
    "val_accuracy": 0.25,
}
BEGIN = [
    {"emit": STARTED},
    {"emit": {"kind": "level_started", **LEVEL, "epochs": 2, "steps": 2}},
    {"sleep": 0.05},
    {"emit": EPOCH},
]
SPARSE = {"level": 1, "density": 0.5, "kept": 4, "total": 8}
END = [
    {
        "emit": {
            "kind": "level_ended",
            **LEVEL,
            "epochs": 2,
            "seconds": 1.5,
            "val_accuracy": 0.5,
            "test_accuracy": 0.4,
        }
    },
    {
        "emit": {
            "kind": "level_ended",
            **SPARSE,
            "epochs": 2,
            "seconds": 1.5,
            "val_accuracy": 0.75,
            "test_accuracy": 0.7,
        }
    },
    {
        "emit": {
            "kind": "run_ended",
            "status": "finished",
            "winning": {"level": 1, "density": 0.5, "beats_dense": True},
        }
    },
]


@pytest.fixture
def here(stage, monkeypatch):
    """A current folder with play.yaml and a root of its own."""
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    (stage.folder / "play.yaml").write_text(SPEC)
    return stage


@pytest.fixture
def terminal(here):
    opened = []

    def terminal(**options):
        opened.append(Terminal(COMMAND, 80, 40, **options))
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()


def test_a_terminal_shows_bars_then_the_curve_and_the_table(here, terminal):
    here.play(*BEGIN, {"wait": "go"}, *END)
    screen = terminal()
    bar = screen.until("play-s0", "25.0%", "1,234")
    assert bar.split()[0] == "play-s0" and "━" in bar
    assert bar.split()[2:7] == ["0/1", "100.0%", "1/2", "0.5000", "25.0%"]
    here.allow("go")
    assert screen.end() == 0
    shown = "\n".join(screen.lines)
    assert "validation accuracy" in shown and "weights kept" in shown
    assert "◆ winning" in shown and "level  kept" in shown
    assert "img/s" not in shown  # the bars are gone
    assert b"\x1b[?25h" in screen.output  # and the cursor is back


def test_without_colour_there_is_none(here, terminal):
    here.play(*BEGIN, *END)
    screen = terminal(NO_COLOR="1")
    assert screen.end() == 0
    assert b"\x1b[3" not in screen.output and b";5;" not in screen.output


def test_ctrl_c_stops_at_a_checkpoint_and_says_how_to_go_on(here, terminal):
    here.play(*BEGIN, {"sleep": 600})
    screen = terminal()
    screen.until("25.0%")
    screen.type(b"\x03")
    assert screen.end() == 130
    (run,) = here.runs()
    shown = " ".join(screen.lines)
    assert "stopping 1 run" in shown and "play-s0  stopped" in shown
    assert f"lthtui resume {run.run_id}" in "".join(line.ljust(80) for line in screen.lines)
    assert status(run) == Status.STOPPED and run.exit().code == 75


def test_a_second_ctrl_c_kills(here, terminal):
    here.play({"ignore": "TERM"}, *BEGIN, {"sleep": 600})
    screen = terminal()
    screen.until("25.0%")
    screen.type(b"\x03")
    screen.until("Ctrl-C again kills")
    screen.type(b"\x03")
    assert screen.end() == 130
    (run,) = here.runs()
    assert status(run) == Status.STOPPED and run.exit().code == -signal.SIGKILL


@pytest.fixture
def away(here):
    """A store that is out of reach for now, and runs that are to be told to it."""
    (here.folder / "away").touch()
    spec = here.folder / "play.yaml"
    spec.write_text(spec.read_text().replace('tracking: "off"\n', ""))
    yield
    (here.folder / "away").unlink()


def test_mlflow_is_waited_for_and_ctrl_c_leaves_it_to_the_queue(here, terminal, away):
    here.play(*BEGIN, *END)
    screen = terminal()
    screen.until("waiting for MLflow to get the rest; Ctrl-C leaves that to the queue")
    screen.type(b"\x03")
    assert screen.end() == 0
    assert "the queue brings" not in "\n".join(screen.lines)  # it did not come to that by itself


def test_who_stops_runs_does_not_wait_for_mlflow(here, terminal, away):
    here.play(*BEGIN, {"sleep": 600})
    screen = terminal()
    screen.until("25.0%")
    screen.type(b"\x03")
    assert screen.end() == 130
    shown = "\n".join(screen.lines)
    assert "the queue brings the rest over into MLflow" in shown and "waiting" not in shown


def test_a_closed_terminal_leaves_the_runs_going(here, terminal):
    here.play(*BEGIN, {"wait": "go"}, *END)
    screen = terminal()
    screen.until("25.0%")
    screen.hang_up()
    assert screen.process.wait(PATIENCE) != 0
    (run,) = here.runs()
    assert status(run) == Status.RUNNING
    here.allow("go")
    here.until(run, Status.FINISHED)


def test_ctrl_c_leaves_runs_alone_that_somebody_else_queued(here, spawn):
    here.play(*BEGIN, {"wait": "go"}, *END)
    first = spawn(COMMAND, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    here.wait(lambda: here.runs() and status(here.runs()[0]) == Status.RUNNING)
    second = spawn(COMMAND, stderr=subprocess.PIPE, text=True)
    assert "runs or waits already" in second.stderr.readline()
    assert "started on cpu" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    assert "the runs go on; this command only waited" in second.stderr.read()
    assert second.wait(PATIENCE) == 130
    assert status(here.runs()[0]) == Status.RUNNING
    here.allow("go")
    assert first.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_stopped_takes_waiting_runs_out_of_the_queue(here, number, spawn):
    here.play({"emit": STARTED}, {"print": "on"}, {"sleep": 600})
    threads = f"launch.threads={os.cpu_count()}"
    command = [*COMMAND, "seeds=0..3", threads, "--json"]
    client = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert json.loads(client.stdout.readline())["kind"] == "run_started"  # it follows
    client.send_signal(number)
    out, _ = client.communicate(timeout=PATIENCE)
    assert client.returncode == 130
    summary = json.loads(out.splitlines()[-1])
    assert [run["status"] for run in summary["runs"]] == ["stopped"] * 4
    assert sum(run.log_file.exists() for run in here.runs()) == 1
