"""The sink of a worker: a process of its own, which holds training up by nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mirrored import expected_rows, known, rows, run_of
from waiting import PATIENCE

from engine.tracking import Sink, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
WORKER = """
import runpy, sys, time
from pathlib import Path
from engine.tracking import Sink
FakeRun = runpy.run_path(sys.argv[1])["FakeRun"]
run = FakeRun(Path(sys.argv[2]), "cold", levels=1, epochs=2)
sink = Sink(run.directory, run.directory.spec())
sink.start()
run.start(); sink.wake()
pid = sink._process.pid
ignores_term = 1 << 14
while True:
    fields = dict(l.split(":\\t") for l in open(f"/proc/{pid}/status") if l.count(":\\t") == 1)
    if int(fields["SigIgn"], 16) & ignores_term:
        break
    time.sleep(0.05)
time.sleep(0.3)
print("sqlalchemy" in open(f"/proc/{pid}/maps").read())
run.train(2).end(); sink.wake()
print(sink.close(120), "mlflow" in sys.modules, "sqlalchemy" in sys.modules)
"""


def test_mlflow_is_imported_by_another_process_and_after_the_first_epoch(root):
    fakes = Path(__file__).parents[1] / "fakes/rundirs.py"
    command = [sys.executable, "-P", "-c", WORKER, str(fakes), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.split() == ["False", "True", "False", "False"], done.stderr
    assert len(known(root)) == 4 * 5 + 2 * 7


def test_a_sink_that_cannot_deliver_says_so_in_one_line_and_sync_delivers(root, capfd):
    (root / "mlflow.db").write_bytes(b"nothing" * 1000)
    run = run_of(root).start().train(1).end()
    sink = Sink(run.directory, run.directory.spec())
    sink.start()
    assert sink.close(120) is False
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("MLflow: ") and "moves it away" in line
    (root / "mlflow.db").unlink()
    sync(run.directory)
    assert known(root) == expected_rows(run)


def test_a_sink_never_outstays_its_time(root):
    run = run_of(root).start().train(1)
    sink = Sink(run.directory, run.directory.spec())
    sink.start()
    process = sink._process
    assert sink.close(0.0) is False
    assert process.returncode == -signal.SIGKILL
    sink.wake()


def test_no_tracking_no_process(root):
    run = run_of(root, tracking="off").start().train(1).end()
    sink = Sink(run.directory, run.directory.spec())
    sink.start()
    sink.wake()
    assert sink.close(0.0) is True and sink._process is None
    assert rows(root) == []
    sync(run.directory)
    assert known(root) == expected_rows(run)
