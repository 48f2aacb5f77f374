"""The packaged digits."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from engine.datasets import digits
from engine.errors import DataError


def packaged() -> torch.Tensor:
    """[1797, 65]: the file as scikit-learn ships it, read another way."""
    import numpy as np

    spec = find_spec("sklearn")
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "datasets/data/digits.csv.gz"
    with gzip.open(path) as file:
        return torch.from_numpy(np.loadtxt(file, delimiter=","))


def test_images_are_the_packaged_ones_on_a_scale_of_255() -> None:
    splits = digits.load(digits.Settings(validation="none"))
    raw = packaged()
    both = torch.cat([splits.train.x, splits.test.x]).view(-1, 64)
    assert torch.equal(both.double(), (raw[:, :64] * 255 / 16 + 1e-9).round())
    assert torch.equal(torch.cat([splits.train.y, splits.test.y]), raw[:, 64].long())
    assert splits.train.ids[:2] == ("0000", "0001")
    assert (len(splits.train), len(splits.test), splits.test.ids[-1]) == (1000, 797, "1796")


def test_statistics_are_those_of_the_training_images() -> None:
    x = digits.load(digits.Settings(validation="none")).train.x.double() / 255
    assert digits.GEOMETRY.mean == pytest.approx((x.mean().item(),), abs=1e-8)
    assert digits.GEOMETRY.std == pytest.approx((x.std(correction=0).item(),), abs=1e-8)


def test_the_quickstart_s_subset_never_changes() -> None:
    splits = digits.load(digits.Settings(per_class=20, validation=300))
    assert torch.bincount(splits.train.y).tolist() == [20] * 10
    assert splits.val is not None and torch.bincount(splits.val.y).tolist() == [30] * 10
    assert splits.subset.hash == "f359c34fce7360a2db1a44cba97459622beece8e4a89f92fb4585dc16b53251f"


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b broken", gzip.compress(b"1,2,3\n", mtime=0)])
def test_a_damaged_copy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(content)
    monkeypatch.setattr(digits, "_file", lambda: path)
    digits._rows.cache_clear()
    try:
        with pytest.raises(DataError, match="digits.csv.gz is damaged"):
            digits.describe(digits.Settings())
    finally:
        digits._rows.cache_clear()


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        digits.describe(digits.Settings())
