"""Pruning at initialisation: every score by hand or by an independent formula, and its guards."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from inprocess import run
from torch import Tensor, nn
from torch.nn import functional

from engine import densities, images, levels, masks, registry
from engine.errors import Diverged
from engine.events import LevelEnded, Warned
from engine.plan import Level
from engine.rundir import RunDirectory
from engine.setup import build
from engine.sparsifiers import _at_init, grasp, snip, synflow
from engine.spec import RunSpec
from engine.training import Training

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
Loss = Callable[[Tensor, Tensor], Tensor]


def _small(seed: int = 0) -> nn.Module:
    """A convolutional network with curvature everywhere, in float64."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(),
        nn.Linear(8, 3, bias=False),
    ).double().eval()  # fmt: skip


def _images(count: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    x = torch.rand(count, 1, 4, 4, generator=generator, dtype=torch.float64)
    return x, torch.arange(count) % 3


def _parts(x: Tensor, y: Tensor, *sizes: int) -> list[tuple[Tensor, Tensor, float]]:
    """The same images in batches of these sizes."""
    parts = zip(x.split(sizes), y.split(sizes), strict=True)
    return [(a, b, len(a) / len(x)) for a, b in parts]


def _cool(temperature: float) -> Loss:
    return lambda logits, y: functional.cross_entropy(logits / temperature, y)


def _training(spec: RunSpec, net: nn.Module | None = None) -> Training:
    data = registry.load("datasets", spec.data.name).load(spec.data)
    net = net or build(spec, data, torch.device("cpu"))
    mask = masks.ones(masks.prunable(net, spec.prunable))
    return Training(spec, Level(0, 1.0), data, net, mask, torch.device("cpu"))


def _method(spec: RunSpec) -> Any:
    return registry.load("sparsifiers", spec.sparsifier.name).Sparsifier(spec.sparsifier)


def test_snip_by_hand() -> None:
    net = nn.Linear(2, 1, bias=False).double()
    net.weight.data = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 3.0], [2.0, 1.0]], dtype=torch.float64)
    y = torch.tensor([1.0, 0.0], dtype=torch.float64)
    # outputs -1 and 3, errors -2 and 3; L = mean of squares: dL/dw = (-2, -6) + (6, 3) = (4, -3)
    scores = snip.sensitivity(
        net, ["weight"], _parts(x, y, 2), lambda o, t: (o[:, 0] - t).square().mean()
    )
    # |4 * 2| = 8 and |-3 * -1| = 3
    assert scores["weight"][0].tolist() == pytest.approx([8 / 11, 3 / 11])


def test_snip_is_the_slope_of_the_loss_along_each_connection() -> None:
    net, (x, y) = _small(), _images()
    scores = snip.sensitivity(net, ["0.weight", "4.weight"], _parts(x, y, 4, 2), _cool(1))
    slopes = {}
    for name in scores:
        weights = net.get_parameter(name)
        own, found = weights.detach().clone(), torch.zeros_like(weights)
        for index in range(own.numel()):
            ends = []
            for factor in (1 + 1e-5, 1 - 1e-5):
                weights.data.copy_(own).view(-1)[index] *= factor
                ends.append(_cool(1)(net(x), y).item())
            found.view(-1)[index] = abs(ends[0] - ends[1]) / 2e-5
        weights.data.copy_(own)
        slopes[name] = found.detach()
    whole = sum(slope.sum() for slope in slopes.values())
    for name, slope in slopes.items():
        torch.testing.assert_close(scores[name], slope / whole, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_grasp_is_the_explicit_hessian_times_the_gradient(temperature: float) -> None:
    net, (x, y) = _small(), _images()
    names = ["0.weight", "4.weight"]
    at = {name: net.get_parameter(name).detach() for name in names}
    sizes = [at[name].numel() for name in names]

    def loss(flat: Tensor) -> Tensor:
        parts = dict(zip(names, flat.split(sizes), strict=True))
        weights = {name: part.view_as(at[name]) for name, part in parts.items()}
        logits = torch.func.functional_call(net, weights, (x,))
        return _cool(temperature)(logits, y)

    flat = torch.cat([at[name].flatten() for name in names])
    hessian = torch.autograd.functional.hessian(loss, flat)
    gradient = torch.autograd.functional.jacobian(loss, flat)
    expected = flat * (hessian @ gradient)
    expected /= expected.sum().abs() + 1e-10
    given = _parts(x, y, 4, 2)
    scores = grasp.flow_kept(net, names, lambda passes: iter(given), _cool(temperature))
    found = torch.cat([scores[name].flatten() for name in names])
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


def test_grasp_removes_first_what_raises_the_flow_of_gradients_most() -> None:
    net = nn.Linear(3, 1, bias=False).double()
    net.weight.data = torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64)
    # L = mean of (w_i - t_i)^2 over one-hot inputs: g = 2/3 (w - t), H = 2/3, Hg = 4/9 (w - t)
    x, t = torch.eye(3, dtype=torch.float64), torch.tensor([0.0, 1.0, 5.0], dtype=torch.float64)
    given = _parts(x, t, 3)
    scores = grasp.flow_kept(
        net, ["weight"], lambda passes: iter(given), lambda o, y: (o[:, 0] - y).square().mean()
    )["weight"][0]
    # w * (w - t) = 1, 6, -6, which sum to 1
    assert scores.tolist() == pytest.approx([1, 6, -6])
    flows = []
    for gone in range(3):
        w = net.weight.detach()[0].clone()
        w[gone] = 0
        flows.append(float((2 / 3 * (w - t)).square().sum()))
    assert max(range(3), key=flows.__getitem__) == int(scores.argmin())
    kept = masks.keep_top({"weight": scores}, 2)["weight"]
    assert kept.tolist() == [True, True, False]


