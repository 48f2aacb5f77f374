"""A server gets what the local store gets, once, however the network and the server behave."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from mirrored import followed, in_store, run_of, whole_run
from servers import GONE, LOST, Answer, mlflow_server, proxy
from waiting import wait_for

from engine import following, lifecycle, noted, remote, schema, verbs
from engine.errors import StoreAway, StoreDenied, StoreError
from engine.following import Follower, Wire
from engine.tracking import sync
from lthtui.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def between(server):
    with proxy(server) as found:
        yield found


def client_of(address):
    from mlflow import MlflowClient

    remote.guard(address)
    return MlflowClient(address)


def files(client, found, path=""):
    """Sizes of a run's artifacts, by path."""
    sizes = {}
    for file in client.list_artifacts(found.info.run_id, path):
        inner = files(client, found, file.path) if file.is_dir else {file.path: file.file_size}
        sizes |= inner
    return sizes


def assert_readable(server, run, sizes, folder):
    """Without MLflow's client, too, the server tells of a run's files and sends them."""
    asked = {"run_id": run, "path": "tickets/level-02"}
    said = remote.ask(server, "/api/2.0/mlflow/artifacts/list", asked)
    told = {file["path"]: int(file["file_size"]) for file in said["files"]}
    assert told and told.items() <= sizes.items()
    spec = remote.parts(server, "/get-artifact", {"run_uuid": run, "path": "spec.yaml"})
    assert b"".join(spec) == (folder / "spec.yaml").read_bytes()
    with pytest.raises(StoreError, match="40[04]"):
        list(remote.parts(server, "/get-artifact", {"run_uuid": run, "path": "none"}))


def test_a_server_gets_what_the_local_store_gets(server, tmp_path):
    here = whole_run(tmp_path / "here", "local", "parity")
    there = whole_run(tmp_path / "there", server, "parity")
    reports = [sync(run.directory) for run in (here, there)]
    assert reports[0].rows == reports[1].rows and reports[1].tracking_uri == server
    assert in_store(tmp_path / "here", "parity") == in_store(server, "parity")
    assert len(in_store(server, "parity")[1]) == 3
    pair = [client_of(report.tracking_uri) for report in reports]
    both = [c.get_run(r.mlflow_run_id) for c, r in zip(pair, reports, strict=True)]
    assert both[1].info.artifact_uri.startswith("mlflow-artifacts:/")
    assert both[0].inputs.to_dictionary()["dataset_inputs"][0]["dataset"]["name"] == "digits"
    kept = [files(*one) for one in zip(pair, both, strict=True)]
    kept = [{k: v for k, v in one.items() if k != "spec.yaml"} for one in kept]  # `tracking`
    assert kept[0] == kept[1] and "tickets/level-02/ticket.safetensors" in kept[1]
    assert_readable(server, both[1].info.run_id, kept[1], there.directory.path)
    times = [(one.info.start_time, one.info.end_time, one.info.status) for one in both]
    assert times[0] == times[1]
    outputs = [len(one.outputs.model_outputs) for one in both]
    assert outputs == [3, 3]
    assert not (tmp_path / "there" / "mlflow.db").exists()
    assert sync(there.directory) == reports[1]
    assert in_store(tmp_path / "here", "parity") == in_store(server, "parity")


def test_answers_that_get_lost_make_nothing_twice(between, tmp_path):
    """Each request is done, and the first answer to it lost."""
    run = whole_run(tmp_path / "lossy", between.address, "lossy")
    between.fault = lambda asked: LOST if asked.times == 1 and asked.method != "GET" else None
    for _ in range(100):
        with contextlib.suppress(StoreAway):
            sync(run.directory)
            break
    writes = [asked for asked in between.seen if asked.method != "GET"]
    assert max(asked.times for asked in writes) >= 2  # each was sent again
    here = whole_run(tmp_path / "here", "local", "lossy")
    sync(here.directory)
    assert in_store(between.upstream_address, "lossy") == in_store(tmp_path / "here", "lossy")


# -- beside training --------------------------------------------------------------------------


