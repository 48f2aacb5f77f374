"""What of runs that train on a cluster is brought over into MLflow as they go."""

from __future__ import annotations

import os

import pytest
from mirrored import expected_rows, rows, run_of

from engine.processes import Process
from engine.rundir import Launch, write_json
from engine.tracking import sync
from lthtui.launch import mirroring

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


def launched(run, job, tracking="local"):
    """A run that trains, in this process for one."""
    here = Process.of(os.getpid())
    fields = {"attempt": 1, "backend": "x", "device": "cpu", "threads": 1, "time": 0.0, "job": job}
    write_json(run.directory.launch_file, Launch(process=here, **fields).model_dump())


@pytest.mark.parametrize(
    ("job", "tracking", "needed"),
    [("12", "local", True), (None, "local", False), ("12", "http://server:5000", False)],
)
def test_a_running_run_is_brought_over_if_its_worker_is_where_the_store_is_not(
    tmp_path, job, tracking, needed
):
    run = run_of(tmp_path, tracking=tracking)
    run.directory.events_file.touch()
    launched(run, job)
    assert not mirroring.needs(run.directory)  # it has said nothing yet
    run.start().train(1)
    assert mirroring.needs(run.directory) == needed


def test_what_a_running_run_has_gained_is_sent_once(tmp_path):
    run = run_of(tmp_path, tracking="local").start().train(1)
    launched(run, "12")
    assert sync(run.directory).status == "RUNNING"
    assert not mirroring.needs(run.directory)
    run.begin_level(1)
    run.end_epoch(1, 1)
    assert mirroring.needs(run.directory)
    again = sync(run.directory)
    assert again.status == "RUNNING" and again.rows == 5  # of one epoch
    assert rows(run.directory.root) == expected_rows(run)
