"""The app in a real terminal: it draws, follows a resize, and leaves the terminal as it was."""

from __future__ import annotations

import json
import signal
import socket
import sys

import pytest
from rundirs import FakeRun, populate
from terminal import Terminal
from waiting import wait_for

from lthtui import notes, state

CODE = """
import sys
from pathlib import Path
from lthtui.app import run_app
sys.exit(run_app(Path("mlruns")))
"""


def test_draws_resizes_and_leaves_a_sane_terminal(root):
    populate(root)
    terminal = Terminal([sys.executable, "-c", CODE], 80, 24)
    try:
        terminal.until("imp rate=0.5 · sweep")
        terminal.type(b"Gh")
        terminal.until("n=2/3")
        terminal.resize(130, 24)
        terminal.until("training")
        terminal.type(b"q")
        assert terminal.end() == 0
        assert b"2 runs go on" in terminal.output
        for end in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
            assert end in terminal.output, end
        assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")
        assert terminal.sane
    finally:
        terminal.close()


def test_a_bug_is_told_in_one_message_and_leaves_a_sane_terminal(root, monkeypatch):
    populate(root)
    broken = CODE.replace(
        "sys.exit",
        "from lthtui.screens.main import MainScreen\n"
        "MainScreen.on_opened = lambda self, message, token='hunter2': {}[token + 'x']\nsys.exit",
    )
    terminal = Terminal([sys.executable, "-c", broken], 80, 24)
    try:
        terminal.until("imp rate=0.5 · sweep")
        terminal.type(b"\r")
        assert terminal.end() == 1
        said = terminal.output[terminal.output.rindex(b"\x1b[?1049l") :].decode()
        assert "unexpected KeyError: 'hunter2x'" in said and "Traceback" not in said
        assert terminal.sane
    finally:
        terminal.close()
    file = state.file().with_name("crash.txt")
    kept = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "in <lambda>" in kept and "KeyError: 'hunter2x'" in kept


MUTE = CODE.replace("sys.exit", "from engine import remote\nremote.PATIENCE = 3600.0\nsys.exit")


@pytest.mark.parametrize("sent", [None, signal.SIGINT, signal.SIGTERM])
def test_who_quits_or_interrupts_waits_for_no_answer(root, sent):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        run = FakeRun(root, "one").start().train(1).end("stopped").directory
        run.mlflow_file.write_text(json.dumps({"mlflow_run_id": "a", "tracking_uri": address}))
        terminal = Terminal([sys.executable, "-c", MUTE], 80, 24)
        try:
            terminal.until("1 group, 1 run")
            terminal.type(b"\r")
            terminal.until("curve", "training")
            terminal.type(b"]]]]]")
            terminal.until("MLflow artifacts")
            terminal.type(b"\x1b[B\x1b[C")
            asked, _ = server.accept()  # and never answered
            with asked:
                if sent:
                    terminal.process.send_signal(sent)
                else:
                    terminal.type(b"q")
                assert terminal.end() == (130 if sent else 0)
                assert b"still at work" not in terminal.output and terminal.sane
                assert b"Traceback" not in terminal.output
        finally:
            terminal.close()


SLOW = """
import sys, time
from pathlib import Path
from lthtui import cli, state
put = state.put
def slowly(*arguments):
    while not Path("go").exists():
        time.sleep(0.01)
    put(*arguments)
state.put = slowly
sys.exit(cli.main([]))
"""


def test_what_was_asked_for_is_finished_after_quitting_unless_somebody_interrupts(root, tmp_path):
    for finishes in (True, False):
        terminal = Terminal([sys.executable, "-c", SLOW], 80, 24)
        try:
            terminal.until("? Help")
            terminal.type(b"2" if finishes else b"4")
            terminal.until("nothing runs or waits" if finishes else "no run has picked")
            terminal.type(b"q")
            wait_for(lambda: terminal.lines and b"still at work" in terminal.output)  # noqa: B023
            assert terminal.output.rindex(b"still at work") > terminal.output.rindex(b"\x1b[?1049l")
            if finishes:
                (tmp_path / "go").touch()
            else:
                terminal.type(b"\x03")
            assert terminal.end() == (0 if finishes else 130)
            assert b"Traceback" not in terminal.output
            assert state.get("places", str(root)) == "queue" and terminal.sane
        finally:
            terminal.close()
        (tmp_path / "go").unlink(missing_ok=True)


EDITOR = """#!/bin/sh
echo mine >> "$1"
test -e editing && exit 3
trap '' INT
stty -icanon -echo
touch editing
read -r _
"""


def test_an_editor_that_wrecks_the_terminal_or_fails_leaves_it_sane(root, tmp_path):
    run = FakeRun(root, "one").start().train(1).end("stopped").directory
    editor = tmp_path / "editor.sh"
    editor.write_text(EDITOR)
    editor.chmod(0o700)
    terminal = Terminal([sys.executable, "-c", CODE], 80, 24, EDITOR=str(editor), VISUAL="")
    try:
        terminal.until("1 group, 1 run")
        terminal.type(b"N")
        wait_for((tmp_path / "editing").exists)
        terminal.type(b"\x03\n")  # Ctrl-C is the editor's, which makes nothing of it
        terminal.until("noted")
        assert notes.read(run).note == "mine"
        terminal.type(b"N")
        terminal.until("ended with code 3")
        assert terminal.output.count(b"\x1b[?1049h") == 3
        terminal.type(b"q")
        assert terminal.end() == 0
        assert terminal.sane
    finally:
        terminal.close()
