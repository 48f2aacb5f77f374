"""Networks whose linear maps store only weights that live, where torch has kernels for that.

On CPUs these are compressed sparse rows. NVIDIA GPUs of compute capability 8.0 or more multiply
matrices twice as fast whose rows have at most 2 weights in each 4 in a row (Mishra et al. 2021,
https://arxiv.org/abs/2104.08378). torch has no kernels for sparse convolutions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from engine.masks import Mask

CAPABLE = (8, 0)
ROWS, COLUMNS = 32, 64  # of which both of torch's backends take multiples in 16 bits


class Unfit(Exception):
    """Why a network gains nothing from a format."""


def compressed(net: nn.Module, mask: Mask, bf16: bool) -> None:
    """Store the pruned linear maps of a network as compressed sparse rows.

    Raises:
        Unfit: there are none, or they are not on a CPU in float32.
    """
    layers = dict(_pruned(net, mask))
    if next(net.parameters()).device.type != "cpu" or bf16:
        raise Unfit("compressed sparse rows are for CPUs in float32")
    for layer in layers.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torch may change the format one day
            rows = layer.weight.detach().to_sparse_csr()
        layer.weight = nn.Parameter(rows, requires_grad=False)


def semi_structured(net: nn.Module, mask: Mask, bf16: bool) -> float:
    """Store the pruned linear maps of a network 2:4, the largest two of each four weights.

    Returns:
        the share of their living weights that this leaves out.

    Raises:
        Unfit: there are none of the right shapes, or the device or its arithmetic cannot do it.
    """
    layers = dict(_pruned(net, mask))
    if not _capable(next(net.parameters()).device):
        raise Unfit("2:4 is for NVIDIA GPUs of compute capability 8.0 or more")
    if not bf16:
        raise Unfit("2:4 needs 16 bits, and this run computes in float32 (train.precision)")
    shaped = {name: one for name, one in layers.items() if _fits(one.weight)}
    if not shaped:
        raise Unfit(f"2:4 needs multiples of {ROWS} outputs and {COLUMNS} inputs")
    living = lost = 0
    for layer in shaped.values():
        weight = two_of_four(layer.weight.detach())
        living += int((layer.weight != 0).sum())
        lost += int(((layer.weight != 0) & (weight == 0)).sum())
        _store(layer, weight)
    return lost / living if living else 0.0


def two_of_four(weight: Tensor) -> Tensor:
    """A weight [outputs, inputs] with all but the two largest of each four inputs in a row zero."""
    fours = weight.reshape(len(weight), -1, 4)
    least = fours.abs().argsort(stable=True, dim=2)[:, :, :2]
    return fours.scatter(2, least, 0).flatten(1)


def _store(layer: nn.Linear, weight: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch may change the format one day
        stored = torch.sparse.to_sparse_semi_structured(weight.bfloat16().contiguous())
    layer.weight = nn.Parameter(stored, requires_grad=False)
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias.detach().bfloat16(), requires_grad=False)


def _capable(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= CAPABLE


def _fits(weight: Tensor) -> bool:
    return weight.shape[0] % ROWS == 0 and weight.shape[1] % COLUMNS == 0


def _pruned(net: nn.Module, mask: Mask) -> Iterable[tuple[str, nn.Linear]]:
    """The linear maps of which weights are pruned.

    Raises:
        Unfit: there are none.
    """
    found = [*_linear(net, mask)]
    if not found:
        raise Unfit("no linear map is pruned, and torch has no kernels for sparse convolutions")
    return found


def _linear(net: nn.Module, mask: Mask) -> Iterator[tuple[str, nn.Linear]]:
    for name, alive in mask.items():
        module = net.get_submodule(name.rpartition(".")[0])
        if type(module) is nn.Linear and not bool(alive.all()):
            yield name, module
