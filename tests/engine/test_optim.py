"""Optimizers against torch's own, learning rates against torch's schedules and by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.durations import Duration
from engine.errors import Damaged
from engine.optim import Optimizer, last_learning_rate, learning_rate
from engine.trainspec import TrainSpec


def spec(optimizer="sgd", **train):
    return TrainSpec.model_validate({"optimizer": optimizer, **train})


def rates(train, steps_per_epoch, positions):
    return [learning_rate(train, position, steps_per_epoch) for position in positions]


# --- learning rates ---


def torch_rates(schedule, count, lr):
    """What a torch schedule gives to `count` steps in a row."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler, seen = schedule(optimizer), []
    for _ in range(count):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_the_rewound_cosine_runs_past_its_end():
    """The reference's golden numbers: peak 0.1, 200 epochs, rewound to epoch 2."""
    train = spec({"name": "sgd", "lr": 0.1}, epochs=200)
    first, *_, before, zero, after = [learning_rate(train, (2 + e) * 5, 5) for e in range(200)]
    assert first == pytest.approx(0.0999753, abs=5e-8)
    assert before == pytest.approx(6.17e-6, abs=5e-9)
    assert zero == 0
    assert after == pytest.approx(before)


def test_cosine_per_epoch_is_torchs_and_holds_within_an_epoch():
    train = spec({"name": "sgd", "lr": 0.3}, epochs=8)
    theirs = torch_rates(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=8), 8, lr=0.3
    )
    assert rates(train, 3, range(24)) == pytest.approx([lr for lr in theirs for _ in range(3)])


def test_cosine_per_step_is_torchs():
    train = spec({"name": "sgd", "lr": 0.3}, epochs=8, schedule={"name": "cosine", "per": "step"})
    theirs = torch_rates(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=24), 24, lr=0.3
    )
    assert rates(train, 3, range(24)) == pytest.approx(theirs)


def test_multistep_is_torchs():
    schedule = {"name": "multistep", "milestones": ["2ep", "4ep1it"], "gamma": 0.2}
    train = spec({"name": "sgd", "lr": 0.5}, epochs=6, schedule=schedule)
    theirs = torch_rates(
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [6, 13], gamma=0.2), 18, lr=0.5
    )
    assert rates(train, 3, range(18)) == pytest.approx(theirs)


def test_step_is_torchs():
    schedule = {"name": "step", "every": "4it", "gamma": 0.5}
    train = spec({"name": "sgd", "lr": 0.5}, epochs=6, schedule=schedule)
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.StepLR(o, 4, gamma=0.5), 18, lr=0.5)
    assert rates(train, 3, range(18)) == pytest.approx(theirs)


def test_constant_stays():
    train = spec({"name": "adam", "lr": 0.01}, epochs=6, schedule="constant")
    assert set(rates(train, 3, range(40))) == {0.01}


def test_warm_up_is_linear_and_the_cosine_spans_the_rest():
    train = spec({"name": "sgd", "lr": 0.1}, epochs=5, warmup="2ep")
    by_step = rates(train, 2, range(10))
    assert by_step[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    # three epochs remain: cos(0), cos(pi/3), cos(2 pi/3)
    assert by_step[4:] == pytest.approx([0.1, 0.1, 0.075, 0.075, 0.025, 0.025])
    assert max(by_step) == by_step[3] == 0.1


def test_warm_up_that_ends_within_an_epoch_reaches_the_peak_before_the_cosine_begins():
    train = spec({"name": "sgd", "lr": 0.1}, epochs=3, warmup="1it")
    by_step = rates(train, 2, range(6))
    assert by_step[:2] == [0.1, 0.1]
    assert by_step[2] == by_step[3] == pytest.approx(0.05 * (1 + 0.8090169944), abs=1e-9)
    assert by_step == sorted(by_step, reverse=True)


def test_milestones_count_from_the_start_whatever_the_warm_up():
    schedule = {"name": "multistep", "milestones": ["2ep"], "gamma": 0.1}
    train = spec({"name": "sgd", "lr": 1.0}, epochs=4, warmup="1ep", schedule=schedule)
    assert rates(train, 2, range(6)) == pytest.approx([0.5, 1.0, 1.0, 1.0, 0.1, 0.1])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", 0.2 * 0.25),
        ({"name": "cosine", "per": "step"}, 0.2 * (1 - 0.8660254038) / 2),
        ({"name": "multistep", "milestones": ["1ep", "2ep", "3ep"]}, 0.2 * 0.01),
        ({"name": "step", "every": "3it"}, 0.2 * 0.1),
        ("constant", 0.2),
    ],
)
def test_the_last_rate_is_above_zero(schedule, expected):
    train = spec({"name": "sgd", "lr": 0.2}, epochs=3, schedule=schedule)
    assert last_learning_rate(train, 2) == pytest.approx(expected)


