"""What a server answers is not trusted: it may be wrong, hostile, endless or somebody else's."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from itertools import count
from urllib.parse import parse_qs

import numpy as np
import pytest
from servers import GONE, Answer, proxy

from engine.errors import StoreAway, StoreDenied, StoreError
from lthtui.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own

EXPERIMENT = {"experiment_id": "1", "name": "one", "lifecycle_stage": "active"}


def run(number, experiment="1", start=1_790_000_000_000, **data):
    info = {"run_id": f"{number:032x}", "experiment_id": experiment, "start_time": start}
    info |= {"run_uuid": info["run_id"], "status": "FINISHED", "lifecycle_stage": "active"}
    return {"info": info, "data": data}


def metric(key, step, value=1.0, time=5):
    return {"key": key, "step": step, "value": value, "timestamp": time}


@pytest.fixture
def server():
    """A server of which only the answers to searches exist: by the end of the path."""
    with proxy() as found:
        found.answers = {"experiments/search": {"experiments": [EXPERIMENT]}}
        found.fault = lambda asked: answer(found.answers, asked.path.partition("?")[0])
        yield found


def answer(answers, path):
    said = next((said for end, said in answers.items() if path.endswith(end)), {})
    said = said() if callable(said) else said
    return said if isinstance(said, Answer) else Answer(200, json.dumps(said).encode())


def test_runs_that_a_server_tells_of(server):
    odd = [metric("m", 3, "NaN"), metric("n", 0, "Infinity")]
    server.answers["runs/search"] = {
        "runs": [
            run(1, metrics=odd, tags=[{"key": "lthtui.seed", "value": "4"}]),
            run(2, experiment="somebody else's"),
            run(3, start=2**62),
            run(4, start=-5),
        ]
    }
    runs = {one.mlflow_run_id[-1]: one for one in Store(server.address).runs()}
    assert runs.keys() == {"1", "3", "4"}
    assert runs["1"].seed == 4 and runs["1"].start == 1_790_000_000.0
    assert np.isnan(runs["1"].metrics["m"]) and runs["1"].metrics["n"] == np.inf
    assert runs["3"].start is None and runs["4"].start is None


def test_runs_that_are_wanted_are_asked_for_alone(server):
    server.answers["runs/get"] = {"run": run(7, tags=[{"key": "lthtui.seed", "value": "4"}])}
    server.answers["runs/search"] = Answer(500, b"there are too many")
    (found,) = Store(server.address).only([f"{7:032x}"])
    assert (found.mlflow_run_id[-1], found.seed) == ("7", 4)
    server.answers["runs/get"] = {"run": run(7, experiment="somebody else's")}
    assert Store(server.address).only([f"{7:032x}"]) == []


def test_a_curve_with_steps_beyond_counting(server):
    points = [metric("m", 2, "-Infinity"), metric("m", 2**62), metric("m", -1, "NaN")]
    server.answers["metrics/get-history"] = {"metrics": points}
    curve = Store(server.address).curve("1", "m")
    assert curve.steps.tolist() == [-1, 2]
    assert np.isnan(curve.values[0]) and curve.values[1] == -np.inf


def test_a_curve_that_comes_in_parts(server):
    def history():
        (token,) = parse_qs(server.seen[-1].path).get("page_token", ["0"])
        points = [metric("m", int(token) + step, value=step) for step in range(2)]
        more = {"next_page_token": str(int(token) + 2)} if token != "4" else {}
        return {"metrics": points, **more}

    server.answers["metrics/get-history"] = history
    assert Store(server.address).curve("1", "m").steps.tolist() == [*range(6)]
    assert len(server.seen) == 3
    server.answers["metrics/get-history"] = lambda: {"next_page_token": "7"}
    assert not len(Store(server.address).curve("1", "m").steps)


@pytest.mark.parametrize(
    ("door", "said"),
    [
        ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "TLS certificate"),
        ("MLFLOW_WORKSPACE", "does not support workspaces"),
    ],
)
def test_who_comes_in_by_a_door_of_mlflows_own_is_let_in_by_its_client(
    server, monkeypatch, door, said
):
    monkeypatch.setenv(door, "/nowhere" if "PATH" in door else "team")
    with pytest.raises(StoreError, match=said):
        Store(server.address).runs()


def test_reading_a_server_imports_no_mlflow(server):
    server.answers["runs/search"] = {"runs": [run(1)]}
    code = (
        "import sys; from lthtui.store import Store; store = Store(sys.argv[1]);"
        " print(len(store.runs()), len(store.tickets()), len(store.curve('1', 'm').steps));"
        " print({'mlflow', 'pandas'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, server.address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1 0 0\nset()\n"


PAGES = count()
WRONG = {
    "a list that never ends": ({"runs": [], "next_page_token": "again"}, "never ends"),
    "no end of pages": (lambda: {"next_page_token": str(next(PAGES))}, "never ends"),
    "a number for a list": ({"runs": 7}, "not MLflow's"),
    "a list for an object": ({"runs": [{"info": [], "data": 1}]}, "not MLflow's"),
    "a text for a time": ({"runs": [run(1, start="soon")]}, "not MLflow's"),
    "an endless time": ({"runs": [run(1, start=1e999)]}, "not MLflow's"),
    "a page to sign in": (Answer(200, b"<html>\x1b[2J"), "not MLflow's"),
    "half an answer": (Answer(200, b'{"runs": [{"in'), "not MLflow's"),
    "an answer without a bottom": (Answer(200, b'{"a":' * 50_000), "not MLflow's"),
    "an error with escapes": (
        Answer(400, b'{"error_code": "X", "message": "\\u001b[2J"}'),
        "answers 400",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answers_are_one_line(server, case, monkeypatch):
    monkeypatch.setattr("lthtui.store._PAGES", 20)
    said, words = WRONG[case]
    server.answers["runs/search"] = said
    with pytest.raises(StoreError, match=words) as refusal:
        Store(server.address).runs()
    assert "\n" not in str(refusal.value) and "\x1b" not in str(refusal.value)
    most = 3 if case == "a list that never ends" else 21  # the experiments, and the pages
    assert len(str(refusal.value)) < 500 and len(server.seen) <= most


@pytest.mark.parametrize(
    ("said", "kind"),
    [(Answer(401), StoreDenied), (Answer(503), StoreAway), (Answer(302), StoreAway)],
)
def test_it_is_asked_once(server, said, kind):
    server.answers["experiments/search"] = said
    with pytest.raises(kind, match="^http://127.0.0.1:"):
        Store(server.address).tickets()
    assert len(server.seen) == 1


def test_a_kept_connection_that_the_server_has_done_with_is_replaced():
    head = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s"
    said = json.dumps({"metrics": [metric("m", 3)]}).encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections = threading.Thread(target=lambda: [*map(answer_once, range(2))])

        def answer_once(_):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(head % (len(said), said))
                connection.recv(65_536)  # the next one, which finds no answer

        connections.start()
        store = Store(f"http://127.0.0.1:{listening.getsockname()[1]}")
        try:
            found = [store.curve("1", "m").steps.tolist() for _ in range(2)]
        finally:
            store.close()
            listening.shutdown(socket.SHUT_RDWR)
            connections.join()
    assert found == [[3], [3]]


def test_a_server_that_hangs_up_again_and_again_is_away(server):
    store = Store(server.address)
    store.experiments()
    server.fault = lambda asked: GONE
    with pytest.raises(StoreAway, match="out of reach"):
        store.experiments()
    assert len(server.seen) == 3
