"""A real run whose results go to a server that wants a token and goes away in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from mirrored import in_store
from servers import GONE, Answer, mlflow_server, proxy
from waiting import PATIENCE, wait_for

from engine import link
from engine.events import Tail
from engine.rundir import RunDirectory
from engine.tracking import sync
from lthtui.launch.mirroring import needs
from lthtui.store import Store

pytestmark = [
    pytest.mark.fault,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own
]
TOKEN = "t0ken-4711-of-the-lab"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def guarded(server):
    """A way to the server that asks for the token; it is closed while `away`."""
    with proxy(server) as found:
        found.away = False

        def fault(asked):
            if found.away:
                return GONE
            return None if asked.headers.get("Authorization") == f"Bearer {TOKEN}" else Answer(401)

        found.fault = fault
        yield found


@pytest.fixture
def train(tmp_path, spawn):
    """Starts `lthtui run` with the token; gives its process and the run, once that has begun."""

    def start(address, epochs, **launch):
        spec = {
            "version": 1,
            "name": "away",
            "data": {"name": "digits", "per_class": 40, "validation": 100},
            "model": {"name": "resnet20", "width": 8},
            "sparsifier": {"name": "imp", "levels": 2, "rewind": "1ep"},
            "train": {"epochs": epochs, "batch_size": 50},
            "tracking": address,
            "launch": launch,
        }
        (tmp_path / "away.yaml").write_text(yaml.safe_dump(spec))
        command = [sys.executable, "-P", "-m", "lthtui", "run", "away.yaml", "--detach"]
        environment = {**os.environ, "MLFLOW_TRACKING_TOKEN": TOKEN}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
        (folder,) = (tmp_path / "mlruns" / "runs").iterdir()
        directory = RunDirectory(folder)
        wait_for(lambda: any(one.kind == "epoch_ended" for one in events(directory)))
        return directory

    return start


def events(directory):
    return [*Tail(directory.events_file).read()]


def test_a_server_goes_away_in_the_middle(guarded, train, tmp_path, monkeypatch, record_property):
    directory = train(guarded.address, epochs=40)
    wait_for(lambda: link.read(directory))
    guarded.away, asked = True, len(guarded.seen)
    wait_for(lambda: events(directory)[-1].kind == "run_ended")
    ended, shim = time.monotonic(), directory.launch().process
    wait_for(lambda: not shim.alive)
    record_property("seconds that the device was held after the end", _since(ended))
    wait_for(lambda: needs(directory))
    wait_for(lambda: len(guarded.seen) >= asked + 4)
    record_property("requests while it was away", len(guarded.seen) - asked)
    guarded.away, back = False, time.monotonic()
    wait_for(lambda: not needs(directory))
    record_property("seconds until everything was there once it was back", _since(back))

    here = RunDirectory(tmp_path / "here" / "runs" / directory.run_id)
    shutil.copytree(directory.path, here.path)
    here.mlflow_file.unlink()
    spec = yaml.safe_load(here.spec_file.read_text())
    here.spec_file.write_text(yaml.safe_dump({**spec, "tracking": "local"}))
    sync(here)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    there = in_store(guarded.address, "away")
    assert there == in_store(tmp_path / "here", "away")
    assert len(there[0]) == 1 and len(there[1]) == 3 and there[0][0]["status"] == "FINISHED"
    epochs = sum(one.kind == "epoch_ended" for one in events(directory))
    assert len(there[0][0]["curve"][0]) == epochs
    record_property("epochs", epochs)
    files = [file for file in (tmp_path / "mlruns").rglob("*") if file.is_file()]
    leaks = [file for file in files if TOKEN.encode() in file.read_bytes()]
    record_property(f"of {len(files)} files those with the token", len(leaks))
    assert leaks == []


def test_a_killed_run_is_no_longer_running_there(server, train, record_property):
    directory = train(server, epochs=400, retries=0)
    wait_for(lambda: link.read(directory))
    (before,) = [run for run in Store(server).runs("away") if run.run_id == directory.run_id]
    assert before.status == "RUNNING"
    beat, shim = directory.heartbeat().process, directory.launch().process
    for process in (shim, beat):
        process.signal(signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: not needs(directory) and link.read(directory).settled.status != "RUNNING")
    record_property("seconds until MLflow said so", _since(killed))
    (after,) = [run for run in Store(server).runs("away") if run.run_id == directory.run_id]
    assert after.status == "FAILED" and "gone without a word" in after.tags["lthtui.error"]
    assert PATIENCE > _since(killed)


def _since(then: float) -> float:
    return round(time.monotonic() - then, 1)
