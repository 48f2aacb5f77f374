"""Which channels of a network can go without changing what it says.

A channel that is the same for every image, as of a filter without living weights, is a constant
that those who read it can add themselves; one that nobody reads is not needed. Both are found along
the network's graph, by which weights are zero. Channels that are added to one another, or filtered
one by one, can go only together. What is not understood here keeps all of its channels.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

ALIKE = (  # give every channel what they make of it alone, and know nothing of channels
    *(nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.GELU, nn.MaxPool2d, nn.AvgPool2d),
    nn.ZeroPad2d,
)
SAME, ADD, MAP, EACH, NORM, FLAT, PAD = "same", "add", "map", "each", "norm", "flat", "pad"


@dataclass
class Value:
    """What a node of the graph gives.

    Attributes:
        sample: of one image, [1, ...]; where it is constant, what it always is.
        axis: of its channels.
        kin: [C], by which `Channels.find` gives the same number for channels that can go only
            together.
        constant: bool [C], whether it is the same for every image.
        needed: bool [C], whether anybody reads it.
        kept: bool [C], whether it stays.
    """

    sample: Tensor
    axis: int
    kin: list[int]
    constant: Tensor
    needed: Tensor
    kept: Tensor = field(default_factory=lambda: torch.ones(0))

    def along(self, which: Tensor) -> Tensor:
        """A bool [C] in the shape of a sample that it selects channels of."""
        shape = [1] * self.sample.ndim
        shape[self.axis] = len(which)
        return which.view(shape)


class Channels:
    """The channels of all values of a network, and which of them stay.

    Attributes:
        graph: the network, traced.
        values: by node, of those that are tensors with channels.
        roles: what nodes do with channels, of those that are understood.
    """

    def __init__(self, net: nn.Module, image: Tensor) -> None:
        """Look at a network in evaluation mode, by an image [1, C, H, W].

        Raises:
            Exception: it cannot be traced, as where it looks at numbers to decide what to do.
        """
        self.graph = fx.GraphModule(net, _Tracer().trace(net))
        self._modules = dict(self.graph.named_modules())
        self._calls = Counter(node.target for node in self._nodes if node.op == "call_module")
        self._parents: list[int] = []
        self._pinned: set[int] = set()
        self.values: dict[fx.Node, Value] = {}
        self.roles: dict[fx.Node, str] = {}
        samples = _Recorder(self.graph).recorded(image)
        for node in self._nodes:
            self._forward(node, samples.get(node))
        for node in reversed(self._nodes):
            self._backward(node)
        self._decide()

    def module(self, node: fx.Node) -> Any:
        """The module that a node calls; None if it calls none."""
        return self._modules.get(str(node.target)) if node.op == "call_module" else None

    def find(self, channel: int) -> int:
        """The number of all channels that go with this one."""
        while self._parents[channel] != channel:
            self._parents[channel] = channel = self._parents[self._parents[channel]]
        return channel

    def inputs(self, node: fx.Node) -> list[Value]:
        """What a node reads."""
        return [self.values[one] for one in node.all_input_nodes if one in self.values]

    @property
    def _nodes(self) -> list[fx.Node]:
        return [*self.graph.graph.nodes]

    def _forward(self, node: fx.Node, sample: Tensor | None) -> None:
        """Find which channels of a node's value are constant, and what goes with them."""
        if sample is None:
            self._pin(self.inputs(node))
            return
        role = self._role(node, sample)
        if role is None:
            self._pin(self.inputs(node))
            value = self._fresh(sample, 1 if sample.ndim == 4 else sample.ndim - 1)
            self._pin([value])
        else:
            self.roles[node] = role
            value = self._flowing(node, role, sample)
        self.values[node] = value

    def _role(self, node: fx.Node, sample: Tensor) -> str | None:
        """What a node does with channels; None where that is not understood."""
        module, given = self.module(node), self.inputs(node)
        if not given or len(given) != len(node.all_input_nodes):
            return None
        axis, first = given[0].axis, given[0].sample
        if isinstance(module, ALIKE):
            return SAME
        if module is not None:
            return _role_of(module, given[0]) if self._calls[node.target] == 1 else None
        arguments = node.args
        match node.target:
            case operator.add | operator.iadd | torch.add if len(given) == 2:
                alike = given[0].axis == given[1].axis and first.shape == given[1].sample.shape
                return ADD if alike else None
            case functional.relu | torch.relu | functional.relu6 | functional.gelu:
                return SAME
            case operator.getitem if axis == 1 and _thins(arguments[1]):
                return SAME
            case torch.mean | "mean" if axis == 1 and _listed(arguments[1:]) == [2, 3]:
                return SAME if sample.ndim == 2 else None
            case torch.flatten | "flatten" if axis == 1 and arguments[1:] == (1,):
                return FLAT
            case functional.pad if axis == 1 and first.ndim == 4 and not node.kwargs:
                sides = _listed(arguments[1:])
                return PAD if len(arguments) == 2 and len(sides) in (4, 6) else None
        return None

    def _flowing(self, node: fx.Node, role: str, sample: Tensor) -> Value:
        """What a node gives that is understood."""
        first, *others = self.inputs(node)
        if role == MAP:
            read = (live(self.module(node)) & ~first.constant).any(1)
            axis = 1 if sample.ndim == 4 else sample.ndim - 1
            return self._fresh(sample, axis, ~read)
        kin, constant = first.kin, first.constant
        if role == ADD:
            constant = constant & others[0].constant
            self._join(kin, others[0].kin)
        elif role == EACH:
            constant = constant | ~live(self.module(node))[:, 0]
        elif role == FLAT:
            each = sample.shape[1] // len(kin)
            kin = [one for one in kin for _ in range(each)]
            constant = constant.repeat_interleave(each)
        elif role == PAD:
            before, after = padded(node)
            zeros = [constant.new_ones(count) for count in (before, after)]
            kin = [*self._new(before), *kin, *self._new(after)]
            constant = torch.cat([zeros[0], constant, zeros[1]])
        return Value(sample, first.axis, kin, constant, torch.zeros_like(constant))

    def _fresh(self, sample: Tensor, axis: int, constant: Tensor | None = None) -> Value:
        """A value whose channels so far go with no others."""
        kin = self._new(sample.shape[axis])
        none = torch.zeros(len(kin), dtype=torch.bool, device=sample.device)
        return Value(sample, axis, kin, none if constant is None else constant, none)

    def _join(self, kin: list[int], others: list[int]) -> None:
        """Have channels go only together."""
        for one, other in zip(kin, others, strict=True):
            self._parents[self.find(one)] = self.find(other)

    def _new(self, count: int) -> list[int]:
        first = len(self._parents)
        self._parents += range(first, first + count)
        return [*range(first, first + count)]

    def _pin(self, values: Iterable[Value]) -> None:
        """Have values keep all channels."""
        for value in values:
            self._pinned.update(value.kin)
            value.needed = torch.ones_like(value.needed)

    def _backward(self, node: fx.Node) -> None:
        """Find which channels of what a node reads are needed."""
        role, value = self.roles.get(node), self.values.get(node)
        if role is None or value is None:
            return
        first, *others = self.inputs(node)
        needed = value.needed
        if role == MAP:
            needed = (live(self.module(node)) & needed[:, None]).any(0)
        elif role == EACH:
            needed = needed & live(self.module(node))[:, 0]
        elif role == FLAT:
            needed = needed.view(len(first.kin), -1).any(1)
        elif role == PAD:
            before, _ = padded(node)
            needed = needed[before : before + len(first.kin)]
        for one in (first, *others):
            one.needed = one.needed | needed

    def _decide(self) -> None:
        """Find which channels stay: at least one of every value."""
        stay = {self.find(one) for one in self._pinned}
        for value in self.values.values():
            wanted = (value.needed & ~value.constant).tolist()
            stay |= {self.find(one) for one, is_so in zip(value.kin, wanted, strict=True) if is_so}
        for value in self.values.values():
            if not any(self.find(one) in stay for one in value.kin):
                stay.add(self.find(value.kin[0]))
        for value in self.values.values():
            kept = [self.find(one) in stay for one in value.kin]
            value.kept = torch.tensor(kept, device=value.needed.device)


