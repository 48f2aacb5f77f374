"""Tiny data sets in the layouts that users have on disk, one maker per data set."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

CLASSES = {"eurosat": 10, "eurosat_allband": 10, "isic2018": 7, "clamm": 12, "image_list": 3}


def make(name: str, root: Path) -> dict:
    """Write the data set below `root`; return the settings that find it."""
    root.mkdir(parents=True, exist_ok=True)
    if name == "digits":
        return {}
    makers = {
        "cifar10": cifar10_binary,
        "cifar100": cifar100_binary,
        "mnist": idx,
        "fashion_mnist": idx,
        "image_folder": class_folders,
        "imagenet": class_folders,
        "tiny_imagenet": tiny_imagenet,
        "cub": cub,
        "npz": npz,
    }
    if name in makers:
        makers[name](root)
        small = {"size": 16} if name in ("image_folder", "imagenet", "cub") else {}
        return {"root": str(root), **small}
    if name == "eurosat_allband":
        lists(root / name, CLASSES[name], save=bands)
    elif name == "clamm":
        lists(root / name, CLASSES[name], save=gray)
    else:
        lists(root / name, CLASSES[name])
    small = {} if name.startswith("eurosat") else {"size": 16}
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


def cifar100_binary(root: Path, per_class: int = 8, test: int = 100) -> Path:
    """Coarse labels are five fine ones each."""
    folder = root / "cifar-100-binary"
    folder.mkdir(parents=True)
    for seed, (name, count) in enumerate((("train", 100 * per_class), ("test", test))):
        noise = np.random.default_rng(seed).integers(0, 256, (count, 3074), dtype=np.uint8)
        noise[:, 1] = np.arange(count) % 100
        noise[:, 0] = noise[:, 1] // 5
        noise.tofile(folder / f"{name}.bin")
    return folder


def cifar100_python(root: Path) -> Path:
    """The same images as `cifar100_binary` writes."""
    raw, folder = cifar100_binary(root / "raw"), root / "cifar-100-python"
    folder.mkdir(parents=True)
    for name in ("train", "test"):
        rows = np.fromfile(raw / f"{name}.bin", np.uint8).reshape(-1, 3074)
        batch = {
            b"fine_labels": rows[:, 1].tolist(),
            b"coarse_labels": rows[:, 0].tolist(),
            b"data": rows[:, 2:].copy(),
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    (folder / "meta").write_bytes(b"")
    return folder


def idx(folder: Path, train: int = 120, test: int = 30, zipped: bool = False) -> Path:
    """The four files of MNIST: noise, with labels 0, 1, ... 9, 0, ..."""
    noise = np.random.default_rng(0)
    for name, count in (("train", train), ("t10k", test)):
        pixels = noise.integers(0, 256, count * 28 * 28, dtype=np.uint8).tobytes()
        labels = bytes(number % 10 for number in range(count))
        for stem, content in (
            (f"{name}-images-idx3-ubyte", struct.pack(">4I", 0x803, count, 28, 28) + pixels),
            (f"{name}-labels-idx1-ubyte", struct.pack(">2I", 0x801, count) + labels),
        ):
            path = folder / (f"{stem}.gz" if zipped else stem)
            path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    """3 classes of 16x16 in colour: 36 training and 9 test images; keywords replace arrays."""
    noise = np.random.default_rng(0)
    whole = {
        "x_train": noise.integers(0, 256, (36, 16, 16, 3), dtype=np.uint8),
        "y_train": np.arange(36) % 3,
        "x_test": noise.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8),
        "y_test": np.arange(9) % 3,
    }
    np.savez_compressed(folder / "arrays.npz", **{**whole, **arrays})
    return folder / "arrays.npz"


def class_folders(
    root: Path, parts: tuple[str, ...] = ("train", "val"), size: tuple[int, int] = (30, 20)
) -> Path:
    """Class folders cat, cow and dog in each part: 12 images in train, 4 elsewhere."""
    noise = np.random.default_rng(0)
    for part in parts:
        for name in ("cow", "cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for number in range(12 if part in ("", "train") else 4):
                save(noise, root / part / name / f"{number:02d}.jpg", size)
    return root


def tiny_imagenet(root: Path) -> Path:
    """3 of its classes, in the layout of its archive."""
    folder, noise = root / "tiny-imagenet-200", np.random.default_rng(0)
    wnids = ("n02124075", "n02012849", "n03126707")
    (folder / "val/images").mkdir(parents=True)
    rows = []
    for label, wnid in enumerate(wnids):
        (folder / f"train/{wnid}/images").mkdir(parents=True)
        (folder / f"train/{wnid}/{wnid}_boxes.txt").write_text("")
        for number in range(10):
            save(noise, folder / f"train/{wnid}/images/{wnid}_{number}.JPEG", (64, 64))
        for number in range(label, 9, 3):
            save(noise, folder / f"val/images/val_{number}.JPEG", (64, 64))
            rows.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t63\t63\n")
    (folder / "val/val_annotations.txt").write_text("".join(rows))
    (folder / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in wnids))
    (folder / "words.txt").write_text(
        "n00001740\tentity\nn02012849\tcrane\nn02124075\tEgyptian cat, mau\nn03126707\tcrane\n"
    )
    return folder


def cub(root: Path) -> Path:
    """3 of its birds, in the layout of its archive."""
    folder, noise = root / "CUB_200_2011", np.random.default_rng(0)
    birds = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")
    tables: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    for label, bird in enumerate(birds, 1):
        (folder / "images" / bird).mkdir(parents=True)
        for number in range(12):
            key = len(tables["images"]) + 1
            save(noise, folder / "images" / bird / f"{bird[4:]}_{number:04d}.jpg", (30, 20))
            tables["images"].append(f"{key} {bird}/{bird[4:]}_{number:04d}.jpg")
            tables["image_class_labels"].append(f"{key} {label}")
            tables["train_test_split"].append(f"{key} {int(number % 4 > 0)}")
    tables["classes"] = [f"{label} {bird}" for label, bird in enumerate(birds, 1)]
    for name, rows in tables.items():
        (folder / f"{name}.txt").write_text("\n".join(rows) + "\n")
    return folder


def save(noise: np.random.Generator, path: Path, size: tuple[int, int]) -> Path:
    pixels = noise.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def gray(noise: np.random.Generator, path: Path, size: tuple[int, int]) -> Path:
    pixels = noise.integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".tif"))
    return path


def bands(noise: np.random.Generator, path: Path, size: tuple[int, int]) -> Path:
    """13 bands of 16 bits, stored pixel by pixel as in EuroSAT's own files."""
    pixels = noise.integers(0, 4000, (size[1], size[0], 13), dtype=np.uint16)
    tifffile.imwrite(
        path.with_suffix(".tif"), pixels, photometric="minisblack", planarconfig="contig"
    )
    return path


def lists(
    folder: Path,
    classes: int,
    size: tuple[int, int] = (64, 64),
    save: Callable[[np.random.Generator, Path, tuple[int, int]], Path] = save,
) -> Path:
    """12 training images per class, 8 in train.txt and 4 in val.txt, and 5 test images."""
    noise, lines = np.random.default_rng(0), {"train": [], "val": [], "test": []}
    for label in range(classes):
        (folder / "imgs" / f"Class{label}").mkdir(parents=True)
        for number in range(17):
            stem = f"Class{label}/Class{label}_{number}"
            save(noise, folder / "imgs" / f"{stem}.png", size)
            split = "train" if number < 8 else "val" if number < 12 else "test"
            lines[split].append(f"{stem} {label}\n")
    lines["trainval"] = lines["train"] + lines["val"]
    for split, listed in lines.items():
        (folder / f"{split}.txt").write_text("".join(listed))
    return folder
