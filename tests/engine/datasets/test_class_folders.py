"""Class-folder trees: both layouts, ImageNet's and Tiny-ImageNet's own, and trees that mislead."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from engine.datasets import image_folder, imagenet, tiny_imagenet
from engine.errors import DataError, SpecError


@pytest.fixture
def tree(tmp_path: Path, image_sets: SimpleNamespace) -> Path:
    """cat, cow and dog, 12 images each."""
    return image_sets.class_folders(tmp_path / "tree", parts=("",))


@pytest.fixture
def parts(tmp_path: Path, image_sets: SimpleNamespace) -> Path:
    return image_sets.class_folders(tmp_path / "parts", parts=("train", "val", "test"))


def settings(root: Path, **knobs: object) -> image_folder.Settings:
    return image_folder.Settings(root=str(root), **{"size": 16, "validation": "none", **knobs})


def load(root: Path, **knobs: object):
    return image_folder.load(settings(root, **knobs))


def describe(root: Path, **knobs: object):
    return image_folder.describe(settings(root, **knobs))


def test_one_tree_is_split_by_its_own_seed_class_by_class(tree: Path) -> None:
    splits = load(tree, test=0.25)
    assert splits.train.classes == ("cat", "cow", "dog")
    assert torch.bincount(splits.test.y).tolist() == [3, 3, 3]
    assert torch.bincount(splits.train.y).tolist() == [9, 9, 9]
    assert not {*splits.train.ids} & {*splits.test.ids}
    assert all(name.startswith(f"{splits.test.classes[y]}/") for name, y in pairs(splits.test))
    same, other = load(tree, test=0.25, seed=5), load(tree, test=0.25, test_seed=1)
    assert same.test.ids == splits.test.ids != other.test.ids
    assert {*splits.test.ids} <= {*load(tree, test=0.5).test.ids}


def pairs(images) -> list[tuple[str, int]]:
    return list(zip(images.ids, images.y.tolist(), strict=True))


def test_the_test_images_of_a_tree_never_change(tree: Path) -> None:
    assert load(tree, test=0.1).test.ids == ("cat/02.jpg", "cat/03.jpg", "cow/07.jpg", "dog/02.jpg")


def test_a_class_of_one_image_keeps_it_for_training(tree: Path) -> None:
    (tree / "ant").mkdir()
    (tree / "cat/00.jpg").rename(tree / "ant/00.jpg")
    splits = load(tree, test=0.9)
    assert splits.train.classes[0] == "ant" and splits.train.y.tolist().count(0) == 1
    assert "has no image of ant; none is tested" in splits.warnings[-1]


def test_train_and_test_folders_are_taken_as_they_are(parts: Path) -> None:
    official = load(parts, validation="official")
    assert official.val is not None and not official.warnings
    assert (len(official.train), len(official.val), len(official.test)) == (36, 12, 12)
    assert official.val.ids[0] == "val/cat/00.jpg"
    both = load(parts)
    assert len(both.train) == 48 and "val/ is trained on too" in both.warnings[0]
    assert describe(parts).warnings == both.warnings
    file = np.array(Image.open(parts / "train/cow/03.jpg"))
    where = official.train.ids.index("train/cow/03.jpg")
    assert official.train.y[where] == 1
    stored = load(parts, crop="pad", store=20, validation="official").train.x[where]
    assert torch.equal(stored, torch.from_numpy(file).permute(2, 0, 1))


def test_without_a_test_folder_val_is_the_test_set(parts: Path) -> None:
    (parts / "test").rename(parts / ".test")
    splits = load(parts)
    assert splits.test.ids[0] == "val/cat/00.jpg" and len(splits.train) == 36
    assert "has no test/: the images of val/ are the test images" in splits.warnings[0]
    with pytest.raises(DataError, match="no official validation list"):
        load(parts, validation="official")
    (parts / "val").rename(parts / ".val")
    assert Counter(load(parts, test=0.25).test.y.tolist()) == {0: 3, 1: 3, 2: 3}


@pytest.mark.parametrize("given", [{"test": 0.3}, {"test_seed": 1}])
@pytest.mark.parametrize("tested", ["test", "val"])
def test_what_a_folder_says_of_test_images_no_setting_says_again(
    parts: Path, tested: str, given: dict[str, float]
) -> None:
    if tested == "val":
        (parts / "test").rename(parts / ".test")
    (field,) = given
    with pytest.raises(SpecError, match=f"^{field} has no effect where .*/{tested}/ ") as refused:
        describe(parts, **given)
    assert refused.value.at == f"data.{field}"
    assert describe(parts, test=0.2, test_seed=0).test == 12  # as resolved specs write them


def test_images_lie_at_any_depth_and_hidden_ones_are_left_out(tree: Path) -> None:
    (tree / "cat/deep/deeper").mkdir(parents=True)
    (tree / "cat/.hidden").mkdir()
    (tree / "cat/00.jpg").rename(tree / "cat/deep/deeper/00.JPG")
    (tree / "cat/01.jpg").rename(tree / "cat/.hidden/01.jpg")
    (tree / "cat/02.jpg").rename(tree / "cat/.02.jpg")
    (tree / "cat/notes.txt").write_text("text")
    (tree / "overview.png").write_bytes((tree / "cow/00.jpg").read_bytes())
    splits = load(tree)
    ids = {*splits.train.ids, *splits.test.ids}
    assert {name for name in ids if name.startswith("cat/")} == {
        "cat/deep/deeper/00.JPG",
        *(f"cat/{number:02d}.jpg" for number in range(3, 12)),
    }
    assert "1 images outside any class folder are not used" in splits.warnings[-1]


def test_pictures_of_other_kinds_are_not_left_out_in_silence(tree: Path) -> None:
    (tree / "cat/more").mkdir()
    for name in ("cat/00.GIF", "cat/more/01.heic"):
        (tree / name).write_bytes(b"a picture")
    about = describe(tree)
    assert about.train + about.test == 36
    assert "2 pictures such as" in about.warnings[-1] and "cat/00.GIF are of" in about.warnings[-1]
    for path in tree.rglob("*.jpg"):
        path.rename(path.with_suffix(".gif"))
    with pytest.raises(DataError, match="38 pictures .* no others; convert them to PNG"):
        describe(tree)


def test_pages_of_a_file_are_not_left_out_in_silence(tree: Path) -> None:
    page = Image.new("L", (20, 20))
    page.save(tree / "cat/00.tif", save_all=True, append_images=[page] * 12)
    with pytest.raises(DataError, match=r"cat/00.tif: .*\(it has 13 pages, of which only one"):
        load(tree)


def test_classes_that_train_lacks_are_refused_and_fewer_are_told(parts: Path) -> None:
    for path in (parts / "test/dog").iterdir():
        path.unlink()
    (parts / "test/dog").rmdir()
    assert "test has no image of dog; none is tested" in describe(parts).warnings[-1]
    (parts / "test/emu").mkdir()
    with pytest.raises(DataError, match="test has class 'emu', which .*train has not"):
        describe(parts)
    (parts / "train/emu").mkdir()
    with pytest.raises(DataError, match=r"train has no image of class 3 \(emu\)"):
        describe(parts)


def test_folders_that_are_no_data_set_are_refused(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(DataError, match="data.test 0.01 takes no image of 36; ask for more"):
        describe(tree, test=0.01)
    with pytest.raises(DataError, match="has 0 class folders; put the images of each class"):
        describe(tree / "cat")
    (tmp_path / "empty/train").mkdir(parents=True)
    with pytest.raises(DataError, match="has 0 class folders"):
        describe(tmp_path / "empty")
    with pytest.raises(ValidationError, match="less than 1"):
        settings(tree, test=1.0)


def test_links_pipes_and_names_that_are_no_text_are_refused(tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    (tree / "cat/00.jpg").rename(secret)
    (tree / "cat/00.jpg").symlink_to(secret)
    with pytest.raises(DataError, match="cat/00.jpg is a link that leads out of"):
        describe(tree)
    (tree / "cat/00.jpg").unlink()
    (tree / "cat/00.jpg").symlink_to(tree / "cat/00.jpg")
    with pytest.raises(DataError, match="cat/00.jpg is no file"):
        describe(tree)
    (tree / "cat/00.jpg").unlink()
    os.mkfifo(tree / "cat/00.jpg")
    with pytest.raises(DataError, match="cat/00.jpg is no file"):
        describe(tree)
    (tree / "cat/00.jpg").unlink()
    (tree / "cat/00.jpg").symlink_to(tree / "cat/01.jpg")
    assert describe(tree).available == 29
    (tree / "elk").symlink_to(tmp_path)
    with pytest.raises(DataError, match="elk is a link to a folder"):
        describe(tree)
    (tree / "elk").unlink()
    Path(os.fsdecode(bytes(tree / "cat") + b"/\xff.jpg")).write_bytes(b"")
    with pytest.raises(DataError, match="is no UTF-8 text; rename it"):
        describe(tree)


def test_a_damaged_image_is_named_with_what_to_do(tree: Path) -> None:
    os.truncate(tree / "dog/05.jpg", 300)
    with pytest.raises(DataError, match="dog/05.jpg: cannot be read .*take it out of the set"):
        load(tree)
    Image.fromarray(np.full((20, 30), 40_000, np.uint16)).save(tree / "dog/05.png")
    (tree / "dog/05.jpg").unlink()
    with pytest.raises(DataError, match="dog/05.png: .*more than 8 bits; scale all images alike"):
        load(tree)


def test_panoramas_can_be_cut_to_save_memory(tree: Path) -> None:
    wide = np.zeros((20, 120, 3), np.uint8)
    wide[:, 40:80] = 200
    Image.fromarray(wide).save(tree / "cat/00.png")
    kept = load(tree, test=0.05, store=20, aspect=2.0)
    assert kept.train.x.shape[2:] == (20, 40)
    where = kept.train.ids.index("cat/00.png")
    assert kept.train.x[where].eq(200).all()
    assert load(tree, test=0.05, store=20).train.x.shape[2:] == (20, 120)
    first = tree / "cat/00.jpg"
    first.unlink()  # the panorama is now the first image, which describing judges by
    (tree / "cat/00.png").rename(tree / "cat/000.png")
    assert describe(tree, store=20, aspect=2.0).bytes < describe(tree, store=20).bytes


def test_more_than_the_memory_is_not_allocated(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Free", (), {"available": 10_000}))
    with pytest.raises(DataError, match="images at 18 x 27 pixels would take .*data.per_class"):
        load(tree)


def test_imagenet_tests_on_val(tmp_path: Path, image_sets: SimpleNamespace) -> None:
    folder = image_sets.class_folders(tmp_path / "imagenet")
    chosen = imagenet.Settings(root=str(tmp_path), validation="none")
    splits = imagenet.load(chosen)
    assert (len(splits.train), len(splits.test)) == (36, 12)
    assert splits.test.ids[0] == "val/cat/00.jpg" and not splits.warnings
    assert (splits.geometry.size, splits.geometry.crop, chosen.stored) == (224, "resized", 256)
    for path in (folder / "val").rglob("*.jpg"):
        path.rename(folder / "val" / f"{path.parent.name}_{path.name}")
    with pytest.raises(DataError, match="looked for images in class folders in .*val/"):
        imagenet.describe(chosen)
    (folder / "val").rename(folder / "test")
    with pytest.raises(DataError, match="looked for val in .*imagenet/. Get ImageNet from https"):
        imagenet.describe(chosen)


def tiny(root: Path):
    return tiny_imagenet.load(tiny_imagenet.Settings(root=str(root), validation="none"))


def test_tiny_imagenet_reads_its_table_and_words(
    tmp_path: Path, image_sets: SimpleNamespace
) -> None:
    folder = image_sets.tiny_imagenet(tmp_path)
    splits = tiny(tmp_path)
    assert splits.train.classes == ("crane (n02012849)", "Egyptian cat", "crane (n03126707)")
    assert splits.train.x.shape == (30, 3, 64, 64)
    labels = dict(pairs(splits.test))
    assert labels["val/images/val_0.JPEG"] == 1 and labels["val/images/val_4.JPEG"] == 0
    geometry = splits.geometry
    assert (geometry.pad, geometry.flips, geometry.std) == (
        4,
        ("horizontal",),
        (0.2302, 0.2265, 0.2262),
    )
    for number in range(9):
        wnid = sorted(path.name for path in (folder / "train").iterdir())[
            labels[f"val/images/val_{number}.JPEG"]
        ]
        (folder / "val" / wnid).mkdir(exist_ok=True)
        (folder / f"val/images/val_{number}.JPEG").rename(folder / f"val/{wnid}/val_{number}.JPEG")
    (folder / "val/images").rmdir()
    (folder / "val/val_annotations.txt").unlink()
    (folder / "words.txt").unlink()
    moved = tiny(tmp_path)
    assert moved.train.classes[0] == "n02012849"
    assert sorted(moved.test.y.tolist()) == sorted(splits.test.y.tolist())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val_9.JPEG\tn02124075\t0", "val_annotations.txt:2: .* names no image of"),
        ("../../train/x.JPEG\tn02124075", "names no image of"),
        ("val_3.JPEG", "names no image of"),
        ("val_0.JPEG\tn02124075", "val_annotations.txt:2: image 'val_0.JPEG' is already listed"),
        ("val_3.JPEG\tn00000000\t0", "has class 'n00000000', which .*train has not"),
    ],
)
def test_a_bad_line_of_the_table_is_named(
    tmp_path: Path, image_sets: SimpleNamespace, line: str, message: str
) -> None:
    table = image_sets.tiny_imagenet(tmp_path) / "val/val_annotations.txt"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(DataError, match=message):
        tiny(tmp_path)


def test_200_classes_of_real_images(real_images: Path, tmp_path: Path) -> None:
    files = sorted((real_images / "eurosat/imgs").rglob("*.jpg"))[:600]
    for number, file in enumerate(files):
        folder = tmp_path / f"class{number % 200:03d}"
        folder.mkdir(exist_ok=True)
        (folder / file.name).hardlink_to(file)
    splits = image_folder.load(
        image_folder.Settings(
            root=str(tmp_path), size=64, crop="pad", test=0.33, validation=200, test_seed=3
        )
    )
    assert splits.val is not None
    assert [len(part.y.unique()) for part in (splits.train, splits.val)] == [200, 200]
    assert (len(splits.train), len(splits.val), len(splits.test)) == (202, 200, 198)
