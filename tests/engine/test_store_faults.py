"""A store that fills up, breaks or is emptied while a run goes on; and one that is read-only."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3

import pytest
from disks import mounted
from mirrored import expected_rows, known, run_of, sizes

from engine import relocation, storefile
from engine.errors import StoreAway, StoreError
from engine.following import Follower, Wire
from engine.tracking import ensure_store, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


@pytest.fixture
def disk(tmp_path, template):
    """A disk of 8 MB, with a store in `mlruns`."""
    with mounted(tmp_path / "disk", 8) as disk:
        (disk.folder / "mlruns").mkdir()
        shutil.copy(template, disk.folder / "mlruns")
        relocation.relocate(disk.folder / "mlruns").backup.unlink()
        yield disk


def follower(run) -> Follower:
    """One that a test drives: each `_attempt` is one try."""
    return Follower(run.directory, Wire(-1))


def stored(root) -> int:
    """Rows that can be read, also on a full disk."""
    with contextlib.closing(storefile.reader(root / "mlflow.db")) as store:
        return store.execute("SELECT count(*) FROM metrics").fetchone()[0]


def write(root, rows: int) -> None:
    """Change the same rows again and again, each time in the log."""
    with contextlib.closing(sqlite3.connect(root / "mlflow.db", isolation_level=None)) as store:
        store.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(rows):
            store.execute("UPDATE experiments SET last_update_time = ?", [number])


def test_a_log_that_took_the_last_room_is_merged_and_logging_goes_on(disk):
    root = disk.folder / "mlruns"
    run = run_of(root).start().train(1)
    follows = follower(run)
    assert follows._attempt() is None
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as reader:
        reader.execute("SELECT * FROM runs").fetchall()  # keeps others from merging it at their end
        write(root, 100)
        assert (root / "mlflow.db-wal").stat().st_size > 400_000
        run.train(3).end()
        disk.fill()
        failure = follows._attempt()
        assert isinstance(failure, StoreAway) and "full" in str(failure), failure
        assert disk.free > 200_000  # the log gave back what it had
        assert follows._attempt() is None
    assert known(root) == expected_rows(run)


@pytest.mark.parametrize("leave", [0, 60_000])
def test_a_full_disk_costs_no_row_and_doubles_none(disk, leave):
    root = disk.folder / "mlruns"
    run = run_of(root).start().train(1)
    sync(run.directory)
    counts = sizes(root)
    run.train(3).end()
    disk.fill(leave)
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            sync(run.directory)
    assert counts["metrics"] <= stored(root) < len(expected_rows(run))
    disk.empty()
    sync(run.directory)
    assert known(root) == expected_rows(run)
    assert sizes(root)["logged_models"] == 3 and sizes(root)["runs"] == 1


def test_a_read_only_mount_is_refused_in_one_line_and_later_caught_up(disk):
    root = disk.folder / "mlruns"
    run = run_of(root).start().train(3).end()
    run.close()
    disk.remount("ro")
    with pytest.raises(StoreAway, match="Read-only file system.*`lthtui sync` again later"):
        sync(run.directory)
    with pytest.raises(StoreError, match="mlflow.db: not writable; check its permissions and"):
        ensure_store(root)
    with contextlib.closing(storefile.reader(root / "mlflow.db")) as store:
        assert storefile.version(store) == storefile.expected_version()
    disk.remount("rw")
    sync(run.directory)
    assert known(root) == expected_rows(run)


def broken_within(file) -> None:
    """Garbage where the metrics are: what is looked at first stays readable."""
    with contextlib.closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        names = ("metrics", "latest_metrics", "runs")
        pages = [
            store.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
            for name in names
        ]
        (size,) = store.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as damaged:
        for page in pages:
            damaged.seek((page - 1) * size)
            damaged.write(b"\xff" * size)


def broken_at_the_start(file) -> None:
    with file.open("r+b") as damaged:
        damaged.write(b"\xff" * 8192)


@pytest.mark.parametrize("damage", [broken_within, broken_at_the_start])
def test_a_store_that_breaks_meanwhile_is_said_once_and_ends_no_run(root, damage):
    run = run_of(root).start().train(1)
    follows = follower(run)
    assert follows._attempt() is None
    damage(root / "mlflow.db")
    run.train(3).end()
    for _ in range(2):
        failure = follows._attempt()
        assert type(failure) is StoreError  # which ends it once the worker has left
        assert f"{root / 'mlflow.db'}: damaged" in str(failure) and "doctor --fix" in str(failure)
    (root / "mlflow.db").unlink()
    assert follows._attempt() is None and known(root) == expected_rows(run)


def test_a_store_that_was_emptied_is_made_anew_with_all_that_came_before(root):
    run = run_of(root).start().train(1)
    follows = follower(run)
    assert follows._attempt() is None
    for file in root.glob("mlflow.db*"):
        file.write_bytes(b"")
    run.train(3).end()
    assert follows._attempt() is not None
    assert follows._attempt() is None
    assert known(root) == expected_rows(run) and sizes(root)["logged_models"] == 3
