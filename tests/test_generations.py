"""Roots that older versions of this program made, opened by today's.

`data/mlruns-*.tar.xz` are whole roots with their MLflow stores, each written by a version of the
program: `first` before there were controls, `second` before runs grew, `third` since then. In each
one run of IMP is finished, one failed, and one was stopped in its level 1. None is ever made anew:
what a version has written stays readable. A change of a format adds a root.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from pathlib import Path

import pytest
import torch
import yaml
from inprocess import finish

from engine import exporting, relocation, tickets, verifying
from engine.errors import Foreign
from engine.events import EpochEnded, Event, LevelEnded, Tail, TicketSaved, Warned
from engine.rundir import RunDirectory, Status, status
from engine.tracking import sync
from lthtui import cli, extending, identity
from lthtui.launch import lease
from lthtui.lookout import Lookout

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
DATA = Path(__file__).parent / "data"
GENERATIONS = ("first", "second", "third")
RUNS = {  # by generation, what each run was when its root was stored
    "first": {"old-6170c0-s0": "finished"},
    "second": {
        "old-6170c0-s0": "finished",
        "old-same_layer-8b6378-s0": "finished",
        "old-null-f827a7-s0": "finished",
    },
    "third": {
        "old-6170c0-s0": "finished",
        "old-9407a5-s0": "finished",
        "old-same_layer-8b6378-s0": "finished",
    },
}
ALWAYS = {"failed-d03210-s0": "failed", "stopped-4a901e-s0": "stopped"}
LEVELS = [(4234, 0.1, 0.08782936), (3387, 0.16, 0.17816814), (2710, 0.09, 0.12421581)]


LATER = [pytest.param(name, marks=pytest.mark.fault) for name in GENERATIONS[1:]]
# what takes seconds is tried on the oldest; on demand on all
OLDEST = pytest.mark.parametrize("generation", [GENERATIONS[0], *LATER], indirect=True)


@pytest.fixture(params=GENERATIONS)
def generation(request):
    return request.param


@pytest.fixture
def root(generation, tmp_path, monkeypatch):
    """A stored root, in another folder than it was made in."""
    with tarfile.open(DATA / f"mlruns-{generation}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / generation).rename(tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)
    monkeypatch.setattr(lease, "ensure", lambda root: None)  # nobody dispatches
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / "mlruns"
    torch.set_num_threads(threads)


def run(root, name):
    (found,) = root.glob(f"runs/*-{name}")
    return RunDirectory(found)


def told(capsys, *arguments):
    """What a command writes to stdout; it must succeed."""
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def test_runs_are_listed_as_they_were(root, generation, capsys):
    listed = {one["run_id"]: one for one in json.loads(told(capsys, "list", "--json"))}
    states = {name.partition("-")[2]: one["status"] for name, one in listed.items()}
    assert states == {**ALWAYS, **RUNS[generation]}
    old = listed[run(root, "old-6170c0-s0").run_id]
    seen = [(one["kept"], one["val_accuracy"], one["test_accuracy"]) for one in old["levels"]]
    assert seen == [(kept, pytest.approx(val), pytest.approx(test)) for kept, val, test in LEVELS]
    assert old["winning"]["level"] == 1 and Path(old["winning"]["ticket"]).is_file()
    failed = listed[run(root, "failed-d03210-s0").run_id]
    assert failed["error"].startswith("the training loss became nan in epoch 2 of level 0")


def test_a_run_stays_what_it_was_called(root):
    """Also where today's version would make another digest or group of the same spec."""
    for folder in (root / "runs").iterdir():
        stored, directory = json.loads((folder / "identity.json").read_text()), RunDirectory(folder)
        facts = identity.read(directory)
        assert directory.spec().digest == facts.digest == stored["digest"]
        assert folder.name.split("-")[-2] == facts.digest[:6]
        stored["digest"], stored["group"] = "1" * 64, "2" * 64
        (folder / "identity.json").write_text(json.dumps(stored))
        facts = identity.read(directory)
        assert (facts.digest, facts.group) == (stored["digest"], stored["group"])
        assert facts.asked["sparsifier"]["name"] == facts.sparsifier == stored["sparsifier"]


def test_runs_are_shown_compared_and_on_the_board(root, generation, capsys):
    assert "winning ticket" in told(capsys, "show", "old-6170c0")
    assert "level 2 done" in told(capsys, "logs", "old-6170c0")
    compared = json.loads(told(capsys, "compare", "old-6170c0", "--json"))
    assert str(compared).count("0.178168") > 0
    lookout = Lookout(root)
    board = lookout.look()
    lookout.close()
    assert board is not None and (board.unreadable, board.trouble) == (0, "")
    shown = [view.run_id for group in board.groups for view in group.runs]
    assert len(shown) >= len(RUNS[generation]) + len(ALWAYS)


def test_tickets_are_exported_and_verified(root, tmp_path):
    directory = run(root, "old-6170c0-s0")
    saved = [e for e in Tail(directory.events_file).read() if isinstance(e, TicketSaved)]
    exporting.export(directory, "best", tmp_path / "best.safetensors", "ticket")
    assert tickets.load(tmp_path / "best.safetensors").card["sha256"] == saved[1].sha256
    report = verifying.verify(tmp_path / "best.safetensors", None, torch.device("cpu"))
    assert report["verified"], report


