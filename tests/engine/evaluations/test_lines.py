"""Lines between networks: barriers by hand, statistics taken anew, copies that part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engine.durations import Duration
from engine.errors import SpecError
from engine.evaluations import _lines, connectivity, instability
from engine.experiment import Experiment
from engine.images import Images, normalise
from engine.plan import Level, Plan, Planned
from engine.sources import Source
from engine.surroundings import surroundings

CLASSES = ("dark", "light")


class Threshold(nn.Module):
    """Says `light` where the only pixel is above `edge`, if `sign` is positive; else `dark`."""

    def __init__(self) -> None:
        super().__init__()
        self.edge, self.sign = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = (x.flatten(1) - self.edge) * self.sign
        return torch.cat([torch.zeros_like(light), light], 1)


def _threshold(edge: float, sign: float) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        net = Threshold()
        net.edge.data.fill_(edge)
        net.sign.data.fill_(sign)
        return net

    return make


@pytest.fixture
def pixels() -> Images:
    """Ten images of one pixel, 5 to 95: those from 50 on are light."""
    x = torch.arange(5, 100, 10, dtype=torch.uint8).view(10, 1, 1, 1)
    return Images(x, (x.flatten() >= 50).long(), tuple(map(str, range(10))), CLASSES)


def test_a_barrier_is_above_the_mean_of_the_ends() -> None:
    assert _lines.barrier((0.1, 0.5, 0.3)) == pytest.approx(0.3)
    assert _lines.barrier((0.1, 0.1, 0.3)) == pytest.approx(0.1)  # no lower than the worse end


def test_errors_along_a_line_are_those_of_the_networks_on_it(context: Any, pixels: Images) -> None:
    made = context(_threshold(50, 1), pixels)
    line = _lines.walk(made, _threshold(10, 1)(), _threshold(90, 1)(), 5)
    assert line.shares == (0, 0.25, 0.5, 0.75, 1)
    assert line.kept == pytest.approx((0.4, 0.2, 0, 0.2, 0.4)) and line.anew == line.kept
    assert line.distance == pytest.approx(80)
    assert line.cosine == pytest.approx((10 * 90 + 1) / (101 * 8101) ** 0.5)
    assert line.metrics()["barrier"] == pytest.approx(0) and line.metrics()["error_of_ends"] == 0.4


def test_networks_that_turn_over_are_parted_by_a_barrier(context: Any, pixels: Images) -> None:
    """From `sign` 1 to -1: in the middle all logits are equal, and all are said to be dark."""
    made = context(_threshold(50, 1), pixels)
    line = _lines.walk(made, _threshold(50, 1)(), _threshold(50, -1)(), 3)
    assert line.kept == (0, 0.5, 1) and _lines.barrier(line.kept) == 0.5


def test_statistics_are_taken_anew_of_the_training_images(context: Any) -> None:
    """As by hand: mean over batches of their means, and of their unbiased variances."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (1201, 2, 3, 3), dtype=torch.uint8, generator=rng)
    images = Images(x, torch.zeros(1201).long(), tuple(map(str, range(1201))), CLASSES)
    asked = list[None]()
    made = context(
        lambda: nn.Sequential(nn.BatchNorm2d(2), nn.Flatten()),
        images,
        tick=lambda: asked.append(None),
    )
    net = made.net()
    net[0].running_mean.fill_(7)
    assert _lines.recalibrate(net, images, made) and not net[0].training
    assert len(asked) == 3  # once a batch, whether to stop
    parts = torch.split(normalise(x, made.splits.geometry), 500)
    assert len(parts) == 3
    means = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)
    spreads = torch.stack([part.transpose(0, 1).flatten(1).var(1) for part in parts]).mean(0)
    torch.testing.assert_close(net[0].running_mean, means)
    torch.testing.assert_close(net[0].running_var, spreads, rtol=1e-5, atol=0)
    assert net[0].momentum == 0.1


