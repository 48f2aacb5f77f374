"""What doctor says of machines, disks, queues and versions, and how it says it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from nvml import GIB, Card, install
from rundirs import FakeRun

from engine import filesystems
from engine.launchspec import LaunchSpec
from engine.rundir import Status
from lthtui.cli import main
from lthtui.doctor import program
from lthtui.doctor.examining import examine
from lthtui.doctor.findings import Case, Finding, Severity
from lthtui.launch import entries, space

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


def messages(found):
    return [(one["severity"], one["message"]) for one in found]


def test_a_sound_root_has_no_findings(doctor, root, capfd):
    assert doctor() == (0, [], [])
    assert doctor("--fix") == (0, [], [])
    assert main(["doctor"]) == 0
    out = capfd.readouterr().out
    assert f"torch {version('torch')}, mlflow {version('mlflow')}" in out
    assert [line for line in out.splitlines() if line[0] not in " "] == [
        "devices", "disk", "store", "runs", "program",
    ]  # fmt: skip
    assert f"whole, {os.stat(root / 'mlflow.db').st_size / 1024:.0f}" in out


def test_neither_torch_nor_mlflow_is_imported(root):
    code = (
        "import sys; from lthtui.cli import main; main(['doctor'])\n"
        "print(sorted({'torch', 'mlflow', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_root_that_is_not_there_yet_is_fine(tmp_path, capfd):
    assert main(["doctor", "--root", str(tmp_path / "none" / "yet")]) == 0
    assert "no MLflow store in" in capfd.readouterr().out
    assert not (tmp_path / "none").exists()


def test_what_one_check_trips_over_leaves_the_others(tmp_path, monkeypatch):
    def trip(case):
        raise RuntimeError("no such luck")
        yield

    monkeypatch.setattr(program, "check", trip)
    trip.__module__ = "lthtui.doctor.program"
    found = examine(Case(tmp_path, lambda words: {}))
    assert found[-1].message == "could not be looked at: RuntimeError: no such luck"
    assert (found[-1].topic, found[-1].severity) == ("program", Severity.ERROR)
    assert {"devices", "disk", "store", "runs"} <= {one.topic for one in found}


def test_names_from_outside_reach_no_terminal(root, capfd):
    (root / "runs" / "a\x1b[2Jb").mkdir()
    assert main(["doctor"]) == 0
    out = capfd.readouterr().out
    assert "without a spec, such as a\\x1b[2Jb" in out and "\x1b" not in out


# -- devices ----------------------------------------------------------------------------------


def test_gpus_are_told_with_who_is_on_them(doctor, root, monkeypatch, capfd):
    busy = Card("GPU-a", "Big", total=80 * GIB, compute={os.getpid(): 3 * GIB})
    install(monkeypatch, busy, Card("GPU-b", "Small", bus="00000000:02:00.0", total=8 * GIB))
    assert doctor()[0] == 0
    main(["doctor"])
    out = capfd.readouterr().out
    assert "GPU 0: Big (GPU-a)" in out and "3GiB of 80GiB used" in out and str(os.getpid()) in out
    assert "GPU 1: Small (GPU-b)" in out and "nobody computes" in out


def test_a_driver_that_fails_and_a_variable_that_hides_all_are_found(doctor, monkeypatch):
    import pynvml

    install(monkeypatch, Card("GPU-a", error=pynvml.NVML_ERROR_GPU_IS_LOST), Card("GPU-b"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = doctor()[1]
    assert [one["remedy"] for one in found] == ["nvidia-smi", "unset CUDA_VISIBLE_DEVICES"]


def test_a_clock_that_was_set_back_is_found(doctor, run):
    os.utime(run.events_file, (0, time.time() + 4000))
    ((severity, message),) = messages(doctor()[1])
    assert severity == "warning" and "behind what runs have written" in message
    assert 3900 < int(message.split()[3].replace(",", "")) <= 4000


# -- disk -------------------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch):
    """Changes what is known of the file system."""
    whole = filesystems.of

    def make(**changes) -> None:
        monkeypatch.setattr(
            filesystems, "of", lambda folder: dataclasses.replace(whole(folder), **changes)
        )

    return make


def test_little_room_is_a_warning_and_none_an_error(doctor, disk, run):
    disk(free=3 * space.RESERVE, size=10**12)
    code, (found,), _ = doctor()
    assert (code, found["severity"]) == (0, "warning")
    assert found["remedy"] == f"lthtui gc --dry-run --root {run.root}"
    disk(free=0, size=10**12)
    code, (found,), _ = doctor()
    assert (code, found["severity"]) == (1, "error") and "no run can start" in found["message"]


def test_a_run_that_waits_for_room_is_told(doctor, disk, root):
    waits = FakeRun(root, "waits").queue()
    entry = entries.Entry(run_id=waits.run_id, order=1, hold=True, launch=LaunchSpec())
    entries.write(root, entry)
    disk(free=space.RESERVE - 2**20, size=10**12)
    found = [one["message"] for one in doctor()[1]]
    assert found[1] == f"{waits.run_id} has to wait for room: disk: 199MiB free, 200MiB needed"


def test_a_network_file_system_is_told_and_one_without_locks_refused(doctor, monkeypatch):
    monkeypatch.setattr(filesystems, "_magic", lambda folder: 0x6969)
    code, found, _ = doctor()
    assert code == 1 and [one["topic"] for one in found] == ["disk", "store"]
    assert "on NFS, which other machines may write to" in found[0]["message"]
    assert "write-ahead log, which is unsafe" in found[1]["message"]
    code, found, treated = doctor("--fix")
    assert code == 0 and [one["topic"] for one in found] == ["disk"]
    assert [(one["done"], one["ok"]) for one in treated] == [
        ("ended the store's write-ahead log", True)
    ]
    monkeypatch.setattr(filesystems, "_flock", lambda file: None)
    code, found, _ = doctor()
    assert (code, found[0]["severity"]) == (1, "error") and "without file locks" in str(found)


def test_what_others_may_change_is_closed(doctor, root):
    (root / "runs").chmod(0o777)
    (root / "mlflow.db").chmod(0o666)
    code, (found,), _ = doctor()
    assert code == 0 and found["remedy"] == f"chmod go-w {root / 'mlflow.db'} {root / 'runs'}"
    assert doctor("--fix")[1] == []
    assert ((root / "runs").stat().st_mode & 0o777) == 0o755
    assert ((root / "mlflow.db").stat().st_mode & 0o777) == 0o644


def test_whose_root_it_is(doctor, root, run, monkeypatch, capfd):
    if os.geteuid() != 0:
        pytest.skip("needs the superuser")
    os.chown(run.path, 12345, 12345)
    ((severity, message),) = messages(doctor()[1])
    assert severity == "warning" and f"belong to others, such as {run.path}" in message
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found = doctor()[1]
    assert [one["topic"] for one in found] == ["disk"]
    assert "belongs to root: it can be looked at, not changed" in found[0]["message"]
    capfd.readouterr()
    assert main(["doctor", "--fix"]) == 2 and "belongs to root, and so" in capfd.readouterr().err


def test_a_run_that_is_queued_without_room_is_told_at_once(disk, stage, tmp_path, capfd):
    (tmp_path / "small.yaml").write_text(
        "version: 1\ndata: digits\nmodel: resnet20\nsparsifier: dense\nlaunch: {retries: 0}\n"
    )
    command = ["run", str(tmp_path / "small.yaml"), "--root", str(stage.root), "--detach"]
    assert main([*command, "--hold"]) == 0
    assert "lthtui gc" not in capfd.readouterr().err
    disk(free=10 * 2**20, size=10**12)
    assert main([*command, "--hold", "--again"]) == 0
    assert "disk: 10MiB free, 200MiB needed; runs wait for room" in capfd.readouterr().err


# -- the queue --------------------------------------------------------------------------------


def test_runs_that_nobody_starts_are_found_and_started(stage, capfd):
    run = stage.submit(0)[0]
    stage.until(run, Status.FINISHED)
    stage.wait(lambda: not stage.dispatched())
    run.events_file.write_bytes(b"")
    entry = entries.Entry(run_id=run.run_id, order=1, launch=LaunchSpec())
    entries.write(stage.root, entry)
    assert main(["doctor", "--root", str(stage.root)]) == 0
    out = capfd.readouterr().out
    assert "! 1 run(s) wait, and no queue process looks after them" in out
    assert "lthtui doctor --fix" in out and not stage.dispatched()
    assert main(["doctor", "--fix", "--root", str(stage.root)]) == 0
    assert "fixed: called a queue process" in capfd.readouterr().err
    stage.until(run, Status.FINISHED)


def test_runs_that_wait_for_somebody_to_act_need_no_queue_process(doctor, root, capfd):
    (root / "queue").mkdir(exist_ok=True)
    held, behind, lone = (FakeRun(root, name).directory for name in ("held", "behind", "lone"))
    for order, (run, hold, after) in enumerate(
        [(held, True, ()), (behind, False, (held.run_id,)), (lone, False, ("gone-s0",))]
    ):
        turn = {"order": order, "hold": hold, "after": after}
        entries.write(root, entries.Entry(run_id=run.run_id, launch=LaunchSpec(), **turn))
    wait = "run(s) wait for somebody to act, such as"
    code, (found,), treated = doctor("--fix")
    assert (code, treated, found["fixable"]) == (0, [], False)
    assert found["message"] == f"1 {wait} {lone.run_id}: after gone-s0, which is gone"
    assert found["remedy"] == f"lthtui queue --root {root}"
    assert main(["doctor"]) == 0
    assert f"  2 {wait} {held.run_id}: held" in capfd.readouterr().out


def test_leftovers_are_found_and_removed(doctor, root, run):
    left = run.path / ".launch.json.4194305.tmp"
    left.write_text("half")
    (root / "queue").mkdir(exist_ok=True)
    (root / "queue" / "nobody.json").write_text("{}")
    code, found, _ = doctor()
    assert code == 0 and [one["message"].partition(",")[0] for one in found] == [
        "1 entries that can't be read",
        "1 temporary files of processes that are gone",
    ]
    assert [one["topic"] for one in found] == ["queue", "queue"]
    assert doctor("--fix")[1] == [] and not left.exists()


def test_commands_that_are_advised_quote_the_names_of_folders(doctor, root, run):
    moved = run.path.rename(run.path.with_name("$(touch pwned)"))
    (moved / "mlflow.json").unlink()
    (root / "runs" / "$(id)").mkdir()
    remedies = [one["remedy"] for one in doctor()[1]]
    assert remedies == [f"ls -la '{root}/runs/$(id)'", "lthtui sync '$(touch pwned)'"]


# -- the program ------------------------------------------------------------------------------


def test_missing_packages_are_named_with_the_command(doctor, monkeypatch):
    whole = program._version
    monkeypatch.setattr(program, "_version", lambda name: None if name == "optuna" else whole(name))
    code, (found,), _ = doctor()
    assert (code, found["message"]) == (1, "packages are missing: optuna")
    assert found["remedy"] == f"{sys.executable} -m pip install optuna"
    assert {"torch", "mlflow", "textual"} <= set(program.needed())


def test_json_is_whole(root, capfd):
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["root"] == str(Path(root)) and report["treated"] == []
    for found in report["findings"]:
        assert set(found) == {"topic", "severity", "message", "remedy", "fixable"}
    assert Finding("disk", Severity.FINE, "x").remedy == ""