# --- optimizers ---


def network(channels_last=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 8, 3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(128, 4),
        )
    return net.to(memory_format=torch.channels_last) if channels_last else net


def backward(net, index):
    generator = torch.Generator().manual_seed(index)
    logits = net(torch.randn(8, 3, 6, 6, generator=generator))
    functional.cross_entropy(logits, torch.arange(8) % 4).backward()


def train_steps(net, optimizer, first, end):
    """Steps at a learning rate that changes every time."""
    for index in range(first, end):
        optimizer.zero_grad()
        backward(net, index)
        optimizer.step(0.1 / (1 + index))


def torch_steps(net, optimizer, count):
    for index in range(count):
        optimizer.zero_grad()
        backward(net, index)
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (1 + index)
        optimizer.step()


def same(ours, theirs, **tolerance):
    pairs = zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True)
    for (name, mine), other in pairs:
        torch.testing.assert_close(mine, other, msg=lambda m, n=name: f"{n}: {m}", **tolerance)


SGD = [
    {"momentum": 0.0, "weight_decay": 0.0},
    {"momentum": 0.0, "weight_decay": 5e-4},
    {"momentum": 0.9, "weight_decay": 0.0},
    {"momentum": 0.9, "weight_decay": 5e-4},
    {"momentum": 0.9, "weight_decay": 5e-4, "nesterov": True},
]
ADAM = [
    {},
    {"weight_decay": 1e-2},
    {"beta1": 0.5, "beta2": 0.9, "eps": 1e-4},
]
EXACT, CLOSE = {"rtol": 0, "atol": 0}, {"rtol": 1e-5, "atol": 1e-7}


@pytest.mark.parametrize("knobs", SGD)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("fused", "tolerance"), [(True, EXACT), (False, CLOSE)])
def test_sgd_is_torchs(knobs, channels_last, fused, tolerance):
    ours, theirs = network(channels_last), network(channels_last)
    mine = Optimizer(spec({"name": "sgd", **knobs}), ours.named_parameters())
    train_steps(ours, mine, 0, 20)
    torch_steps(theirs, torch.optim.SGD(theirs.parameters(), fused=fused, **knobs), 20)
    same(ours, theirs, **tolerance)


