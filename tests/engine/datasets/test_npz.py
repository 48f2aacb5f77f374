"""Arrays of any origin: every order of axes, and archives that lie, hide objects, or break off."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from engine.datasets import npz
from engine.errors import DataError

NOISE = np.random.default_rng(1)
X = NOISE.integers(0, 256, (36, 16, 16, 3), dtype=np.uint8)
XT = NOISE.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path: Path, image_sets: SimpleNamespace):
    return lambda **arrays: image_sets.npz(tmp_path, **{"x_train": X, "x_test": XT, **arrays})


def load(root: Path, **knobs: object):
    return npz.load(npz.Settings(root=str(root), **{"validation": "none", **knobs}))


def describe(root: Path, **knobs: object):
    return npz.describe(npz.Settings(root=str(root), **knobs))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (X, XT),
        (X.transpose(0, 3, 1, 2).copy(), XT.transpose(0, 3, 1, 2)),
        (np.asfortranarray(X), XT),
        (X, XT.transpose(0, 3, 1, 2)),
    ],
)
def test_any_order_of_axes_gives_the_same_images(save, one: np.ndarray, two: np.ndarray) -> None:
    path = save(x_train=one, x_test=two)
    if one.shape[1:] != two.shape[1:]:
        with pytest.raises(DataError, match="x_test of .*another shape than x_train"):
            load(path)
        return
    splits = load(path)
    assert torch.equal(splits.train.x, torch.from_numpy(X).permute(0, 3, 1, 2))
    assert torch.equal(splits.test.x, torch.from_numpy(XT).permute(0, 3, 1, 2))
    assert splits.train.x.is_contiguous()


def test_gray_images_and_columns_of_labels(save) -> None:
    path = save(
        x_train=X[..., 0], x_test=XT[..., 0], y_train=(np.arange(36, dtype=">i4") % 3)[:, None]
    )
    splits = load(path, classes=("oak", "elm", "ash"))
    assert torch.equal(splits.train.x[:, 0], torch.from_numpy(X[..., 0].copy()))
    assert splits.train.y.tolist() == [0, 1, 2] * 12
    assert splits.train.classes == ("oak", "elm", "ash")
    assert describe(path).channels == 1


def test_statistics_are_measured_on_all_training_images(save) -> None:
    geometry = load(save(), per_class=2).geometry
    scaled = X.astype(np.float64) / 255
    assert geometry.mean == pytest.approx(tuple(scaled.mean((0, 1, 2))), abs=1e-12)
    assert geometry.std == pytest.approx(tuple(scaled.std((0, 1, 2))), abs=1e-12)
    assert (geometry.size, geometry.pad, geometry.flips) == (16, 2, ())
    set_ = load(save(), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)).geometry
    assert (set_.mean, set_.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    with pytest.raises(DataError, match="has 3 channels, of which each needs a mean"):
        load(save(), mean=(0.1,), std=(0.4,))
    with pytest.raises(DataError, match="a deviation above 0"):
        load(save(x_train=np.full_like(X, 7)))
    with pytest.raises(ValidationError, match="one number for each channel"):
        npz.Settings(mean=(0.5,))


def test_validation_images_are_trained_on_unless_chosen(save) -> None:
    path = save(x_val=XT, y_val=np.arange(9) % 3)
    splits = load(path)
    assert len(splits.train) == 45 and splits.val is None
    assert splits.train.ids[36] == "val/00000"
    assert torch.equal(splits.train.x[36:], torch.from_numpy(XT).permute(0, 3, 1, 2))
    assert "x_val of" in splits.warnings[0] and "is trained on too" in splits.warnings[0]
    official = load(path, validation="official")
    assert official.val is not None and official.val.ids[0] == "val/00000"
    assert len(official.train) == 36 and not official.warnings
    assert official.geometry == splits.geometry


def test_the_file_or_its_folder_can_be_named(save) -> None:
    path = save()
    assert load(path.parent).subset == load(path).subset
    path.with_name("other.npz").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="holds 2 npz files: arrays.npz, other.npz"):
        load(path.parent)
    assert npz.Settings.named_by_root


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X / 255}, r"x_train .* type f8, not 8-bit .*\(255 \* x\).round"),
        ({"x_train": X > 9}, "type b1, not 8-bit"),
        ({"x_train": X[:, :12]}, r"shape \(36, 12, 16, 3\); save images as high as wide"),
        ({"x_train": X[0]}, "save images as high as wide"),
        ({"x_train": X.reshape(36, -1)}, "save images as high as wide"),
        ({"x_train": np.zeros((36, 16, 16, 16), np.uint8)}, "save images as high as wide"),
        ({"x_train": np.zeros((36, 4, 4), np.uint8)}, "images of 4 pixels and 1 channels"),
        ({"x_train": X[:35]}, r"y_train .*shape \(36,\); .*each of the 35 images"),
        ({"y_train": np.eye(3)[np.arange(36) % 3]}, "y_train .*f8 and shape"),
        ({"y_train": np.arange(36) % 3 + 0.5}, "y_train .*f8 and shape"),
        ({"y_train": np.full(36, np.nan)}, "y_train .*f8 and shape"),
        ({"y_train": np.arange(36) % 3 - 1}, "label -1 .* none of the"),
        ({"y_train": np.full(36, 2**40)}, "label 1099511627776; labels count from 0 to at most"),
        ({"y_test": np.arange(9)}, "x_test of .*image 3: label 3 .* none of the 3 classes"),
        ({"y_train": np.arange(36) % 3 * 2}, "no image of class 1"),
        ({"x_train": np.array([X[0], None], object)}, "no array of numbers x_train; it has x_test"),
        ({"x_val": XT}, "no array of numbers y_val"),
        ({"x_train": X[:0], "y_train": np.arange(0)}, "x_train of .* holds no image"),
    ],
)
def test_unfit_arrays_are_named(save, arrays: dict, message: str) -> None:
    path = save(**arrays)
    for act in (describe, load):
        with pytest.raises(DataError, match=message):
            act(path)


def member(shape: str, content: bytes, kind: str = "|u1") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + content


def replaced(path: Path, name: str, content: bytes, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    """The archive with one member written anew."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", packed) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == name else old.read(info))
    path.write_bytes(made.getvalue())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (member("(36,)", bytes(35)), "not as long as its header says"),
        (member("(36,)", bytes(2**26)), "not as long as its header says"),
        (member("(-36,)", bytes(36)), r"its shape is \(-36,\)"),
        (member("(36.0,)", bytes(36)), "its shape is"),
        (member("__import__('os').getpid()", bytes(36)), "malformed"),
        (member("(" * 3000 + ")" * 3000, b""), "parentheses"),
        (b"PK not an array", "no npy file"),
        (b"\x93NUMPY\2\0\xff\xff\xff\x7f", "its header has 2147483647 bytes"),
    ],
    ids=["short", "long", "negative", "fraction", "code", "nested", "text", "header"],
)
def test_members_that_lie_are_refused(save, content: bytes, message: str) -> None:
    path = replaced(save(), "y_train.npy", content)
    with pytest.raises(DataError, match=f"arrays.npz is damaged .*({message})"):
        describe(path)


