"""Which store is browsed, how it is said, and what is refused."""

from __future__ import annotations

import manyruns
import pytest
from rundirs import FakeRun

from engine.errors import UsageError
from lthtui.cli import main
from lthtui.tracking import VARIABLE, browsed, called, listed


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(b"own")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "mlflow.db").write_bytes(b"other")
    return tmp_path / "mlruns"


def test_the_option_comes_before_the_environment_and_that_before_the_roots_own(root, monkeypatch):
    assert browsed(root) is None
    monkeypatch.setenv(VARIABLE, "http://env:5000/")
    assert browsed(root) == "http://env:5000"
    assert browsed(root, "https://flag") == "https://flag"
    assert browsed(root, "") is None


def test_a_root_whose_runs_only_its_store_knows_is_listed_by_that(root, template, capsys):
    (root / "mlflow.db").unlink()
    assert listed(root) is None
    manyruns.store(template, root, 1)
    assert listed(root) == f"sqlite:///{root / 'mlflow.db'}"
    (run,) = manyruns.runs(1)
    assert main(["list"]) == 0 and run in capsys.readouterr().out
    assert main(["show", run]) == 0 and capsys.readouterr().out.split()[:2] == ["run_id", run]
    FakeRun(root, "own")
    assert listed(root) is None


def test_a_file_and_its_folder_are_the_same_store(root):
    file = root.parent / "theirs" / "mlflow.db"
    for said in ("theirs", "theirs/mlflow.db", f"sqlite:///{file}", "sqlite:///theirs/mlflow.db"):
        assert browsed(root, said) == f"sqlite:///{file}"
    for own in ("mlruns", f"sqlite:///{root / 'mlflow.db'}"):
        assert browsed(root, own) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("http://me:hunter2@host", "holds a user or a password"),
        ("http://host/?token=hunter2", "without what follows"),
        ("http://", "no host"),
        ("http://host:99999", "no address"),
        ("postgresql://me:hunter2@host/db", "mlflow server --backend-store-uri"),
        ("nowhere", "there is no MLflow store"),
        ("old", "migrate-filestore"),
    ],
)
def test_what_cannot_be_read_is_refused_without_repeating_a_password(root, said, words):
    (root.parent / "old" / "0").mkdir(parents=True)
    (root.parent / "old" / "0" / "meta.yaml").touch()
    with pytest.raises(UsageError, match=words) as refusal:
        browsed(root, said)
    assert "hunter2" not in str(refusal.value)


def test_a_store_is_called_by_its_place():
    assert called("https://host:5000/lab/mlflow") == "host:5000/lab/mlflow"
    assert called("sqlite:////data/a\x1b.db") == "/data/a\\x1b.db"
