"""What servers say instead of an answer, or do not say at all: one try, and what to do about it."""

from __future__ import annotations

import socket

import pytest
from mirrored import whole_run
from servers import GONE, Answer

from engine import remote
from engine.errors import StoreAway, StoreDenied, StoreError
from engine.tracking import sync, sync_all

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


def test_one_request_is_one_try(alone, tmp_path):
    run = whole_run(tmp_path, alone.address, "once")
    alone.fault = lambda asked: GONE
    with pytest.raises(StoreAway, match="out of reach.*again later"):
        sync(run.directory)
    assert len(alone.seen) == 1


ELSEWHERE = "http://elsewhere.example/login?next=secret"
ANSWERS = [
    (Answer(500, b'{"message": "boom"}'), StoreAway, "answers 500: boom", 0),
    (Answer(503, b"", (("Retry-After", "77"),)), StoreAway, "answers 503: Service Unav", 77),
    (Answer(429, b"", (("Retry-After", "9999999"),)), StoreAway, "answers 429", 3600),
    (Answer(503, b"", (("Retry-After", "yesterday"),)), StoreAway, "answers 503", 0),
    (Answer(401, b"no"), StoreDenied, "refuses access .401.*MLFLOW_TRACKING_TOKEN, where", None),
    (Answer(403, b"{}"), StoreDenied, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSW", None),
    (Answer(302, b"", (("Location", ELSEWHERE),)), StoreAway, "http://elsewhere.example;", 0),
    (Answer(307, b"", (("Location", "/login"),)), StoreAway, "redirects to elsewhere;", 0),
    (Answer(200, b"<html>Sign in!</html>"), StoreAway, "something that is not MLflow's", 0),
    (Answer(200, b""), StoreAway, "something that is not MLflow's", 0),
    (Answer(404, b"<html>nginx</html>"), StoreAway, "answers 404: Not Found", 0),
    (Answer(200, b"{" * 100_000), StoreAway, "nothing is lost", 0),
    (Answer(200, b'{"experiment": []}'), StoreAway, "nothing is lost", 0),
    (Answer(200, b'{"experiment": {"name": "odd"}}'), StoreAway, "not MLflow's", 0),
    (Answer(200, b'{"experiment": {"experiment_id": {}}}'), StoreAway, "nothing is lost", 0),
    (
        Answer(400, b'{"error_code": "BAD_REQUEST", "message": "\x1b[2J no"}'),
        StoreError,
        "no",
        None,
    ),
]


@pytest.mark.parametrize(("answer", "kind", "words", "later"), ANSWERS)
def test_what_a_server_says_instead(alone, tmp_path, answer, kind, words, later):
    run = whole_run(tmp_path, alone.address, "odd")
    alone.fault = lambda asked: answer
    with pytest.raises(StoreError, match=words) as refusal:
        sync(run.directory)
    assert type(refusal.value) is kind and "\n" not in str(refusal.value)
    assert later is None or refusal.value.later == later
    assert "lthtui sync" in str(refusal.value) and "\x1b" not in str(refusal.value)
    assert "secret" not in str(refusal.value) and len(alone.seen) == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:1", "Connection refused"),
        ("http://nowhere.invalid", "http://nowhere.invalid is out of reach: "),
        ("https://127.0.0.1:{port}", "no secure connection"),
    ],
)
def test_servers_that_cannot_be_reached(alone, tmp_path, address, words):
    run = whole_run(tmp_path, address.format(port=alone.server_port), "unreached")
    with pytest.raises(StoreAway, match=words):
        sync(run.directory)


def test_a_server_that_never_answers_or_never_ends(tmp_path, monkeypatch, alone):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        run = whole_run(tmp_path / "mute", f"http://127.0.0.1:{mute.getsockname()[1]}", "mute")
        with pytest.raises(StoreAway, match="did not answer in time"):
            sync(run.directory)
    run = whole_run(tmp_path / "endless", alone.address, "endless")
    alone.fault = lambda asked: Answer(200, b"{" + b" " * 2_000_000)
    monkeypatch.setattr(remote, "ANSWER_BYTES", 2**20)
    with pytest.raises(StoreAway, match="more than 1 MiB"):
        sync(run.directory)
    monkeypatch.setattr(remote, "ANSWER_SECONDS", -1.0)
    with pytest.raises(StoreAway, match="for an answer"):
        sync(run.directory)


def test_a_server_out_of_reach_is_asked_once_for_many_runs(alone, tmp_path):
    alone.fault = lambda asked: Answer(503, b"", (("Retry-After", "5"),))
    runs = [whole_run(tmp_path, alone.address, "many", seed=seed) for seed in range(3)]
    outcomes = dict(sync_all([run.directory.path for run in runs]))
    assert len(alone.seen) == 1
    for run in runs:
        assert outcomes[run.run_id].later == 5 and str(outcomes[run.run_id]).startswith(run.run_id)
