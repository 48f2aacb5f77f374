"""A run in MLflow equals its journal, whatever was locked, deleted, killed or repeated."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from mirrored import expected_rows, known, rows, run_of, sizes
from waiting import PATIENCE, wait_for

from engine import filesystems, mlstore, storefile
from engine.errors import StoreError, UsageError
from engine.events import Evaluated, Journal, Tail, TicketSaved
from engine.following import Follower, Wire
from engine.mirror import Mirror, only_mirror
from engine.processes import Process
from engine.rundir import Launch, write_json
from engine.tracking import Sink, ensure_store, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own

NFS = 0x6969
ENSURE = "import sys; from engine.tracking import *; ensure_store(sys.argv[1])"
HOLD = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
store.execute("BEGIN EXCLUSIVE"); print("held", flush=True); sys.stdin.read()
"""


@contextlib.contextmanager
def following(run):
    """A follower in a thread of this process; gives a function that wakes it, then ends it."""
    out, into = os.pipe()
    follower = Follower(run.directory, Wire(out))
    follower._await_first_epoch = lambda: None
    result = []
    thread = threading.Thread(target=lambda: result.append(follower.run()), daemon=True)
    thread.start()
    try:
        yield lambda: os.write(into, b".")
    finally:
        os.close(into)
        thread.join(PATIENCE)
        os.close(out)
    assert result == [None]


# -- the store --------------------------------------------------------------------------------


def test_the_store_is_what_mlflow_makes_of_it(tmp_path):
    uri = ensure_store(tmp_path / "new" / "mlruns")
    root = tmp_path / "new" / "mlruns"
    assert uri == f"sqlite:///{root}/mlflow.db"
    from mlflow import MlflowClient
    from mlflow.store.db.utils import _get_latest_schema_revision

    assert storefile.expected_version() == _get_latest_schema_revision()
    default = MlflowClient(uri).get_experiment("0")
    assert default.artifact_location == (root / "artifacts" / "0").as_uri()
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not list(root.glob(".mlflow.db.tmp*"))


