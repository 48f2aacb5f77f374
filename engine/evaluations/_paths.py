"""Which weights lie on a path of living ones from the image to the outputs of any network.

As in SynFlow (Tanaka et al. 2020, https://arxiv.org/abs/2006.05467), an image of ones goes through
the network with positive weights: what arrives somewhere went along a path, and so did a gradient.
But every map tells no more than whether anything arrives, in both directions. So no path is lost in
rounding, however deep the network is and however thin the path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from engine.masks import Mask

FAINT = 1e-9  # what rounding may leave of nothing; a mean over maps of 1000 x 1000 pixels is more


def living(net: nn.Module, mask: Mask, shape: Sequence[int]) -> Mask:
    """The weights of `mask` that lie on a path of living weights.

    Weights that are not masked all live. Biases, shifts and tokens that do not come from the image
    begin no path, and normalisations and activations end none. Nor do statistics, as those of a
    layer's normalisation, lead from one channel to another.

    Args:
        net: on the mask's device; its weights are lost.
        shape: of an image, [C, H, W].
    """
    weights = dict(net.double().eval().named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(mask[name]) if name in mask else weight.fill_(_is_map(name, weight))
        for buffer in net.buffers():  # constant filters have signs
            buffer.abs_()
    masked = [weights[name] for name in mask]
    with _Arriving():
        said = net(masked[0].new_ones(1, *shape))
    gradients = torch.autograd.grad(said.sum(), masked, allow_unused=True, materialize_grads=True)
    return Mask(
        {name: m & (g > FAINT) for (name, m), g in zip(mask.items(), gradients, strict=True)}
    )


def _is_map(name: str, weight: Tensor) -> bool:
    return weight.ndim > 1 and name.endswith("weight")


class _Whether(torch.autograd.Function):
    """1 where anything arrives and 0 elsewhere, of what goes forward and of its gradient."""

    @staticmethod
    def forward(ctx: Any, found: Tensor) -> Tensor:
        return (found > FAINT).to(found.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        return (gradient > FAINT).to(gradient.dtype)


class _Arriving(TorchFunctionMode):
    """Every function that networks are made of, as far as it tells whether anything arrives."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        if name in _PASSING:
            return args[0]
        found = _INSTEAD.get(name, func)(*args, **(kwargs or {}))
        return _Whether.apply(found) if name in _MAPS else found


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    """A token takes from all of them (1), and how much of each, queries and keys decide."""
    return (1 + query @ key.transpose(-2, -1)) @ value


def _softmax(scores: Tensor, *_: Any, **__: Any) -> Tensor:
    return 1 + scores  # as none of them is ever without a share


def _pooled(x: Tensor, kernel: Any, stride: Any = None, padding: Any = 0, *_: Any, **k: Any) -> Any:
    """The mean: the largest could be anywhere."""
    return functional.avg_pool2d(x, kernel, stride, padding, k.get("ceil_mode", False))


_MAPS = {"conv1d", "conv2d", "conv3d", "linear", "matmul", "bmm", "scaled_dot_product_attention"}
_INSTEAD: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": _attention,
    "softmax": _softmax,
    "max_pool2d": _pooled,
}
_PASSING = {
    *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize"),
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish"),
    *("sigmoid", "tanh", "hardsigmoid", "hardtanh", "hardswish", "softplus", "clamp"),
    *("log_softmax", "local_response_norm"),
}
