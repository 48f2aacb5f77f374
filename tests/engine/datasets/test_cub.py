"""CUB-200-2011: the official tables and the list files give the same birds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.datasets import cub
from engine.errors import DataError


@pytest.fixture
def folder(tmp_path: Path, image_sets: SimpleNamespace) -> Path:
    return image_sets.cub(tmp_path)


def load(root: Path, **knobs: object):
    return cub.load(cub.Settings(root=str(root), **{"size": 16, "validation": "none", **knobs}))


def test_the_official_split_and_names_are_used(folder: Path) -> None:
    splits = load(folder.parent)
    assert splits.train.classes == (
        "Black footed Albatross",
        "Laysan Albatross",
        "Sooty Albatross",
    )
    assert (len(splits.train), len(splits.test)) == (27, 9)
    assert splits.test.ids[4] == "002.Laysan_Albatross/Laysan_Albatross_0004"
    assert splits.test.y.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(DataError, match="no official validation list"):
        load(folder, validation="official")


def test_list_files_give_the_same_images_and_a_validation_list(folder: Path) -> None:
    tables = load(folder)
    (folder / "images").rename(folder / "imgs")
    for name, part in (("trainval", tables.train), ("test", tables.test)):
        rows = zip(part.ids, part.y.tolist(), strict=True)
        (folder / f"{name}.txt").write_text("".join(f"{stem} {label}\n" for stem, label in rows))
    lists = load(folder)
    assert lists.subset == tables.subset and lists.test.ids == tables.test.ids
    assert lists.train.classes == tables.train.classes
    lines = (folder / "trainval.txt").read_text().splitlines(keepends=True)
    (folder / "train.txt").write_text("".join(lines[::2]))
    (folder / "val.txt").write_text("".join(lines[1::2]))
    chosen = load(folder, validation="official")
    assert chosen.val is not None and (len(chosen.train), len(chosen.val)) == (14, 13)


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("images", "2 ../../secret.jpg", "images.txt:2: no image '../../secret.jpg' below"),
        ("images", "1 001.Black_footed_Albatross/x.jpg", "images.txt:2: expected a new number"),
        ("images", "two x.jpg", "images.txt:2: expected a new number and its value"),
        (
            "images",
            "2 001.Black_footed_Albatross/Black_footed_Albatross_0000.jpg",
            "images.txt:1: image '.*_0000' is already listed at .*images.txt:2",
        ),
        ("image_class_labels", "2 4", "image_class_labels.txt:2: image 2 lacks a class"),
        ("image_class_labels", "", "images.txt:2: image 2 lacks a class"),
        ("train_test_split", "2 2", "image 2 lacks .* 0 or 1 in train_test_split"),
        ("train_test_split", "2", "train_test_split.txt:2: expected a new number"),
    ],
)
def test_a_bad_row_is_named(folder: Path, table: str, line: str, message: str) -> None:
    path = folder / f"{table}.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(DataError, match=message):
        load(folder)


def test_missing_parts_are_named(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    with pytest.raises(DataError, match="classes.txt is missing; Download CUB_200_2011.tgz"):
        load(folder)
    (folder / "images").rename(folder / "pictures")
    with pytest.raises(DataError, match="looked for the folder images in .*CUB_200_2011/"):
        load(folder)