@pytest.mark.parametrize("knobs", ADAM)
@pytest.mark.parametrize(
    ("fused", "tolerance"), [(True, EXACT), (False, {"rtol": 1e-3, "atol": 1e-5})]
)
def test_adam_is_torchs(knobs, fused, tolerance):
    ours, theirs = network(), network()
    mine = Optimizer(spec({"name": "adam", **knobs}), ours.named_parameters())
    train_steps(ours, mine, 0, 20)
    betas = knobs.get("beta1", 0.9), knobs.get("beta2", 0.999)
    rest = {k: v for k, v in knobs.items() if not k.startswith("beta")}
    torch_steps(theirs, torch.optim.Adam(theirs.parameters(), betas=betas, fused=fused, **rest), 20)
    same(ours, theirs, **tolerance)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_decay_of_weights_spares_biases_and_norms(name):
    knobs = {"weight_decay": 0.1}
    ours, theirs = network(), network()
    mine = Optimizer(spec({"name": name, **knobs}, decay="weights"), ours.named_parameters())
    train_steps(ours, mine, 0, 20)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1]},
        {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    if name == "sgd":
        torch_steps(theirs, torch.optim.SGD(groups, momentum=0.9, fused=True, **knobs), 20)
    else:
        torch_steps(theirs, torch.optim.Adam(groups, fused=True, **knobs), 20)
    same(ours, theirs, **EXACT)


def test_groups_of_a_method_have_their_own_rate_and_decay():
    """By hand: plain SGD moves w by lr * factor * (gradient + decay * w)."""
    weight, gate, bias = (nn.Parameter(torch.tensor([[2.0]])) for _ in range(3))
    optimizer = Optimizer(
        spec({"name": "sgd", "momentum": 0.0, "weight_decay": 0.5}),
        [("weight", weight), ("bias", bias)],
        [
            {"params": {"gate": gate}, "lr_factor": 10.0, "weight_decay": 0.0},
            {"params": {"bias": bias}, "lr_factor": 0.0},
        ],
    )
    for parameter in (weight, gate, bias):
        parameter.grad = torch.ones(1, 1)
    optimizer.step(0.1)
    assert weight.item() == pytest.approx(2 - 0.1 * (1 + 0.5 * 2))
    assert gate.item() == pytest.approx(2 - 0.1 * 10)
    assert bias.item() == 2
    assert sorted(optimizer.state_dict()) == []


def test_a_parameter_in_two_groups_is_refused():
    gate = nn.Parameter(torch.zeros(1))
    groups = [{"params": {"gate": gate}}, {"params": {"gate": gate}}]
    with pytest.raises(ValueError, match="two groups"):
        Optimizer(spec(), [], groups)


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.0}, "adam"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_saved_and_loaded_goes_on_bit_for_bit(optimizer, channels_last):
    straight, resumed = network(channels_last), network(channels_last)
    whole = Optimizer(spec(optimizer), straight.named_parameters())
    train_steps(straight, whole, 0, 7)
    saved = {name: t.clone() for name, t in whole.state_dict().items()}
    resumed.load_state_dict(straight.state_dict())
    train_steps(straight, whole, 7, 14)
    rest = Optimizer(spec(optimizer), resumed.named_parameters())
    # a file holds its tensors in the default layout
    rest.load_state_dict({name: t.contiguous() for name, t in saved.items()})
    train_steps(resumed, rest, 7, 14)
    same(resumed, straight, **EXACT)


def test_names_of_the_saved_state():
    names = [name for name, _ in network().named_parameters()]
    sgd = Optimizer(spec("sgd"), network().named_parameters())
    assert list(sgd.state_dict()) == [f"momentum/{name}" for name in names]
    adam = Optimizer(spec("adam"), network().named_parameters())
    assert set(adam.state_dict()) == {"step"} | {
        f"{kind}/{name}" for kind in ("exp_avg", "exp_avg_sq") for name in names
    }


def test_a_state_of_something_else_is_refused():
    sgd = Optimizer(spec("sgd"), network().named_parameters())
    with pytest.raises(Damaged, match="does not fit.*exp_avg"):
        sgd.load_state_dict(Optimizer(spec("adam"), network().named_parameters()).state_dict())
    short = {**sgd.state_dict(), "momentum/0.weight": torch.zeros(1)}
    with pytest.raises(Damaged, match="momentum/0.weight"):
        sgd.load_state_dict(short)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_mask_zeroes_what_is_remembered_of_pruned_weights_only(optimizer, channels_last):
    net = network(channels_last)
    mine = Optimizer(spec(optimizer), net.named_parameters())
    train_steps(net, mine, 0, 3)
    before = {name: t.clone() for name, t in mine.state_dict().items()}
    mask = {"0.weight": torch.rand(8, 3, 3, 3, generator=torch.Generator().manual_seed(0)) > 0.5}
    mine.mask_(mask)
    for kind, buffer in mine.buffers("0.weight").items():
        assert not buffer[~mask["0.weight"]].any()
        assert torch.equal(buffer[mask["0.weight"]], before[f"{kind}/0.weight"][mask["0.weight"]])
        assert buffer[mask["0.weight"]].all()
    untouched = [name for name in before if not name.endswith("/0.weight")]
    assert all(torch.equal(before[name], mine.state_dict()[name]) for name in untouched)