class Normalised(nn.Module):
    """Says `light` where the only pixel is above the mean that its normalisation knows."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, affine=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.norm.running_mean.fill_(200)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = self.norm(x).flatten(1) * self.scale
        return torch.cat([torch.zeros_like(light), light], 1)


def test_a_barrier_of_outdated_statistics_goes_with_them(context: Any, pixels: Images) -> None:
    made = context(Normalised, pixels)
    line = _lines.walk(made, Normalised(), Normalised(), 3)
    assert line.kept == (0.5,) * 3 and line.anew == (0,) * 3
    assert line.metrics()["error_of_ends"] == 0


def test_statistics_are_those_of_training_images_as_a_test_shows_them(
    context: Any, pixels: Images
) -> None:
    darker = replace(pixels, x=pixels.x.clamp(max=55))  # on average 40: 45 is then light
    made = context(Normalised, pixels, train=darker)
    assert _lines.walk(made, Normalised(), Normalised(), 3).anew == (0.1,) * 3

    def brighter(batch: Any) -> Any:
        return replace(batch, x=batch.x + 27)  # on average 67: now 55 and 65 are dark

    made = replace(made, around=replace(made.around, plain=brighter))
    assert _lines.walk(made, Normalised(), Normalised(), 3).anew == (0.2,) * 3


def test_a_batch_of_one_image_has_no_statistics(context: Any) -> None:
    x = torch.arange(501).remainder(100).to(torch.uint8).view(501, 1, 1, 1)
    images = Images(x, torch.zeros(501).long(), tuple(map(str, range(501))), CLASSES)
    made = context(Normalised, images)
    net = made.net()
    assert _lines.recalibrate(net, images, made)
    assert net.norm.running_mean.item() == pytest.approx(49.5)  # of the first 500


def test_a_line_leads_from_the_other_network_to_the_ticket(context: Any, pixels: Images) -> None:
    made = context(_threshold(50, 1), pixels, level=1)
    other = replace(made.subject, net=_threshold(90, 1), level=0)
    made = replace(made, around=replace(made.around, kept=(0, 1), at=lambda level: other))
    found = connectivity.evaluate(connectivity.Settings(points=3), made)
    document = found.files["connectivity.json"]
    assert document["share"] == (0, 0.5, 1)
    assert document["error"] == pytest.approx((0.4, 0.2, 0))


def test_the_other_end_is_the_level_before_the_dense_one_or_another_run(
    context: Any, pixels: Images
) -> None:
    made = context(_threshold(50, 1), pixels, level=3, kept=(0, 2, 3))
    asked: list[Any] = []

    def subject(which: Any) -> Any:
        asked.append(which)
        return replace(made.subject, net=_threshold(90, 1))

    made = replace(made, around=replace(made.around, at=subject, other=subject))
    source = Source("other", 1)
    for other in ("before", "dense", source):
        found = connectivity.evaluate(connectivity.Settings(other=other), made)
        assert found.metrics["error_of_ends"] == pytest.approx(0.2)
    assert asked == [2, 0, source]
    first = replace(made, subject=replace(made.subject, level=0))
    assert connectivity.evaluate(connectivity.Settings(), first).metrics == {}
    without = replace(made, around=replace(made.around, kept=(2, 3)))
    with pytest.raises(SpecError, match="has kept no dense ticket"):
        connectivity.evaluate(connectivity.Settings(other="dense"), without)


def test_two_copies_part_where_they_are_told_to(context: Any, pixels: Images) -> None:
    """A level that begins in epoch 1 of 4 trains 3: after one more epoch, two are left."""
    level = Level(1, 0.5, start=Duration(1), at=Duration(1), lasts="rest")
    plan = Plan((Planned(Level(0, 1.0), 0, 40), Planned(level, 10, 40)), 10)
    calls: list[tuple[int, Level, float]] = []

    def train(spec: Any, level: Level, data: Any, state: Any, mask: Any) -> nn.Module:
        calls.append((spec.seed, level, state["edge"].item()))
        return _threshold(state["edge"].item() + 10 * len(calls), 1)()

    start = _threshold(30, 1)().state_dict()
    made = context(_threshold(50, 1), pixels, level=1, plan=plan, rewind=start)
    made = replace(made, around=replace(made.around, train=train))
    at_once, later = (instability.Settings(after=(a,)) for a in (Duration(), Duration(1)))
    found = instability.evaluate(at_once, made)
    assert [(one, edge) for _, one, edge in calls] == [(level, 30), (level, 30)]
    assert calls[0][0] != calls[1][0]  # other noise
    seed = made.subject.spec.seed + 1
    again = replace(made.subject, spec=made.subject.spec.model_copy(update={"seed": seed}))
    instability.evaluate(at_once, replace(made, subject=again))
    assert len({noise for noise, *_ in calls}) == 4  # of each seed its own
    assert found.metrics["distance"] == pytest.approx(10) and found.metrics["stable"] == 0
    calls.clear()
    instability.evaluate(later, made)
    (_, first, _), *copies = calls
    assert (first.at, first.lasts) == (Duration(1), Duration(1))
    assert {(one.at, one.lasts, edge) for _, one, edge in copies} == {
        (Duration(0, 20), Duration(0, 20), 40)
    }
    with pytest.raises(SpecError, match="3ep is not before the end of level 1"):
        instability.evaluate(instability.Settings(after=(Duration(3),)), made)


def test_with_the_run_s_own_noise_a_ticket_is_trained_as_in_the_run(
    tiny: Callable[..., Any], run_folder: Callable[..., Any]
) -> None:
    directory = run_folder(tiny(keep=["all"]))
    quiet: list[Any] = []
    cpu, spec = torch.device("cpu"), directory.spec()
    made = Experiment(directory, spec, cpu, quiet.append, lambda: None, lambda: False, {})
    made.run()
    around = surroundings(made.setup, [finished.ended for finished in made.done])
    ticket, level = around.at(2), made.setup.plan.levels[2].level
    start = ticket.ticket.rewind
    net = around.train(made.setup.spec, level, made.setup.data, start, ticket.mask)
    found = net.state_dict()
    assert all(torch.equal(found[name], t) for name, t in ticket.ticket.trained.items())
    assert ticket.ticket.trained.keys() == found.keys()