def test_synflow_on_a_chain_is_the_product_of_the_paths() -> None:
    net = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    net[0].weight.data = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
    net[2].weight.data = torch.tensor([[-1.0, 2.0], [4.0, 0.25]])
    scores = synflow.flow(synflow.positive(net), ["0.weight", "2.weight"], (3,))
    # a hidden unit passes on |4| + |-1| = 5 and 2.25 of what it gets: 3.5 and 4
    first = [[5.0, 10.0, 2.5], [0.0, 6.75, 2.25]]
    second = [[3.5, 8.0], [14.0, 1.0]]
    assert scores["0.weight"].tolist() == first and scores["2.weight"].tolist() == second
    assert sum(map(sum, first)) == sum(map(sum, second)) == 26.5  # flow is conserved


def test_synaptic_flow_is_conserved_by_every_layer_and_unit() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, bias=False), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(5, 7, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(28, 4, bias=False),
    )  # fmt: skip
    names = [name for name, _ in net.named_parameters()]
    net = synflow.positive(net)
    flow = net(torch.ones(1, 2, 8, 8, dtype=torch.float64)).sum().item()
    scores = synflow.flow(net, names, (2, 8, 8))
    assert [float(s.sum()) for s in scores.values()] == pytest.approx([flow] * 3)
    arriving, leaving = scores["0.weight"].sum((1, 2, 3)), scores["3.weight"].sum((0, 2, 3))
    torch.testing.assert_close(arriving, leaving)


def test_synflow_looks_at_statistics_too_and_never_at_signs() -> None:
    net = _small()
    net[1].running_mean.copy_(torch.tensor([-0.5, 0.25]))
    flipped = deepcopy(net)
    with torch.no_grad():
        for name, tensor in flipped.state_dict().items():
            if "num_batches" not in name:
                tensor.neg_()
    names = ["0.weight", "4.weight"]
    one, other = (synflow.flow(synflow.positive(n), names, (1, 4, 4)) for n in (net, flipped))
    assert all(torch.equal(one[name], other[name]) for name in names)


def test_float32_would_lose_the_flow_of_a_deep_network() -> None:
    layers = [nn.Linear(64, 64, bias=False) for _ in range(40)]
    net = synflow.positive(nn.Sequential(*layers))
    with torch.no_grad():
        for layer in net:
            layer.weight.copy_(torch.rand(64, 64, dtype=torch.float64))
    scores = synflow.flow(net, ["0.weight", "39.weight"], (64,))
    assert float(scores["0.weight"].min()) > torch.finfo(torch.float32).max
    assert all(bool(s.isfinite().all()) for s in scores.values())


