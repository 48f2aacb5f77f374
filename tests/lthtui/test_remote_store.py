"""What a server answers is not trusted: it may be wrong, hostile, endless or somebody else's."""

from __future__ import annotations

import json
from itertools import count

import numpy as np
import pytest
from servers import Answer, proxy

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


def test_a_curve_with_steps_beyond_counting(server):
    points = [metric("m", 2, "-Infinity"), metric("m", 2**62), metric("m", -1, "NaN")]
    server.answers["metrics/get-history"] = {"metrics": points}
    curve = Store(server.address).curve("1", "m")
    assert curve.steps.tolist() == [-1, 2]
    assert np.isnan(curve.values[0]) and curve.values[1] == -np.inf


PAGES = count()
WRONG = {
    "a list that never ends": ({"runs": [], "next_page_token": "again"}, "never ends"),
    "no end of pages": (lambda: {"next_page_token": str(next(PAGES))}, "never ends"),
    "a number for a list": ({"runs": 7}, "127.0.0.1"),
    "a list for an object": ({"runs": [{"info": [], "data": 1}]}, "127.0.0.1"),
    "a text for a time": ({"runs": [run(1, start="soon")]}, "127.0.0.1"),
    "a page to sign in": (Answer(200, b"<html>\x1b[2J"), "not MLflow's"),
    "half an answer": (Answer(200, b'{"runs": [{"in'), "127.0.0.1"),
    "an answer without a bottom": (Answer(200, b'{"a":' * 50_000), "127.0.0.1"),
    "an error with escapes": (Answer(400, b'{"error_code": "X", "message": "\\u001b[2J"}'), "X"),
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
