"""`lthtui mlflow` as a person uses it: the command, and its pages in a real browser."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import math
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import plainruns
import pytest
from waiting import PATIENCE, wait_for

from engine import schema
from engine.tracking import sync
from lthtui import fields, mlflow_server, runnames, storedruns, webpages
from lthtui.board import Board
from lthtui.cli import main
from lthtui.fields import Field
from lthtui.lookout import Lookout
from lthtui.sqlstore import SqlReader
from lthtui.store import ClientReader, Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own

FAKES = Path(__file__).parents[1] / "fakes"
FakeRun = runpy.run_path(str(FAKES / "rundirs.py"))["FakeRun"]
browsing = runpy.run_path(str(FAKES / "browser.py"))

# A chart is drawn once it is in sight: the last of levels are above the next heading.
DRAWN = r"""
const next = [...document.querySelectorAll('*')].filter(
    e => /^winning\s*\(\d+\)/.test((e.innerText || '').trim())).at(-1);
if (next) next.scrollIntoView({block: 'end'});
const lines = [...document.querySelectorAll('.js-plotly-plot')].flatMap(c => c.data || []);
const line = lines.find(line => line.metricKey === 'level/val_accuracy');
return line && [[...line.x], [...line.y]]
"""


def command(root, *options):
    return [sys.executable, "-P", "-m", "lthtui", "mlflow", "--root", str(root), *options]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Two seeds with tickets at levels 1 and 3, of which MLflow knows nothing yet."""
    root = tmp_path_factory.mktemp("pages") / "mlruns"
    for seed in range(2):
        run = FakeRun(root, "pages", seed=seed, levels=3, epochs=4)
        for level in range(4):
            run.directory.level(level).mkdir(parents=True)
            card = run.directory.level(level) / "ticket.json"
            card.write_text(f'{{"format": "a card of level {level}"}}')
            if level in (1, 3):
                card.with_suffix(".safetensors").write_bytes(b"bits" * 100)
        run.log("the log's first line\n")
        run.start().train(4).end()
    return root