def test_notes_and_the_trash_reach_a_server_and_wait_for_one_that_is_away(between, tmp_path):
    directory = whole_run(tmp_path / "there", between.address, "noted").directory
    sync(directory)
    client = client_of(between.address)
    noted.change(directory, {schema.NOTE: "hm", schema.NAME: "mine", "a": "1"})
    between.fault = lambda asked: GONE
    with pytest.raises(StoreAway):
        lifecycle.note(directory)
    between.fault = lambda asked: None
    tags = lifecycle.note(directory)["tags"]
    (found,) = client.search_runs([client.get_experiment_by_name("noted").experiment_id])
    assert (found.data.tags, found.info.run_name) == (tags, "mine") and tags["a"] == "1"
    client.delete_tag(found.info.run_id, "a")
    assert "a" not in lifecycle.note(directory)["tags"]
    lifecycle.trash(directory)
    assert client.get_run(found.info.run_id).info.lifecycle_stage == "deleted"
    assert lifecycle.restore(directory) == {"missing": False}
    assert client.get_run(found.info.run_id).info.lifecycle_stage == "active"


@pytest.fixture
def brief(monkeypatch):
    """Followers take as little time over a server that is away."""
    monkeypatch.setattr(following, "BACK_OFF_SECONDS", (0.02, 0.1))
    monkeypatch.setattr(following, "REMOTE_SECONDS", 0.1)


def test_a_server_that_goes_away_and_comes_back_misses_nothing(between, tmp_path, brief, capfd):
    run = run_of(tmp_path / "there", tracking=between.address, experiment="away").start()
    between.fault = lambda asked: GONE
    with followed(run) as (wake, result):
        run.train(1)
        wake()
        wait_for(lambda: len(between.seen) >= 5)
        between.fault = lambda asked: None
        wait_for(lambda: run.directory.mlflow_file.exists())
        # From now on each request is done, and the first answer to it lost.
        between.fault = lambda asked: LOST if asked.times == 1 and asked.method != "GET" else None
        run.begin_level(1)
        for epoch in range(1, 4):
            run.end_epoch(1, epoch)
        run.end_level(1)
        wake()
        size = run.directory.events_file.stat().st_size
        wait_for(lambda: json.loads(run.directory.mlflow_file.read_bytes())["offset"] == size)
        between.fault = lambda asked: None
        run.begin_level(2)
        for epoch in range(1, 4):
            run.end_epoch(2, epoch)
        run.end_level(2)
        run.end()
        wake()
        wait_for(lambda: b"run_ended" in run.directory.events_file.read_bytes())
        size = run.directory.events_file.stat().st_size
        wait_for(lambda: json.loads(run.directory.mlflow_file.read_bytes())["offset"] == size)
    assert result == [None]
    here = whole_run(tmp_path / "here", "local", "away")
    sync(here.directory)
    assert in_store(between.upstream_address, "away") == in_store(tmp_path / "here", "away")
    lines = capfd.readouterr().err.splitlines()
    assert any("out of reach" in line for line in lines) and len(lines) <= 6


def test_refused_credentials_are_not_tried_again(alone, tmp_path, brief):
    run = run_of(tmp_path, tracking=alone.address, experiment="denied").start().train(1)
    alone.fault = lambda asked: Answer(401)
    with followed(run) as (_, result):
        wait_for(lambda: result)
    assert isinstance(result[0], StoreDenied) and len(alone.seen) == 1


def test_a_server_that_asks_for_peace_gets_it(alone, tmp_path, brief):
    run = run_of(tmp_path, tracking=alone.address, experiment="busy").start().train(1)
    alone.fault = lambda asked: Answer(429, b"", (("Retry-After", "300"),))
    with followed(run) as (_, result):
        wait_for(lambda: alone.seen)
    assert isinstance(result[0], StoreAway) and len(alone.seen) == 1  # it left rather than ask


def test_tries_beside_training_become_rarer_and_keep_no_step(tmp_path):
    run = run_of(tmp_path, tracking="http://far.example")
    follower, delays = Follower(run.directory, Wire(-1)), [0.0]
    for _ in range(12):
        delays.append(follower._back_off(delays[-1], StoreAway("away")))
    assert delays[1] < 0.4 and all(60 <= delay <= 75 for delay in delays[-2:])
    assert delays[-1] != delays[-2] and follower._back_off(delays[-1], None) == 0.0
    assert follower._back_off(0.0, StoreAway("busy", 300.0)) >= 300.0


# -- twice ------------------------------------------------------------------------------------


