"""Tiny data sets in the layouts that users have on disk, one maker per data set."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = {"eurosat": 10, "isic2018": 7, "image_list": 3}


def make(name: str, root: Path) -> dict:
    """Write the data set below `root`; return the settings that find it."""
    if name == "digits":
        return {}
    if name == "cifar10":
        cifar10_binary(root)
        return {"root": str(root)}
    lists(root / name, CLASSES[name])
    small = {} if name == "eurosat" else {"size": 16}
    return {"root": str(root / name), **small}


def records(count: int, seed: int) -> np.ndarray:
    """uint8 [count, 3073]: labels 0, 1, ... 9, 0, ... and noise."""
    rows = np.random.default_rng(seed).integers(0, 256, (count, 3073), dtype=np.uint8)
    rows[:, 0] = np.arange(count) % 10
    return rows


def cifar10_binary(root: Path, per_batch: int = 40, test: int = 20) -> Path:
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for number in range(1, 6):
        records(per_batch, number).tofile(folder / f"data_batch_{number}.bin")
    records(test, 6).tofile(folder / "test_batch.bin")
    return folder


def cifar10_python(root: Path, per_batch: int = 40, test: int = 20, protocol: int = 2) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for seed, name in enumerate(names, 1):
        rows = records(test if name == "test_batch" else per_batch, seed)
        batch = {"batch_label": name, "labels": rows[:, 0].tolist(), "data": rows[:, 1:].copy()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=protocol))
    return folder


def lists(folder: Path, classes: int, size: tuple[int, int] = (64, 64)) -> Path:
    """12 training images per class, 8 in train.txt and 4 in val.txt, and 5 test images."""
    noise, lines = np.random.default_rng(0), {"train": [], "val": [], "test": []}
    for label in range(classes):
        (folder / "imgs" / f"Class{label}").mkdir(parents=True)
        for number in range(17):
            stem = f"Class{label}/Class{label}_{number}"
            pixels = noise.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "imgs" / f"{stem}.png")
            split = "train" if number < 8 else "val" if number < 12 else "test"
            lines[split].append(f"{stem} {label}\n")
    lines["trainval"] = lines["train"] + lines["val"]
    for split, listed in lines.items():
        (folder / f"{split}.txt").write_text("".join(listed))
    return folder
