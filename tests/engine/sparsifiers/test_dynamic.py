"""Sparse training, step by step: counts, zeros, momentum, and the steps that update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import densities, masks, registry
from engine.epochs import train_level
from engine.errors import SpecError
from engine.images import Batch
from engine.masks import Mask
from engine.plan import Level
from engine.setup import build
from engine.sparsifiers._dynamic import Dynamic
from engine.spec import RunSpec
from engine.training import Training

Specs = Callable[..., RunSpec]
CPU = torch.device("cpu")
SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True}
ADAM = {"name": "adam", "lr": 0.01, "weight_decay": 0.01}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def spec(tiny: Specs) -> Callable[..., RunSpec]:
    """A method that updates its mask at steps 2, 5, 8, 11 and 14 of 20."""

    def make(name: str, optimizer: dict[str, Any] = SGD, **settings: Any) -> RunSpec:
        train = {"epochs": 5, "batch_size": 25, "optimizer": optimizer, "evaluate": {"every": 1}}
        updates = {} if name == "static" else {"interval": "3it"}
        sparsifier = {"name": name, "prunable": "conv+linear", **updates, **settings}
        return tiny(sparsifier=sparsifier, train=train, keep=["all"])

    return make


def _at_start(spec: RunSpec) -> tuple[Training, Any]:
    """A level before its first step, as the engine sets it up."""
    data = registry.load("datasets", spec.data.name).load(spec.data)
    net = build(spec, data, CPU)
    sparsifier = registry.load("sparsifiers", spec.sparsifier.name).Sparsifier(spec.sparsifier)
    ones = masks.ones(masks.prunable(net, spec.prunable))
    level = Level(0, 1.0)
    training = Training(spec, level, data, net, ones, CPU)
    start = {name: t.detach().clone() for name, t in net.state_dict().items()}
    sparsifier.weights_before(level, start, training.rng("start"))
    sparsifier.attach(training)
    training.set_mask(sparsifier.mask_before(training))
    training.start_optimizer(sparsifier)
    return training, sparsifier


def _weights(training: Training) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in training.prunable().items()}


def _memory(training: Training) -> dict[str, list[Tensor]]:
    optimizer = training.optimizer
    return {n: [t.clone() for t in optimizer.buffers(n).values()] for n in training.prunable()}


def _counts(mask: Mask) -> dict[str, int]:
    return {name: int(alive.sum()) for name, alive in mask.items()}


def _drive(training: Training, sparsifier: Any, look: Callable[[int], None]) -> None:
    """Train to the end, looking after every step, at its number from 0."""
    train_level(training, sparsifier, lambda: look(training.position - 1), lambda result: None)


METHODS = [
    ("rigl", {}),
    ("rigl", {"redistribute": "gradient"}),
    ("rigl", {"redistribute": "momentum", "memory": "dense"}),
    ("rigl", {"at": "after", "allocation": "uniform", "regrown": "zero"}),
    ("set", {"memory": "dense", "drop_schedule": "learning_rate"}),
    ("set", {"redistribute": "gradient", "allocation": "er", "keep_dense": "first"}),
    ("snfs", {}),
    ("snfs", {"redistribute": "none", "at": "after"}),
    ("rigl", {"structure": "channel", "grow_init": "sign", "grow_divisor": 100.0}),
    ("set", {"structure": "channel", "redistribute": "gradient"}),
]


@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_counts_zeros_momentum_and_update_steps(
    name: str, settings: dict[str, Any], optimizer: dict[str, Any], spec: Specs
) -> None:
    training, sparsifier = _at_start(spec(name, optimizer, **settings))
    masked = settings.get("memory", "masked") == "masked" and name != "snfs"
    replaces = settings.get("at") != "after"
    blocks = settings.get("structure") == "channel"
    mask, weights, memory = training.mask, _weights(training), _memory(training)
    first, changed = _counts(mask), []
    assert mask.kept == round(0.2 * mask.total) or (blocks and 0 <= mask.total / 5 - mask.kept < 9)

    def look(step: int) -> None:
        nonlocal mask, weights, memory
        now, after = training.mask, _weights(training)
        assert all(bool((after[n][~alive] == 0).all()) for n, alive in now.items())
        if masked:
            kinds = _memory(training)
            assert all(bool((t[~now[n]] == 0).all()) for n, ts in kinds.items() for t in ts)
        if not now.same(mask):
            changed.append(step)
            for n, alive in now.items():
                fresh = alive & ~mask[n]
                if "grow_init" not in settings:
                    assert bool((after[n][fresh] == 0).all())
                if masked:
                    assert all(bool((t[fresh] == 0).all()) for t in _memory(training)[n])
                if replaces:
                    stayed = alive & mask[n]
                    assert torch.equal(after[n][stayed], weights[n][stayed])
                    for old, new in zip(memory[n], _memory(training)[n], strict=True):
                        assert torch.equal(old[stayed], new[stayed])
        if settings.get("redistribute", "momentum" if name == "snfs" else "none") == "none":
            assert _counts(now) == first
        elif not blocks:
            assert now.kept == sum(first.values())
        else:
            assert -9 < now.kept - sum(first.values()) <= 0
        assert all(_counts(now).values())
        mask, weights, memory = now, after, _memory(training)

    _drive(training, sparsifier, look)
    assert changed == [2, 5, 8, 11, 14]
    assert training.position == 20


def test_an_update_moves_nothing_but_what_it_exchanges(spec: Specs) -> None:
    """Biases, norms and everything else stay as they are, too: it takes the step's place."""
    training, sparsifier = _at_start(spec("rigl"))
    before: dict[str, Tensor] = {}

    def look(step: int) -> None:
        now = {n: p.detach().clone() for n, p in training.net.named_parameters()}
        others = [n for n in now if n not in training.mask]
        if step:
            same = all(torch.equal(now[n], before[n]) for n in others)
            assert same == (step in (2, 5, 8, 11, 14))
        before.update(now)

    _drive(training, sparsifier, look)


