"""Criterion 4: the app's terminal is closed, or gets Ctrl-C, while runs train."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from terminal import Terminal
from waiting import PATIENCE

from engine.rundir import Status, status

FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}
APP = "import sys; from pathlib import Path; from lthtui.app import run_app; "
APP += "sys.exit(run_app(Path(sys.argv[1])))"


@pytest.mark.parametrize("how", ["closed", "Ctrl-C", "SIGTERM", "killed"])
def test_runs_go_on_without_the_app(stage, how):
    stage.play({"wait": "go"}, FINISH)
    running, waiting = stage.submit(0, 1, launch={"threads": os.cpu_count() or 1, "retries": 0})
    stage.until(running, Status.RUNNING)
    stage.wait(running.heartbeat_file.exists)
    worker = running.heartbeat().process
    terminal = Terminal([sys.executable, "-P", "-c", APP, str(stage.root)], 100, 30)
    try:
        terminal.until("running")
        match how:
            case "closed":
                terminal.hang_up()
            case "Ctrl-C":
                terminal.type(b"\x03")
                terminal.until("play")
            case "SIGTERM":
                terminal.process.send_signal(signal.SIGTERM)
            case "killed":
                terminal.process.kill()
        if how != "Ctrl-C":  # which says how to quit, and does not
            terminal.process.wait(PATIENCE)
        assert (status(running), status(waiting)) == (Status.RUNNING, Status.QUEUED)
        assert worker.alive and running.heartbeat().process == worker
        stage.allow("go")
        stage.until(waiting, Status.FINISHED)
        assert (status(running), running.launch().attempt) == (Status.FINISHED, 1)
    finally:
        terminal.close()