@pytest.fixture(scope="module")
def server(root):
    """The process of `lthtui mlflow`, and the address that it printed."""
    with subprocess.Popen(command(root), stdout=-1, stderr=-1, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), process.stderr.read()
            assert Store(root).runs() == [] and (root / "mlflow.db").exists()
            for run in runnames.every(root):
                sync(run)
            yield process, address
            family = descendants(process.pid)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.terminate()
    assert process.returncode == 0 and "Traceback" not in said and "ssh -N -L" in said
    wait_for(lambda: not any(map(runs, family)))


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    if missing := browsing["missing"]():
        pytest.skip(f"no {' and no '.join(missing)} on this machine")
    browser = browsing["Browser"](tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def listening(port: int) -> list[str]:
    """The local addresses, in hexadecimal, on which something listens at this port."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
            found += [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
    return found


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [x for c in children for x in descendants(int(c))]


def runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/exe")  # not that of a zombie


def ask(address: str, path: str, host: str) -> int:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


def test_only_this_machine_reaches_it(server):
    process, address = server
    port = int(address.rpartition(":")[2])
    assert listening(port) == [f"0100007F:{port:04X}"]
    assert len(descendants(process.pid)) <= 3
    search = "/ajax-api/2.0/mlflow/experiments/search?max_results=1"
    assert ask(address, search, "evil.example") == 403
    assert ask(address, search, f"127.0.0.1:{port}") == 200
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in descendants(process.pid)]
    for setting in (b"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", b"MLFLOW_DISABLE_TELEMETRY=true"):
        assert all(setting in environment for environment in environments)


def test_a_person_finds_runs_curves_and_tickets(page, server, root):
    _, address = server
    runs = {run.seed: run for run in Store(root).runs()}
    page.open(address)
    page.click("Model training")
    page.click("pages")
    for run in runs.values():
        page.wait_text(run.name)
    page.click(runs[0].name)
    page.wait_text("Run again: lthtui run")
    page.wait_text("winning/test_accuracy")
    page.wait_text(f"level-03-{runs[0].name}")

    page.click("Model metrics")
    page.wait_text("images_per_second")
    drawn = page.wait(DRAWN)
    curve = Store(root).curve(runs[0].mlflow_run_id, "level/val_accuracy")
    assert drawn == [curve.steps.tolist(), curve.values.tolist()]

    page.click("Artifacts")
    for name in ("tickets", "level-03", "ticket.json"):
        page.click(name)
    page.wait_text("a card of level 3")
    page.wait_text("ticket.safetensors")

    page.open(f"{address}/#/experiments/1/models?workflowType=machine_learning")
    page.click(f"level-01-{runs[1].name}")
    page.wait_text("level/density")
    page.click("Artifacts")
    page.click("ticket.json")
    page.wait_text("a card of level 1")


@pytest.fixture(scope="module")
def plain(server):
    """MLflow's ids of runs that plain MLflow code logged to the server."""
    return plainruns.write(server[1])


def comparable(items):
    """Dataclasses as text, in which NaN equals NaN."""
    return [repr(dataclasses.asdict(item)) for item in items]


def test_sql_the_client_and_the_server_tell_the_same(server, plain, root):
    file, here, there = root / "mlflow.db", Store(root), Store(server[1])
    readers = SqlReader(file), ClientReader(here._client), there._server
    runs, *others = (comparable(reader.runs()) for reader in readers)
    assert others == [runs, runs] and len(runs) >= len(plain) + 2
    tickets, *others = (comparable(reader.tickets()) for reader in readers)
    assert others == [tickets, tickets] and len(tickets) >= 8
    for run in readers[0].runs():
        for key in {*list(run.metrics)[:4], *(run.metrics.keys() & plainruns.AWKWARD)}:
            sql, *others = (reader.curve(run.mlflow_run_id, key) for reader in readers)
            for other in others:
                for column in ("steps", "times", "values"):
                    np.testing.assert_array_equal(getattr(sql, column), getattr(other, column))
            least_and_most = readers[0].extremes(key).get(run.mlflow_run_id)
            assert storedruns.extremes(sql) == least_and_most, key


def whole(lookout):
    """The first board of which nothing is missing."""
    found = [Board(remark="nothing yet")]

    def look():
        found.append(lookout.look() or found[-1])
        return not found[-1].remark

    wait_for(look)
    return found[-1]


def test_the_app_shows_the_same_of_a_server_and_of_its_file(server, plain, root, tmp_path):
    wanted = {"accuracy", "val_loss", "odd", "all nan", "epoch/val_accuracy"}
    boards = []
    for number, address in enumerate((f"sqlite:///{root / 'mlflow.db'}", server[1])):
        with contextlib.closing(Lookout(tmp_path / str(number), address)) as lookout:
            lookout.want(wanted)
            boards.append(whole(lookout))
    here, there = boards
    assert [(group.id, group.label, group.under) for group in here.groups] == [
        (group.id, group.label, group.under) for group in there.groups
    ]
    known = fields.names(here.runs.values())
    assert fields.names(there.runs.values()) == known and {"net.depth", "tags.why"} <= {*known}
    known += [f"{reducer}({key})" for key in wanted for reducer in ("best", "min", "max")]
    for name in known:
        asked = Field.parse(name)
        values = [
            {run.run_id: repr(asked.of(run)) for run in board.runs.values()} for board in boards
        ]
        assert values[0] == values[1], name
    assert there.runs[plain["awkward"]].extremes == {"odd": (-math.inf, math.inf)}
    assert there.runs[plain["awkward"]].note == "# seen\n*it*"
    assert Field.parse("best(accuracy)").of(there.runs[plain["net_s4"]]) == 0.9 + 4 / 100


def test_commands_tell_the_same_of_a_server_and_of_its_file(server, plain, root, tmp_path, capsys):
    net = plain["net_s4"]
    for words in (
        ["list", "--json"],
        ["list", "--columns", "id,best(accuracy),opt.lr", "--filter", "experiment=seeds"],
        ["show", "--json", net[:12]],
        ["metrics", net],
        ["compare", "pages", "--csv"],
        ["ticket", "list", "--json"],
    ):
        said = []
        for address in (f"sqlite:///{root / 'mlflow.db'}", server[1]):
            assert main([*words, "--root", str(tmp_path), "--tracking-uri", address]) == 0
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] and len(said[0].splitlines()) >= 1, words


