"""Lists of images to train on: the files, what a run may take from them, and what names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine import examples, registry, subsets
from engine.errors import DataError
from engine.spec import RunSpec

Specs = Callable[..., RunSpec]


def _file(folder: Path, *ids: str, **about: Any) -> str:
    path = folder / "set.json"
    path.write_text(json.dumps(examples.document(list(ids), about, {"why": ["hard"] * len(ids)})))
    return str(path)


def _digits(**fields: Any) -> Any:
    return registry.load("datasets", "digits").Settings(**fields)


def test_both_forms_of_a_file_list_the_same_images(tmp_path: Path) -> None:
    read = examples.read(_file(tmp_path, "0007", "0003", level=2))
    assert read.ids == ("0007", "0003") and read.about == {"level": 2}
    (tmp_path / "ids.txt").write_text("\ufeff0003\n\n  0007\n")
    plain = examples.read(tmp_path / "ids.txt")
    assert plain.ids == ("0003", "0007") and plain.sha256 == read.sha256
    assert read.sha256 == hashlib.sha256(b'["0003","0007"]').hexdigest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no image"),
        ("{", "is no list of images"),
        ('{"images": {}}', "is no list of images"),
        ('{"images": {"id": [3]}, "sha256": ""}', "images.id is no list of ids"),
        ('{"images": {"id": ["3"]}, "sha256": ""}', "not those that the file was written with"),
        ("0003\n0004\n0003", "lists image '0003' twice"),
    ],
)
def test_what_is_no_list_is_said(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(DataError, match=message):
        examples.read(tmp_path / "x")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such list"):
        examples.read(tmp_path / "missing.json")
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as text"):
        examples.read(tmp_path / "x")


def test_a_run_trains_on_the_listed_images_only(tmp_path: Path) -> None:
    digits = registry.load("datasets", "digits")
    whole = digits.load(_digits(validation=100))
    listed = whole.train.ids[::7]
    settings = _digits(validation=100, examples=_file(tmp_path, *reversed(listed)))
    found, about = digits.load(settings), digits.describe(settings)
    assert found.train.ids == listed and found.val.ids == whole.val.ids
    assert about.train == len(listed) and about.subset == found.subset.hash


def test_official_validation_images_cannot_be_trained_on(tmp_path: Path) -> None:
    train = subsets.Listing("train.txt", ["a", "b", "c"], [0, 1, 1])
    test, val = subsets.Listing("test.txt", ["t"], [0]), subsets.Listing("val.txt", ["v"], [0])
    lists = subsets.Lists(("x", "y"), train, test, val)
    settings = _digits(validation="official", examples=_file(tmp_path, "c", "b"))
    drawn = subsets.draw(lists, settings)
    assert drawn.train == (1, 2) and drawn.val == (0,)
    assert "no training image of x" in drawn.warnings[0]
    with pytest.raises(DataError, match="validation images"):
        wrong = _file(tmp_path, "c", "v")
        subsets.draw(lists, settings.model_copy(update={"examples": wrong}))


def test_images_that_a_run_may_not_train_on_are_refused(tmp_path: Path) -> None:
    digits = registry.load("datasets", "digits")
    val = digits.load(_digits(validation=100)).val.ids
    made = {"dataset": "digits", "seed": 3, "validation": 50}
    path = _file(tmp_path, "0999", *val[:2], **made)
    with pytest.raises(DataError, match=r"[23] image\(s\).*validation.*seed 3, validation 50"):
        digits.describe(_digits(validation=100, examples=path))
    with pytest.raises(DataError, match="2 image.*'1000'.*not among the training images"):
        digits.describe(
            _digits(validation="none", examples=_file(tmp_path, "1000", "1700", "0001"))
        )
    other = _file(tmp_path, "0001", dataset="cifar10")
    with pytest.raises(DataError, match="images of cifar10, not of digits"):
        digits.describe(_digits(validation="none", examples=other))


def test_a_list_that_changed_since_submission_is_refused(tmp_path: Path) -> None:
    digits = registry.load("datasets", "digits")
    before = examples.read(_file(tmp_path, "0001", "0002")).sha256
    settings = _digits(
        validation="none", examples=_file(tmp_path, "0001", "0003"), examples_sha256=before
    )
    with pytest.raises(DataError, match="other images than when this run was submitted"):
        digits.load(settings)


def test_a_list_excludes_other_ways_to_draw(tmp_path: Path) -> None:
    for fields in ({"fraction": 0.5}, {"per_class": 3}):
        with pytest.raises(ValidationError, match="leave out fraction and per_class"):
            _digits(examples="x.json", **fields)
    with pytest.raises(ValidationError, match="belongs to examples"):
        _digits(examples_sha256="0" * 64)


def test_the_images_and_not_the_path_name_a_run(tiny: Specs) -> None:
    def digest(**fields: str) -> str:
        return tiny(data={"name": "digits", "validation": 100, **fields}).digest

    one = {"examples": "/a/x.json", "examples_sha256": "1" * 64}
    assert digest(**one) == digest(**{**one, "examples": "/b/y.json"})
    assert len({digest(), digest(**one), digest(**{**one, "examples_sha256": "2" * 64})}) == 3
