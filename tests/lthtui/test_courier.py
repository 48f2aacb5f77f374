"""A server's runs as the app follows them: what is asked how often, and what failures do."""

from __future__ import annotations

import contextlib
import json
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from servers import GONE, Answer, proxy
from waiting import PATIENCE, wait_for

from lthtui import courier, storedruns
from lthtui.lookout import Lookout

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
BEGAN = 1_790_000_000_000


class Lab:
    """What a server has, and which of its answers are spoiled."""

    def __init__(self):
        self.runs, self.points, self.fault, self.tags = {}, {}, None, {}
        self.levels = {}

    def add(self, number, status="FINISHED", ours=False, **metrics):
        id = f"{number:032x}"
        info = {"run_id": id, "run_uuid": id, "run_name": f"run {number}", "experiment_id": "1"}
        info |= {"start_time": BEGAN + number, "status": status, "lifecycle_stage": "active"}
        if status != "RUNNING":
            info["end_time"] = BEGAN + number + 1000
        tags = [{"key": "lthtui.run_id", "value": f"ours-{number}"}] if ours else []
        tags += [{"key": key, "value": value} for key, value in self.tags.items()]
        values = [metric(key, value) for key, value in metrics.items()]
        self.runs[id] = {"info": info, "data": {"metrics": values, "tags": tags}}
        return id

    def answer(self, asked):
        """What the server says, or `fault`."""
        if self.fault is not None and (spoiled := self.fault(asked)) is not None:
            return spoiled
        return Answer(200, json.dumps(self._said(asked)).encode())

    def _said(self, asked):
        path = urlsplit(asked.path)
        if path.path.endswith("experiments/search"):
            return {"experiments": [{"experiment_id": "1", "name": "e"}]}
        if path.path.endswith("runs/search"):
            return self._search(json.loads(asked.body))
        if path.path.endswith("runs/get"):
            return {"run": self.runs[parse_qs(path.query)["run_id"][0]]}
        if path.path.endswith("get-history"):
            query = parse_qs(path.query)
            key = query["metric_key"][0]
            values = self.points.get((query["run_id"][0], key), [1.0])
            return {"metrics": [metric(key, value, step) for step, value in enumerate(values)]}
        if path.path.endswith("logged-models/search"):
            return {"models": [level(run) for run in self.levels if run in self.runs]}
        return {}

    def _search(self, body):
        found = sorted(self.runs.values(), key=lambda run: -run["info"]["start_time"])
        found = [run for run in found if run["info"]["lifecycle_stage"] == "active"]
        if "RUNNING" in body.get("filter", ""):
            found = [run for run in found if run["info"]["status"] == "RUNNING"]
        elif wanted := body.get("filter"):
            after = int(wanted.rpartition(" ")[2])
            found = [run for run in found if run["info"].get("end_time", 0) > after]
        begin, size = int(body.get("page_token") or 0), 2
        more = {"next_page_token": str(begin + size)} if begin + size < len(found) else {}
        return {"runs": found[begin : begin + size], **more}


def level(run):
    info = {"model_id": f"m-{run}", "name": "level", "experiment_id": "1", "source_run_id": run}
    info |= {"artifact_uri": "", "creation_timestamp_ms": 1, "last_updated_timestamp_ms": 1}
    info |= {"status": "LOGGED_MODEL_READY"}
    params = {"run_id": run, "level": "0", "density": "1.0", "kept": "9", "total": "9"}
    return {
        "info": info,
        "data": {"params": [{"key": key, "value": value} for key, value in params.items()]},
    }


def metric(key, value, step=0):
    return {"key": key, "value": value, "step": step, "timestamp": 5}


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(courier, "POLL", 0.02)
    monkeypatch.setattr(courier, "SHOW", 0.0)
    monkeypatch.setattr(courier, "SHARE", 1.0)
    return Lab()


@pytest.fixture
def server(lab):
    with proxy() as found:
        found.fault = lab.answer
        yield found


@contextlib.contextmanager
def looking(root, server):
    one = Lookout(root, server.address)
    try:
        yield Watcher(one)
    finally:
        one.close()
        one._shelf._thread.join()


class Watcher:
    """Looks until something is so; keeps all boards."""

    def __init__(self, lookout):
        self.lookout, self.boards = lookout, []

    @property
    def board(self):
        if (board := self.lookout.look()) is not None:
            self.boards.append(board)
        return self.boards[-1]

    def until(self, condition):
        wait_for(lambda: condition(self.board), lambda: self.boards[-1])
        return self.boards[-1]


def statuses(board):
    return [run.status for run in board.runs.values()]


