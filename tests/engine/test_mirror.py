"""A run in MLflow equals its journal, whatever was deleted, killed or repeated."""

from __future__ import annotations

import os
import time

import pytest
from mirrored import expected_rows, known, mlflow_run, run_of, sizes
from storing import in_mlflow

from engine.errors import StoreError, UsageError
from engine.events import Evaluated, TicketSaved
from engine.mirror import Mirror, only_mirror
from engine.processes import Process
from engine.rundir import Launch, Request, write_json
from engine.tracking import ensure_store, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


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


def test_a_worker_that_was_asked_to_pause_is_told_so(root):
    run = run_of(root).start().train(1)
    asked = Request(verb="pause", time=time.time())
    write_json(run.directory.path / "request.json", asked.model_dump())
    run.end("stopped")
    told = []
    for _ in range(2):
        mirror = Mirror(run.directory, run.directory.spec())
        mirror.catch_up()
        mirror.settle()
        mirror.file()
        found = in_mlflow(root, run)
        told.append((found.info.status, found.data.tags["lthtui.status"]))
        run.open(2)
        run.start().begin_level(1)
    assert told == [("KILLED", "paused"), ("RUNNING", "")]
    assert found.data.tags["lthtui.level"] == "1"


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


def test_runs_on_the_same_images_may_say_so_at_the_same_time(root):
    from sqlalchemy import Engine, event

    first, second = (run_of(root, seed=seed).start().train(1) for seed in range(2))
    overtaking = iter([second])

    def overtaken(connection, cursor, statement, *rest):
        """MLflow has looked for the data set and found none, and is about to make it."""
        if statement.startswith("INSERT INTO datasets"):
            for other in overtaking:
                sync(other.directory)

    event.listen(Engine, "before_cursor_execute", overtaken)
    try:
        sync(first.directory)
    finally:
        event.remove(Engine, "before_cursor_execute", overtaken)
    assert next(overtaking, None) is None
    for run in (first, second):
        (data,) = in_mlflow(root, run).inputs.dataset_inputs
        assert (data.dataset.name, data.tags[0].value) == ("digits", "training")


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


def test_a_run_that_is_evaluated_later_has_ended_when_its_training_did(root):
    run = run_of(root).start().train(3).end()
    ended = round(run.clock * 1000)
    sync(run.directory)
    here = Process.of(os.getpid())
    launch = Launch(attempt=2, backend="local", process=here, device="cpu", threads=1, time=0)
    write_json(run.directory.launch_file, launch.model_dump())
    found = mlflow_run(sync(run.directory)).info
    assert (found.status, found.end_time) == ("FINISHED", ended)
    run.open(2)
    run.evaluate(0, "fgsm", {"accuracy at 8": 0.5})
    gone = launch.model_copy(update={"process": here.model_copy(update={"pid": 2**22})})
    write_json(run.directory.launch_file, gone.model_dump())
    write_json(run.directory.exit_file, {"attempt": 2, "code": 0, "time": run.clock + 9})
    found = mlflow_run(sync(run.directory)).info
    assert (found.status, found.end_time) == ("FINISHED", ended)


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
