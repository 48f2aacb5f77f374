"""Continuous Sparsification against a network of masked layers and torch's own optimizers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from inprocess import run
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from engine import gates, images, levels, setup
from engine.durations import Duration
from engine.errors import LthError, SpecError
from engine.events import EpochEnded, Evaluated, Event, LevelEnded, LevelStarted, Warned
from engine.experiment import Experiment
from engine.optim import Optimizer
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
Batches = list[tuple[Tensor, Tensor]]
CPU = torch.device("cpu")
EPOCHS, LR, DECAY = 4, 0.05, 1e-3


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class How:
    """What the plain loop is told, in the words of the settings."""

    rounds: int = 2
    strength: float = 1e-8
    initial: float = 0.0
    final_temperature: float = 200.0
    density: float | None = None
    rewind: str = "2ep"
    length: str = "full"
    gate_lr: float = 1.0
    gate_decay: float = 0.0


@dataclass
class Trained:
    """What the plain loop ends a level with; weights are those in effect."""

    masks: dict[str, Tensor] = field(default_factory=dict)
    state: dict[str, Tensor] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    soft: Tensor = field(default_factory=lambda: torch.zeros(0))
    hard: Tensor = field(default_factory=lambda: torch.zeros(0))


class MaskedConv(nn.Module):
    """A convolution whose weights are multiplied by a mask, as the method's authors write it."""

    def __init__(self, conv: nn.Conv2d, initial: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach().clone())
        self.s = nn.Parameter(torch.full_like(self.weight, initial))
        self.scale = 1 / torch.tensor(initial, dtype=torch.float64).sigmoid()
        self.stride, self.padding = conv.stride, conv.padding
        self.beta, self.kept = 1.0, torch.zeros(0)

    def mask(self) -> Tensor:
        if len(self.kept):
            return self.kept * self.scale
        return (self.beta * self.s).sigmoid() * self.scale

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.mask()
        return functional.conv2d(x, weight, None, self.stride, self.padding)


