"""What every data set must do, on a tiny copy of it in the layout users have on disk."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from engine import registry
from engine.augmentations import basic
from engine.errors import DataError
from engine.images import Splits, normalise
from engine.seeds import rng
from engine.subsets import Subset

NAMES = registry.names("datasets")
PACKAGED = {"digits"}  # come with a package, not in a folder of the user's
OWN = {"image_list", "image_folder", "npz"}  # layouts for the user's own images: no download


class Set:
    """A data set on disk, to be described and loaded under any settings."""

    def __init__(self, name: str, knobs: dict) -> None:
        self.name, self.knobs, self.module = name, knobs, registry.load("datasets", name)

    def settings(self, **knobs: object):
        return self.module.Settings(**{**self.knobs, **knobs})

    def load(self, **knobs: object) -> Splits:
        return self.module.load(self.settings(**knobs))

    def describe(self, **knobs: object):
        return self.module.describe(self.settings(**knobs))


@pytest.fixture(params=NAMES, scope="module")
def images(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    image_sets: SimpleNamespace,
) -> Set:
    root = tmp_path_factory.mktemp(request.param)
    return Set(request.param, image_sets.make(request.param, root))


def parts(splits: Splits) -> dict:
    return {k: getattr(splits, k) for k in ("train", "val", "test") if getattr(splits, k)}


def test_splits_are_plain_tensors_and_share_no_image(images: Set) -> None:
    splits = images.load(validation=24)
    size, channels = splits.geometry.size, len(splits.geometry.mean)
    seen: Counter = Counter()
    for name, part in parts(splits).items():
        assert part.x.dtype == torch.uint8 and part.x.is_contiguous()
        assert part.y.dtype == torch.int64 and part.y.device.type == "cpu"
        assert part.x.shape[:2] == (len(part), channels)
        assert part.y.shape == (len(part),)
        assert 0 <= part.y.min() and part.y.max() < len(part.classes)
        assert part.classes == splits.train.classes
        if name != "train":
            assert part.x.shape[2:] == (size, size) and part.boxes is None
        seen.update(part.ids)
    assert max(seen.values()) == 1


@pytest.mark.parametrize(
    "knobs", [{}, {"per_class": 3, "validation": 14}, {"fraction": 0.5, "validation": "none"}]
)
def test_describe_says_what_load_gives(images: Set, knobs: dict) -> None:
    about, splits = images.describe(**knobs), images.load(**knobs)
    assert about.classes == splits.train.classes
    assert (about.channels, about.size) == (splits.train.x.shape[1], splits.geometry.size)
    assert (about.train, about.test) == (len(splits.train), len(splits.test))
    assert about.val == (len(splits.val) if splits.val else 0)
    assert (splits.val is None) == (knobs.get("validation") == "none")
    assert about.bytes == sum(part.x.numel() for part in parts(splits).values())
    assert about.subset == splits.subset.hash
    assert set(about.warnings) <= set(splits.warnings)


def test_subsets_are_balanced_nested_and_named(images: Set) -> None:
    two, five = (images.load(per_class=n, validation=0.1) for n in (2, 5))
    classes = len(two.train.classes)
    assert torch.bincount(two.train.y, minlength=classes).tolist() == [2] * classes
    assert set(two.train.ids) < set(five.train.ids)
    assert two.val is not None and five.val is not None
    assert two.val.ids == five.val.ids
    assert two.subset == Subset(two.train.ids, two.val.ids)
    assert two.subset.hash != five.subset.hash
    where = [five.train.ids.index(name) for name in two.train.ids]
    again = five.train.subset(where)
    assert torch.equal(again.x, two.train.x) and torch.equal(again.y, two.train.y)


def test_the_data_seed_alone_decides(images: Set) -> None:
    one, same, other = (images.load(per_class=4, validation=20, seed=s) for s in (1, 1, 2))
    assert one.subset == same.subset
    assert torch.equal(one.train.x, same.train.x) and torch.equal(one.test.x, same.test.x)
    assert one.subset.hash != other.subset.hash
    assert one.test.ids == other.test.ids


def test_random_labels_reach_the_training_images_alone(images: Set) -> None:
    plain, noisy = (images.load(folds=3, fold=1, random_labels=share) for share in (0.0, 0.7))
    assert noisy.subset.relabelled and not plain.subset.relabelled
    before, after = (dict(zip(one.train.ids, one.train.y.tolist(), strict=True))
                     for one in (plain, noisy))  # fmt: skip
    assert after == {**before, **noisy.subset.relabelled}
    assert plain.val is not None and noisy.val is not None
    assert torch.equal(plain.val.y, noisy.val.y) and torch.equal(plain.test.y, noisy.test.y)
    assert images.describe(folds=3, fold=1, random_labels=0.7).subset == noisy.subset.hash


def test_training_images_become_what_the_network_sees(images: Set) -> None:
    splits = images.load(per_class=2, validation="none")
    batch = splits.train.batch(torch.arange(4), splits.geometry)
    seen = normalise(basic.augment(basic.Settings(), batch, rng(0)).x, splits.geometry)
    size = splits.geometry.size
    assert seen.shape == (4, len(splits.geometry.mean), size, size)
    assert seen.abs().max() < 10


def test_settings_survive_a_round_trip(images: Set) -> None:
    settings = images.settings(per_class=3, seed=5)
    dumped = settings.model_dump(mode="json", exclude_defaults=True)
    assert dumped.pop("name") == images.name
    assert images.module.Settings.model_validate(dumped) == settings


def test_describing_needs_no_torch(image_sets: SimpleNamespace, tmp_path: Path) -> None:
    knobs = {name: image_sets.make(name, tmp_path / name) for name in NAMES}
    code = (
        "import sys; from engine import registry;"
        f"knobs = {knobs!r};"
        "modules = {name: registry.load('datasets', name) for name in knobs};"
        "assert 'numpy' not in sys.modules, 'reading the settings imports numpy'\n"
        "for name, module in modules.items():\n"
        "    module.describe(module.Settings(**knobs[name]))\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted({*NAMES} - PACKAGED))
def test_a_missing_folder_says_where_and_how(name: str, tmp_path: Path) -> None:
    missing = Set(name, {"root": str(tmp_path / "nowhere")})
    for act in (missing.describe, missing.load):
        with pytest.raises(DataError) as error:
            act()
        assert f"{tmp_path / 'nowhere'} is no folder; looked for" in str(error.value)
        assert (missing.module.HOW if name in OWN else "https://") in str(error.value)