@pytest.mark.parametrize("at", ["instead", "after"])
def test_weights_grow_where_the_gradients_of_the_updates_batch_are_largest(
    at: str, spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, sparsifier = _at_start(spec("rigl", at=at))
    ids: list[Tensor] = []
    updates: list[int] = []
    compared: set[str] = set()
    augmented, update = Training.augmented, Dynamic._update

    def kept_ids(self: Training, batch: Tensor) -> Batch:
        ids.append(batch)
        return augmented(self, batch)

    def watched(self: Any, training: Training, gradients: dict[str, Tensor]) -> Mask:
        after = update(self, training, gradients)
        updates.append(training.position)
        if at == "instead":  # the weights are still those of the gradients: compute them anew
            twin = build(training.spec, training.data, CPU).train()
            twin.load_state_dict(training.net.state_dict())
            y = training.data.train.y[ids[-1]]
            loss = training.loss(twin(training.inputs(augmented(training, ids[-1]))), y)
            alone = torch.autograd.grad(loss, [dict(twin.named_parameters())[n] for n in after])
            for expected, name in zip(alone, after, strict=True):
                torch.testing.assert_close(gradients[name], expected, rtol=1e-4, atol=1e-6)
        for name, alive in after.items():
            gradient, old = gradients[name].abs(), training.mask[name]
            grown, left = alive & ~old, ~alive & ~old
            if bool(grown.any()) and bool(left.any()):
                assert float(gradient[grown].min()) >= float(gradient[left].max()) > 0
                compared.add(name)
        return after

    monkeypatch.setattr(Training, "augmented", kept_ids)
    monkeypatch.setattr(Dynamic, "_update", watched)
    _drive(training, sparsifier, lambda step: None)
    assert updates == [2, 5, 8, 11, 14]
    assert len(compared) > len(training.mask) / 2


@pytest.mark.parametrize("name", ["static", "set", "snfs", "rigl"])
def test_all_methods_begin_with_the_random_mask_of_the_same_allocation(
    name: str, tiny: Specs
) -> None:
    short = {} if name == "static" else {"interval": "3it"}
    training, _ = _at_start(tiny(sparsifier={"name": name, **short}))
    random, _ = _at_start(tiny(sparsifier={"name": "random", "density": 0.2, "allocation": "erk"}))
    assert training.mask.same(random.mask)


@pytest.mark.parametrize("regrown", ["keep", "zero"])
def test_a_regrown_weight_keeps_its_value_or_starts_from_zero(
    regrown: str, spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where most of a dense layer is dropped, some of it grows again."""
    settings = {"density": 0.9, "alpha": 0.9, "allocation": "uniform", "regrown": regrown}
    training, sparsifier = _at_start(spec("set", **settings))
    again: list[Tensor] = []
    updated = sparsifier.churn.updated

    def watched(before: Mask, stayed: Mask, after: Mask) -> None:
        name, weight = next(iter(training.prunable().items()))
        again.append(weight.detach()[after[name] & before[name] & ~stayed[name]].clone())
        updated(before, stayed, after)

    monkeypatch.setattr(sparsifier.churn, "updated", watched)
    _drive(training, sparsifier, lambda step: None)
    assert len(again) == 5 and all(len(values) for values in again)
    assert all(bool(values.any()) == (regrown == "keep") for values in again)


def test_layers_that_are_full_or_kept_dense_are_left_alone(spec: Specs) -> None:
    settings = {"regrown": "zero", "redistribute": "gradient", "keep_dense": "re:downsample|fc"}
    training, sparsifier = _at_start(spec("rigl", **settings))
    dense = [name for name in training.mask if "downsample" in name or "fc" in name]
    assert len(dense) >= 2
    before = _weights(training)

    def look(step: int) -> None:
        assert all(bool(training.mask[name].all()) for name in dense)
        if step == 2:
            assert all(bool((before[n] != 0).all()) for n in dense)
            for name, weight in _weights(training).items():
                assert name not in dense or bool((weight != 0).all())

    _drive(training, sparsifier, look)


def test_shared_growth_moves_weights_between_layers(spec: Specs) -> None:
    """RigL-SG and -SM send them where live weights' gradients or momenta are large on average."""
    ends = {}
    for how in ("none", "gradient", "momentum"):
        training, sparsifier = _at_start(spec("rigl", redistribute=how))
        first = _counts(training.mask)
        _drive(training, sparsifier, lambda step: None)
        ends[how] = _counts(training.mask)
        assert (ends[how] == first) == (how == "none")
    assert ends["gradient"] != ends["momentum"]


def test_channels_live_as_blocks_and_linear_layers_stay_dense(spec: Specs) -> None:
    training, sparsifier = _at_start(spec("rigl", structure="channel", density=0.5))
    weights = training.prunable()

    def look(step: int) -> None:
        for alive in training.mask.values():
            if alive.ndim == 2:
                assert bool(alive.all())
            else:
                per_block = alive.flatten(2).sum(-1)
                assert set(per_block.unique().tolist()) <= {0, alive[0, 0].numel()}

    look(0)
    shapes = {name: tuple(p.shape) for name, p in weights.items()}
    linear = [name for name, p in weights.items() if p.ndim == 2]
    exact = densities.counts(shapes, 0.5, "erk", dense=linear)
    for name, count in _counts(training.mask).items():
        assert abs(count - exact[name]) < 9
    total = training.mask.total
    assert 0 <= round(total * 0.5) - training.mask.kept < 9
    _drive(training, sparsifier, look)


@pytest.mark.parametrize(("drop_by", "grow_by"), [("mean", "mean"), ("max", "min")])
def test_blocks_go_by_the_magnitude_that_is_asked_for(
    drop_by: str, grow_by: str, spec: Specs
) -> None:
    """By hand, at the first update, for a layer of 3x3 kernels."""
    settings = {"structure": "channel", "drop_by": drop_by, "grow_by": grow_by, "density": 0.5}
    training, sparsifier = _at_start(spec("rigl", allocation="uniform", **settings))
    name = "layer1.0.conv1.weight"
    found: dict[str, Tensor] = {}
    during = sparsifier.mask_during

    def watched(training: Training) -> Any:
        weight = training.prunable()[name]
        found.setdefault("before", training.mask[name])
        if training.position == 2:
            found["weight"] = weight.detach().abs().flatten(2).clone()
            assert weight.grad is not None
            found["gradient"] = weight.grad.abs().flatten(2).clone()
            changed, replaced = during(training)
            found["after"] = changed[name]
            return changed, replaced
        return during(training)

    sparsifier.mask_during = watched
    _drive(training, sparsifier, lambda step: None)
    drop = found["weight"].amax(-1) if drop_by == "max" else found["weight"].mean(-1)
    grow = found["gradient"].amin(-1) if grow_by == "min" else found["gradient"].mean(-1)
    alive = found["before"].flatten(2)[..., 0].flatten().tolist()
    live = sorted((i for i, on in enumerate(alive) if on), key=drop.flatten().tolist().__getitem__)
    # the cosine is at 0.3 / 2 * (1 + cos(2 / 15 * pi)) = 0.287, of 8 blocks
    stayed = set(live[3:])
    free = [i for i in range(len(alive)) if i not in stayed]
    best = sorted(free, key=grow.flatten().tolist().__getitem__, reverse=True)[:3]
    expected = [i in stayed or i in best for i in range(len(alive))]
    assert len(live) == 8
    assert found["after"].flatten(2)[..., 0].flatten().tolist() == expected


@pytest.mark.parametrize(
    "settings", [{"density": 0.002}, {"density": 0.02, "structure": "channel"}]
)
def test_a_density_that_leaves_a_layer_empty_is_refused(
    settings: dict[str, Any], spec: Specs
) -> None:
    with pytest.raises(SpecError, match="leaves nothing of .*; raise the density") as caught:
        _at_start(spec("rigl", allocation="uniform", **settings))
    assert caught.value.at == "sparsifier.density"


def test_what_never_grows_may_begin_with_an_empty_layer(tiny: Specs) -> None:
    """`static` is `random` with other defaults, in this too."""
    settings = {"density": 0.002, "allocation": "uniform"}
    specs = (tiny(sparsifier={"name": name, **settings}) for name in ("static", "random"))
    one, other = (_at_start(spec)[0] for spec in specs)
    assert one.mask.same(other.mask)
    assert not all(bool(alive.any()) for alive in one.mask.values())


def test_updates_do_not_depend_on_the_order_that_a_checkpoint_has_its_layers_in(
    spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for order in (1, -1):
        training, sparsifier = _at_start(spec("set", redistribute="gradient"))
        counts = sparsifier._counts

        def shuffled(training: Training, gradients: Any, o: int = order, c: Any = counts) -> Any:
            training.mask = Mask({n: training.mask[n] for n in list(training.mask)[::o]})
            found = c(training, gradients)
            assert list(found) == list(training.prunable())
            return found

        monkeypatch.setattr(sparsifier, "_counts", shuffled)
        _drive(training, sparsifier, lambda step: None)
        ends.append(training.mask)
    assert ends[0].same(ends[1])
