import itertools
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from engine.errors import Foreign, UsageError
from engine.processes import Process
from engine.rundir import (
    STALE_SECONDS,
    STALLED_SECONDS,
    RunDirectory,
    Status,
    last_end,
    run_id,
    stalled,
    status,
    write_json,
)
from engine.spec import RunSpec

ALIVE = Process.of(os.getpid())
GONE = ALIVE.model_copy(update={"start": 1})  # its pid was given to another process
REBOOTED = ALIVE.model_copy(update={"boot": "before"})
ELSEWHERE = ALIVE.model_copy(update={"host": "elsewhere"})
NOW = time.time()


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "20260101-x-abcdef-s0")
    directory.path.mkdir(parents=True)
    (tmp_path / "queue").mkdir()
    return directory


def launched(run, process, attempt=1, at=NOW - 100):
    fields = {"attempt": attempt, "backend": "local", "device": "cpu", "threads": 1, "time": at}
    write_json(run.launch_file, {**fields, "process": process.model_dump()})


def beat(run, process, attempt=1, at=NOW, folder=None):
    sign = {"attempt": attempt, "process": process.model_dump(), "time": at, "folder": folder}
    write_json(run.heartbeat_file, sign)


def left(run, code, attempt=1):
    write_json(run.exit_file, {"attempt": attempt, "code": code, "time": NOW})


def asked(run, verb, at=NOW):
    write_json(run.request_file, {"verb": verb, "time": at})


def journal(run, *events):
    lines = [json.dumps({"kind": kind, "attempt": n, **more}) for kind, n, more in events]
    run.events_file.write_text("".join(line + "\n" for line in lines))


def ended(run, how, attempt=1):
    journal(run, ("warned", 1, {"message": "x"}), ("run_ended", attempt, {"status": how}))


def queued(run):
    run.queue_file.write_text("{}")


def test_a_run_that_never_started_waits_or_was_taken_out_of_the_queue(run):
    assert status(run) == Status.STOPPED
    asked(run, "pause")
    assert status(run) == Status.PAUSED
    queued(run)
    assert status(run) == Status.QUEUED


@pytest.mark.parametrize("process", [GONE, REBOOTED])
def test_a_process_that_is_gone_without_a_word_is_lost_even_if_its_pid_is_used_again(run, process):
    launched(run, process)
    assert status(run) == Status.LOST
    beat(run, process)
    assert status(run) == Status.LOST
    queued(run)
    assert status(run) == Status.QUEUED


def test_a_living_process_counts_more_than_any_file(run):
    launched(run, ALIVE)
    ended(run, "failed")
    left(run, 1)
    queued(run)
    assert status(run) == Status.RUNNING


def test_a_copy_has_no_worker_and_a_folder_that_was_moved_keeps_its_own(run, tmp_path):
    beat(run, ALIVE, folder=run.inode)
    shutil.copytree(run.path, tmp_path / "copy")
    assert status(RunDirectory(tmp_path / "copy")) == Status.LOST
    moved = RunDirectory(run.path.rename(tmp_path / "moved"))
    assert status(moved) == Status.RUNNING
    elsewhere = RunDirectory(tmp_path / "copy")
    beat(elsewhere, ELSEWHERE, at=time.time(), folder=moved.inode)
    assert status(elsewhere) == Status.RUNNING  # other hosts number otherwise


def test_a_worker_without_a_shim_is_known_by_its_heartbeat(run):
    beat(run, ALIVE)
    assert status(run) == Status.RUNNING
    beat(run, GONE)
    assert status(run) == Status.LOST


def test_a_worker_on_another_host_is_known_by_the_age_of_its_signs(run):
    launched(run, ELSEWHERE, at=time.time())
    assert status(run) == Status.RUNNING
    launched(run, ELSEWHERE, at=time.time() - STALE_SECONDS - 1)
    assert status(run) == Status.LOST
    beat(run, ELSEWHERE, at=time.time() - STALE_SECONDS / 2)
    assert status(run) == Status.RUNNING
    beat(run, ELSEWHERE, at=time.time() - STALE_SECONDS - 1)
    assert status(run) == Status.LOST