def test_what_a_late_request_made_after_all_goes_again(server, tmp_path):
    run = whole_run(tmp_path, server, "late")
    report, client = sync(run.directory), client_of(server)
    before = in_store(server, "late")
    first = client.get_run(report.mlflow_run_id)
    late = client.create_run(
        first.info.experiment_id, start_time=first.info.start_time, tags=first.data.tags
    )
    one = client.search_logged_models([first.info.experiment_id])[0]
    client.create_logged_model(
        first.info.experiment_id,
        name=one.name,
        source_run_id=report.mlflow_run_id,
        params=one.params,
    )
    assert sync(run.directory).mlflow_run_id == report.mlflow_run_id
    assert client.get_run(late.info.run_id).info.lifecycle_stage == "deleted"
    assert in_store(server, "late") == before
    run.directory.mlflow_file.unlink()
    assert sync(run.directory).mlflow_run_id == report.mlflow_run_id


def test_two_people_with_the_same_run_have_two(server, tmp_path, monkeypatch):
    mine = whole_run(tmp_path / "mine", server, "shared")
    monkeypatch.setattr("rundirs.BEGAN", 1_790_000_007.0)
    yours = whole_run(tmp_path / "yours", server, "shared")
    assert mine.run_id == yours.run_id
    ids = {sync(run.directory).mlflow_run_id for run in (mine, yours, mine, yours)}
    assert len(ids) == 2 and len(Store(server).runs("shared")) == 2


# -- what must not leave ----------------------------------------------------------------------

SECRETS = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "pass-w0rd-4711"}


@pytest.mark.parametrize("secret", [{"MLFLOW_TRACKING_TOKEN": "t0ken-4711"}, SECRETS])
def test_credentials_are_in_no_file_and_no_message(between, tmp_path, monkeypatch, capfd, secret):
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    run = whole_run(tmp_path, between.address, f"secret{len(secret)}")
    sent = []

    def echo(asked):
        sent.append(asked.headers["Authorization"])
        return Answer(401, json.dumps({"message": f"no: {sent[-1]} {[*secret.values()]}"}).encode())

    between.fault = echo
    command = ["sync", str(run.directory.path)]
    assert verbs.main(command) == 1
    failed = capfd.readouterr()
    assert "refuses access (401: no: " in failed.err
    between.fault = lambda asked: None
    assert verbs.main(command) == 0
    done = capfd.readouterr()
    json.loads(done.out)  # MLflow has printed nothing of its own
    words = [value for name, value in secret.items() if "USER" not in name]
    words += [sent[0].partition(" ")[2]]
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    stored = json.dumps(in_store(between.upstream_address, f"secret{len(secret)}"))
    said = [text.encode() for text in (*failed, *done, stored)]
    assert all(len(word) > 8 for word in words) and len(written) > 5
    assert not [word for word in words for text in (*written, *said) if word.encode() in text]


def test_credentials_go_to_no_other_host(between, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-4711")
    run = whole_run(tmp_path, between.address, "astray")
    host = alone.address.removeprefix("http:").encode()

    def astray(answer):
        body = answer.body.replace(b'"mlflow-artifacts:', b'"mlflow-artifacts:' + host)
        return dataclasses.replace(answer, body=body)

    between.fault = lambda asked: astray
    with pytest.raises(StoreError, match="which your credentials are not for"):
        sync(run.directory)
    assert alone.seen == [] or all("Authorization" not in one.headers for one in alone.seen)


@pytest.mark.parametrize("place", ["{}/.config/autostart", "{}/x/../y/{}/artifacts"])
def test_a_server_cannot_have_us_write_just_anywhere(between, tmp_path, place):
    run = whole_run(tmp_path / "root", between.address, "anywhere")
    (tmp_path / "home").mkdir()
    uri = f"file://{place.format(tmp_path / 'home', '0' * 32)}".encode()

    def elsewhere(answer):
        parts = answer.body.split(b'"artifact_uri": "')
        body = parts[0] + b"".join(
            b'"artifact_uri": "' + uri + part[part.index(b'"') :] for part in parts[1:]
        )
        return dataclasses.replace(answer, body=body)

    between.fault = lambda asked: elsewhere
    with pytest.raises(StoreError, match="no folder here; start it with"):
        sync(run.directory)
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.fault
def test_a_folder_that_both_share_is_used(tmp_path):
    shared: Path = tmp_path / "shared"
    options = (f"--default-artifact-root={shared.as_uri()}", "--no-serve-artifacts")
    shared.mkdir()
    with mlflow_server(tmp_path / "server", *options) as address:
        sync(whole_run(tmp_path / "root", address, "folder").directory)
    kept = {file.name for file in shared.rglob("*") if file.is_file()}
    assert kept == {"spec.yaml", "subset.json", "log.txt", "ticket.json", "ticket.safetensors"}