def asked(server, end):
    return [one for one in server.seen if urlsplit(one.path).path.endswith(end)]


def test_runs_come_page_by_page_and_changes_by_asking_for_little(tmp_path, lab, server):
    for number in range(5):
        lab.add(number)
    running, rest = lab.add(9, "RUNNING", loss=1.0), threading.Event()
    lab.fault = lambda asked: b'"4"' in asked.body and not rest.wait(PATIENCE) and GONE or None
    with looking(tmp_path, server) as one:
        first = one.board
        assert not first.runs and first.remark == f"asking {server.address}…"
        part = one.until(lambda board: len(board.runs) == 4)
        assert part.remark == "reading runs: 4 so far"
        rest.set()
        whole = one.until(lambda board: len(board.runs) == 6 and not board.remark)
        assert whole.runs[running].metrics == {"loss": 1.0}
        lab.add(9, "RUNNING", loss=0.5)
        one.until(lambda board: board.runs[running].metrics == {"loss": 0.5})
        lab.add(9, "KILLED", loss=0.5)
        one.until(lambda board: board.runs[running].status == "stopped")
        lab.add(10, "RUNNING")
        one.until(lambda board: len(board.runs) == 7)
        lab.runs[f"{10:032x}"]["info"]["lifecycle_stage"] = "deleted"
        one.until(lambda board: len(board.runs) == 6)
    everything = [
        one for one in asked(server, "runs/search") if not json.loads(one.body).get("filter")
    ]
    assert len(everything) == 3  # pages, once
    assert not asked(server, "logged-models/search")  # as no run is ours


def test_a_server_that_goes_away_is_told_once_and_comes_back(tmp_path, lab, server):
    lab.add(1, "RUNNING")
    with looking(tmp_path, server) as one:
        one.until(lambda board: board.runs)
        lab.fault = lambda asked: GONE
        away = one.until(lambda board: board.trouble)
        assert server.address in away.trouble and away.since and statuses(away) == ["running"]
        count, told = len(server.seen), len(one.boards)
        lab.fault = lambda asked: Answer(503)
        one.until(lambda board: len(server.seen) >= count + 2)
        assert len(one.boards) == told  # another failure says nothing new
        lab.add(2, "RUNNING")
        lab.fault = None
        back = one.until(lambda board: not board.trouble)
        assert back.since is None
        one.until(lambda board: len(board.runs) == 2)


def test_it_stays_away_for_longer_each_time(lab, tmp_path, monkeypatch):
    shelf = courier.ServerShelf(courier.Store("http://127.0.0.1:1"))
    monkeypatch.setattr(courier, "POLL", 5.0)
    pauses = [shelf._fail(courier.StoreAway("away")) for _ in range(6)]
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    shelf._failures = 5000  # four days later
    assert shelf._fail(courier.StoreAway("away")) == 60.0
    assert shelf._fail(courier.StoreAway("away", later=300.0)) == 300.0
    shelf._failures = 0
    assert shelf._fail(courier.StoreDenied("no")) == 60.0