@pytest.mark.parametrize(
    ("word", "code", "request_", "expected"),
    [
        ("finished", 0, None, Status.FINISHED),
        ("finished", -9, None, Status.FINISHED),  # killed after it had said so
        ("failed", 1, None, Status.FAILED),
        ("failed", 2, "stop", Status.FAILED),
        ("stopped", 75, None, Status.STOPPED),
        ("stopped", 75, "stop", Status.STOPPED),
        ("stopped", 75, "pause", Status.PAUSED),
        (None, 0, None, Status.FINISHED),
        (None, 1, None, Status.FAILED),
        (None, 1, "stop", Status.FAILED),
        (None, 75, None, Status.STOPPED),
        (None, 75, "pause", Status.PAUSED),
        (None, -15, None, Status.STOPPED),  # told to end before it could listen
        (None, -9, None, Status.FAILED),  # such as by the out-of-memory killer
        (None, -9, "stop", Status.STOPPED),  # it did not stop in time
        (None, -9, "pause", Status.PAUSED),
        (None, -11, None, Status.FAILED),
        (None, None, None, Status.LOST),
        (None, None, "stop", Status.STOPPED),
        ("stopped", None, None, Status.STOPPED),
    ],
)
def test_how_an_attempt_ended(run, word, code, request_, expected):
    launched(run, GONE)
    if word:
        ended(run, word)
    if code is not None:
        left(run, code)
    if request_:
        asked(run, request_)
    assert status(run) == expected


@pytest.mark.parametrize("evidence", ["event", "exit", "both"])
def test_what_an_earlier_attempt_left_says_nothing_about_a_newer_one(run, evidence):
    if evidence != "exit":
        ended(run, "failed", attempt=1)
    if evidence != "event":
        left(run, 0, attempt=1)
    launched(run, GONE, attempt=2)
    assert status(run) == Status.LOST


def test_an_earlier_request_says_nothing_about_a_newer_attempt(run):
    asked(run, "pause", at=NOW - 200)
    launched(run, GONE, attempt=2, at=NOW - 100)
    left(run, 75, attempt=2)
    assert status(run) == Status.STOPPED


def test_a_request_is_known_by_its_attempt_whatever_the_clock_says(run):
    launched(run, GONE, attempt=2, at=time.time() + 86_400)  # before the clock was set back
    left(run, -9, attempt=2)
    run.ask("pause")
    assert status(run) == Status.PAUSED
    launched(run, GONE, attempt=3, at=0)
    left(run, -9, attempt=3)
    assert status(run) == Status.FAILED


def test_a_journal_of_a_newer_attempt_started_by_hand_counts(run):
    launched(run, GONE, attempt=1)
    left(run, 1, attempt=1)
    ended(run, "finished", attempt=2)
    assert status(run) == Status.FINISHED


GARBAGE = ["", "{", '{"attempt": 1', "[]", "null", '{"attempt": "x"}', "\x00\x00"]


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.parametrize("name", ["launch_file", "exit_file", "heartbeat_file", "request_file"])
def test_a_broken_file_is_as_good_as_none(run, name, text):
    launched(run, GONE)
    left(run, 1)
    beat(run, GONE)
    asked(run, "stop")
    getattr(run, name).write_text(text)
    expected = Status.LOST if name == "exit_file" else Status.FAILED
    if name == "exit_file":
        run.request_file.unlink()
    assert status(run) == expected


def test_every_combination_of_files_gives_some_status(run):
    writers = [
        lambda: launched(run, GONE),
        lambda: left(run, -9),
        lambda: beat(run, GONE),
        lambda: asked(run, "pause"),
        lambda: ended(run, "stopped"),
        lambda: queued(run),
    ]
    seen = set()
    for chosen in itertools.product([False, True], repeat=len(writers)):
        for file in [*run.path.iterdir(), run.queue_file]:
            file.unlink(missing_ok=True)
        for write, wanted in zip(writers, chosen, strict=True):
            if wanted:
                write()
        found = status(run)
        assert (found == Status.QUEUED) == chosen[-1]
        assert found not in (Status.RUNNING, Status.FINISHED)
        seen.add(found)
    assert seen == {Status.QUEUED, Status.LOST, Status.FAILED, Status.PAUSED, Status.STOPPED}