@OLDEST
def test_a_stopped_run_is_resumed_to_its_end(root, generation, capsys):
    directory = run(root, "stopped-4a901e-s0")
    level = directory.level(0)
    before = {path.name: path.read_bytes() for path in level.iterdir()}
    assert "queued" in told(capsys, "resume", "stopped")
    directory.queue_file.unlink()

    finish(directory)

    assert status(directory) == Status.FINISHED
    ended = [e.level for e in Tail(directory.events_file).read() if isinstance(e, LevelEnded)]
    assert ended == [0, 1, 2]
    epochs = [e.epoch for e in Tail(directory.events_file).read() if isinstance(e, EpochEnded)]
    assert epochs == list(range(1, 40 + 39 + 39 + 1))
    assert {path.name: path.read_bytes() for path in level.iterdir()} == before, "not again"
    warnings = [e.message for e in Tail(directory.events_file).read() if isinstance(e, Warned)]
    assert bool(warnings) == (generation == "first")  # the format of checkpoints within a level
    assert all("was written by another version" in one for one in warnings)


def test_a_failed_run_can_be_tried_again(root, capsys):
    assert "queued" in told(capsys, "resume", "failed")
    assert status(run(root, "failed-d03210-s0")) == Status.QUEUED


@OLDEST
def test_finished_runs_are_extended(root, generation):
    """What older versions did not keep of a last level is trained again, and said."""
    (longer,) = extending.derive(root, ["old-6170c0"], ["sparsifier.levels=3"])[1]
    assert longer.shared is not None
    assert longer.shared.levels == (3 if generation == "third" else 2)
    spec = longer.ready.spec
    grown, whole = RunDirectory(root / "runs/grown"), RunDirectory(root / "runs/whole")
    for directory, one in ((grown, spec), (whole, spec.model_copy(update={"extends": None}))):
        directory.path.mkdir()
        directory.spec_file.write_text(yaml.safe_dump(one.model_dump(mode="json")))
        finish(directory)
    assert [e.level for e in _of(grown, LevelEnded)] == [0, 1, 2, 3]
    assert [e.kept for e in _of(grown, LevelEnded)] == [e.kept for e in _of(whole, LevelEnded)]
    old, same = run(root, "old-6170c0-s0"), longer.shared.levels
    assert [e.time for e in _of(grown, LevelEnded)[:same]] == [
        e.time for e in _of(old, LevelEnded)[:same]
    ]
    if generation == "third":  # and trained by this version on the same kind of machine
        return
    assert "left nothing for another to start from" in _of(grown, Warned)[0].message


def _of(directory: RunDirectory, kind: type[Event]) -> list[Event]:
    return [event for event in Tail(directory.events_file).read() if isinstance(event, kind)]


def _rows(root: Path) -> dict[str, list[tuple]]:
    """Everything that the store says of runs, by table."""
    store = sqlite3.connect(f"file:{root / 'mlflow.db'}?mode=ro", uri=True)
    tables = ("metrics", "latest_metrics", "params", "runs")
    found = {table: sorted(store.execute(f"SELECT * FROM {table}").fetchall(), key=str)
             for table in tables}  # fmt: skip
    store.close()
    return found


@OLDEST
def test_the_store_says_the_same_after_a_sync(root):
    relocation.relocate(root)
    before = _rows(root)
    for folder in sorted((root / "runs").iterdir()):
        report = sync(RunDirectory(folder))
        assert report.run_id == folder.name and report.rows > 0
    after = _rows(root)
    assert (
        after["metrics"] == before["metrics"]
        and after["latest_metrics"] == before["latest_metrics"]
    )
    assert after["runs"] == before["runs"]
    assert set(before["params"]) <= set(after["params"])  # settings that are new since then


def test_what_is_from_the_future_is_passed_over(root, capsys):
    directory = run(root, "old-6170c0-s0")
    before = json.loads(told(capsys, "show", directory.run_id, "--json"))
    lines = directory.events_file.read_bytes().splitlines()
    news = {"kind": "weights_dreamt", "level": 1, "time": 1.0}
    lines = [json.dumps({**json.loads(line), "dreams": [1]}).encode() for line in lines]
    lines.insert(3, json.dumps(news).encode())
    directory.events_file.write_bytes(b"\n".join([*lines, b""]))
    for name in ("identity.json", "launch.json", "exit.json", "mlflow.json"):
        file = directory.path / name
        file.write_text(json.dumps({**json.loads(file.read_text()), "dreams": [1]}))
    assert json.loads(told(capsys, "show", directory.run_id, "--json")) == before


DREAM, NEWER = "unknown field 'dreams'", "a spec of version 2 is of a newer lthtui"


@pytest.mark.parametrize("change", [{"version": 2}, {"dreams": 1}])
def test_a_spec_of_the_future_is_refused_with_what_to_do(root, capsys, change):
    directory = run(root, "stopped-4a901e-s0")
    spec = yaml.safe_load(directory.spec_file.read_text())
    directory.spec_file.write_text(yaml.safe_dump({**spec, **change}))
    with pytest.raises(Foreign, match="use the version that wrote it"):
        directory.spec()
    code = cli.main(["resume", directory.run_id])
    err = capsys.readouterr().err
    assert code != 0 and "use the version that wrote it" in err
    listed = json.loads(told(capsys, "list", "--json"))
    assert len(listed) >= 2, "the others are shown"
    code = cli.main(["run", str(directory.path), "--dry-run"])
    err = capsys.readouterr().err
    assert code == 2 and (DREAM if "dreams" in change else NEWER) in err
