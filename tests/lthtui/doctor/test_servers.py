"""What doctor says of MLflow servers that runs are logged to."""

from __future__ import annotations

import base64
import json
import socket
import threading

import pytest
from rundirs import FakeRun
from servers import GONE, Answer, free_port, proxy

from engine import link
from engine.rundir import write_json
from lthtui.cli import main
from lthtui.doctor import servers
from lthtui.doctor.findings import Case, Severity

ASK = "/api/2.0/mlflow/experiments/search"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


@pytest.fixture
def server():
    """One that answers as `server.fault` says, and keeps what it was asked."""
    with proxy() as found:
        found.fault = lambda asked: Answer()
        yield found


def logged(root, address, seed=0, told=True):
    run = FakeRun(root, "far", seed, levels=1, tracking=address).start().train(2).end()
    if told:
        size = run.directory.events_file.stat().st_size
        noted = link.Link(mlflow_run_id="m", tracking_uri=address, offset=size)
        write_json(run.directory.mlflow_file, noted.model_dump())
    return run


def look(root):
    return [*servers.check(Case(root, lambda words: {}))]


def test_a_server_that_answers_is_asked_once_for_all_its_runs(server, tmp_path):
    for seed in range(3):
        logged(tmp_path, server.address, seed)
    (found,) = look(tmp_path)
    assert found.severity == Severity.FINE
    assert found.message == f"{server.address} answers; it has all 3 run(s)"
    assert [(asked.method, asked.path) for asked in server.seen] == [("POST", ASK)]
    assert "Authorization" not in server.seen[0].headers


def test_what_a_server_has_yet_to_get_is_counted_and_brought_over(server, tmp_path):
    logged(tmp_path, server.address)
    behind = logged(tmp_path, server.address, 1, told=False)
    FakeRun(tmp_path, "alive", levels=1, tracking=server.address).start(alive=True)
    calls = []
    case = Case(tmp_path, lambda words: calls.append(words) or {"failed": {}})
    (found,) = servers.check(case)
    assert found.severity == Severity.WARNING
    assert found.message.endswith("answers; 1 of 3 run(s) are still to be delivered there")
    assert found.remedy == f"lthtui sync {behind.run_id}"
    assert "brought 1 run(s)" in found.repair()
    assert calls == [["sync", str(behind.directory.path)]]


@pytest.mark.parametrize("code", [401, 403])
def test_credentials_are_sent_from_the_environment_and_shown_to_nobody(
    server, tmp_path, monkeypatch, capfd, code
):
    sent = base64.standard_b64encode(b"ada:s3cret").decode()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    said = json.dumps({"message": f"no access with {sent} of s3cret"}).encode()
    server.fault = lambda asked: Answer(code, said)
    logged(tmp_path, server.address, told=False)
    assert main(["doctor", "--json", "--root", str(tmp_path)]) == 0
    out, err = capfd.readouterr()
    (found,) = [one for one in json.loads(out)["findings"] if one["topic"] == "servers"]
    assert f"{server.address} refuses access ({code}: no access" in found["message"]
    assert "1 of 1 run(s) are still to be delivered" in found["message"]
    assert found["remedy"].startswith("export MLFLOW_TRACKING_USERNAME=")
    assert server.seen[0].headers["Authorization"] == f"Basic {sent}"
    assert "s3cret" not in out + err and sent not in out + err


def test_a_token_goes_to_no_server_that_another_one_names(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    with proxy() as elsewhere:
        to = (("Location", f"{elsewhere.address}/login"),)
        server.fault = lambda asked: Answer(302, b"", to)
        logged(tmp_path, server.address)
        (found,) = look(tmp_path)
        assert elsewhere.seen == [] and "redirects to" in found.message
    assert server.seen[0].headers["Authorization"] == "Bearer t0ken"


def test_servers_that_say_nothing_are_not_waited_for_in_turn(server, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "PATIENCE", 0.3)
    closed = f"http://127.0.0.1:{free_port()}"
    server.fault = lambda asked: GONE
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for seed, address in enumerate((closed, mute, server.address)):
            logged(tmp_path, address, seed)
        said = {one.message.partition("; ")[0] for one in look(tmp_path)}
    assert any(f"{closed} is out of reach" in line for line in said)
    assert any(line.startswith(mute) and "did not answer" in line for line in said)
    assert any(line.startswith(server.address) for line in said) and len(said) == 3


def test_servers_are_asked_at_the_same_time(server, tmp_path):
    meet = threading.Barrier(2, timeout=2.0)
    with proxy() as other:
        server.fault = other.fault = lambda asked: (meet.wait(), Answer())[1]
        for seed, address in enumerate((server.address, other.address)):
            logged(tmp_path, address, seed)
        assert [one.severity for one in look(tmp_path)] == [Severity.FINE] * 2


def test_what_is_no_mlflow_is_told_and_local_runs_ask_nobody(server, tmp_path):
    FakeRun(tmp_path, "near", levels=1).start().train(2).end()
    assert look(tmp_path) == [] and server.seen == []
    server.fault = lambda asked: Answer(200, b"<html>Welcome to the printer</html>")
    logged(tmp_path, server.address)
    (found,) = look(tmp_path)
    assert "answers something that is not MLflow's" in found.message
    assert found.remedy == f"curl -sS {server.address}/health"
