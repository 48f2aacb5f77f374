"""Every value of a run once, with its place; NaN and infinity kept; the same from MLflow."""

from __future__ import annotations

import csv
import math
import stat

import pytest
from rundirs import FakeRun

from engine.errors import UsageError
from engine.tracking import sync
from lthtui import exporting
from lthtui.cli import main
from lthtui.exporting import Row, rows, write
from lthtui.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


def trained(root):
    """A run of one level and an epoch, with losses that are no numbers."""
    run = FakeRun(root, "one", 3, levels=1, epochs=2).start()
    run.begin_level(0)
    run.end_epoch(0, 1, loss=math.nan)
    run.end_epoch(0, 2, loss=math.inf)
    run.end_level(0)
    run.begin_level(1)
    run.end_epoch(1, 1)
    return run.end("stopped").directory


def key(row):
    return row.metric, row.step


def test_a_journal_becomes_rows_with_their_places(root):
    run = trained(root)
    found = [*rows([run], Store(root))]
    losses = [row for row in found if row.metric == "epoch/train_loss"]
    assert [(row.step, row.level, row.epoch) for row in losses] == [(1, 0, 1), (2, 0, 2), (3, 1, 3)]
    assert math.isnan(losses[0].value) and losses[1].value == math.inf
    assert losses[2].value == pytest.approx(2.3 * (1.05 - (1 - math.exp(-1.5))))
    (density,) = [row for row in found if row.metric == "level/density"]
    assert density[:4] == (run.run_id, "one", density.group, 3) and len(density.group) == 64
    assert (density.step, density.level, density.epoch, density.value) == (0, 0, 2, 1.0)
    assert density.time == 1_790_000_000 + 5
    assert len({key(row) for row in found}) == len(found) == 3 * 5 + 7


def test_mlflow_has_the_same_of_a_run_whose_folder_is_gone(root):
    run = trained(root)
    here = sorted(rows([run], Store(root)), key=key)
    sync(run)
    (there,) = Store(root).runs()
    stored = sorted(rows([there], Store(root)), key=key)
    assert [str(row) for row in stored] == [
        str(
            row._replace(
                level=row.level if row.metric.startswith("level/") else None,
                epoch=row.epoch if row.metric.startswith("epoch/") else None,
            )
        )
        for row in here
    ]


def test_only_what_is_wanted(root):
    found = rows([trained(root)], Store(root), ["level/val_*", "epoch/learning_rate"])
    assert {row.metric for row in found} == {"level/val_accuracy", "epoch/learning_rate"}


def test_what_is_written_reads_back_the_same(root, tmp_path, monkeypatch):
    from pyarrow import parquet

    monkeypatch.setattr(exporting, "_AT_ONCE", 5)
    found = [*rows([trained(root)], Store(root))]
    assert write(found, tmp_path / "out.csv") == write(found, tmp_path / "out.parquet") > 5
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [str(Row(**one)) for one in table] == [str(row) for row in found]
    header, *lines = csv.reader((tmp_path / "out.csv").read_text().splitlines())
    assert tuple(header) == Row._fields
    assert lines == [["" if value is None else str(value) for value in row] for row in found]
    assert sorted(one.name for one in tmp_path.glob("*out*")) == ["out.csv", "out.parquet"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "out.parquet"
    file.write_text("before")
    row = Row("r", "n", "g", None, "m", 0, None, None, 0.0, 1.0)

    def breaks():
        yield row
        raise UsageError("gone")

    for target in (file, tmp_path / "out.csv"):
        with pytest.raises(UsageError, match="gone"):
            write(breaks(), target)
    assert [one.name for one in tmp_path.iterdir()] == ["out.parquet"]
    assert file.read_text() == "before"
    with pytest.raises(UsageError, match="endings .csv, .parquet"):
        write([row], tmp_path / "out.xlsx")
    with pytest.raises(UsageError, match="gone is no folder"):
        write([row], tmp_path / "gone" / "out.csv")


def test_the_command_takes_seeds_experiments_and_plain_runs(root, tmp_path, capsys):
    from mlflow import MlflowClient

    for seed in range(2):
        FakeRun(root, "two", seed).start().train(1)
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    plain = client.create_run(
        client.create_experiment("plain"), run_name="plain\x1b[2J"
    ).info.run_id
    client.log_metric(plain, "loss", math.nan, step=4)
    assert main(["metrics", "two", plain[:9], "--metric", "l*"]) == 0
    table = [*csv.DictReader(capsys.readouterr().out.splitlines())]
    assert {row["seed"] for row in table} == {"0", "1", ""}
    assert table[-1] | {"time": ""} == {
        "run_id": plain,
        "name": "plain\x1b[2J",
        "group": "",
        "seed": "",
        "metric": "loss",
        "step": "4",
        "level": "",
        "epoch": "",
        "time": "",
        "value": "nan",
    }
    file = tmp_path / "out.csv"
    assert main(["metrics", "--experiment", "two", "-o", str(file)]) == 0
    assert capsys.readouterr().err == "54 values of 2 run(s)\n"
    assert stat.S_ISREG(file.stat().st_mode) and len(file.read_text().splitlines()) == 55
    assert main(["metrics", "two", "--metric", "none"]) == 0
    assert "0 values of 2 run(s); `--metric` takes names" in capsys.readouterr().err
    assert main(["metrics"]) == 2 and "name runs" in capsys.readouterr().err