def test_archives_that_are_broken_or_packed_strangely_are_refused(save) -> None:
    path = save()
    whole = path.read_bytes()
    replaced(path, "", b"", zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="packed in a way that numpy never writes"):
        load(path)
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="arrays.npz is damaged .*; save or download it again"):
            describe(path)
    spoilt = bytearray(whole)
    spoilt[len(whole) // 4] ^= 255
    path.write_bytes(spoilt)
    with pytest.raises(DataError, match="arrays.npz is damaged"):
        load(path)


def test_describing_reads_no_pixel(save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save()
    asked: list[str] = []
    read = npz._npy.Archive.read
    monkeypatch.setattr(
        npz._npy.Archive, "read", lambda self, name: asked.append(name) or read(self, name)
    )
    describe(path)
    assert sorted(asked) == ["y_test", "y_train"]


def test_real_images_come_through(real_images: Path, tmp_path: Path) -> None:
    rows = np.fromfile(real_images / "cifar-10-batches-bin/test_batch.bin", np.uint8, 300 * 3073)
    rows = rows.reshape(-1, 3073)
    x = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    y = rows[:, 0].astype(np.int64)
    np.savez(tmp_path / "c.npz", x_train=x[:250], y_train=y[:250], x_test=x[250:], y_test=y[250:])
    splits = load(tmp_path)
    assert torch.equal(splits.train.x, torch.from_numpy(x[:250].copy()).permute(0, 3, 1, 2))
    assert torch.equal(splits.test.y, torch.from_numpy(y[250:]))
    assert splits.geometry.mean == pytest.approx((0.49, 0.48, 0.45), abs=0.03)
