"""Averaged weights, sharpness and adversarial images within whole runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from inprocess import run
from stepping import Plain, begun
from torch.nn import functional

from engine import levels, masks
from engine.auxiliary import adversarial
from engine.errors import Stopped
from engine.events import EpochEnded, LevelEnded
from engine.rundir import RunDirectory
from engine.sparsifiers._at_init import SampleSettings, batches
from engine.spec import RunSpec
from engine.training import Training

WAYS: dict[str, dict[str, Any]] = {
    "ema": {"ema": 0.9},
    "sam": {"sam": 0.05},
    "advprop": {"advprop": {"steps": 1}},
}
Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]


def _spec(tiny: Specs, **way: Any) -> RunSpec:
    train = {"epochs": 2, "batch_size": 25, "evaluate": {"every": 1}, **way}
    return tiny(train=train, sparsifier={"name": "imp", "levels": 1, "rewind": "1ep"}, keep=["all"])


def _tickets(directory: RunDirectory) -> list[bytes]:
    return [(folder / levels.TICKET).read_bytes() for folder in sorted(directory.levels.iterdir())]


@pytest.mark.parametrize("way", [*WAYS, "all"])
def test_a_run_stopped_every_few_steps_equals_one_that_was_not(
    way: str, tiny: Specs, run_folder: Folders
) -> None:
    chosen = WAYS["ema"] | WAYS["sam"] | WAYS["advprop"] if way == "all" else WAYS[way]
    spec = _spec(tiny, **chosen)
    whole, torn = run_folder(spec, "whole"), run_folder(spec, "torn")
    run(whole)
    for _ in range(100):
        calls = iter(range(3))
        try:
            run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    assert _tickets(torn) == _tickets(whole)


def test_every_way_gives_other_weights_and_keeps_pruned_ones_zero(
    tiny: Specs, run_folder: Folders
) -> None:
    found = []
    for name, way in {"plain": {}, **WAYS}.items():
        directory = run_folder(_spec(tiny, **way), name)
        run(directory)
        ticket = levels.ticket(directory, 1)
        assert all(bool((ticket.trained[n][~alive] == 0).all()) for n, alive in ticket.mask.items())
        found.append(ticket.trained["conv1.weight"])
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])


def test_the_average_is_scored_kept_and_pruned(
    tiny: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]] = []
    take = Training.take_average

    def watched(self: Training) -> None:
        assert self.average
        states = (self.net.state_dict(), self.average.state)
        ends.append(tuple({n: t.clone() for n, t in s.items()} for s in states))  # type: ignore
        take(self)

    monkeypatch.setattr(Training, "take_average", watched)
    directory = run_folder(_spec(tiny, ema=0.9))
    events = run(directory)
    (last, average), ticket = ends[0], levels.ticket(directory, 0)
    assert not torch.equal(last["conv1.weight"], average["conv1.weight"])
    assert all(torch.equal(ticket.trained[name], t) for name, t in average.items())
    kept = masks.keep_top(
        {n: average[n].abs() for n in ticket.mask}, levels.ticket(directory, 1).mask.kept
    )
    assert kept.same(levels.ticket(directory, 1).mask)
    ended = next(event for event in events if isinstance(event, LevelEnded))
    epochs = [e for e in events if isinstance(e, EpochEnded) and e.level == 0]
    assert epochs[-1].val_accuracy == ended.val_accuracy and epochs[-1].val_loss == ended.val_loss


def test_adversarial_images_have_statistics_of_their_own(tiny: Specs) -> None:
    spec = _spec(tiny, advprop={"steps": 1, "epsilon": 32.0, "step": 32.0})
    training, plain = begun(spec), begun(_spec(tiny))
    for one in (training, plain):
        one.net.train()
        one.take_step(torch.arange(25), Plain(None))
    clean, hard = training.net.bn1.running_mean, training.net.bn1.auxiliary.running_mean
    torch.testing.assert_close(clean, plain.net.bn1.running_mean)
    assert not torch.allclose(clean, hard)
    assert training.spent == pytest.approx(plain.spent * (6 + 2) / 3)
    x = training.inputs(training.augmented(torch.arange(4)))
    training.net.eval()
    with torch.no_grad():
        tested = training.net(x)
        with adversarial(training.net):
            assert not torch.allclose(training.net(x), tested)


def test_the_objective_is_the_mean_of_clean_and_adversarial_images(tiny: Specs) -> None:
    """An attack that cannot move leaves twice the clean gradient, halved."""
    still = {"steps": 1, "epsilon": 1e-6, "step": 1e-6, "start": 0.0}
    training, plain = begun(_spec(tiny, advprop=still)), begun(_spec(tiny))
    for one in (training, plain):
        one.net.train()
        one.take_step(torch.arange(25), Plain(None))
    torch.testing.assert_close(training.tally.loss, plain.tally.loss)
    expected = dict(plain.net.named_parameters())
    for name, parameter in training.net.named_parameters():
        if name in expected and "bn" not in name and "downsample.1" not in name:
            torch.testing.assert_close(parameter, expected[name], rtol=1e-4, atol=1e-6)


def test_a_step_uphill_costs_another_step(tiny: Specs) -> None:
    sharp, plain = begun(_spec(tiny, sam=0.05)), begun(_spec(tiny))
    for one in (sharp, plain):
        one.net.train()
        one.take_step(torch.arange(25), Plain(None))
    assert sharp.spent == 2 * plain.spent
    assert int(sharp.net.bn1.num_batches_tracked) == 2
    torch.testing.assert_close(sharp.net.bn1.running_var, plain.net.bn1.running_var)


def test_mixed_images_are_trained_towards_both_their_classes(tiny: Specs) -> None:
    training = begun(tiny(augmentation={"name": "basic", "mixup": 1.0}))
    plain = begun(tiny())
    for one in (training, plain):
        one.net.train()
    batch, y = training.augmented(torch.arange(25)), training.data.train.y[:25]
    assert batch.mix is not None
    logits = training.net(training.inputs(batch))
    each = functional.cross_entropy(logits, y, reduction="none")
    other = functional.cross_entropy(logits, y[batch.mix.partner], reduction="none")
    expected = (batch.mix.share * each + (1 - batch.mix.share) * other).mean()
    training.take_step(torch.arange(25), Plain(None))
    assert float(training.tally.loss) == pytest.approx(25 * expected.item(), rel=1e-5)


def test_scores_before_training_are_of_images_that_are_not_mixed(tiny: Specs) -> None:
    mixing = begun(tiny(augmentation={"name": "basic", "cutmix": 1.0}, sparsifier="snip"))
    plain = begun(tiny(sparsifier="snip"))
    sample = SampleSettings(images_per_class=2)
    for (x, y, _), (other, classes, _) in zip(
        batches(mixing, sample, 3), batches(plain, sample, 3), strict=True
    ):
        assert torch.equal(x, other) and torch.equal(y, classes)