class Plain:
    """The whole method in a plain loop; `fed` holds each level's batches in order."""

    def __init__(self, net: nn.Module, how: How, val: Tensor) -> None:
        self.net, self.how, self.val = net, how, val
        self.layers: dict[str, MaskedConv] = {}
        for name, module in list(net.named_modules()):
            if isinstance(module, nn.Conv2d):
                parent, _, leaf = name.rpartition(".")
                self.layers[f"{name}.weight"] = MaskedConv(module, how.initial)
                setattr(net.get_submodule(parent), leaf, self.layers[f"{name}.weight"])

    def run(self, fed: list[Batches]) -> list[Trained]:
        how, done = self.how, []
        logits = [layer.s for layer in self.layers.values()]
        mine = {id(s) for s in logits}
        weights = [p for p in self.net.parameters() if id(p) not in mine]
        optimizer = self.sgd(weights, DECAY)
        gate_optimizer = self.sgd(logits, how.gate_decay)
        for index in range(how.rounds):
            if index:
                for s in logits:
                    s.data = torch.minimum(
                        how.final_temperature * s.data, torch.full_like(s, how.initial)
                    )
            done.append(self.train(fed[index], [optimizer, gate_optimizer], not index))
        masks = done[-1].masks if how.density is None else self.largest(how.density)
        kept = {name: masks[name].double() for name in masks}
        state = {n: t for n, t in self.point.items() if not n.endswith(".s")}
        self.net.load_state_dict(state, strict=False)
        for name, layer in self.layers.items():
            layer.kept = kept[name]
        done.append(self.train(fed[how.rounds], [self.sgd(weights, DECAY)], False))
        return done

    def sgd(self, parameters: list[Any], decay: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, LR, 0.9, weight_decay=decay, nesterov=True)

    def train(
        self, batches: Batches, optimizers: list[torch.optim.Optimizer], first: bool
    ) -> Trained:
        how, trained = self.how, Trained()
        rewind = Duration.parse(how.rewind).epochs
        ticket = len(optimizers) == 1
        begin = rewind if ticket and how.length == "exact" else 0
        per_epoch = len(batches) // (EPOCHS - begin)
        for epoch in range(begin, EPOCHS):
            if first and epoch == rewind:
                self.point = deepcopy(self.net.state_dict())
            for layer in self.layers.values():
                layer.beta = how.final_temperature ** (epoch / (EPOCHS - 1))
            for optimizer, factor in zip(optimizers, (1.0, how.gate_lr), strict=False):
                rate = LR * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2
                optimizer.param_groups[0]["lr"] = rate * factor
            start, sums = (epoch - begin) * per_epoch, [0.0, 0]
            for x, y in batches[start : start + per_epoch]:
                loss = functional.cross_entropy(self.net.train()(x), y)
                sums = [sums[0] + loss.item() * len(y), sums[1] + len(y)]
                if not ticket:
                    loss = loss + how.strength * sum(x.mask().sum() for x in self.layers.values())
                self.net.zero_grad()
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
            trained.losses.append(sums[0] / sums[1])
        trained.soft = self.predict()
        for name, layer in self.layers.items():
            if not ticket:
                layer.kept = (layer.s > 0).double()
            trained.masks[name] = layer.kept.bool()
        trained.state = self.in_effect(self.net.state_dict(), trained.masks)
        trained.hard = self.predict()
        if not ticket:
            for layer in self.layers.values():
                layer.kept = torch.zeros(0)
        return trained

    def predict(self) -> Tensor:
        with torch.no_grad():
            return self.net.eval()(self.val)  # type: ignore[no-any-return]

    def largest(self, density: float) -> dict[str, Tensor]:
        flat = torch.cat([layer.s.detach().flatten() for layer in self.layers.values()])
        count = round(density * len(flat))
        lowest = flat.topk(count).values.min()
        found = {name: layer.s.detach() >= lowest for name, layer in self.layers.items()}
        assert sum(int(m.sum()) for m in found.values()) == count
        return found

    def in_effect(self, state: dict[str, Tensor], masks: dict[str, Tensor]) -> dict[str, Tensor]:
        plain = {n: t.clone() for n, t in state.items() if not n.endswith(".s")}
        for name, layer in self.layers.items():
            plain[name] *= masks[name] * layer.scale
        return plain


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(How(), id="published"),
        pytest.param(
            How(strength=1e-4, initial=-0.05, density=0.15, length="exact", rewind="1ep"),
            id="to-a-density",
        ),
        pytest.param(
            How(1, 1e-3, 0.1, 50.0, gate_lr=3.0, gate_decay=1e-2, rewind="1ep"), id="gates-apart"
        ),
    ],
)
@pytest.mark.usefixtures("doubles")
def test_it_takes_the_path_of_a_plain_loop(
    how: How, fed: dict[int, Batches], tiny: Specs, run_folder: Folders
) -> None:
    spec = tiny(
        sparsifier={"name": "continuous", **vars(how)},
        train={
            "epochs": EPOCHS,
            "batch_size": 30,
            "optimizer": {"name": "sgd", "lr": LR, "nesterov": True, "weight_decay": DECAY},
            "evaluate": {"every": 1},
        },
        keep=["all"],
    )
    directory, events = run_folder(spec), []
    run = Experiment(directory, spec, CPU, events.append, lambda: None, lambda: False, {})
    data = run.setup.data
    assert data.val is not None
    val = images.normalise(data.val.x, data.geometry).contiguous()
    net = setup.build(spec, data, CPU).to(memory_format=torch.contiguous_format)
    run.run()
    plain = Plain(net, how, val)
    expected = plain.run([fed[i] for i in range(how.rounds + 1)])
    for index, trained in enumerate(expected):
        _compare(levels.ticket(directory, index), trained)
        _compare_scores(events, trained, index, data.val.y)
    final = levels.ticket(directory, how.rounds)
    rewound = plain.in_effect(plain.point, expected[-1].masks)
    for name, tensor in rewound.items():
        torch.testing.assert_close(final.rewind[name], tensor, rtol=1e-6, atol=1e-9)
    fresh = setup.build(spec, data, CPU)
    fresh.load_state_dict(final.trained)  # a ticket needs no more than the plain network
    torch.testing.assert_close(fresh.eval()(val), expected[-1].hard, rtol=1e-6, atol=1e-8)


def _compare(ticket: Any, expected: Trained) -> None:
    for name, mask in expected.masks.items():
        assert torch.equal(ticket.mask[name], mask), name
    assert 0 < ticket.mask.kept < ticket.mask.total
    assert ticket.trained.keys() == expected.state.keys()
    for name, tensor in expected.state.items():
        torch.testing.assert_close(ticket.trained[name], tensor, rtol=1e-6, atol=1e-9)


