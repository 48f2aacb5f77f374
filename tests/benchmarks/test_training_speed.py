"""Speed of the engine as ratios, each against a baseline in the same run: `pytest -m benchmark -s`.

Machines are noisy: ours and the baseline take turns, and the medians are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from engine import images, machine, masks, registry
from engine.epochs import train_level
from engine.evaluation import score
from engine.images import Geometry, Images, Splits
from engine.plan import Level, plan
from engine.setup import build
from engine.sparsifier import Sparsifier
from engine.spec import RunSpec
from engine.subsets import Subset
from engine.training import Training

pytestmark = pytest.mark.benchmark
CPU = torch.device("cpu")
BATCH, STEPS, TURNS = 100, 5, 7
NETWORKS = [
    pytest.param({"name": "resnet18", "width": 8}, id="resnet18-w8"),
    pytest.param({"name": "resnet20"}, id="resnet20"),
]
CIFAR = Geometry(32, "pad", 4, ("horizontal",), (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.201))


@pytest.fixture(autouse=True)
def as_in_a_worker() -> None:
    """Without kept memory, page faults differ by what else a step holds, and hide its cost."""
    machine.keep_memory()
    torch.set_num_threads(1)


def _spec(model: dict[str, Any], **train: Any) -> RunSpec:
    return RunSpec.model_validate(
        {
            "name": "speed",
            "data": {"name": "cifar10", "validation": "none"},
            "model": model,
            "select": {"split": "test"},
            "train": {"epochs": 1, "batch_size": BATCH, **train},
            "tracking": "off",
        }
    )


def _splits(count: int = BATCH * STEPS) -> Splits:
    """Noise in the shape of CIFAR-10: what is timed does not depend on the pixels."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=rng)
    y = torch.randint(0, 10, (count,), generator=rng)
    ids = tuple(map(str, range(count)))
    split = Images(x, y, ids, tuple("0123456789"))
    return Splits(split, None, split, CIFAR, Subset(ids, ()))


def _training(model: dict[str, Any], density: float) -> tuple[Training, Any]:
    spec, data = _spec(model), _splits()
    net = build(spec, data, CPU)
    scores = {n: p.detach().abs() for n, p in masks.prunable(net, "conv").items()}
    mask = masks.keep_top(scores, round(density * masks.ones(scores).total))
    training = Training(spec, Level(0, 1.0), data, net, mask, CPU)
    sparsifier = registry.load("sparsifiers", "imp").Sparsifier(spec.sparsifier)
    training.start_optimizer(sparsifier)
    return training, sparsifier


def _in_turns(*actions: Callable[[], object]) -> list[float]:
    """Median seconds of each action, run in turns after one turn to warm up."""
    times: list[list[float]] = [[] for _ in actions]
    for turn in range(TURNS + 1):
        for action, seconds in zip(actions, times, strict=True):
            began = time.perf_counter()
            action()
            if turn:
                seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in times]


def _report(name: str, **figures: object) -> None:
    shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
    print(f"\n{name}: {json.dumps(shown)}")


