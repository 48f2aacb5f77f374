"""What file systems are known to be, and whether locks on them keep processes apart."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from engine import filesystems


def test_the_file_system_of_a_folder_that_is_not_there_yet(tmp_path):
    here, there = filesystems.of(tmp_path), filesystems.of(tmp_path / "not" / "yet")
    found = os.statvfs(tmp_path)
    assert here.local and here.size == found.f_blocks * found.f_frsize >= here.free > 0
    assert (there.device, there.name) == (here.device, here.name)
    assert here.device == tmp_path.stat().st_dev


@pytest.mark.parametrize(
    "magic, name, local",
    [(0xEF53, "ext", True), (0x6969, "NFS", False), (0xABC, "type 0xabc", False)],
)
def test_only_what_is_known_counts_as_local(tmp_path, monkeypatch, magic, name, local):
    monkeypatch.setattr(filesystems, "_magic", lambda folder: magic)
    found = filesystems.of(tmp_path)
    assert (found.name, found.local, filesystems.is_local(tmp_path)) == (name, local, local)


def test_the_kernel_names_what_is_no_disk():
    assert not filesystems.is_local(Path("/proc")) and not filesystems.is_local(Path("/nowhere"))


def test_locks_are_tried_both_ways(tmp_path, monkeypatch):
    assert filesystems.keeps_apart(tmp_path)
    for kind in ("_flock", "_record"):
        with monkeypatch.context() as patched:
            patched.setattr(filesystems, kind, lambda file: None)
            assert not filesystems.keeps_apart(tmp_path)

    def unsupported(file):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(filesystems, "_record", unsupported)
    assert not filesystems.keeps_apart(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_until_the_end(tmp_path):
    with filesystems.locked(tmp_path / "lock"):
        with pytest.raises(BlockingIOError), filesystems.locked(tmp_path / "lock", wait=False):
            pass
    with (tmp_path / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
