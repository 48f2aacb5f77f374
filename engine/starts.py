"""First weights from elsewhere: which of them fit a network, and that none is missed by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from engine import auxiliary, foreign, pretrained, tickets
from engine.cards import read_header
from engine.errors import DataError, SpecError, some
from engine.networks import head_of
from engine.spec import RunSpec
from engine.startspec import Start

State = dict[str, Tensor]
WRAPPERS = ("module.", "model.", "net.", "backbone.", "encoder.", "encoder_q.", "convnet.")


def load(net: nn.Module, spec: RunSpec) -> tuple[str, ...]:
    """Put a spec's first weights into its network; returns the names of those drawn anew.

    Only the classifier and the first layer may be drawn anew: all others have to be there.

    Raises:
        DataError: there are none, they are damaged, or others than when the run was submitted.
        SpecError: they are of another network.
    """
    if not spec.start.named:
        return ()
    fits, anew = _found(net, spec.start, spec.model.name)
    own = net.state_dict()
    with torch.no_grad():
        for name, tensor in fits.items():
            if name not in anew:
                own[name].copy_(tensor)
    if not any(".auxiliary." in name for name in fits):
        auxiliary.begin(net)
    return tuple(name for name in own if name in anew)


def check(net: nn.Module, start: Start, model: str) -> None:
    """Refuse first weights that do not fit a network, whose weights need have no values.

    Those of torchvision are left to `load`, which may have to download them.

    Raises:
        DataError, Damaged, SpecError: as `load`.
    """
    if start.named and start.torchvision is None:
        _found(net, start, model)


def _found(net: nn.Module, start: Start, model: str) -> tuple[State, set[str]]:
    """All weights that fit, and the names of those to draw anew nevertheless, or for want of any.

    Raises:
        DataError, Damaged, SpecError: as `load`.
    """
    own = net.state_dict()
    stem, head = (
        [name for name in own if name.startswith(f"{at}.")] for at in (_stem(net), _head(net))
    )
    found = max(_candidates(start, model), key=lambda state: len(_fitting(state, own)))
    fits = _fitting(found, own)
    missing = [name for name in own if name not in {*fits, *stem, *head} and _learnt(name)]
    if missing:
        raise SpecError(
            f"the weights of start ({_origin(start)}) are of another network: {len(missing)} of"
            f" {len(own)} tensors are not there or have other shapes ({some(missing)}); give this"
            " spec the model that they are of, its width and stem too, and images of their size",
            "start",
        )
    anew = {name for name in (*stem, *head) if name not in fits}
    anew |= {*stem} if start.stem == "fresh" else set()
    anew |= {*head} if start.head == "fresh" else set()
    if start.head == "keep" and anew & {*head}:
        raise SpecError(
            f"the classifier of start ({_origin(start)}) does not fit these classes; set"
            " start.head to fresh",
            "start.head",
        )
    return fits, anew


def _stem(net: nn.Module) -> str:
    """The first layer, which fits one number of channels; its weight has an axis for them."""
    weights = (name for name, p in net.named_parameters() if p.ndim > 1)
    return next(name for name in weights if name.endswith(".weight")).rpartition(".")[0]


def _head(net: nn.Module) -> str:
    """The classifier, or what a loss put in its place, whose last linear map is within it."""
    name = head_of(net)[0]
    outer = name.rpartition(".")[0]
    whole = not outer or isinstance(net.get_submodule(outer), nn.Sequential)
    return name if whole else outer


def _learnt(name: str) -> bool:
    """Whether a network without this tensor would be another one; a count of batches is none."""
    return not name.endswith("num_batches_tracked") and ".auxiliary." not in name


def _fitting(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> State:
    return {n: t for n, t in found.items() if n in own and t.shape == own[n].shape}


def _candidates(start: Start, model: str) -> list[State]:
    """The weights under every name that they may be meant by: wrappers of networks taken off."""
    groups = _groups(start, model)
    return [
        {name.removeprefix(prefix): t for name, t in group.items()}
        for group in groups
        for prefix in ("", *WRAPPERS)
    ]


def _groups(start: Start, model: str) -> list[State]:
    if start.ticket.named:
        return [tickets.of(start.ticket).trained]
    path = Path(start.file) if start.file else pretrained.file(model, start.torchvision or "")
    if start.sha256 is not None and _sha256(path) != start.sha256:
        raise DataError(
            f"{path} is not the file that start.file named when this run was submitted; put that"
            " back, or submit the spec again"
        )
    if _is_ticket(path):
        return [tickets.load(path).trained]
    return [*foreign.read(path).values()]


def _is_ticket(path: Path) -> bool:
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    with path.open("rb") as file:
        header = read_header(file.read(8), file.read)
    return "card" in (header.get("__metadata__") or {})


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"start.file {path} cannot be read: {error.strerror}") from None


def _origin(start: Start) -> str:
    return str(start.ticket) if start.ticket.named else start.file or "torchvision"
