"""What a run takes of the disk, against sums by hand and a run that really trained."""

from __future__ import annotations

import os

import pytest
from inprocess import run

from engine.events import RunStarted, Warned
from engine.filesystems import FileSystem
from engine.footprint import peak_bytes, used_bytes
from engine.spec import RunSpec


@pytest.mark.parametrize(
    "keep, levels, tickets",
    [(["best", "last", "dense"], 16, 5), (["all"], 16, 16), (["every 8"], 16, 4), (["best"], 2, 2)],
)
def test_the_sum_by_hand(keep, levels, tickets):
    spec = RunSpec.model_validate(
        {"name": "x", "data": "digits", "model": "resnet20", "keep": keep, "sparsifier": "imp"}
    )
    ticket, masks, checkpoints = 2 * 1000 + 100, 2 * 100 * levels, 3 * 3 * 1000
    assert peak_bytes(spec, levels, 1000, 800) == tickets * ticket + masks + checkpoints


def test_every_block_below_a_folder_counts(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(10_000))
    (tmp_path / "link").symlink_to("/")
    assert used_bytes(tmp_path) == os.stat(tmp_path / "a" / "b" / "file").st_blocks * 512
    assert used_bytes(tmp_path / "nothing") == 0


def test_a_real_run_says_its_peak_stays_below_it_and_warns_of_little_room(
    tiny, run_folder, monkeypatch
):
    directory = run_folder(tiny(model={"name": "resnet20", "width": 16, "shortcut": "B"}))
    little = FileSystem(device=1, name="small", size=10**9, free=1000, local=True)
    monkeypatch.setattr("engine.filesystems.of", lambda folder: little)
    events = run(directory)
    (begun,) = (event for event in events if isinstance(event, RunStarted))
    warned = [event.message for event in events if isinstance(event, Warned)]
    assert any("more of the disk, which has 1000B left" in message for message in warned)
    assert begun.peak_bytes and 0 < used_bytes(directory.path) < begun.peak_bytes
