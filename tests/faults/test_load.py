"""Criteria 7 and 27: many trainers, MLflow's pages and the app at once; what the pages cost.

`LTHTUI_LOAD_MINUTES=n` says how long the load lasts at least (10).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import journalled, log, mirrored
from terminal import Terminal

from engine.rundir import Status, status
from lthtui.launch import queue

pytestmark = pytest.mark.fault
TRAINERS = 8
APP = "import sys; from pathlib import Path; from lthtui.app import run_app; "
APP += "sys.exit(run_app(Path(sys.argv[1])))"


def test_eight_trainers_with_pages_and_app(lab, record_property):
    minutes = float(os.environ.get("LTHTUI_LOAD_MINUTES", "10"))
    shared = {"devices": "cpu", "threads": "auto", "per_device": TRAINERS, "retries": 0}
    spec = lab.spec("imp", "local")
    fields = {**spec.model_dump(mode="json"), "launch": shared}
    pages = subprocess.Popen(
        [sys.executable, "-P", "-m", "lthtui", "mlflow", "--root", str(lab.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    app = Terminal([sys.executable, "-P", "-c", APP, str(lab.root)], 120, 40)
    runs, until, seed = [], time.monotonic() + 60 * minutes, 0
    try:
        assert pages.stdout.readline().startswith(b"http://127.0.0.1:")
        while time.monotonic() < until or not runs:
            specs = [
                type(spec).model_validate({**fields, "seed": seed + n}) for n in range(TRAINERS)
            ]
            seed += TRAINERS
            submitted = [one.directory for one in queue.submit(lab.root, specs)]
            for run in submitted:
                lab.wait(lambda run=run: status(run) == Status.FINISHED, lambda run=run: log(run))
            runs += submitted
            _ = app.lines
        app.until("finished")
        app.type(b"q")
        assert app.end() == 0
    finally:
        app.close()
        pages.send_signal(signal.SIGINT)
        pages.communicate()
    lab.wait(lambda: not lab.dispatched())
    for run in runs:
        assert mirrored(run) == journalled(run), run.run_id
        assert "locked" not in log(run)
    with contextlib.closing(sqlite3.connect(lab.root / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert pages.returncode == 0
    record_property("trainers at once", TRAINERS)
    record_property("minutes", minutes)
    record_property("runs", len(runs))
    record_property("rows in MLflow, as in the journals", sum(len(mirrored(run)) for run in runs))
    record_property("lock errors", 0)


ALONE = """
import http.client, json, os, signal, subprocess, sys, time
from pathlib import Path
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
began = time.monotonic()
pages = subprocess.Popen([sys.executable, "-P", "-m", "lthtui", "mlflow", "--root", sys.argv[1]],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
address = pages.stdout.readline().strip().removeprefix("http://").rstrip("/")
ready = time.monotonic() - began
def ask(method, path, **headers):
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request(method, path, headers=headers)
    return connection.getresponse().status
def family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [one for child in children for one in family(int(child))]
def pss(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
answers = {"page": ask("GET", "/"), "host": ask("GET", "/", Host="evil.example"),
           "origin": ask("POST", "/api/2.0/mlflow/experiments/create", Origin="http://evil.example"),
           "jobs": ask("GET", "/ajax-api/3.0/jobs/1")}
members = family(pages.pid)
memory = sum(map(pss, members))
pages.send_signal(signal.SIGINT)
began = time.monotonic()
pages.wait()
while any(os.path.exists(f"/proc/{pid}/exe") for pid in members):
    time.sleep(0.01)
print(json.dumps({"answers": answers, "processes": len(members), "MiB": round(memory),
                  "ready": ready, "stopped": time.monotonic() - began, "address": address}))
"""


def test_pages_without_a_way_out(tmp_path, record_property):
    if not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"]).returncode:
        pytest.skip("this user may not make a network of its own")
    command = ["unshare", "-n", sys.executable, "-c", ALONE, str(tmp_path / "mlruns")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["address"].startswith("127.0.0.1:")
    assert found["answers"]["page"] == 200
    assert found["answers"]["host"] == found["answers"]["origin"] == 403
    assert found["answers"]["jobs"] >= 400
    for name in ("processes", "MiB"):
        record_property(name, found[name])
    record_property("s until ready", f"{found['ready']:.1f}")
    record_property("s until all were gone", f"{found['stopped']:.1f}")
    assert Path(tmp_path / "mlruns" / "mlflow.db").exists()
