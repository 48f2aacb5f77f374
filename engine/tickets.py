"""Tickets: a mask, the weights it starts from, the trained weights, and a card saying whence.

One safetensors file holds `mask/<p>` (uint8, packed bits, C order, big bit order), `rewind/<p>` and
`trained/<p>` (the kept values in C order; parameters that are not pruned and buffers in full), and
the card as JSON under the metadata key `card`. Three lines of NumPy read it:

    file = safe_open("ticket.safetensors", "numpy"); card = json.loads(file.metadata()["card"])
    bits = lambda p, shape: np.unpackbits(file.get_tensor("mask/" + p), count=np.prod(shape))
    masks = {p: bits(p, shape).reshape(shape).astype(bool) for p, shape in card["shapes"].items()}

and `w = np.zeros(shape, "f4"); w[masks[p]] = file.get_tensor("trained/" + p)` gives a weight.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import checkpoints
from engine.cards import CARD
from engine.errors import Damaged
from engine.lazy import torch
from engine.masks import Mask
from engine.sources import Source
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, "Tensor"]
NOT_ON_A_CARD = {"launch", "tracking", "tags", "keep", "checkpoint", "controls", "extends"}


@dataclass(frozen=True)
class Ticket:
    """A sparse network: `rewind` and `trained` are whole state dicts, zero where pruned.

    The card holds no times, ids of runs or paths of files, so that equal tickets are equal bytes.
    """

    mask: Mask
    rewind: State
    trained: State
    card: dict[str, Any]


def settings(spec: RunSpec) -> dict[str, Any]:
    """A run's settings as its tickets' cards hold them."""
    return spec.model_dump(mode="json", exclude=NOT_ON_A_CARD, context={"purpose": "card"})


def serialise(ticket: Ticket) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a ticket file, and the card completed with counts, shapes and sha256."""
    tensors = _tensors(ticket)
    card = {
        "format": CARD,
        **ticket.card,
        "kept": ticket.mask.kept,
        "total": ticket.mask.total,
        "shapes": {name: list(mask.shape) for name, mask in ticket.mask.items()},
        "sha256": digest(tensors),
    }
    text = json.dumps(card, sort_keys=True)
    return checkpoints.pack(tensors, {"card": text}), card


def load(path: Path) -> Ticket:
    """Read a ticket file and check it against its card.

    Raises:
        Damaged: the file is no ticket, is truncated, or its tensors differ from the checksum.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}") from None
    except Damaged as error:
        raise Damaged(f"{path}: {error}") from None


def of(source: Source) -> Ticket:
    """The ticket that a spec refers to.

    Raises:
        Damaged: it is missing, damaged, or another one than the spec says.
    """
    ticket = load(Path(source.path))
    if ticket.card["sha256"] != source.sha256:
        raise Damaged(
            f"{source.path} is not the ticket that this run was asked to take ({source}): its"
            f" sha256 is {ticket.card['sha256'][:16]}, not {source.sha256[:16]}; put that back, or"
            " run the spec again"
        )
    return ticket


def parse(data: bytes) -> Ticket:
    """Read a ticket from the bytes of its file. See `load`."""
    from safetensors import SafetensorError
    from safetensors.torch import load as unpack

    try:
        tensors = unpack(data)
        card = _card(data)
        shapes = {str(n): tuple(map(int, s)) for n, s in card["shapes"].items()}
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        raise Damaged("not a ticket file of this program") from None
    if card.get("format") != CARD:
        raise Damaged(f"ticket format '{card.get('format')}' is not {CARD}")
    if digest(tensors) != card.get("sha256"):
        raise Damaged("the tensors differ from the checksum on the card")
    try:
        mask = Mask({name: unpack_bits(tensors[f"mask/{name}"], s) for name, s in shapes.items()})
        states = [_state(tensors, part, mask) for part in ("rewind/", "trained/")]
    except (KeyError, RuntimeError) as error:
        raise Damaged(f"mask and weights do not fit together: {error}") from None
    return Ticket(mask, states[0], states[1], card)


def pack_bits(mask: Tensor) -> Tensor:
    """A bool tensor as packed bits: uint8 [ceil(n / 8)], C order, big bit order."""
    import numpy as np

    return torch.from_numpy(np.packbits(mask.detach().cpu().contiguous().numpy().reshape(-1)))


def unpack_bits(bits: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The bool tensor of `shape` that `pack_bits` packed.

    Raises:
        RuntimeError: there are too few or too many bits.
    """
    import numpy as np

    count = int(np.prod(shape))
    if bits.dtype != torch.uint8 or bits.numel() != (count + 7) // 8:
        raise RuntimeError(f"{bits.numel()} bytes of bits for {count} weights")
    flat = np.unpackbits(bits.numpy(), count=count)
    return torch.from_numpy(flat.astype(bool)).view(shape)


def pack_mask(mask: Mask) -> State:
    """A mask as tensors to store: packed bits, and the shape under `<p>#shape`."""
    packed = {name: pack_bits(m) for name, m in mask.items()}
    return packed | {f"{name}#shape": torch.tensor(m.shape) for name, m in mask.items()}


def unpack_mask(tensors: Mapping[str, Tensor]) -> Mask:
    """The mask that `pack_mask` packed."""
    names = [name for name in tensors if not name.endswith("#shape")]
    shapes = {name: tuple(tensors[f"{name}#shape"].tolist()) for name in names}
    return Mask({name: unpack_bits(tensors[name], shapes[name]) for name in names})


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name}\n{tensor.dtype}\n{list(tensor.shape)}\n".encode())
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def masked(state: Mapping[str, Tensor], mask: Mask) -> State:
    """A copy of a state dict with pruned weights exactly zero."""
    return {
        name: torch.where(mask[name].to(t.device), t, torch.zeros_like(t))
        if name in mask
        else t.clone()
        for name, t in state.items()
    }


def _tensors(ticket: Ticket) -> State:
    tensors = {f"mask/{name}": pack_bits(m) for name, m in ticket.mask.items()}
    for part, state in (("rewind", ticket.rewind), ("trained", ticket.trained)):
        for name, tensor in state.items():
            mask = ticket.mask.get(name)
            plain = tensor.detach().cpu().contiguous()
            tensors[f"{part}/{name}"] = plain if mask is None else plain[mask.cpu()]
    return tensors


def _state(tensors: Mapping[str, Tensor], part: str, mask: Mask) -> State:
    state = {}
    for key, tensor in tensors.items():
        name = key.removeprefix(part)
        if name == key:
            continue
        if name in mask:
            whole = torch.zeros(mask[name].shape, dtype=tensor.dtype)
            whole[mask[name]] = tensor
            tensor = whole
        state[name] = tensor
    return state


def _card(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    card = json.loads(header["__metadata__"]["card"])
    if not isinstance(card, dict):
        raise ValueError("the card is no mapping")
    return card