def _compare_scores(events: list[Event], expected: Trained, level: int, y: Tensor) -> None:
    """Along the way with soft gates, at the level's end with hard ones."""
    epochs = [e for e in events if isinstance(e, EpochEnded) and e.level == level]
    [ended] = [e for e in events if isinstance(e, LevelEnded) and e.level == level]
    assert [e.train_loss for e in epochs] == pytest.approx(expected.losses, rel=1e-7)
    for found, logits in ((epochs[-1].val_loss, expected.soft), (ended.val_loss, expected.hard)):
        assert found == pytest.approx(functional.cross_entropy(logits, y).item(), rel=1e-3)


def test_a_scaled_weight_takes_adams_steps_too(tiny: Specs) -> None:
    """The group of w / sigmoid(s0) moves as w itself does in torch's Adam."""
    adam = {"name": "adam", "lr": 0.01, "weight_decay": 0.1, "eps": 1e-30}
    spec = tiny(sparsifier={"name": "continuous", "initial": 0.7}, train={"optimizer": adam})
    scale = gates.scale(0.7)
    weight = torch.linspace(-1, 1, 8, dtype=torch.float64).view(2, 4)
    theirs = nn.Parameter(weight.clone())
    mine = (weight * scale).requires_grad_()
    method = setup.load("sparsifiers", "continuous").Sparsifier(spec.sparsifier)

    class Training:
        spec: RunSpec
        level: Any

        def prunable(self) -> dict[str, Tensor]:
            return {"w": mine}

    training = Training()
    training.spec, training.level = spec, plan(spec, 100).levels[-1].level
    optimizer = Optimizer(spec.train, [("w", mine)], method.parameter_groups(training))
    reference = torch.optim.Adam([theirs], 0.01, eps=1e-30, weight_decay=0.1)
    for _ in range(5):
        for parameter, factor in ((theirs, scale), (mine, 1.0)):
            ((parameter * factor).sin().sum()).backward()
        optimizer.step(0.01)
        reference.step()
        optimizer.zero_grad()
        reference.zero_grad()
    torch.testing.assert_close(mine.detach(), theirs.detach() * scale, rtol=1e-10, atol=1e-12)


def test_rounds_and_ticket_are_laid_out(tiny: Specs) -> None:
    published = plan(tiny(sparsifier="continuous", train={"epochs": 85}), 100)
    assert [p.level.density for p in published.levels] == [None] * 4
    assert [p.level.search for p in published.levels] == [True, True, True, False]
    assert [p.level.start for p in published.levels] == [Duration(), None, None, Duration(2)]
    assert {(p.first, p.end) for p in published.levels} == {(0, 85)}
    told = {"name": "continuous", "rounds": 1, "density": 0.1, "length": "exact"}
    short = plan(tiny(sparsifier=told, train={"epochs": 5, "batch_size": 50}), 100)
    assert short.levels[1].level.density == 0.1
    assert (short.levels[1].first, short.levels[1].end) == (4, 10)


def test_what_cannot_be_is_refused(tiny: Specs) -> None:
    with pytest.raises(SpecError, match="select.epoch: last") as refused:
        plan(tiny(sparsifier="continuous", select={"epoch": "best"}), 100)
    assert refused.value.at == "select.epoch"
    late = tiny(sparsifier={"name": "continuous", "rewind": "3ep"})
    with pytest.raises(SpecError, match="at or beyond the end") as refused:
        plan(late, 100)
    assert refused.value.at == "sparsifier.rewind"
    for bad in ({"rounds": 0}, {"density": 0.0}, {"final_temperature": 0.5}, {"initial": 4.0}):
        with pytest.raises(ValidationError):
            tiny(sparsifier={"name": "continuous", **bad})


