"""Which file systems are this machine's own, and which other machines may write to, too."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# statfs(2) magic numbers of file systems of one machine: locks and shared memory work on them.
_LOCAL = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0x2FC12FC1,  # zfs
    0xF2F52010,  # f2fs
    0xCA451A4E,  # bcachefs
    0x3153464A,  # jfs
    0x52654973,  # reiserfs
    0x01021994,  # tmpfs
    0x858458F6,  # ramfs
    0x794C7630,  # overlayfs
}


def is_local(folder: Path) -> bool:
    """Whether a folder is on a file system of this machine, as far as is known."""
    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None).statfs(os.fsencode(folder), buffer) != 0:
        return False
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF in _LOCAL
