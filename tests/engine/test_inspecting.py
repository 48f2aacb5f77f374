"""What is found in data sets, and the pictures of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from image_sets import class_folders, make, npz
from PIL import Image

from engine import sheets, verbs
from engine.errors import OK, USAGE, DataError
from engine.inspecting import inspect, report
from engine.opened import open_set, shown
from engine.recognising import recognise
from engine.registry import load


def settings(name, **knobs):
    return load("datasets", name).Settings(**knobs)


def asked(name, augmentation=None, sheet=None, strip=None, per_class=None, **knobs):
    return {
        "data": {"name": name, **knobs},
        "augmentation": augmentation,
        "sheet": sheet and str(sheet),
        "strip": strip and str(strip),
        "per_class": per_class,
        "seed": 0,
        "progress": None,
    }


@pytest.fixture
def folder(tmp_path):
    """Classes cat, cow and dog: 12 training and 4 test images of each, 30 x 20 pixels."""
    return class_folders(tmp_path / "animals")


def test_counts_are_those_that_training_would_use(folder):
    found = report(open_set(settings("image_folder", root=str(folder), validation=3, per_class=2)))
    assert found["classes"] == ["cat", "cow", "dog"]
    assert found["splits"] == {
        "train": {"images": 6, "per_class": [2, 2, 2]},
        "val": {"images": 3, "per_class": [1, 1, 1]},
        "test": {"images": 12, "per_class": [4, 4, 4]},
    }
    assert (found["width"], found["height"]) == ([30, 30, 30], [20, 20, 20])
    assert found["modes"] == {"RGB": 21}
    assert found["broken"] == [] and found["duplicates"] == []
    assert "has no test/" in found["warnings"][0]


def test_sizes_modes_broken_files_and_duplicates_are_found(folder):
    Image.new("L", (90, 60)).save(folder / "train/cat/00.jpg")
    (folder / "train/cow/01.jpg").write_bytes((folder / "train/cow/01.jpg").read_bytes()[:300])
    (folder / "val/dog/02.jpg").write_bytes(b"no image")
    shutil.copy(folder / "train/dog/05.jpg", folder / "val/dog/03.jpg")
    shutil.copy(folder / "train/dog/05.jpg", folder / "train/dog/06.jpg")  # the same split
    found = report(open_set(settings("image_folder", root=str(folder), validation="none")))
    assert (found["width"], found["height"]) == ([30, 30, 90], [20, 20, 60])
    assert found["modes"] == {"RGB": 45, "L": 1}
    assert [(one["split"], one["id"]) for one in found["broken"]] == [
        ("train", "train/cow/01.jpg"),
        ("test", "val/dog/02.jpg"),
    ]
    assert "cannot be read as an image" in found["broken"][1]["error"]
    [pair] = found["duplicates"]
    assert pair["splits"] == ["train", "test"] and pair["ids"][1] == "val/dog/03.jpg"
    assert pair["ids"][0] in ("train/dog/05.jpg", "train/dog/06.jpg")
    assert (found["broken_images"], found["duplicate_images"]) == (2, 1)


def test_arrays_are_looked_at_as_well(tmp_path):
    rng = np.random.default_rng(5)
    train = rng.integers(0, 256, (36, 16, 16, 3), dtype=np.uint8)
    test = rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    test[4] = train[7]
    file = npz(tmp_path, x_train=train, x_test=test)
    found = report(open_set(settings("npz", root=str(file), validation="none")))
    assert found["splits"]["train"] == {"images": 36, "per_class": [12, 12, 12]}
    assert found["width"] == [16, 16, 16] and found["modes"] == {"RGB": 45}
    assert found["duplicates"] == [
        {"splits": ["train", "test"], "ids": ["train/00007", "test/00004"]}
    ]


@pytest.mark.parametrize("name", ["digits", "eurosat_allband", "eurosat", "cifar100"])
def test_a_sheet_has_a_row_for_each_class(name, tmp_path):
    knobs = make(name, tmp_path / "data")
    sheet, strip = tmp_path / "sheet.png", tmp_path / "strip.png"
    found = inspect(asked(name, sheet=sheet, strip=strip, per_class=2, **knobs))
    assert len(found["shown"]) == len(found["classes"])
    pictures = sum(row["images"] for row in found["shown"])
    assert pictures == 2 * len(found["classes"])
    with Image.open(strip) as image:
        assert image.size == (32 * pictures, 32)
    with Image.open(sheet) as image:
        assert image.format == "PNG" and image.height <= 40 * 68 + 4


def test_pictures_stand_where_their_class_does(tmp_path):
    """Classes that are red, green and blue."""
    colours = np.repeat(np.eye(3, dtype=np.uint8) * 255, 12, axis=0)
    train = np.broadcast_to(colours[:, None, None], (36, 16, 16, 3))
    file = npz(tmp_path, x_train=train, y_train=np.repeat(np.arange(3), 12))
    rows = sheets.by_class(open_set(settings("npz", root=str(file), validation="none")), 2)
    whole = sheets.sheet(rows)
    for label, place in enumerate(4 + 68 * n + 32 for n in range(3)):
        at = whole.getpixel((sheets.LABEL + 4 + 68 + 32, place))  # in the middle of the second one
        assert at == tuple(255 * (n == label) for n in range(3))
    small = sheets.strip(rows)
    assert [small.getpixel((32 * n + 16, 16)).index(255) for n in range(6)] == [0, 0, 1, 1, 2, 2]


def test_what_cannot_be_read_is_not_drawn_unless_nothing_can(folder):
    (folder / "train/cat/00.jpg").write_bytes(b"no image")
    opened = open_set(settings("image_folder", root=str(folder), validation="none"))
    assert [len(row.images) for row in sheets.by_class(opened, 12)] == [11, 12, 12]
    for path in folder.glob("train/*/*.jpg"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="no training image can be read: .*00.jpg"):
        inspect(asked("image_folder", root=str(folder)))


@pytest.mark.parametrize(("name", "knobs"), [("image_folder", {"size": 16}), ("npz", {})])
def test_draws_of_an_augmentation_stand_behind_their_image(name, knobs, tmp_path):
    root = class_folders(tmp_path / "animals") if name == "image_folder" else npz(tmp_path)
    opened = open_set(settings(name, root=str(root), **knobs))
    rand = load("augmentations", "rand").Settings()
    rows = sheets.augmented(opened, rand, seed=3)
    assert len(rows) == sheets.AUGMENTED
    assert [row.label for row in rows[:4]] == [*opened.classes, opened.classes[0]]
    assert all(len(row.images) == 1 + sheets.DRAWS for row in rows)
    assert rows[0].images[1].size == (16, 16)
    draws = {image.tobytes() for row in rows for image in row.images[1:]}
    assert len(draws) > 0.8 * sheets.AUGMENTED * sheets.DRAWS
    again = sheets.augmented(opened, rand, seed=3)
    assert [a.images for a in rows] == [b.images for b in again]
    assert [a.images for a in rows] != [b.images for b in sheets.augmented(opened, rand, seed=4)]


def test_labels_are_drawn_whatever_they_hold(tmp_path):
    image = Image.new("RGB", (8, 8))
    names = ["\x1b[31mred\n", "学習", "x" * 500, ""]
    assert sheets.sheet([sheets.Row(name, (image,)) for name in names]).height == 4 * 68 + 4
    one, other = (sheets.sheet([sheets.Row(name, (image,))]) for name in ("学習", "??"))
    assert one == other  # what not every font has


def test_bands_are_shown_in_colour():
    bands = np.arange(13, dtype=np.uint8).reshape(13, 1, 1)
    assert shown(bands).getpixel((0, 0)) == (3, 2, 1)  # Sentinel-2's B04, B03 and B02
    assert shown(bands[:4]).getpixel((0, 0)) == (0, 1, 2)
    assert shown(bands[5:6]).getpixel((0, 0)) == (5, 5, 5)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("cifar10", "x"),
        ("cifar100", "x"),
        ("tiny_imagenet", "x"),
        ("cub", "x"),
        ("mnist", "x"),
        ("npz", "x"),
        ("image_list", "x"),
        ("image_folder", "x"),
        ("fashion_mnist", "Fashion-MNIST"),
        ("eurosat", "EuroSAT"),
        ("isic2018", "isic2018"),
        ("imagenet", "ImageNet"),
    ],
)
def test_a_folder_is_recognised_by_its_layout_or_name(name, called, tmp_path):
    (tmp_path / "there").mkdir()
    root = Path(make(name, tmp_path / "made")["root"]).rename(tmp_path / "there" / called)
    assert recognise(root) == name


def test_a_folder_is_not_taken_for_a_set_that_comes_in_none(folder):
    assert recognise(folder.rename(folder.with_name("digits"))) == "image_folder"


def test_a_folder_with_a_broken_first_image_is_recognised(folder):
    (folder / "train/cat/00.jpg").write_bytes(b"no image")
    assert recognise(folder) == "image_folder"


def test_what_is_no_data_set_is_refused_with_a_reason(tmp_path):
    (tmp_path / "only").mkdir()
    with pytest.raises(DataError, match="is no data set that is known here.*class folders"):
        recognise(tmp_path)


def test_a_reason_is_that_of_the_layout_that_it_looks_like(tmp_path):
    root = Path(make("image_list", tmp_path)["root"])
    (root / "train.txt").write_text("gone 0\n")
    (root / "trainval.txt").unlink(missing_ok=True)
    with pytest.raises(DataError, match="train.txt:1: no image 'gone' below"):
        recognise(root)
    with pytest.raises(DataError, match="It is no folder"):
        recognise(tmp_path / "nowhere")


def test_the_verb_reports_and_fails_in_one_line(tmp_path, capsys):
    file = tmp_path / "asked.json"
    file.write_text(json.dumps(asked("digits", sheet=tmp_path / "sheet.png")))
    assert verbs.main(["inspect", str(file)]) == OK
    assert json.loads(capsys.readouterr().out)["splits"]["test"]["images"] == 797
    file.write_text(json.dumps(asked("digits", sheet=tmp_path / "gone/sheet.png")))
    assert verbs.main(["inspect", str(file)]) == USAGE
    assert capsys.readouterr().err.endswith("cannot be written (No such file or directory)\n")
