"""Checkpoints exist whole or not at all, and damage is noticed."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
import torch

from engine import checkpoints
from engine.errors import Damaged


def _saved(folder: Path) -> Path:
    tensors = {"net": {"w": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)}, "empty": {}}
    checkpoints.save(folder / "one", tensors, {"position": 7, "best": None})
    return folder / "one"


def test_round_trip(tmp_path: Path) -> None:
    found = checkpoints.load(_saved(tmp_path))
    assert found.meta == {"position": 7, "best": None}
    assert torch.equal(found.tensors["net"]["w"], torch.arange(6.0).view(2, 3))
    assert found.tensors["net"]["n"].item() == 3
    assert found.tensors["empty"] == {}


@pytest.mark.parametrize("name", ["net.safetensors", checkpoints.MANIFEST])
def test_every_truncation_is_noticed(tmp_path: Path, name: str) -> None:
    folder = _saved(tmp_path)
    whole = (folder / name).read_bytes()
    for length in range(0, len(whole), 7):
        (folder / name).write_bytes(whole[:length])
        with pytest.raises(Damaged):
            checkpoints.load(folder)


@pytest.mark.parametrize("name", ["net.safetensors", checkpoints.MANIFEST])
def test_every_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    folder = _saved(tmp_path)
    whole = (folder / name).read_bytes()
    for place in range(0, len(whole), 5):
        broken = bytearray(whole)
        broken[place] ^= 1 << (place % 8)
        (folder / name).write_bytes(broken)
        with pytest.raises(Damaged):
            checkpoints.load(folder)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    (folder / "net.safetensors").unlink()
    with pytest.raises(Damaged, match="net.safetensors"):
        checkpoints.load(folder)


def test_a_failed_write_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _saved(tmp_path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(folder, {"net": {"w": torch.zeros(1)}}, {"position": 8})
    assert checkpoints.load(folder).meta["position"] == 7
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_dropped_file_is_gone_and_not_missed(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    checkpoints.drop(folder, "net.safetensors")
    checkpoints.drop(folder, "never-there.safetensors")
    assert set(checkpoints.load(folder).tensors) == {"empty"}
    assert not (folder / "net.safetensors").exists()


def test_leftovers_of_dead_writers_are_removed(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f".two.{dead.pid}.tmp").mkdir()
    (tmp_path / f".two.{dead.pid}.tmp" / "half").write_bytes(b"x")
    mine = tmp_path / f".heartbeat.json.{os.getpid()}.tmp"
    mine.write_bytes(b"x")
    checkpoints.clean(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, mine.name}


def test_what_a_process_left_that_was_killed_while_it_dropped_a_file_goes_too(
    tmp_path: Path,
) -> None:
    folder = _saved(tmp_path)
    checkpoints.drop(folder, "net.safetensors")
    (folder / "net.safetensors").write_bytes(b"no longer listed")
    checkpoints.drop(folder, "net.safetensors")
    assert not (folder / "net.safetensors").exists()
    assert set(checkpoints.load(folder).tensors) == {"empty"}
