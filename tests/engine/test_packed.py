"""Masks counted on disk: against hand counts, NumPy, and the files that the engine writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from maskfiles import draw, write_mask, write_ticket

from engine import checkpoints, packed, tickets
from engine.errors import Damaged, UsageError
from engine.masks import Mask

SHAPES = {"conv1.weight": (3, 1, 3, 3), "fc.weight": (7, 5)}  # 27 and 35 bits: both have spare ones


def flags(*positions: int) -> Any:
    mask = np.zeros(27, bool)
    mask[list(positions)] = True
    return {"conv1.weight": mask.reshape(3, 1, 3, 3)}


def test_overlaps_by_hand(tmp_path: Path) -> None:
    write_mask(tmp_path / "a", flags(0, 1, 2, 26))
    write_mask(tmp_path / "b", flags(2, 3, 26))
    write_mask(tmp_path / "c", flags())
    masks = [packed.of_level(tmp_path / name) for name in "abc"]
    assert masks[0].layers["conv1.weight"].shape == (3, 1, 3, 3)
    assert packed.common(masks) == {"conv1.weight": [[4, 2, 0], [2, 3, 0], [0, 0, 0]]}
    assert packed.kept(masks[0]) == {"conv1.weight": 4}


@pytest.mark.parametrize("at_once", [1, 3, 1 << 20])
def test_overlaps_are_those_of_numpy_whatever_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(packed, "AT_ONCE", at_once)
    drawn = [draw(SHAPES, density, seed) for seed, density in enumerate((0.5, 0.1, 1.0))]
    for index, masks in enumerate(drawn[:2]):
        write_mask(tmp_path / str(index), masks)
    write_ticket(tmp_path / "t.safetensors", drawn[2])
    found = packed.common(
        [packed.of_level(tmp_path / "0"), packed.of_level(tmp_path / "1")]
        + [packed.of_ticket(tmp_path / "t.safetensors")]
    )
    for name in SHAPES:
        rows = [[int((a[name] & b[name]).sum()) for b in drawn] for a in drawn]
        assert found[name] == rows


def test_what_the_engine_writes_is_read(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(3)
    mask = Mask({name: torch.rand(shape, generator=rng) < 0.3 for name, shape in SHAPES.items()})
    files = {"mask.safetensors": checkpoints.pack(tickets.pack_mask(mask))}
    checkpoints.write(tmp_path / "00", files, {})
    assert packed.kept(packed.of_level(tmp_path / "00")) == {
        n: int(m.sum()) for n, m in mask.items()
    }


def test_bits_beyond_the_last_weight_count_for_nothing(tmp_path: Path) -> None:
    write_mask(tmp_path / "a", flags(0))
    packed_at = packed.of_level(tmp_path / "a").layers["conv1.weight"].begin
    data = bytearray((tmp_path / "a" / "mask.safetensors").read_bytes())
    data[packed_at + 3] |= 0b00011111
    file = tmp_path / "a" / "mask.safetensors"
    file.write_bytes(bytes(data))
    mask = packed.Packed(file, {"conv1.weight": packed.Layer((27,), packed_at)})
    assert packed.kept(mask) == {"conv1.weight": 1}


def test_masks_of_different_networks_are_refused(tmp_path: Path) -> None:
    write_mask(tmp_path / "a", draw(SHAPES, 0.5))
    write_mask(tmp_path / "b", draw({**SHAPES, "fc.weight": (5, 7)}, 0.5))
    write_mask(tmp_path / "c", draw({"conv1.weight": (3, 1, 3, 3)}, 0.5))
    a, b, c = (packed.of_level(tmp_path / name) for name in "abc")
    with pytest.raises(UsageError, match=r"fc.weight is \(7, 5\) in .*\(5, 7\) in"):
        packed.common([a, b])
    with pytest.raises(UsageError, match="fc.weight is not masked in"):
        packed.common([c, a])
    with pytest.raises(UsageError, match="too many to compare; at most 100"):
        packed.common([a] * 101)


def test_damaged_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="no mask that can be read"):
        packed.of_level(tmp_path / "gone")
    write_mask(tmp_path / "a", draw(SHAPES, 0.5))
    file = tmp_path / "a" / "mask.safetensors"
    mask, whole = packed.of_level(tmp_path / "a"), file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Damaged, match="differs from its checksum"):
        packed.of_level(tmp_path / "a")
    file.write_bytes(whole[: mask.layers["fc.weight"].begin + 1])
    with pytest.raises(Damaged, match="ends too early"):
        packed.kept(mask)


def test_shapes_that_do_not_fit_the_bits_are_refused(tmp_path: Path) -> None:
    write_ticket(tmp_path / "t", draw(SHAPES, 0.5), shapes={"conv1.weight": [10**9, 10**9]})
    with pytest.raises(Damaged, match="mask of conv1.weight does not fit its shape"):
        packed.of_ticket(tmp_path / "t")
    write_ticket(tmp_path / "t", draw(SHAPES, 0.5), shapes={"conv1.weight": "x"})
    with pytest.raises(Damaged, match="shapes on its card"):
        packed.of_ticket(tmp_path / "t")
    header = json.dumps({"__metadata__": {"card": "["}}).encode()
    (tmp_path / "t").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(Damaged, match="not a ticket file"):
        packed.of_ticket(tmp_path / "t")