def test_who_is_not_let_in_is_told_what_lets_them_in(tmp_path, lab, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter2")
    lab.fault = lambda asked: Answer(401, b'{"message": "token hunter2 has expired"}')
    with looking(tmp_path, server) as one:
        board = one.until(lambda board: board.trouble)
        assert "refuses access (401" in board.trouble and "MLFLOW_TRACKING_TOKEN" in board.trouble
        assert "hunter2" not in board.trouble and board.since is None
    assert len(server.seen) == 1


def test_extremes_are_read_one_after_another_of_the_newest_runs(tmp_path, lab, server, monkeypatch):
    monkeypatch.setattr(storedruns, "MOST", 2)
    ids = [lab.add(number, loss=1.0) for number in range(3)]
    lab.add(8, accuracy=1.0)
    lab.points = {(ids[2], "loss"): [3.0, 0.5, "NaN"], (ids[1], "loss"): ["NaN"]}
    seen = threading.Event()
    lab.fault = lambda asked: ids[1] in asked.path and not seen.wait(PATIENCE) and GONE or None
    with looking(tmp_path, server) as one:
        one.until(lambda board: len(board.runs) == 4 and not board.remark)
        assert not asked(server, "get-history")
        one.lookout.want({"loss"})
        one.until(lambda board: "1 of 2 histories read" in board.remark)
        seen.set()
        board = one.until(lambda board: "newest 2 runs" in board.remark)
        assert dict(board.runs[ids[2]].extremes) == {"loss": (0.5, 3.0)}
        assert not board.runs[ids[1]].extremes and not board.runs[ids[0]].extremes
        count = len(asked(server, "runs/search"))
        one.until(lambda board: len(asked(server, "runs/search")) > count + 3)
    assert len(asked(server, "get-history")) == 2  # and not again, as nothing changed


def test_a_run_whose_history_is_refused_spoils_nothing(tmp_path, lab, server):
    first, second = lab.add(1, loss=1.0), lab.add(2, loss=1.0)
    refusal = Answer(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "deleted"}')
    lab.fault = lambda asked: refusal if second in asked.path else None
    with looking(tmp_path, server) as one:
        one.lookout.want({"loss"})
        board = one.until(lambda board: board.runs and board.runs[first].extremes)
        assert not board.trouble and not board.runs[second].extremes


def test_levels_are_asked_for_where_runs_are_ours(tmp_path, lab, server):
    lab.add(1, ours=True)
    with looking(tmp_path, server) as one:
        one.until(lambda board: "ours-1" in board.runs and not board.remark)
        one.until(lambda board: asked(server, "logged-models/search"))


def test_whoever_leaves_waits_for_no_answer_and_asks_no_more(tmp_path, lab, server):
    asked, never = threading.Event(), threading.Event()
    lab.add(1)

    def silent(_):
        asked.set()
        return GONE if never.wait(PATIENCE) else None

    lab.fault = silent
    one = Lookout(tmp_path, server.address)
    assert one.look().remark and asked.wait(PATIENCE)
    one.close()
    never.set()
    one._shelf._thread.join(PATIENCE)
    assert len(server.seen) == 1


def test_what_nobody_expected_is_told_and_tried_again(tmp_path, lab, server, monkeypatch):
    lab.add(1)
    real, broken = storedruns.view, threading.Event()
    broken.set()

    def view(*facts):
        if broken.is_set():
            raise RecursionError("a\x1bb\nc")
        return real(*facts)

    monkeypatch.setattr(storedruns, "view", view)
    with looking(tmp_path, server) as one:
        told = one.until(lambda board: board.trouble).trouble
        assert told.startswith(r"unexpected RecursionError: a\x1bb\nc. This is a bug; LTHTUI_DEBUG")
        broken.clear()
        assert one.until(lambda board: board.runs).trouble == ""


def test_a_bug_says_where_it_is_to_whoever_looks_for_it(monkeypatch):
    monkeypatch.setenv("LTHTUI_DEBUG", "1")
    shelf = courier.ServerShelf(courier.Store("http://127.0.0.1:1"))
    monkeypatch.setattr(shelf, "_step", lambda: [][0])
    monkeypatch.setattr(shelf._wake, "wait", lambda pause: shelf.close())
    shelf._work()
    assert "IndexError" in shelf._state.trouble and "courier.py:" in shelf._state.trouble


def test_huge_numbers_in_tags_hide_no_run(tmp_path, lab, server):
    names = ("lthtui.seed", "lthtui.levels", "lthtui.noted")
    lab.tags = {name: "9" * 4400 for name in names}
    lab.tags["lthtui.controls"] = "another:" + "9" * 4400
    lab.add(1, ours=True)
    with looking(tmp_path, server) as one:
        run = one.until(lambda board: board.runs or board.trouble).runs["ours-1"]
        assert run.controls.level is None and run.planned_levels == 0 and run.seed == 0


def test_of_runs_that_are_gone_nothing_is_kept(lab, server, monkeypatch):
    ids = [lab.add(number, ours=True, loss=1.0) for number in range(2)]
    lab.levels = dict.fromkeys(ids)
    shelf = courier.ServerShelf(courier.Store(server.address))
    shelf._wanted = frozenset({"loss"})
    monkeypatch.setattr(courier, "POLL", 3600.0)
    for _ in range(3):
        shelf._step()
    assert len(shelf._tickets) == len(shelf._histories) == len(shelf._views) == 2
    del lab.runs[ids[0]]
    shelf._full_at = 0.0
    shelf._step()
    assert [*shelf._tickets] == [*shelf._views] == [ids[1]]
    assert [*shelf._histories] == [(ids[1], "loss")]
    shelf.close()


def test_whoever_leaves_while_runs_are_read_has_no_more_of_them_asked(lab, server):
    for number in range(9):
        lab.add(number)
    shelf = courier.ServerShelf(courier.Store(server.address))
    lab.fault = lambda one: setattr(shelf, "_closed", b"page_token" in one.body)
    shelf._read_all()
    assert len(asked(server, "runs/search")) == 2  # of five pages
    shelf.close()
