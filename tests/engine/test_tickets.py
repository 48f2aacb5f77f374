"""Ticket files: what goes in comes out, NumPy alone can read them, and damage is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import tickets
from engine.errors import Damaged
from engine.masks import Mask
from engine.tickets import Ticket


def _ticket() -> Ticket:
    rng = torch.Generator().manual_seed(1)
    mask = Mask({"conv.weight": torch.rand(3, 2, 3, 3, generator=rng) < 0.3})
    state = {
        "conv.weight": torch.randn(3, 2, 3, 3, generator=rng),
        "bn.bias": torch.randn(3, generator=rng),
        "bn.num_batches_tracked": torch.tensor(11),
    }
    start = tickets.masked({n: t * 2 for n, t in state.items()}, mask)
    return Ticket(mask, start, tickets.masked(state, mask), {"level": 4, "density": 0.3})


def test_round_trip(tmp_path: Path) -> None:
    ticket = _ticket()
    data, card = tickets.serialise(ticket)
    (tmp_path / "t.safetensors").write_bytes(data)
    found = tickets.load(tmp_path / "t.safetensors")
    assert found.mask.same(ticket.mask)
    for part in ("rewind", "trained"):
        ours, theirs = getattr(ticket, part), getattr(found, part)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(t, theirs[n]) for n, t in ours.items())
    assert found.card == card
    assert card["kept"] == ticket.mask.kept and card["total"] == 54


def test_bits_are_in_c_order_with_the_big_end_first() -> None:
    mask = torch.zeros(3, 4, dtype=torch.bool)
    mask[0, 0] = mask[1, 1] = mask[2, 3] = True  # flat positions 0, 5 and 11
    assert tickets.pack_bits(mask).tolist() == [0b10000100, 0b00010000]
    assert torch.equal(tickets.unpack_bits(tickets.pack_bits(mask.T), (4, 3)), mask.T)


def test_channels_last_masks_and_weights_are_stored_in_c_order() -> None:
    ticket = _ticket()
    as_images = torch.channels_last
    mask = Mask({n: m.contiguous(memory_format=as_images) for n, m in ticket.mask.items()})
    trained = {
        n: t.contiguous(memory_format=as_images) if t.ndim == 4 else t
        for n, t in ticket.trained.items()
    }
    other = Ticket(mask, ticket.rewind, trained, ticket.card)
    assert tickets.serialise(other)[0] == tickets.serialise(ticket)[0]


def test_the_lines_in_the_readme_read_it_with_numpy_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = _ticket()
    (tmp_path / "ticket.safetensors").write_bytes(tickets.serialise(ticket)[0])
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    lines = readme.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    read: dict[str, Any] = {}
    exec(lines, read)
    assert "torch" not in lines
    assert read["masks"].keys() == read["weights"].keys() == {"conv.weight"}
    assert np.array_equal(read["masks"]["conv.weight"], ticket.mask["conv.weight"].numpy())
    assert np.array_equal(read["weights"]["conv.weight"], ticket.trained["conv.weight"].numpy())


def test_damage_is_noticed(tmp_path: Path) -> None:
    data = tickets.serialise(_ticket())[0]
    for place in range(len(data) - 200, len(data), 3):  # values: safetensors alone accepts these
        broken = bytearray(data)
        broken[place] ^= 4
        with pytest.raises(Damaged):
            tickets.parse(bytes(broken))
    for length in (0, 5, 100, len(data) - 1):
        with pytest.raises(Damaged):
            tickets.parse(data[:length])
    with pytest.raises(Damaged, match="nowhere"):
        tickets.load(tmp_path / "nowhere.safetensors")


def test_the_digest_depends_on_values_names_and_shapes_not_on_order() -> None:
    a, b = torch.arange(4.0), torch.ones(2)
    assert tickets.digest({"a": a, "b": b}) == tickets.digest({"b": b, "a": a})
    assert tickets.digest({"a": a}) != tickets.digest({"a": a.view(2, 2)})
    assert tickets.digest({"a": a}) != tickets.digest({"c": a})
    assert tickets.digest({"a": a}) != tickets.digest({"a": a.double()})
