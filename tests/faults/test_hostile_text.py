"""Criterion 22: names, tags, errors, logs that would take the terminal over if they got there."""

from __future__ import annotations

import sys
import time

import pytest
from rundirs import FakeRun
from terminal import Terminal

from engine.events import Warned
from engine.rundir import write_json
from lthtui.launch import entries, lease, queue

# It writes the clipboard, sets the title, clears the screen, turns text around, and is markup.
PAYLOAD = "HACKED\x1b]52;c;SEFDS0VE\x07\x1b]0;HACKED\x07\x1b[2J\x9b31m\u202e\u2066[b][/c]\x00\x08"
FORBIDDEN = [b"\x1b]52", b"\x1b]0;", b"\xc2\x9b", "\u202e".encode(), "\u2066".encode(), b"\x00"]
APP = "import sys; from pathlib import Path; from lthtui.app import run_app; "
APP += "sys.exit(run_app(Path(sys.argv[1])))"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root in which whatever can be chosen from outside is hostile."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setenv("LTHTUI_USER", PAYLOAD.replace("\x00", ""))
    root = tmp_path / "mlruns"
    run = FakeRun(root, "hostile", tags={"note": PAYLOAD}).start().train(2)
    run._append(Warned(message=PAYLOAD))
    run.end("failed", PAYLOAD)
    run.log(PAYLOAD + "\n" + PAYLOAD + "x" * 2**20 + "\n")
    (root / "runs" / "HACKED\x1b]52;c;eA==\x07").mkdir()
    (root / "runs" / "HACKED\x1b]52;c;eA==\x07" / "spec.yaml").write_text("a: [")
    other = FakeRun(root, "waits", seed=1)
    queue.resume([other.directory], turn=queue.Turn(hold=True))
    write_json(lease.reasons_file(root), {other.run_id: PAYLOAD})
    entry = entries.find(other.directory)
    with entries.locked(root):
        entries.write(
            root,
            entry.model_copy(
                update={"after": (PAYLOAD.replace("\x00", "").replace("/", ""),), "hold": False}
            ),
        )
    lease.log_file(root).write_text(PAYLOAD + "\n")
    return root


@pytest.mark.parametrize(
    ("arguments", "shows"),
    [
        (["list"], True),
        (["show", "hostile"], True),
        (["logs", "hostile", "-n", "3"], True),
        (["queue"], True),
        (["doctor"], True),
        (["cancel", PAYLOAD.replace("\x00", "")], True),
    ],
)
def test_no_command_lets_it_through(root, arguments, shows):
    terminal = Terminal(
        [sys.executable, "-P", "-m", "lthtui", *arguments, "--root", str(root)], 120, 40
    )
    try:
        terminal.end()
        assert (b"HACKED" in terminal.output) == shows
        assert [found for found in FORBIDDEN if found in terminal.output] == []
    finally:
        terminal.close()


def test_the_app_lets_nothing_through_and_stays_quick(root, record_property):
    terminal = Terminal([sys.executable, "-P", "-c", APP, str(root)], 120, 40)
    try:
        terminal.until("hostile")
        terminal.until("HACKED")
        times = []
        for key in (b"j", b"k") * 5:
            before, began = len(terminal.output), time.monotonic()
            terminal.type(key)
            while len(terminal.output) == before and time.monotonic() - began < 10:
                _ = terminal.lines
            times.append(time.monotonic() - began)
        terminal.type(b"\r")
        terminal.until("HACKED")
        terminal.type(b"q")
        terminal.type(b"q")
        assert terminal.end() == 0
        payloads = [found for found in FORBIDDEN if found != b"\x1b]0;"]
        assert [found for found in payloads if found in terminal.output] == []
        assert b"\x1b]0;HACKED" not in terminal.output
        record_property("ms from key to paint, median", round(1000 * sorted(times)[5]))
    finally:
        terminal.close()
