"""Run folders with everything that a worker leaves in them, small and without training."""

from __future__ import annotations

from pathlib import Path

from rundirs import FakeRun

from engine import checkpoints
from engine.events import LevelEnded, Tail
from engine.rundir import RunDirectory

WEIGHTS = 50_000  # bytes of the weights of level 0; each level has some more


def store_levels(run: FakeRun) -> RunDirectory:
    """Give every level that the run's journal tells of its folder, with its manifest."""
    directory = run.directory
    for event in list(Tail(directory.events_file).read()):
        if isinstance(event, LevelEnded):
            store_level(directory, event)
    return directory


def store_level(directory: RunDirectory, ended: LevelEnded) -> None:
    files = {
        "ticket.safetensors": bytes(WEIGHTS + 5000 * ended.level),
        "ticket.json": b"{}",
        "mask.safetensors": b"mask",
        "next.safetensors": b"next",
    }
    meta = {"ended": ended.model_dump(mode="json"), "onward": True}
    checkpoints.write(directory.level(ended.level), files, meta)


def store_partial(directory: RunDirectory, name: str) -> Path:
    """A checkpoint within a level."""
    folder = directory.partial / name
    checkpoints.write(folder, {"net.safetensors": bytes(30_000)}, {})
    return folder


def weights(directory: RunDirectory) -> list[int]:
    """The levels whose weights are there, all of which must be as their manifests say."""
    found = []
    for folder in sorted(directory.levels.glob("[0-9]*")):
        files, _ = checkpoints.read(folder)
        assert {"ticket.json", "mask.safetensors", "next.safetensors"} <= set(files)
        if "ticket.safetensors" in files:
            found.append(int(folder.name))
    return found
