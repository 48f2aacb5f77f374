"""Criterion 23: tickets and checkpoints that are bombs, lies, or programs."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from engine import checkpoints, tickets
from engine.errors import Damaged

MOST = 500  # MiB


def _header(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def _tensor(**changes) -> bytes:
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}
    return _header(json.dumps({"trained/conv.weight": entry}).encode(), bytes(16))


HOSTILE = {
    "nothing": b"",
    "a header of 4 EiB": struct.pack("<Q", 2**62),
    "a header of 90 MB": _header(b" " * 90_000_000),
    "a header of brackets": _header(b"[" * 1_000_000),
    "no JSON": _header(b"\x80\x04cos\nsystem\n"),
    "a shape of 2^60": _tensor(shape=[2**30, 2**30]),
    "offsets behind the end": _tensor(data_offsets=[0, 2**40]),
    "offsets that go back": _tensor(data_offsets=[16, 0]),
    "a negative shape": _tensor(shape=[-2, -2]),
    "an unknown type": _tensor(dtype="PICKLE"),
    "a pickle": pickle.dumps({"trained/conv.weight": [1.0]}),
    "another's tensors": save({"x": torch.zeros(3)}),
    "a mask without its card": save({"mask/conv.weight": torch.zeros(1, dtype=torch.uint8)}),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_ticket_is_refused(tmp_path, what):
    file = tmp_path / "ticket.safetensors"
    file.write_bytes(HOSTILE[what])
    with pytest.raises(Damaged):
        tickets.load(file)


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_in_a_checkpoint_is_refused(tmp_path, what):
    folder = tmp_path / "000-000000001"
    checkpoints.save(folder, {"net": {"w": torch.zeros(4)}}, {"position": 1})
    (folder / "net.safetensors").write_bytes(HOSTILE[what])
    with pytest.raises(Damaged, match="differs from its checksum"):
        checkpoints.load(folder)


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "link"])
def test_a_manifest_that_names_other_files_reads_none(tmp_path, name):
    folder = tmp_path / "runs" / "checkpoint"
    (tmp_path / "secret").write_text("secret")
    checkpoints.save(folder, {"net": {"w": torch.zeros(4)}}, {"position": 1})
    (folder / "link").symlink_to(tmp_path / "secret")
    manifest = json.loads((folder / checkpoints.MANIFEST).read_text())
    manifest["body"]["files"][name] = "0" * 64
    (folder / checkpoints.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(Damaged) as refusal:
        checkpoints.load(folder)
    assert "its checksum" in str(refusal.value)


@pytest.mark.fault
def test_verify_and_import_refuse_them_in_little_memory(tmp_path, record_property):
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(10**9))
    spec = tmp_path / "spec.yaml"
    fields = {"name": "x", "data": {"name": "digits"}, "model": {"name": "resnet20"}}
    spec.write_text(json.dumps(fields))
    bare, found = _peak(tmp_path, [sys.executable, "-c", "import torch, engine.verbs"]), []
    for number, data in enumerate(HOSTILE.values()):
        file = tmp_path / f"{number}.safetensors"
        file.write_bytes(data)
        found.append(_peak(tmp_path, _verb("verify", str(file)), 1, 2))
    target = ["--spec", str(spec), "-o", str(tmp_path / "out.safetensors")]
    found.append(_peak(tmp_path, _verb("import", str(bomb), *target), 1, 2))
    record_property("files refused", len(found))
    record_property("MiB beyond those of torch, at most", round(max(found) - bare))
    assert max(found) - bare < MOST and not (tmp_path / "out.safetensors").exists()


def _verb(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "engine", *arguments]


def _peak(folder: Path, command: list[str], *codes: int) -> float:
    """MiB that a command takes at most; it has to end with one of these codes, in one line."""
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, state, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(state)
    words = (folder / "said").read_text()
    assert process.returncode in (codes or (0,)) and "Traceback" not in words, words[-500:]
    return used.ru_maxrss / 1024


def test_nothing_here_was_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    for name in ("ticket.safetensors", "net.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(Damaged):
            tickets.load(tmp_path / name)
    assert not (tmp_path / "ran").exists()