def _role_of(module: nn.Module, given: Value) -> str | None:
    """What a module with parameters does with channels; None where that is not understood."""
    if isinstance(module, nn.BatchNorm2d):
        return NORM if given.axis == 1 and module.track_running_stats else None
    if type(module) is nn.Linear:
        return MAP if given.axis == given.sample.ndim - 1 else None
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and given.axis == 1:
        if module.groups == 1:
            return MAP
        return EACH if module.groups == module.in_channels == module.out_channels else None
    return None


def live(module: nn.Module) -> Tensor:
    """Which outputs of a convolution or linear map read which inputs: bool [outputs, inputs]."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    return (weight.detach() != 0).flatten(2).any(2) if weight.ndim > 2 else weight.detach() != 0


def padded(node: fx.Node) -> tuple[int, int]:
    """How many channels of zeros a padding puts before and behind those of [B, C, H, W]."""
    sides = _listed(node.args[1:])
    return (int(sides[4]), int(sides[5])) if len(sides) == 6 else (0, 0)


class _Tracer(fx.Tracer):
    """Convolutions and normalisations of our own are called as torch's are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = isinstance(m, nn.Conv2d | nn.BatchNorm2d)
        return ours or super().is_leaf_module(m, module_qualified_name)


class _Recorder(fx.Interpreter):
    """What every node gives for an image, before others change it in place."""

    def recorded(self, image: Tensor) -> dict[fx.Node, Tensor]:
        self._found: dict[fx.Node, Tensor] = {}
        with torch.no_grad():
            self.run(image)
        return self._found

    def run_node(self, n: fx.Node) -> Any:
        given = super().run_node(n)
        if isinstance(given, Tensor) and given.ndim > 1 and n.op != "output":
            self._found[n] = given.clone()
        return given


def _listed(arguments: tuple[Any, ...]) -> list[Any]:
    """The numbers of an argument that is a row of them; none where it is anything else."""
    if arguments and isinstance(arguments[0], list | tuple):
        return [*arguments[0]]
    return []


def _thins(index: Any) -> bool:
    """Whether an index takes some pixels of all channels."""
    whole = slice(None)
    return (
        isinstance(index, tuple)
        and len(index) == 4
        and index[:2] == (whole, whole)
        and all(isinstance(one, slice) for one in index[2:])
    )