@pytest.mark.parametrize("density", [1.0, 0.1])
@pytest.mark.parametrize("model", NETWORKS)
def test_throughput_against_the_bare_step(model: dict[str, Any], density: float) -> None:
    """An epoch of ours against forward, backward and step on tensors that are ready."""
    training, sparsifier = _training(model, density)
    bare = build(training.spec, training.data, CPU)
    optimizer = torch.optim.SGD(
        bare.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True
    )
    x = images.normalise(training.data.train.x[:BATCH], CIFAR)
    y = training.data.train.y[:BATCH]

    def ours() -> None:
        training.position = 0
        train_level(training, sparsifier, lambda: None, lambda result: None)

    def baseline() -> None:
        for _ in range(STEPS):
            nn.functional.cross_entropy(bare(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()

    mine, theirs = _in_turns(ours, baseline)
    _report("throughput", model=model["name"], density=density, of_bare=theirs / mine)
    assert mine > 0 and theirs > 0


# `ticket` trains as `static` does, and needs the ticket of another run
METHODS = [
    *(pytest.param(n, {}, id=n) for n in registry.names("sparsifiers") if n != "ticket"),
    *(pytest.param("imp", {"score": s}, id=f"imp-{s}") for s in ("movement", "taylor")),
]


def _at_work(name: str, **knobs: Any) -> Callable[[], object]:
    """An epoch of a method under a mask, if it has one, far from any update of it."""
    spec = _spec({"name": "resnet18", "width": 8}, multiplier=1000.0)
    settings = registry.load("sparsifiers", name).Settings(**knobs)
    spec = spec.model_copy(update={"sparsifier": settings})
    data = _splits()
    sparsifier: Sparsifier[Any] = registry.load("sparsifiers", name).Sparsifier(settings)
    level = plan(spec, len(data.train)).levels[0].level
    net = build(spec, data, CPU)
    ones = masks.ones(masks.prunable(net, spec.prunable))
    training = Training(spec, level, data, net, ones, CPU)
    sparsifier.attach(training)
    mask = sparsifier.mask_before(training)
    if mask.kept == mask.total and name not in ("dense", "continuous"):  # pruned later on
        scores = {n: p.detach().abs() for n, p in training.prunable().items()}
        mask = masks.keep_top(scores, round(0.1 * mask.total))
    training.set_mask(mask)
    training.start_optimizer(sparsifier)
    assert training.planned.end >= STEPS
    training.planned = type(training.planned)(level, 0, STEPS)

    def epoch() -> None:
        training.position = 0
        train_level(training, sparsifier, lambda: None, lambda result: None)

    return epoch


@pytest.mark.parametrize(("name", "knobs"), METHODS)
def test_a_step_of_each_method_against_a_dense_one(name: str, knobs: dict[str, Any]) -> None:
    mine, dense = _in_turns(_at_work(name, **knobs), _at_work("dense"))
    speed = BATCH * STEPS / mine
    _report("step", method=name, **knobs, of_dense=mine / dense, images_per_second=speed)
    assert mine > 0 and dense > 0


@pytest.mark.parametrize("model", NETWORKS)
def test_speed_against_a_plain_loop(model: dict[str, Any]) -> None:
    """Ours against the loop people write: workers, per-image transforms, torch's own pruning."""
    from torchvision import transforms

    training, sparsifier = _training(model, 0.1)
    data = training.data

    class Pictures(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
        change = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(CIFAR.mean, CIFAR.std),
            ]
        )

        def __len__(self) -> int:
            return len(data.train)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return self.change(data.train.x[index]), int(data.train.y[index])

    plain = build(training.spec, data, CPU).to(memory_format=torch.contiguous_format)
    layers = [(m, "weight") for m in plain.modules() if isinstance(m, nn.Conv2d)]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=0.9)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    loader = torch.utils.data.DataLoader(Pictures(), BATCH, shuffle=True, num_workers=2)

    def ours() -> None:
        training.position = 0
        train_level(training, sparsifier, lambda: None, lambda result: None)
        score(training.net, data.test, CIFAR, training.judge())

    def theirs() -> None:
        plain.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(plain(x), y).backward()
            optimizer.step()
        plain.eval()
        with torch.no_grad():
            for x, y in torch.utils.data.DataLoader(Pictures(), BATCH, num_workers=2):
                (plain(x).argmax(1) == y).sum().item()

    mine, other = _in_turns(ours, theirs)
    _report("plain loop", model=model["name"], times_faster=other / mine)
    assert mine > 0 and other > 0


@pytest.mark.parametrize("model", NETWORKS)
def test_keeping_freed_memory_against_giving_it_back(model: dict[str, Any]) -> None:
    """Steps in a process that keeps memory, as the worker does, against one that doesn't."""
    code = (
        f"import sys, time\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_training_speed as speed\nfrom engine import machine\n"
        f"keep, model = sys.argv[1] == 'keep', {model!r}\n"
        "machine.keep_memory() if keep else None\nspeed.torch.set_num_threads(1)\n"
        "training, sparsifier = speed._training(model, 0.1)\nids = speed.torch.arange(100)\n"
        "for step in range(16):\n"
        "    began = time.perf_counter() if step == 4 else began if step else 0\n"
        "    training.take_step(ids, sparsifier)\n"
        "print(time.perf_counter() - began)\n"
    )
    times: dict[str, list[float]] = {"keep": [], "give back": []}
    for _ in range(3):
        for how, seconds in times.items():
            command = [sys.executable, "-c", code, how]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(float(done.stdout))
    keep, give = (statistics.median(seconds) for seconds in times.values())
    _report("allocator", model=model["name"], times_faster=give / keep)
    assert keep > 0 and give > 0


def test_time_to_the_first_step_against_a_bare_import_of_torch(tmp_path: Path) -> None:
    """From process start to the first step of the worker, against `import torch`."""
    spec = {
        "name": "start",
        "data": {"name": "digits", "per_class": 20},
        "model": {"name": "resnet20", "width": 4},
        "train": {"epochs": 1},
        "sparsifier": "dense",
        "tracking": "off",
    }
    (tmp_path / "runs" / "start").mkdir(parents=True)
    (tmp_path / "runs" / "start" / "spec.yaml").write_text(json.dumps(spec))
    worker = (
        "import os, sys\nfrom engine import training, worker\n"
        "first = training.Training.take_step\n"
        "def step(*arguments):\n    first(*arguments)\n    os._exit(0)\n"
        "training.Training.take_step = step\n"
        f"worker.main({str(tmp_path / 'runs' / 'start')!r})\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(code: str) -> Callable[[], object]:
        command = [sys.executable, "-c", code]
        return lambda: subprocess.run(command, env=environment, capture_output=True, check=True)

    mine, bare = _in_turns(run(worker), run("import torch"))
    _report("first step", of_import_torch=mine / bare, seconds=mine)
    assert mine > 0 and bare > 0