def _chain() -> nn.Module:
    """Two wide layers between narrow ones, for digits."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 4, bias=False), nn.ReLU(), nn.Linear(4, 300, bias=False),
        nn.ReLU(), nn.Linear(300, 300, bias=False), nn.ReLU(), nn.Linear(300, 10, bias=False),
    )  # fmt: skip


@pytest.mark.parametrize(("iterations", "empty"), [(1, True), (100, False)])
def test_many_rounds_keep_the_layer_alive_that_one_round_empties(
    iterations: int, empty: bool, tiny: Specs
) -> None:
    """The flow of a layer is split among its weights: the largest has the least for each."""
    settings = {"density": 0.005, "iterations": iterations, "prunable": "re:weight"}
    training = _training(tiny(sparsifier={"name": "synflow", **settings}), _chain())
    mask = _method(training.spec).mask_before(training)
    assert mask.kept == round(0.005 * mask.total)
    assert bool(mask["5.weight"].any()) != empty


def test_a_network_that_pruning_has_cut_apart_is_told_from_one_that_begins_at_zero() -> None:
    scores = {"weight": torch.zeros(4)}
    whole, pruned = (masks.Mask({"weight": torch.arange(4) < kept}) for kept in (4, 3))
    with pytest.raises(Diverged, match="begin at zero"):
        _at_init.check("snip", scores, whole)
    with pytest.raises(Diverged, match="the 3 weights that snip leaves .* raise the density"):
        _at_init.check("snip", scores, pruned)


METHODS = ["grasp", "magnitude_init", "snip", "synflow"]


@pytest.mark.parametrize("allocation", ["global", "erk"])
@pytest.mark.parametrize("name", METHODS)
def test_the_count_is_exact_and_the_network_untouched(
    name: str, allocation: str, tiny: Specs
) -> None:
    settings = {"name": name, "density": 0.137, "allocation": allocation}
    if name in ("snip", "synflow"):
        settings["iterations"] = 7
    training = _training(tiny(sparsifier=settings))
    before = deepcopy(training.net.state_dict())
    mask = _method(training.spec).mask_before(training)
    assert mask.kept == round(0.137 * mask.total)
    for key, tensor in training.net.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    assert all(p.grad is None for p in training.net.parameters())
    if allocation == "erk":
        shapes = {name: tuple(m.shape) for name, m in mask.items()}
        kept = {name: int(m.sum()) for name, m in mask.items()}
        assert kept == densities.counts(shapes, 0.137, "erk")


@pytest.mark.parametrize("name", METHODS)
def test_only_training_images_are_looked_at_and_by_two_methods_none(name: str, tiny: Specs) -> None:
    training, other = (_training(tiny(sparsifier={"name": name})) for _ in range(2))
    broken = replace(other.data.test, x=other.data.test.x.flip(0) // 2, y=other.data.test.y.flip(0))
    other.data = replace(other.data, val=None, test=broken)
    expected = _method(training.spec).mask_before(training)
    assert _method(other.spec).mask_before(other).same(expected)
    train = other.data.train
    other.data = replace(other.data, train=replace(train, x=255 - train.x, y=train.y.flip(0)))
    same = _method(other.spec).mask_before(other).same(expected)
    assert same == (name in ("magnitude_init", "synflow"))


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_scores_in_evaluation_mode_do_not_depend_on_the_batch_size(name: str, tiny: Specs) -> None:
    scores = []
    for batch_size in (100, 7):
        train = {"batch_size": batch_size}
        spec = tiny(sparsifier={"name": name, "mode": "eval"}, augmentation="none", train=train)
        training = _training(spec)
        scores.append(_method(spec).scores(training, deepcopy(training.net)))
    for one, other in zip(scores[0].values(), scores[1].values(), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=float(one.abs().max()) * 1e-4)


def test_every_batch_of_a_sample_is_augmented_by_draws_of_its_own(tiny: Specs) -> None:
    settings = {"name": "snip", "images_per_class": 4}
    spec = tiny(sparsifier=settings, augmentation="basic", train={"batch_size": 20})
    training = _training(spec)
    train = training.data.train
    alike = replace(train, x=train.x[:1].expand_as(train.x).clone())
    training.data = replace(training.data, train=alike)
    first, second = (x for x, _, _ in _at_init.batches(training, spec.sparsifier, 1.0))
    again = next(_at_init.batches(training, spec.sparsifier, 1.0))[0]
    assert torch.equal(first, again) and not torch.equal(first, second)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_snip_in_a_run_scores_the_sample_in_its_mode(mode: str, tiny: Specs) -> None:
    """|gradient * weight| by plain backward passes over the same images in two halves."""
    settings = {"name": "snip", "mode": mode, "images_per_class": 4}
    spec = tiny(sparsifier=settings, augmentation="none", train={"batch_size": 20})
    training = _training(spec)
    found = _method(spec).scores(training, deepcopy(training.net))
    sample = _at_init.draw(training.data.train.y, 4, training.rng("score"))
    plain = images.normalise(training.data.train.x[sample], training.data.geometry)
    net = deepcopy(training.net).train(mode == "train")
    for half in (slice(0, 20), slice(20, 40)):
        y = training.data.train.y[sample[half]]
        (functional.cross_entropy(net(plain[half]), y, reduction="sum") / 40).backward()
    expected = {n: (p.grad * p).abs().detach() for n, p in net.named_parameters() if n in found}
    whole = sum(float(e.sum()) for e in expected.values())
    for name, score in found.items():
        torch.testing.assert_close(score, expected[name] / whole, rtol=1e-3, atol=1e-9)
    assert training.spent == 40 * 3 * training.flops.dense


@pytest.mark.parametrize(("name", "passes"), [("grasp", 100 * 12), ("synflow", 100 * 3)])
def test_scoring_is_charged(name: str, passes: int, tiny: Specs) -> None:
    training = _training(tiny(sparsifier={"name": name}))
    _method(training.spec).mask_before(training)
    assert training.spent == passes * training.flops.dense


def test_magnitude_keeps_the_largest_initial_weights(tiny: Specs) -> None:
    training = _training(tiny(sparsifier={"name": "magnitude_init", "density": 0.4}))
    mask = _method(training.spec).mask_before(training)
    weights = training.prunable()
    kept = torch.cat([weights[n].detach()[m].abs() for n, m in mask.items()])
    gone = torch.cat([weights[n].detach()[~m].abs() for n, m in mask.items()])
    assert gone.max() <= kept.min() and len(kept) == round(0.4 * mask.total)


def test_iterated_snip_scores_what_is_left(tiny: Specs) -> None:
    """Two rounds by hand: to the square root of the density, then the pruned network again."""
    settings = {"name": "snip", "density": 0.25, "iterations": 2}
    spec = tiny(sparsifier=settings)
    training, method = _training(spec), _method(spec)
    found = method.mask_before(training)
    first = masks.keep_top(method.scores(training, deepcopy(training.net)), found.total // 2)
    net = deepcopy(training.net)
    for name, alive in first.items():
        net.get_parameter(name).data.mul_(alive)
    second = masks.keep_top(method.scores(training, net), round(0.25 * found.total), first)
    assert found.same(second)
    once = _method(tiny(sparsifier={**settings, "iterations": 1})).mask_before(training)
    assert not found.same(once)


def test_the_sample_is_balanced_and_takes_all_of_a_small_class() -> None:
    classes = torch.tensor([0] * 50 + [1] * 3 + [3] * 20)
    drawn = _at_init.draw(classes, 10, torch.Generator().manual_seed(0))
    assert drawn.unique().numel() == len(drawn) == 23
    assert torch.bincount(classes[drawn]).tolist() == [10, 3, 0, 10]
    assert classes[drawn][:10].unique().numel() == 3  # batches mix the classes
    other = _at_init.draw(classes, 10, torch.Generator().manual_seed(1))
    assert not torch.equal(drawn, other)


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
def test_scores_that_rank_nothing_are_refused(name: str, tiny: Specs) -> None:
    training = _training(tiny(sparsifier={"name": name}))
    with torch.no_grad():
        training.net.fc.weight.zero_()
    with pytest.raises(Diverged, match=f"scores of {name} are -?0 for every weight"):
        _method(training.spec).mask_before(training)
    with torch.no_grad():
        training.net.fc.weight[0, 0] = math.nan
    with pytest.raises(Diverged, match=f"scores of {name} are infinite or no numbers in conv1"):
        _method(training.spec).mask_before(training)


def test_a_run_trains_under_the_mask_and_says_when_a_layer_is_empty(
    tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "snip", "density": 0.008, "images_per_class": 2}
    directory = run_folder(tiny(sparsifier=settings, train={"epochs": 1, "batch_size": 50}))
    events = run(directory)
    empty = [name for name, m in levels.mask(directory, 0).items() if not bool(m.any())]
    [warned] = [e.message for e in events if isinstance(e, Warned)]
    assert empty and all(name in warned for name in empty)
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    assert ended.kept == round(0.008 * ended.total)
