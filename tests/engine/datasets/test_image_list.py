"""List-file sets: official lists, stem lookup, stored sizes, and hostile or damaged folders."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torchvision.transforms import functional

from engine.augmentations import basic
from engine.datasets import eurosat, image_list, isic2018
from engine.errors import DataError
from engine.seeds import rng


@pytest.fixture
def folder(tmp_path: Path, image_sets: SimpleNamespace) -> Path:
    return image_sets.lists(tmp_path / "leaves", classes=3, size=(30, 20))


def settings(folder: Path, **knobs: object) -> image_list.Settings:
    return image_list.Settings(root=str(folder), **{"size": 16, "validation": "none", **knobs})


def load(folder: Path, **knobs: object):
    return image_list.load(settings(folder, **knobs))


def describe(folder: Path, **knobs: object):
    return image_list.describe(settings(folder, **knobs))


def replace_line(path: Path, number: int, line: str) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n")


def test_trainval_is_the_official_training_set(folder: Path) -> None:
    splits = load(folder, classes=("oak", "elm", "ash"))
    assert (len(splits.train), splits.val, len(splits.test)) == (36, None, 15)
    assert splits.train.ids[0] == "Class0/Class0_0"
    assert splits.train.classes == ("oak", "elm", "ash")
    assert splits.train.y.tolist() == [0] * 8 + [1] * 8 + [2] * 8 + [0] * 4 + [1] * 4 + [2] * 4


def test_official_validation_takes_both_lists_as_they_are(folder: Path) -> None:
    splits = load(folder, validation="official", per_class=2)
    assert splits.val is not None
    assert (len(splits.train), len(splits.val)) == (6, 12)
    assert set(splits.val.ids) == {f"Class{c}/Class{c}_{n}" for c in range(3) for n in range(8, 12)}
    about = describe(folder, validation="official", fraction=0.5)
    assert (about.train, about.val, about.available) == (12, 12, 24)


def test_without_trainval_train_and_val_together_are_the_training_set(folder: Path) -> None:
    whole = load(folder).train.ids
    (folder / "trainval.txt").unlink()
    assert set(load(folder).train.ids) == set(whole)
    (folder / "val.txt").unlink()
    assert len(load(folder).train) == 24
    with pytest.raises(DataError, match="val.txt is missing"):
        load(folder, validation="official")


def test_pixels_are_those_of_the_file(folder: Path) -> None:
    splits = load(folder, crop="pad", size=16, store=20)
    file = np.array(Image.open(folder / "imgs/Class1/Class1_3.png"))
    where = splits.train.ids.index("Class1/Class1_3")
    assert torch.equal(splits.train.x[where], torch.from_numpy(file).permute(2, 0, 1))
    assert splits.train.boxes is None
    test = np.array(Image.open(folder / "imgs/Class0/Class0_12.png"))
    middle = torch.from_numpy(test).permute(2, 0, 1)[:, 2:18, 7:23]
    assert torch.equal(splits.test.x[0], middle)


def test_test_images_are_resized_and_cut_as_torchvision_does(folder: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)).save(
        folder / "imgs/Class0/Class0_12.png"
    )
    splits = load(folder, size=28)
    image = Image.open(folder / "imgs/Class0/Class0_12.png").convert("RGB")
    expected = functional.center_crop(functional.resize(image, 32), [28, 28])
    assert torch.equal(splits.test.x[0], functional.pil_to_tensor(expected))


def test_unequal_sizes_share_a_box_and_keep_their_own(folder: Path) -> None:
    tall = np.full((80, 40, 3), 200, np.uint8)
    Image.fromarray(tall).save(folder / "imgs/Class0/Class0_0.png")
    splits = load(folder, size=28)  # stored at 32: the tall one is reduced, 30x20 stay
    assert splits.train.x.shape == (36, 3, 64, 32)
    assert splits.train.boxes is not None
    assert splits.train.boxes[:2].tolist() == [[64, 32], [20, 30]]
    assert splits.train.x[0].eq(200).all()
    assert not splits.train.x[1, :, 20:].any() and not splits.train.x[1, :, :, 30:].any()
    made = basic.augment(
        basic.Settings(), splits.train.batch(torch.tensor([0] * 20), splits.geometry), rng(0)
    )
    assert made.x.eq(200).all()
    larger = load(folder, crop="pad", size=28)  # shifts need every image at the same scale
    assert larger.train.boxes is not None
    assert larger.train.boxes[:2].tolist() == [[56, 28], [28, 42]]


def test_gray_images_and_gray_settings(folder: Path) -> None:
    gray = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30)
    Image.fromarray(gray).save(folder / "imgs/Class0/Class0_0.png")
    knobs = {"crop": "pad", "store": 20, "normalise": "half"}
    splits = load(folder, channels=1, **knobs)
    assert torch.equal(splits.train.x[0, 0], torch.from_numpy(gray))
    assert (splits.geometry.mean, splits.geometry.std) == ((0.5,), (0.5,))
    assert load(folder, channels=3, **knobs).train.x[0].eq(splits.train.x[0]).all()


def test_presets_find_their_folder_below_the_root(
    tmp_path: Path, image_sets: SimpleNamespace
) -> None:
    image_sets.lists(tmp_path / "eurosat", classes=10)
    above = eurosat.load(eurosat.Settings(root=str(tmp_path), validation="official"))
    itself = eurosat.Settings(root=str(tmp_path / "eurosat"), validation="official")
    assert above.subset == eurosat.load(itself).subset
    assert above.train.classes[9] == "SeaLake"
    assert (above.geometry.size, above.geometry.crop, above.geometry.pad) == (64, "pad", 8)
    with pytest.raises(DataError, match=r"looked for trainval.txt or train.txt in .*isic2018/"):
        isic2018.describe(isic2018.Settings(root=str(tmp_path)))


def test_only_the_free_layout_is_named_by_its_folder() -> None:
    assert image_list.Settings.named_by_root
    assert not getattr(eurosat.Settings(), "named_by_root", False)


def test_the_real_sets_have_their_published_counts(real_images: Path) -> None:
    land = eurosat.load(eurosat.Settings(root=str(real_images), validation="official"))
    assert land.val is not None
    assert torch.bincount(land.train.y).tolist() == [30] * 10
    assert torch.bincount(land.val.y).tolist() == [20] * 10
    assert torch.bincount(land.test.y).tolist() == [200] * 10
    assert land.train.x.shape == (300, 3, 64, 64) and land.train.boxes is None
    skin = isic2018.describe(isic2018.Settings(root=str(real_images), validation=70))
    assert (skin.available, skin.train, skin.val, skin.test) == (560, 490, 70, 1944)


def test_a_unique_name_is_enough_and_an_ambiguous_one_is_refused(folder: Path) -> None:
    (folder / "imgs/extra").mkdir()
    Image.new("RGB", (30, 20)).save(folder / "imgs/extra/Class0_1.png")
    replace_line(folder / "trainval.txt", 1, "Class0_0.png\t0")
    assert load(folder).train.ids[:2] == ("Class0/Class0_0", "Class0/Class0_1")
    replace_line(folder / "trainval.txt", 2, "Class0_1 0")
    with pytest.raises(DataError, match="trainval.txt:2: 'Class0_1' names 2 images: Class0/Class0"):
        describe(folder)
    Image.new("RGB", (30, 20)).save(folder / "imgs/Class0/Class0_1.jpg")
    replace_line(folder / "trainval.txt", 2, "Class0/Class0_1 0")
    with pytest.raises(DataError, match="trainval.txt:2: 'Class0/Class0_1' names 2 images"):
        describe(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "Class0/Class0_1",
            "expected an image and its label, a number from 0, found 'Class0/Class0_1'",
        ),
        ("Class0/Class0_1 oak", "expected an image and its label"),
        ("Class0/Class0_1 -1", "expected an image and its label"),
        ("Class0/Class0_1 12345678901", "expected an image and its label"),
        ("Class0/Class0_1 3", r"label 3 of image 'Class0/Class0_1' is none of the 3 classes"),
        ("Class0/Class0_99 0", "no image 'Class0/Class0_99' below"),
        ("../../../etc/hostname 0", "no image '../../../etc/hostname' below"),
        ("/etc/hostname 0", "no image '/etc/hostname' below"),
        ("Class0/Class0_0 0", "image 'Class0/Class0_0' is already listed at .*trainval.txt:1"),
        ("Class0/Class0_16 0", None),
    ],
)
def test_a_bad_line_is_named(folder: Path, line: str, message: str | None) -> None:
    replace_line(folder / "trainval.txt", 2, line)
    where = "trainval.txt:2: " if message else "test.txt:5: "
    with pytest.raises(DataError, match=where + (message or "image .* is already listed at")):
        describe(folder, classes=("oak", "elm", "ash"))


def test_lists_written_on_windows_are_read(folder: Path) -> None:
    lists = (folder / "trainval.txt").read_bytes()
    (folder / "trainval.txt").write_bytes(b"\xef\xbb\xbf" + lists.replace(b"\n", b"\r\n") + b"\r\n")
    assert describe(folder).train == 36


def test_an_empty_training_list_is_refused(folder: Path) -> None:
    (folder / "trainval.txt").write_text("\n")
    with pytest.raises(DataError, match="trainval.txt lists no image"):
        describe(folder)


def test_empty_lists_and_classes_are_refused(folder: Path) -> None:
    (folder / "test.txt").write_text("\n\n")
    with pytest.raises(DataError, match="test.txt lists no image"):
        describe(folder)
    (folder / "test.txt").unlink()
    with pytest.raises(DataError, match="test.txt is missing"):
        describe(folder)
    (folder / "trainval.txt").write_text("Class0/Class0_0 0\nClass2/Class2_0 2\n")
    (folder / "test.txt").write_text("Class0/Class0_16 0\n")
    with pytest.raises(DataError, match=r"trainval.txt has no image of class 1 \(1\)"):
        describe(folder)
    (folder / "trainval.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="trainval.txt: cannot be read as text"):
        describe(folder)


def test_links_out_of_the_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (30, 20)).save(secret)
    victim = folder / "imgs/Class0/Class0_0.png"
    victim.unlink()
    victim.symlink_to(secret)
    with pytest.raises(DataError, match="Class0_0.png is a link that leads out of"):
        describe(folder)
    victim.unlink()
    victim.symlink_to(folder / "imgs/Class0/Class0_1.png")
    assert describe(folder).train == 36
    (tmp_path / "leaves2").symlink_to(folder)
    assert describe(tmp_path / "leaves2").train == 36
    (folder / "imgs").rename(tmp_path / "elsewhere")
    (folder / "imgs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="imgs is a link that leads out of"):
        describe(folder)


def test_a_pipe_and_a_forbidden_folder_are_refused(folder: Path) -> None:
    os.mkfifo(folder / "imgs/Class0/pipe.png")
    replace_line(folder / "trainval.txt", 1, "pipe 0")
    with pytest.raises(DataError, match="trainval.txt:1: .*pipe.png is no file"):
        describe(folder)
    with pytest.raises(DataError, match="cannot be read .File name too long"):
        describe(Path("x" * 300))


def broken(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("not an image")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif kind == "postscript":
        path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    elif kind == "long":
        Image.new("RGB", (30, 300)).save(path)
    elif kind == "deep":
        Image.fromarray(np.full((20, 30), 40_000, np.uint16)).save(path, format="PNG")
    else:  # a few kilobytes that would unfold to 300 megabytes
        Image.new("L", (10_000, 10_000)).save(path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "cannot identify"),
        ("empty", "cannot identify"),
        ("cut", "truncated|Truncated"),
        ("postscript", "cannot identify"),
        ("long", "30 x 300: one side is over 8 x the other"),
        ("deep", "more than 8 bits"),
        ("bomb", "10000 x 10000 pixels|exceeds limit"),
    ],
)
@pytest.mark.parametrize("split", ["Class1/Class1_2", "Class1/Class1_14"])
def test_a_damaged_image_is_named_before_training(
    folder: Path, kind: str, message: str, split: str
) -> None:
    path = folder / "imgs" / f"{split}.png"
    broken(path, kind)
    with pytest.raises(DataError, match=f"{split}.png: cannot be read as an image .*({message})"):
        load(folder)


def test_a_truncated_jpeg_is_named(folder: Path) -> None:
    path = folder / "imgs/Class2/Class2_0.jpg"
    Image.effect_noise((200, 200), 50).convert("RGB").save(path, quality=95)
    (folder / "imgs/Class2/Class2_0.png").unlink()
    assert len(load(folder).train) == 36
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match="Class2_0.jpg: cannot be read as an image .*truncated"):
        load(folder)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"store": 200}, "store 200 is smaller than size 224"),
        ({"pad": 4}, "pad has no meaning with crop resized"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(knobs: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        image_list.Settings(**knobs)