def test_another_mask_replaces_the_one_before():
    parameter = nn.Parameter(torch.zeros(1, 2))
    mine = Optimizer(spec({"name": "sgd", "weight_decay": 0.0}), [("w", parameter)])
    for alive in ([[True, False]], [[False, True]]):
        parameter.grad = torch.ones(1, 2)
        mine.step(0.1)
        mine.mask_({"w": torch.tensor(alive)})
        assert mine.buffers("w")["momentum"].ne(0).tolist() == alive


def test_masking_without_momentum_does_nothing():
    net = network()
    mine = Optimizer(spec({"name": "sgd", "momentum": 0.0}), net.named_parameters())
    mine.mask_({"0.weight": torch.zeros(8, 3, 3, 3, dtype=torch.bool)})
    assert mine.buffers("0.weight") == {}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_parameters_without_a_gradient_are_left_alone(optimizer):
    net = network()
    mine = Optimizer(spec(optimizer), net.named_parameters())
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    train_steps(net, mine, 0, 3)
    assert torch.equal(net[0].weight, before)
    assert not any(buffer.any() for buffer in mine.buffers("0.weight").values())


def test_a_gradient_in_another_memory_format_is_understood():
    """The fused kernels would mix its elements up."""
    straight, turned = (nn.Parameter(network(True)[0].weight.detach().clone()) for _ in range(2))
    grad = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    straight.grad = grad.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        turned.grad = grad
    for parameter in (straight, turned):
        Optimizer(spec(), [("w", parameter)]).step(0.1)
    assert torch.equal(straight, turned)


def test_a_network_converted_too_late_is_refused():
    net = network()
    mine = Optimizer(spec(), net.named_parameters())
    net.to(memory_format=torch.channels_last)
    backward(net, 0)
    with pytest.raises(RuntimeError, match="0.weight changed its memory format"):
        mine.step(0.1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_step_reads_no_number_back_from_the_device(optimizer, monkeypatch):
    net = network()
    mine = Optimizer(spec(optimizer, warmup=Duration()), net.named_parameters())
    backward(net, 0)

    def refuse(*_):
        raise AssertionError("a number was read back")

    for method in ("item", "tolist", "__float__", "__bool__", "__int__", "__index__"):
        monkeypatch.setattr(torch.Tensor, method, refuse)
    mine.step(0.1)
    mine.mask_({"0.weight": torch.ones(8, 3, 3, 3, dtype=torch.bool)})
    mine.zero_grad()
    monkeypatch.undo()
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_step_imports_no_compiler(optimizer):
    script = f"""
import sys
import torch
from engine.optim import Optimizer
from engine.trainspec import TrainSpec
parameter = torch.nn.Parameter(torch.ones(2, 2))
optimizer = Optimizer(TrainSpec.model_validate({{"optimizer": {optimizer!r}}}), [("w", parameter)])
parameter.grad = torch.ones(2, 2)
optimizer.step(0.1)
optimizer.mask_({{"w": torch.eye(2, dtype=torch.bool)}})
optimizer.load_state_dict(optimizer.state_dict())
print(sorted({{"torch._dynamo", "torchvision", "mlflow", "sklearn"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.stdout.strip(), result.returncode) == ("[]", 0), result.stderr