def test_every_round_is_a_sparse_point_of_its_own(tiny: Specs, run_folder: Folders) -> None:
    directory = run_folder(tiny(sparsifier={"name": "continuous", "rounds": 2}, keep=["all"]))
    events = run(directory)
    started = [e for e in events if isinstance(e, LevelStarted)]
    ended = [e for e in events if isinstance(e, LevelEnded)]
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    reports = [e for e in events if isinstance(e, Evaluated)]
    assert [e.kept == e.total for e in started] == [True, True, False]
    assert [0 < e.kept < e.total for e in ended] == [True] * 3
    assert ended[1].kept == ended[2].kept and ended[0].kept != ended[1].kept
    assert [e.metrics.get("temperature") for e in epochs] == pytest.approx(
        [1, 200**0.5, 200] * 2 + [None] * 3
    )
    assert [e.level for e in reports] == [0, 1]
    for report, level in zip(reports, ended, strict=False):
        assert report.metrics["density"] == pytest.approx(level.density, abs=1e-12)
        document = json.loads((directory.path / report.files[0]).read_text())
        layers = document["layers"].values()
        assert sum(layer["open"] for layer in layers) == level.kept
        assert sum(sum(layer["counts"]) for layer in layers) == level.total
        last = [e for e in epochs if e.level == level.level][-1]
        assert last.metrics["open_gates"] == pytest.approx(level.density, abs=1e-12)


def test_a_density_keeps_exactly_so_many_of_the_largest_gates(
    tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "continuous", "rounds": 1, "density": 0.6180339}
    directory = run_folder(tiny(sparsifier=settings, keep=["all"]))
    events = run(directory)
    ended = [e for e in events if isinstance(e, LevelEnded)]
    assert ended[1].kept == round(0.6180339 * ended[1].total) != ended[0].kept
    assert not [e for e in events if isinstance(e, Warned)]
    state, mask = levels.carry(directory, 0).sparsifier, levels.mask(directory, 1)
    kept = torch.cat([state[f"gate/{name}"][m] for name, m in mask.items()])
    gone = torch.cat([state[f"gate/{name}"][~m] for name, m in mask.items()])
    assert kept.min() >= gone.max()


@pytest.mark.parametrize(("density", "advice"), [(0.01, "lower"), (0.99, "raise")])
def test_a_density_far_from_what_was_found_is_said(
    density: float, advice: str, tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "continuous", "rounds": 1, "density": density, "rewind": "1ep"}
    train = {"epochs": 2, "batch_size": 50}
    events = run(run_folder(tiny(sparsifier={**settings, "initial": -0.03}, train=train)))
    [warned] = [e.message for e in events if isinstance(e, Warned)]
    assert f"keeps {density:.2%}; {advice} sparsifier.initial (now -0.03)" in warned


def test_rewinding_to_init_gives_the_scaled_initial_weights(
    tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "continuous", "rounds": 1, "rewind": "init", "initial": 0.1}
    spec = tiny(sparsifier=settings, keep=["all"])
    directory, quiet = run_folder(spec), lambda *event: None
    experiment = Experiment(directory, spec, CPU, quiet, quiet, lambda: False, {})
    start = experiment.setup.build().state_dict()
    experiment.run()
    ticket = levels.ticket(directory, 1)
    for name, weights in start.items():
        mask = ticket.mask.get(name)
        expected = weights if mask is None else weights * gates.scale(0.1) * mask
        assert torch.equal(ticket.rewind[name], expected)


def test_gates_are_exact_where_the_network_is_not(tiny: Specs, run_folder: Folders) -> None:
    train = {"epochs": 1, "batch_size": 50, "precision": "bf16"}
    settings = {"name": "continuous", "rounds": 1, "rewind": "1it"}
    directory = run_folder(tiny(sparsifier=settings, train=train))
    events = run(directory)
    state = levels.carry(directory, 0)
    assert {t.dtype for t in (*state.sparsifier.values(), *state.optimizer.values())} == {
        torch.float32
    }
    # one epoch has the final temperature
    assert [e.metrics for e in events if isinstance(e, EpochEnded)][0]["temperature"] == 200.0


def test_a_search_that_closes_every_gate_is_said(tiny: Specs, run_folder: Folders) -> None:
    settings = {"name": "continuous", "rounds": 1, "strength": 1.0}
    events: list[Event] = []
    directory = run_folder(tiny(sparsifier=settings))
    experiment = Experiment(
        directory, directory.spec(), CPU, events.append, lambda: None, lambda: False, {}
    )
    with pytest.raises(LthError, match="no gate is open after 1 round.*sparsifier.initial"):
        experiment.run()
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    assert ended.kept == 0