def test_no_write_ahead_log_where_memory_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystems, "_magic", lambda folder: NFS)
    ensure_store(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_store_that_came_to_a_network_loses_its_log_and_nothing_else(root, monkeypatch):
    run = run_of(root).start().train(3).end()
    sync(run.directory)
    assert storefile.has_log(root / "mlflow.db")
    monkeypatch.setattr(filesystems, "_magic", lambda folder: NFS)
    monkeypatch.setattr(mlstore, "PATIENCE_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("SELECT * FROM runs").fetchone()
        with pytest.raises(StoreError, match="unsafe on this network.*close what has it open"):
            ensure_store(root)
    ensure_store(root)
    assert not storefile.has_log(root / "mlflow.db") and known(root) == expected_rows(run)


def test_a_network_that_keeps_nobody_apart_gets_no_store(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystems, "_magic", lambda folder: NFS)
    monkeypatch.setattr(filesystems, "_flock", lambda file: None)
    with pytest.raises(StoreError, match="does not keep two processes apart.*--root"):
        ensure_store(tmp_path)


@pytest.mark.parametrize("turn", range(2))
def test_eight_processes_make_one_store(tmp_path, turn, spawn):
    command = [sys.executable, "-P", "-c", ENSURE, str(tmp_path)]
    processes = [spawn(command) for _ in range(8)]
    assert [process.wait(PATIENCE) for process in processes] == [0] * 8
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("SELECT experiment_id FROM experiments").fetchall() == [(0,)]
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_killed_while_creating(tmp_path, delay, spawn):
    process = spawn([sys.executable, "-P", "-c", ENSURE, str(tmp_path)])
    wait_for(lambda: list(tmp_path.glob("*mlflow.db*")) or process.poll() is not None)
    time.sleep(delay)
    process.kill()
    process.wait()
    ensure_store(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not list(tmp_path.glob(".mlflow.db.tmp*"))


@pytest.mark.parametrize(
    "version, what",
    [
        ("451aebb31d03", "back the file up, then `mlflow db upgrade sqlite:///{root}/mlflow.db`"),
        ("f00dfeed0000", "by a newer MLflow .*`pip install --upgrade mlflow`"),
    ],
)
def test_a_store_of_another_mlflow_is_refused_with_what_to_do(root, version, what):
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("UPDATE alembic_version SET version_num = ?", [version])
        store.commit()
    with pytest.raises(StoreError, match=what.format(root=root)) as refusal:
        ensure_store(root)
    assert f"schema {version}, this one needs {storefile.expected_version()}" in str(refusal.value)


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="damaged, or no MLflow store.*moves it away"):
        ensure_store(tmp_path)
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (a); VACUUM").close()
    (tmp_path / "other.db").rename(tmp_path / "mlflow.db")
    with pytest.raises(StoreError, match="no such table"):
        ensure_store(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is no folder"):
        ensure_store(tmp_path / "file")
    with pytest.raises(StoreError, match="rename a folder"):
        ensure_store(tmp_path / "100%")


def test_a_full_disk_leaves_nothing_half_made(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(StoreError, match=f"^{tmp_path / 'mlflow.db'}: [^\n]*$"):
            ensure_store(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "mlflow.db").exists()
    ensure_store(tmp_path)


def test_without_mlflow_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(StoreError, match="pip install mlflow"):
        ensure_store(tmp_path)


# -- the mirror -------------------------------------------------------------------------------


def test_a_synced_run_equals_its_journal_however_often(tmp_path):
    root = tmp_path / "mlruns"
    run = run_of(root).start().train(2)
    run.begin_level(2)
    run.end_epoch(2, 1, loss=float("nan"))
    run.end_level(2)
    run.end()
    report = sync(run.directory)
    assert (report.status, report.experiment) == ("FINISHED", "mirror.me")
    assert known(root) == expected_rows(run)
    counts = sizes(root)
    assert sync(run.directory) == report and sync(run.directory) == report
    assert sizes(root) == counts


def test_a_run_in_mlflow_is_of_who_queued_it(root):
    run = run_of(root).start(alive=True).train(1).end()
    launch = run.directory.launch()
    write_json(run.directory.launch_file, launch.model_copy(update={"user": "ann"}).model_dump())
    assert mlflow_run(sync(run.directory)).data.tags["mlflow.user"] == "ann"


def test_what_a_run_is_in_mlflow(root):
    run = run_of(root, tags={"paper": "1"}).start()
    directory, began = run.directory, run.clock
    run.train(3).end()
    ended = run.clock
    (directory.path / "evaluations").mkdir()
    (directory.path / "evaluations" / "layers.json").write_text("{}")
    run._append(
        Evaluated(name="x y%", level=1, metrics={"a@b": 1.5}, files=("evaluations/layers.json",))
    )
    sync(directory)
    from mlflow import MlflowClient

    client = MlflowClient(ensure_store(root))
    experiment = client.get_experiment_by_name("mirror.me")
    assert experiment.artifact_location == (root / "artifacts" / "mirror.me").as_uri()
    (found,) = client.search_runs([experiment.experiment_id])
    tags, spec = found.data.tags, directory.spec()
    assert found.info.run_name == run.run_id.partition("-")[2]
    assert (found.info.start_time, found.info.end_time) == (
        round(began * 1000),
        round(ended * 1000),
    )
    assert tags["lthtui.run_id"] == run.run_id and tags["lthtui.group"] == spec.group
    assert tags["lthtui.winning"] == "1" and tags["paper"] == "1"
    assert f"lthtui run {directory.spec_file}" in tags["mlflow.note.content"]
    assert found.data.params["train.optimizer.lr"] == "0.1"
    assert found.data.params["sparsifier.levels"] == "2"
    assert found.data.metrics["evaluation/x y_/a_b"] == 1.5
    assert found.data.metrics["winning/density"] == 0.8
    assert found.data.metrics["winning/test_accuracy"] == run.accuracy(1) - 0.01
    (data,) = found.inputs.dataset_inputs
    assert data.dataset.name == "digits" and data.tags[0].value == "training"

    def names(path=""):
        return {file.path for file in client.list_artifacts(found.info.run_id, path)}

    assert names() == {"spec.yaml", "subset.json", "log.txt", "evaluations", "tickets"}
    assert names("tickets/level-00") == {"tickets/level-00/ticket.json"}
    assert len(names("tickets/level-02")) == 2

    models = client.search_logged_models([experiment.experiment_id])
    assert sorted(model.name for model in models) == [
        f"level-{level:02d}-{found.info.run_name.replace('.', '-')}" for level in range(3)
    ]
    one = next(model for model in models if model.params["level"] == "1")
    assert one.params == {
        "level": "1",
        "density": "0.8",
        "kept": "80000",
        "total": "100000",
        "search": "false",
        "sha256": "0" * 64,
        "run_id": run.run_id,
    }
    assert {m.key: m.value for m in one.metrics}["level/val_accuracy"] == run.accuracy(1)
    assert [m.tags["winning"] for m in models if m.tags.get("winning") == "true"] == ["true"]
    assert one.tags["winning"] == "true" and str(one.status) == "READY"
    files = {file.path: file for file in client.list_logged_model_artifacts(one.model_id)}
    assert set(files) == {"ticket.json", "ticket.safetensors"}


def test_notes_names_and_tags_of_the_user_stay(root):
    run = run_of(root, tags={"mine": "1"}).start().train(1)
    report = sync(run.directory)
    from mlflow import MlflowClient

    client = MlflowClient(report.tracking_uri)
    client.set_tag(report.mlflow_run_id, "mlflow.note.content", "my own words")
    client.set_tag(report.mlflow_run_id, "mine", "2")
    client.update_run(report.mlflow_run_id, name="my name")
    run.train(3).end()
    sync(run.directory)
    found = client.get_run(report.mlflow_run_id)
    assert found.data.tags["mlflow.note.content"] == "my own words"
    assert (found.info.run_name, found.data.tags["mine"]) == ("my name", "2")


def test_a_resumed_run_goes_on_in_its_mlflow_run(root):
    run = run_of(root).start().train(1, epochs=1).end("stopped")
    with following(run):
        pass
    report = sync(run.directory)
    assert report.status == "KILLED" and known(root) == expected_rows(run)
    run.journal.close()
    run.journal = Journal(run.directory.events_file, run.run_id, 2)
    with following(run) as wake:
        run._append(next(iter(Tail(run.directory.events_file).read())))
        run.end_epoch(1, 1)  # trained again: the journal keeps the first
        run.end_epoch(1, 2)
        wake()
        wait_for(lambda: len(known(root)) == len(expected_rows(run)))
        wait_for(lambda: mlflow_run(report).info.status == "RUNNING")
        run.train(3).end()
    assert known(root) == expected_rows(run)
    assert mlflow_run(report).info.status == "FINISHED"
    assert sizes(root)["runs"] == 1 and sizes(root)["logged_models"] == 3


def mlflow_run(report):
    from mlflow import MlflowClient

    return MlflowClient(report.tracking_uri).get_run(report.mlflow_run_id)


def test_a_store_locked_by_somebody_else_is_waited_for(root, spawn):
    run = run_of(root).start().train(1)
    with following(run) as wake:
        run.end_epoch(1, 1)
        wake()
        wait_for(lambda: len(known(root)) == len(expected_rows(run)))
        command = [sys.executable, "-c", HOLD, str(root / "mlflow.db")]
        holder = spawn(command, stdin=-1, stdout=-1)
        assert holder.stdout.readline() == b"held\n"
        before = rows(root)
        run.train(3).end()
        wake()
        time.sleep(2.5)  # as long as it is held, nothing can come
        assert rows(root) == before
        holder.communicate(timeout=PATIENCE)
    assert known(root) == expected_rows(run)


def test_a_store_deleted_while_the_run_goes_on_is_made_again(root):
    run = run_of(root).start()
    with following(run) as wake:
        run.train(1)
        wake()
        wait_for(lambda: len(known(root)) == len(expected_rows(run)))
        (root / "mlflow.db").unlink()  # its write-ahead log stays behind
        run.train(3).end()
        wake()
    assert known(root) == expected_rows(run)
    assert sizes(root)["logged_models"] == 3
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_record_half_made_is_completed_and_not_made_twice(root, monkeypatch):
    from mlflow import MlflowClient

    run = run_of(root).start().train(3).end()
    whole, failures = MlflowClient.finalize_logged_model, iter([True, True])

    def sometimes(self, *arguments):
        if next(failures, False):
            raise OSError("the network went away")
        return whole(self, *arguments)

    monkeypatch.setattr(MlflowClient, "finalize_logged_model", sometimes)
    mirror = Mirror(run.directory, run.directory.spec())
    for _ in range(2):
        with pytest.raises(OSError):
            mirror.catch_up()
    mirror.catch_up()
    client = MlflowClient(mirror.uri)
    models = client.search_logged_models([mirror.run.experiment_id])
    assert sorted(model.params["level"] for model in models) == ["0", "1", "2"]
    assert {str(model.status) for model in models} == {"READY"}
    outputs = client.get_run(mirror.run.run_id).outputs.model_outputs
    assert sorted(out.model_id for out in outputs) == sorted(m.model_id for m in models)
    assert known(root) == expected_rows(run)


def test_files_that_cannot_be_filed_hold_up_no_numbers(root):
    (root / "artifacts").write_text("not a folder")
    run = run_of(root).start().train(3).end()
    with pytest.raises(StoreError, match="nothing is lost"):
        sync(run.directory)
    assert known(root) == expected_rows(run)
    (root / "artifacts").unlink()
    sync(run.directory)
    assert len(list((root / "artifacts").rglob("ticket.safetensors"))) == 4


def test_a_journal_cannot_have_foreign_files_filed(root, tmp_path):
    (tmp_path / "secret.json").write_text("secret")
    run = run_of(root).start()
    link = run.directory.path / "link.json"
    link.symlink_to(tmp_path / "secret.json")
    outside = ("../../../secret.json", str(tmp_path / "secret.json"), "link.json")
    run._append(Evaluated(name="x", level=0, metrics={}, files=outside))
    path = "../../../secret.safetensors"
    run._append(TicketSaved(level=0, density=1, kept=1, total=1, sha256="", path=path, bytes=1))
    run.end()
    sync(run.directory)
    assert not list((root / "artifacts").rglob("secret*")) + list(root.rglob("artifacts/**/link*"))


def test_a_worker_that_died_is_not_left_running(root):
    run = run_of(root).start().train(1)
    gone = Process(host=Process.of(os.getpid()).host, boot="", pid=2**22, start=1)
    launch = Launch(attempt=1, backend="local", process=gone, device="cpu", threads=1, time=0)
    write_json(run.directory.launch_file, launch.model_dump())
    exit = {"attempt": 1, "code": -9, "time": run.clock + 5}
    write_json(run.directory.exit_file, exit)
    report = sync(run.directory)
    found = mlflow_run(report)
    assert (report.status, found.info.end_time) == ("FAILED", round((run.clock + 5) * 1000))
    assert found.data.tags["lthtui.error"] == (
        "the worker was killed by signal 9 before it could report why"
    )


def test_one_mirror_at_a_time(root):
    run = run_of(root)
    with pytest.raises(UsageError, match="has not started yet"):
        sync(run.directory)
    run.start()
    with only_mirror(run.directory), pytest.raises(StoreError, match="another process"):
        sync(run.directory)


def test_runs_deleted_in_mlflow_stay_deleted(root):
    run = run_of(root).start().train(1).end()
    report = sync(run.directory)
    from mlflow import MlflowClient

    client = MlflowClient(report.tracking_uri)
    client.delete_run(report.mlflow_run_id)
    with pytest.raises(StoreError, match=f"mlflow runs restore --run-id {report.mlflow_run_id}"):
        sync(run.directory)
    client.delete_experiment(client.get_experiment_by_name("mirror.me").experiment_id)
    with pytest.raises(StoreError, match="mlflow experiments restore"):
        sync(run.directory)


# -- the sink ---------------------------------------------------------------------------------

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
