"""Where a run's page of MLflow's UI is, and what has to serve it; a browser opens it elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rundirs import FakeRun

from engine.errors import UsageError
from lthtui import cli, mlflow_server, webpages
from lthtui.commands import store
from lthtui.lookout import Lookout
from lthtui.webpages import WebPage

ID = "0123456789abcdef" * 2
SERVER = "https://lab.example/mlflow"


@pytest.fixture
def runs(tmp_path):
    """By seed: a run in the root's store, one on a server, and one that MLflow knows nothing of."""
    root = tmp_path / "my runs"
    for seed, tracking in enumerate(("sqlite:////gone/mlflow.db", f"{SERVER}/")):
        run = FakeRun(root, "runs", seed=seed).start().train(1).end()
        linked = {"mlflow_run_id": ID, "tracking_uri": tracking}
        run.directory.mlflow_file.write_text(json.dumps(linked))
    FakeRun(root, "runs", seed=2).start()
    return root, sorted(Lookout(root).look().runs.values(), key=lambda run: run.seed)


def test_a_page_is_on_its_runs_server_or_served_from_the_roots_own_store(runs):
    root, (local, remote, unknown) = runs
    command = f"lthtui --root '{root}' mlflow"
    page = WebPage(f"http://127.0.0.1:5000/#/runs/{ID}", command)
    assert webpages.of_run(local, root, None) == page
    assert webpages.of_run(remote, root, None) == WebPage(f"{SERVER}/#/runs/{ID}")
    with pytest.raises(UsageError, match=f"was not told of {unknown.run_id} yet; `lthtui sync"):
        webpages.of_run(unknown, root, None)


def test_pages_of_a_store_that_is_browsed(runs):
    root, (run, *_) = runs
    stored = replace(run, directory="", stored="a/b")
    assert webpages.of_run(stored, root, SERVER).address == f"{SERVER}/#/runs/a%2Fb"
    page = webpages.of_run(stored, root, "sqlite:////its folder/mlflow.db")
    assert page.served == "mlflow ui --backend-store-uri 'sqlite:////its folder/mlflow.db'"
    assert webpages.of_run(run, root, SERVER).served.startswith("lthtui --root")


def test_pages_are_links_and_what_serves_them_is_said_once(runs):
    root, found = runs
    lines = webpages.lines(webpages.known(found, root, None), 200)
    texts = ["".join(span.text for span in line) for line in lines]
    assert texts == [
        f"mlflow    s0  http://127.0.0.1:5000/#/runs/{ID}",
        f"          s1  {SERVER}/#/runs/{ID}",
        f"          while `lthtui --root '{root}' mlflow` serves it",
    ]
    assert [line[1].link for line in lines] == [
        f"http://127.0.0.1:5000/#/runs/{ID}",
        f"{SERVER}/#/runs/{ID}",
        "",
    ]
    assert webpages.lines({}, 200) == []


def test_the_command_prints_the_page_of_a_run(runs, monkeypatch, capsys):
    root, (local, remote, unknown) = runs

    def serve(folder, host, port, announce):
        announce("http://127.0.0.1:5003")

    monkeypatch.setattr(store, "ask", lambda verb: None)
    monkeypatch.setattr(mlflow_server, "serve", serve)
    for run, code, said in (
        (local, 0, f"http://127.0.0.1:5003/#/runs/{ID}\n"),
        (remote, 0, f"{SERVER}/#/runs/{ID}\n"),
        (unknown, 2, ""),
    ):
        assert cli.main(["mlflow", run.run_id, "--root", str(root)]) == code
        assert capsys.readouterr().out == said