def test_pages_show_the_figures_that_the_app_shows(page, server, plain, root):
    address, runs = server[1], {run.mlflow_run_id: run for run in Store(server[1]).runs()}
    ours = next(run for run in runs.values() if run.experiment == "pages")
    for run, keys in (
        (ours, ("level/val_accuracy", "level/density", "winning/test_accuracy")),
        (runs[plain["net_s4"]], ("accuracy",)),
    ):
        page.open(webpages.at(address, run.mlflow_run_id))
        for key in keys:
            page.wait_text(key)
            shown = re.search(rf"^{re.escape(key)}\s+([-\d.e]+)", page.text(), re.MULTILINE)
            assert shown and float(shown[1]) == pytest.approx(run.metrics[key], rel=1e-3), key


def test_a_run_can_be_logged_to_a_server(server, tmp_path):
    _, address = server
    run = FakeRun(tmp_path, "remote", levels=1, epochs=2, tracking=address)
    run.directory.level(1).mkdir(parents=True)
    (run.directory.level(1) / "ticket.json").write_text("{}")
    run.start().train(2).end()
    counts = [sync(run.directory).rows for _ in range(2)]
    assert counts == [4 * 5 + 2 * 7 + 3] * 2
    store = Store(address)
    (found,) = store.runs("remote")
    assert webpages.of_folder(run.directory) == (found.mlflow_run_id, address)
    assert (found.run_id, found.status, found.seed) == (run.run_id, "FINISHED", 0)
    assert store.curve(found.mlflow_run_id, "epoch/val_accuracy").steps.tolist() == [1, 2, 3, 4]
    assert sorted(ticket.level for ticket in store.tickets("remote")) == [0, 1]
    store.set_tags(found.mlflow_run_id, {schema.NOTE: "from afar"})
    assert store.runs("remote")[0].tags["mlflow.note.content"] == "from afar"
    assert not (tmp_path / "mlflow.db").exists()


def test_a_taken_port_and_an_open_host_are_refused(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options, words in (
            (["--port", str(port)], f"port {port} of 127.0.0.1 is taken"),
            (["--host", "0.0.0.0"], "reach it from elsewhere by `ssh -L`"),
            (["--host", "example.org"], "not opened on example.org"),
        ):
            done = subprocess.run(command(tmp_path, *options), capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (2, "") and words in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_damaged_store_is_said_in_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"x" * 5000)
    done = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert done.returncode == 1 and "`lthtui doctor --fix` moves it away" in done.stderr


SERVER = """#!{python} -S
import http.server, sys
port, options = (next(a for a in sys.argv if a.startswith(b)) for b in ("--port=", "--uvicorn"))
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header(*options.split()[-1].split(":"))
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(port.partition("=")[2])), Page).serve_forever()
"""


def test_a_port_that_somebody_else_takes_meanwhile_is_left_to_them(tmp_path, monkeypatch):
    (tmp_path / "python").write_text(SERVER.format(python=sys.executable))
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(mlflow_server.sys, "executable", str(tmp_path / "python"))
    announced, is_free = [], mlflow_server._is_free

    def announce(address):
        announced.append(int(address.rpartition(":")[2]))
        raise KeyboardInterrupt  # which ends it

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        looks = iter([True])  # it was free when we looked
        monkeypatch.setattr(mlflow_server, "FIRST_PORT", other.server_port)
        monkeypatch.setattr(mlflow_server, "_is_free", lambda *at: next(looks, is_free(*at)))
        mlflow_server.serve(tmp_path, "127.0.0.1", None, announce)
        other.shutdown()
    (used,) = announced
    assert used > other.server_port


class Healthy(http.server.BaseHTTPRequestHandler):
    """Somebody else's server."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


SERVE = """
import sys
from pathlib import Path
from lthtui import mlflow_server
mlflow_server.sys.executable = sys.argv[1]
mlflow_server.serve(Path(), "127.0.0.1", None, lambda address: print(address, flush=True))
"""


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
def test_it_ends_with_its_terminal_and_leaves_no_process(tmp_path, spawn, how):
    (tmp_path / "python").write_text(SERVER.format(python=sys.executable))
    (tmp_path / "python").chmod(0o700)
    process = spawn([sys.executable, "-c", SERVE, str(tmp_path / "python")], stdout=-1, text=True)
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    (server,) = descendants(process.pid)
    process.send_signal(how)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    wait_for(lambda: not runs(server))