def test_the_last_end_is_found_behind_a_torn_line_and_within_a_large_journal(run):
    end = ("run_ended", 3, {"status": "failed", "error": "x" * 1000})
    journal(run, *[("warned", 1, {"message": "y" * 100})] * 2000, end)
    with run.events_file.open("a") as file:
        file.write('{"kind": "run_ended", "attempt": 4, "stat')
    assert last_end(run).attempt == 3


def test_a_run_that_has_finished_stays_so_whatever_becomes_of_later_attempts(run):
    journal(run, ("run_ended", 1, {"status": "finished"}))
    launched(run, GONE, attempt=2)
    assert status(run) == Status.FINISHED  # killed while it evaluated
    left(run, 1, attempt=2)
    assert status(run) == Status.FINISHED  # an evaluation failed
    run.queue_file.write_text("{}")
    assert status(run) == Status.QUEUED  # it is to be evaluated again
    run.queue_file.unlink()
    launched(run, ALIVE, attempt=3)
    assert status(run) == Status.RUNNING


def test_a_run_that_is_started_while_somebody_looks_is_never_lost(run, monkeypatch):
    """The queue process writes launch.json and takes the entry away between two of our reads."""
    launched(run, GONE)
    queued(run)
    read = RunDirectory.launch

    def before_it_was_started(directory):
        found = read(directory)
        launched(run, ALIVE, attempt=2)
        run.queue_file.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(RunDirectory, "launch", before_it_was_started)
    assert status(run) == Status.QUEUED
    assert status(run) == Status.RUNNING


def test_the_last_end_is_found_before_many_evaluations(run):
    found = {"level": 0, "name": "x" * 1000, "metrics": {}}
    many = [("evaluated", 2, found)] * 300
    journal(run, ("run_ended", 1, {"status": "finished"}), *many)
    assert last_end(run).status == "finished"


def test_a_run_that_started_again_has_no_end_yet(run):
    journal(run, ("run_ended", 1, {"status": "stopped"}), ("run_started", 2, {}))
    assert last_end(run) is None
    run.events_file.unlink()
    assert last_end(run) is None


def test_stalled_is_silence_for_several_intervals(run):
    assert not stalled(run, NOW)
    beat(run, ALIVE, at=NOW)
    assert not stalled(run, NOW + STALLED_SECONDS)
    assert stalled(run, NOW + STALLED_SECONDS + 1)


def test_a_folder_without_a_spec_is_no_run(run):
    with pytest.raises(UsageError, match="no spec.yaml"):
        RunDirectory.open(run.path)


def test_the_id_says_when_what_and_which(run):
    spec = RunSpec.model_validate(
        {"name": "tiny.1", "seed": 7, "data": "digits", "model": "resnet20"}
    )
    assert run_id(spec, "20260102") == f"20260102-tiny.1-{spec.digest[:6]}-s7"


def test_a_small_file_is_replaced_whole_or_not_at_all(run):
    write_json(run.launch_file, {"a": 1})
    with pytest.raises(TypeError):
        write_json(run.launch_file, {"a": object()})
    assert json.loads(run.launch_file.read_text()) == {"a": 1}
    assert [file.name for file in run.path.iterdir()] == ["launch.json"]


def test_a_full_disk_keeps_the_old_file(run):
    write_json(run.launch_file, {"a": 1})
    code = (
        "import resource, signal, sys; from pathlib import Path; from engine.rundir import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "write_json(Path(sys.argv[1]), 'x' * 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, run.launch_file], capture_output=True, text=True
    )
    assert done.returncode == 1 and "File too large" in done.stderr
    assert json.loads(run.launch_file.read_text()) == {"a": 1}
    assert [file.name for file in run.path.iterdir()] == ["launch.json"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: x\ndata: digits\nmodel: resnet20\ngone: 1", "gone: Extra inputs are not permitted"),
        ("name: [", "while parsing"),
    ],
)
def test_a_spec_of_another_version_is_refused_by_its_name(run, text, why):
    run.spec_file.write_text(text)
    with pytest.raises(Foreign, match="is no spec of this version") as error:
        run.spec()
    assert str(run.spec_file) in str(error.value) and why in str(error.value)
