"""What a ticket is worth on other images: a linear probe of its features, and training it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from inprocess import finish
from torch import nn

from engine.errors import SpecError, Stopped
from engine.evaluations import fine_tune, linear_probe
from engine.images import Images
from engine.rundir import RunDirectory

CLASSES = tuple("abc")


def split(seed: int, count: int = 240, noise: float = 10.0) -> Images:
    """Three classes, each around a corner of a triangle of two pixels."""
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (count,), generator=rng)
    corners = torch.tensor([[50.0, 50.0], [200.0, 50.0], [125.0, 200.0]])
    x = corners[y] + noise * torch.randn(count, 2, generator=rng)
    x = x.clamp(0, 255).round().to(torch.uint8).view(count, 1, 1, 2)
    return Images(x, y, tuple(f"{seed}-{n}" for n in range(count)), CLASSES)


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 3))


def test_a_probe_is_scikit_learn_s_regression_on_scaled_features(context: Any) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train, val, test = split(1, noise=60), split(2, noise=60), split(3, noise=60)
    made = context(network, test, train=train, val=val)
    settings = linear_probe.Settings(strengths=(0.01, 1.0))
    found = linear_probe.evaluate(settings, made)
    x, valued, tested = (one.x.flatten(1).numpy().astype(float) for one in (train, val, test))
    scaler = StandardScaler().fit(x)
    models = [
        LogisticRegression(C=c, max_iter=500).fit(scaler.transform(x), train.y) for c in (0.01, 1.0)
    ]
    scores = [model.score(scaler.transform(valued), val.y) for model in models]
    best = models[scores.index(max(scores))]
    assert found.metrics["val accuracy"] == pytest.approx(max(scores))
    assert found.metrics["test accuracy"] == pytest.approx(
        best.score(scaler.transform(tested), test.y), abs=1 / len(test)
    )
    assert 0.5 < found.metrics["test accuracy"] < 1
    assert found.files["linear_probe.json"]["converged"]


def test_of_two_classes_a_probe_is_scikit_learn_s_too(context: Any) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train, test = (split(seed, noise=60) for seed in (1, 3))
    train, test = (one.subset((one.y > 0).nonzero().flatten()) for one in (train, test))
    made = context(network, test, train=train, val=test)
    found = linear_probe.evaluate(linear_probe.Settings(strengths=(0.001,)), made)
    x, tested = (one.x.flatten(1).numpy().astype(float) for one in (train, test))
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=0.001).fit(scaler.transform(x), train.y)
    score = model.score(scaler.transform(tested), test.y)
    assert found.metrics["test accuracy"] == pytest.approx(score)
    assert found.files["linear_probe.json"]["test accuracy by class"][0] is None


def test_a_probe_stops_within_a_fit(context: Any) -> None:
    ticks = list[int]()

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 4:
            raise Stopped("here")

    made = context(network, split(3), train=split(1, noise=60))
    made = replace(made, around=replace(made.around, tick=tick))
    with pytest.raises(Stopped):
        linear_probe.evaluate(linear_probe.Settings(strengths=(1.0,)), made)
    assert len(ticks) == 4


def test_without_validation_images_some_of_training_pick_the_strength(context: Any) -> None:
    made = context(network, split(3), train=split(1))
    found = linear_probe.evaluate(linear_probe.Settings(), made)
    assert found.metrics["test accuracy"] == 1 and found.metrics["val accuracy"] == 1


def test_a_class_without_test_images_has_no_accuracy(context: Any) -> None:
    test = split(3)
    made = context(network, test.subset((test.y < 2).nonzero().flatten()), train=split(1))
    found = linear_probe.evaluate(linear_probe.Settings(), made)
    assert found.files["linear_probe.json"]["test accuracy by class"] == [1, 1, None]
    assert found.metrics["test balanced"] == 1


@pytest.mark.parametrize("module", [linear_probe, fine_tune])
def test_images_of_other_channels_are_refused(module: Any, context: Any) -> None:
    made = context(network, split(3))
    four = torch.zeros(4, 3, 1, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    coloured = replace(made.splits, train=Images(*four, tuple("wxyz"), CLASSES))
    made = replace(made, around=replace(made.around, images=lambda settings: coloured))
    own = made.subject.spec.data
    with pytest.raises(SpecError, match=r"have 3 channel\(s\), the network takes 1"):
        module.evaluate(module.Settings(data=own), made)


def test_features_are_what_the_classifier_is_given_and_a_ticket_learns_on(
    tiny: Callable[..., Any], run_folder: Callable[..., RunDirectory]
) -> None:
    """Of a real run: its own classifier on its features says what its network says."""
    from engine.experiment import Experiment
    from engine.surroundings import context as make
    from engine.surroundings import surroundings

    directory = run_folder(tiny(keep=["all"]))
    finish(directory)
    quiet: list[Any] = []
    cpu, spec = torch.device("cpu"), directory.spec()
    run = Experiment(directory, spec, cpu, quiet.append, lambda: None, lambda: False, {})
    made = make(surroundings(run.setup, []), 2, 0)
    net = made.net()
    head = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    features = made.around.features(net, made.splits, "test")
    with torch.no_grad():
        torch.testing.assert_close(head(features), made.logits(net, made.splits.test))
    assert not head._forward_pre_hooks
    tuned = fine_tune.evaluate(fine_tune.Settings(epochs=2, lr=0.05), made)
    measures = {f"{split} {name}" for split in ("test", "val") for name in ("accuracy", "balanced")}
    assert tuned.metrics.keys() == measures
    right = made.logits(net, made.splits.test).argmax(1) == made.splits.test.y
    assert tuned.metrics["test accuracy"] > right.double().mean().item()


@pytest.mark.parametrize(("weights", "given"), [("trained", 7.0), ("rewind", 3.0)])
def test_a_ticket_is_trained_on_gently_as_its_run_trains(
    weights: str, given: float, context: Any, tiny: Callable[..., Any]
) -> None:
    """On other images: at a tenth of the rate, for the run's own epochs, once."""
    asked = list[Any]()

    def train(spec: Any, level: Any, data: Any, state: Any, mask: Any) -> nn.Module:
        asked.append((spec, level, data, state["1.weight"][0, 0].item(), mask))
        return network()

    made = context(network, split(3), rewind={"1.weight": torch.full((3, 2), 3.0)})
    ticket = replace(made.subject.ticket, trained={"1.weight": torch.full((3, 2), 7.0)})
    own = {"epochs": 3, "multiplier": 4.0, "optimizer": {"name": "sgd", "lr": 0.5}}
    subject = replace(made.subject, ticket=ticket, spec=tiny(train=own))
    other = replace(made.splits, test=split(4), val=split(5))
    says = list[Images]()

    def logits(net: nn.Module, images: Images, geometry: Any = None) -> torch.Tensor:
        says.append(images)  # of class c it is wrong
        return torch.eye(3)[images.y.where(images.y < 2, 0)]

    around = replace(made.around, train=train, images=lambda data: other, logits=logits)
    made = replace(made, subject=subject, around=around)
    data = made.subject.spec.data.model_copy(update={"per_class": 4})
    found = fine_tune.evaluate(fine_tune.Settings(data=data, weights=weights), made)
    [(spec, level, shown, first, mask)] = asked
    assert (spec.train.optimizer.lr, spec.train.epochs, spec.train.multiplier) == (0.05, 3, 1.0)
    assert (spec.data, spec.seed) == (data, subject.spec.seed) and shown is other
    assert (level.index, level.density, first) == (0, None, given) and mask is made.mask
    assert {one.ids for one in says} == {other.test.ids, other.val.ids}
    right = (other.test.y < 2).double().mean().item()
    assert found.metrics["test accuracy"] == pytest.approx(right)
    assert found.metrics["test balanced"] == pytest.approx(2 / 3)
    fine_tune.evaluate(fine_tune.Settings(epochs=9, lr=2.0), made)
    spec, _, shown, *_ = asked[-1]
    assert (spec.train.optimizer.lr, spec.train.epochs) == (2.0, 9) and shown is made.splits
