"""Iterative magnitude pruning: what each level starts from, how long and at what rate it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from inprocess import run
from pydantic import ValidationError

from engine import levels, masks, registry
from engine.durations import Duration
from engine.errors import SpecError, Stopped
from engine.events import EpochEnded, LevelEnded
from engine.optim import learning_rate
from engine.plan import Level, plan
from engine.rundir import RunDirectory
from engine.setup import build
from engine.sparsifiers.imp import Settings, Sparsifier
from engine.spec import RunSpec
from engine.training import Training

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]


def _densities(**settings: Any) -> list[float]:
    return [level.density for level in Sparsifier(Settings(**settings)).levels()]


def _training(spec: RunSpec) -> Training:
    data = registry.load("datasets", spec.data.name).load(spec.data)
    net = build(spec, data, torch.device("cpu"))
    mask = masks.ones(masks.prunable(net, spec.prunable))
    return Training(spec, Level(0, 1.0), data, net, mask, torch.device("cpu"))


def test_densities_by_rate_and_levels() -> None:
    assert _densities() == pytest.approx([0.8**k for k in range(16)])
    assert _densities(rate=0.5, levels=2) == [1.0, 0.5, 0.25]
    assert _densities(levels=0) == [1.0]


def test_a_final_density_solves_the_rate_or_the_levels() -> None:
    assert _densities(density=0.25, levels=2) == pytest.approx([1.0, 0.5, 0.25])
    # 0.8 ** 7 = 0.2097 is above 0.2 and 0.8 ** 8 below: the eighth pruning stops at 0.2
    assert _densities(density=0.2)[-2:] == pytest.approx([0.8**7, 0.2])
    assert len(_densities(density=0.2)) == 9
    assert len(_densities(density=0.8**4)) == 5  # exact powers are not pruned once more
    with pytest.raises(ValidationError, match="two of the three"):
        Settings(density=0.2, rate=0.2, levels=8)


def test_densities_may_fall_in_equal_steps_or_at_once() -> None:
    linear, once = {"density_schedule": "linear"}, {"density_schedule": "one_shot"}
    assert _densities(**linear, density=0.2, levels=4) == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    # two prunings of a half end at a quarter, whichever way
    assert _densities(**linear, rate=0.5, levels=2) == pytest.approx([1, 0.625, 0.25])
    assert _densities(**once, rate=0.5, levels=2) == [1, 0.25]
    assert _densities(**once, density=0.07) == [1, 0.07]
    assert _densities(**once) == pytest.approx([1, 0.8**15])
    assert _densities(**linear, levels=0) == _densities(**once, levels=0) == [1]
    # as many prunings as rate needs to come to 0.5
    assert _densities(**linear, density=0.5) == pytest.approx([1, 0.875, 0.75, 0.625, 0.5])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"density_schedule": "one_shot", "density": 0.1, "levels": 3},
            "leave out rate and levels",
        ),
        (
            {"density_schedule": "one_shot", "density": 0.1, "rate": 0.3},
            "leave out rate and levels",
        ),
        ({"density": 0.1, "min_layer_density": 0.2}, "above the last level's density 0.1"),
        ({"min_layer_density": 0.05}, "above the last level's density 0.03518"),
        ({"stop_below": 0.0}, "stop_below"),
    ],
)
def test_what_cannot_be_had_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**settings)


def test_the_full_length_of_the_paper_runs_past_the_schedules_end(tiny: Specs) -> None:
    spec = tiny(
        sparsifier={"name": "imp", "levels": 1, "rewind": "2ep", "length": "full"},
        train={"epochs": 200, "batch_size": 100},
    )
    planned = plan(spec, 500)  # 5 steps an epoch
    assert (planned.levels[1].first, planned.levels[1].end) == (10, 1010)
    rates = [learning_rate(spec.train, planned.levels[1].first + 5 * e, 5) for e in range(200)]
    # the original code's learning rates after rewinding by two epochs
    assert rates[0] == pytest.approx(0.0999753, abs=1e-7)
    assert rates[197:] == pytest.approx([6.17e-6, 0, 6.17e-6], abs=1e-8)


@pytest.mark.parametrize(
    ("after", "start", "positions"),
    [
        ("rewind", Duration(1), (4, 12)),
        ("lr_rewind", None, (4, 12)),
        ("continue", None, (0, 12)),
        ("finetune", None, (0, 8)),
    ],
)
def test_what_follows_a_pruning(
    after: str, start: Duration | None, positions: tuple[int, int], tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "imp", "levels": 1, "after": after}
    if "rewind" in after:
        settings["rewind"] = "1ep"
    if after == "finetune":
        settings["finetune"] = "2ep"
    spec = tiny(sparsifier=settings, keep=["all"])
    planned = plan(spec, 100).levels[1]
    assert planned.level.start == start and (planned.first, planned.end) == positions
    directory = run_folder(spec)
    epochs = [e for e in run(directory) if isinstance(e, EpochEnded) and e.level == 1]
    dense, pruned = levels.ticket(directory, 0), levels.ticket(directory, 1)
    for name, mask in pruned.mask.items():
        if start is None:
            assert torch.equal(pruned.rewind[name], dense.trained[name] * mask)
        else:
            assert not torch.equal(pruned.rewind[name], dense.trained[name] * mask)
            assert not torch.equal(pruned.rewind[name], dense.rewind[name] * mask)
    last = learning_rate(spec.train, 11, 4)
    rates = {
        "rewind": [learning_rate(spec.train, p, 4) for p in (4, 8)],
        "lr_rewind": [learning_rate(spec.train, p, 4) for p in (4, 8)],
        "continue": [learning_rate(spec.train, p, 4) for p in (0, 4, 8)],
        "finetune": [last, last],
    }[after]
    assert [e.learning_rate for e in epochs] == pytest.approx(rates)


def test_rewinding_to_init_restores_the_initial_weights(tiny: Specs, run_folder: Folders) -> None:
    directory = run_folder(
        tiny(sparsifier={"name": "imp", "levels": 1, "rewind": "init"}, keep=["all"])
    )
    run(directory)
    dense, pruned = levels.ticket(directory, 0), levels.ticket(directory, 1)
    for name, start in dense.rewind.items():
        mask = pruned.mask.get(name)
        assert torch.equal(pruned.rewind[name], start if mask is None else start * mask)


def test_rewinding_by_steps_restores_that_very_step(tiny: Specs, run_folder: Folders) -> None:
    """A run of exactly six steps ends with the weights that a longer one rewinds to."""
    flat = {"schedule": "constant", "batch_size": 25}
    short = tiny(sparsifier="dense", train={**flat, "epochs": 3}, keep=["all"])
    rewound = tiny(
        sparsifier={"name": "imp", "levels": 1, "rewind": "12it"},
        train={**flat, "epochs": 4},
        keep=["all"],
    )
    first, second = run_folder(short, "a"), run_folder(rewound, "b")
    run(first)
    run(second)
    ended, start = levels.ticket(first, 0).trained, levels.ticket(second, 1)
    for name, weights in ended.items():
        mask = start.mask.get(name)
        assert torch.equal(start.rewind[name], weights if mask is None else weights * mask)


def test_the_smallest_weights_go_and_by_layer_each_layer_loses_its_share(
    tiny: Specs, run_folder: Folders
) -> None:
    for scope in ("global", "layer"):
        settings = {"name": "imp", "levels": 1, "rate": 0.3, "scope": scope}
        directory = run_folder(
            tiny(sparsifier={**settings, "rewind": "init"}, keep=["all"]), root=scope
        )
        run(directory)
        dense, mask = levels.ticket(directory, 0), levels.mask(directory, 1)
        kept = torch.cat([dense.trained[n][m].abs() for n, m in mask.items()])
        gone = torch.cat([dense.trained[n][~m].abs() for n, m in mask.items()])
        if scope == "global":
            assert gone.max() <= kept.min()
        else:
            for name, m in mask.items():
                assert abs(int(m.sum()) - 0.7 * m.numel()) < 1
                weights = dense.trained[name].abs()
                assert weights[~m].max() <= weights[m].min()


def _pruned_one_by_one(weights: dict[str, list[float]], kept: int, share: float) -> dict[str, Any]:
    """Take away the smallest weights, one after another, that their layers can do without."""
    living = {name: [True] * len(w) for name, w in weights.items()}
    spare = {name: len(w) - int(share * len(w)) for name, w in weights.items()}
    excess = sum(map(len, weights.values())) - kept
    for _, name, index in sorted(
        (abs(v), n, i) for n, w in weights.items() for i, v in enumerate(w)
    ):
        if excess and spare[name]:
            living[name][index] = False
            spare[name] -= 1
            excess -= 1
    return living


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.29])
def test_no_layer_falls_below_its_share_and_the_total_stays_exact(
    share: float, tiny: Specs
) -> None:
    settings = {"name": "imp", "density": 0.3, "levels": 3, "min_layer_density": share}
    training = _training(tiny(sparsifier=settings))
    with torch.no_grad():  # layers of very different sizes of weights
        for index, p in enumerate(training.prunable().values()):
            p.mul_(2.0 ** (index % 5))
    weights = {n: p.detach().flatten().tolist() for n, p in training.prunable().items()}
    sparsifier = Sparsifier(training.spec.sparsifier)
    planned = sparsifier.levels()
    for level in planned[:-1]:
        training.level = level
        training.set_mask(sparsifier.mask_after(training))
    mask = training.mask
    assert mask.kept == round(0.3 * mask.total)
    expected = _pruned_one_by_one(weights, mask.kept, share)
    assert {n: m.flatten().tolist() for n, m in mask.items()} == expected
    lowest = min(int(m.sum()) / m.numel() for m in mask.values())
    assert lowest < 0.1 if share == 0 else lowest >= share - 1 / 36


def _history(*values: float) -> list[LevelEnded]:
    few: dict[str, Any] = {"density": 1, "kept": 1, "total": 1, "epochs": 1, "seconds": 1}
    return [LevelEnded(level=i, val_accuracy=value, **few) for i, value in enumerate(values)]


def test_a_run_ends_once_a_level_is_clearly_below_the_best() -> None:
    def goes_on(*values: float, **settings: float) -> bool:
        sparsifier = Sparsifier(Settings(**settings))
        history = _history(*values)
        return sparsifier.proceed(history, sparsifier.levels()[-1], lambda e: e.val_accuracy or 0)

    assert goes_on(0.75, 0.5) and goes_on(0.75, 0.0)
    assert goes_on(0.75, 0.625, stop_below=0.25)
    assert not goes_on(0.75, 0.5, stop_below=0.25)
    assert not goes_on(0.5, 0.75, 0.5, stop_below=0.25)  # below the best, not the first
    assert goes_on(0.5, 0.75, 0.5, 0.625, stop_below=0.25)  # only the newest level counts


def test_a_run_that_may_end_early_cannot_pick_a_level_it_may_not_reach(tiny: Specs) -> None:
    settings = {"name": "imp", "levels": 2, "rewind": "1ep", "stop_below": 0.1}
    for level in ("best", "last"):
        plan(tiny(sparsifier=settings, select={"level": level}), 100)
    with pytest.raises(SpecError, match="before level 2 is there to be picked") as error:
        plan(tiny(sparsifier=settings, select={"level": 2}), 100)
    assert error.value.at == "sparsifier.stop_below"


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
def test_levels_stop_by_the_metric_that_selects(
    metric: str, tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "imp", "rate": 0.8, "levels": 4, "rewind": "1ep", "stop_below": 0.02}
    train = {"epochs": 6, "batch_size": 20}
    spec = tiny(sparsifier=settings, train=train, select={"metric": metric})
    assert plan(spec, 100).notes == ("the run ends early at a level 0.02 below the best",)
    directory = run_folder(spec)
    ended = [e for e in run(directory) if isinstance(e, LevelEnded)]
    scores = [getattr(e, f"val_{metric}") for e in ended]
    falls = [max(scores[: i + 1]) - scores[i] >= 0.02 for i in range(len(scores))]
    assert falls == [False] * (len(ended) - 1) + [True] and 1 < len(ended) < 5


@pytest.mark.parametrize("score", ["movement", "taylor", "random"])
def test_other_scores_resume_exactly_and_prune_as_many(
    score: str, tiny: Specs, run_folder: Folders
) -> None:
    settings = {"name": "imp", "levels": 2, "rewind": "1ep", "score": score}
    wanted = tiny(sparsifier=settings, keep=["all"])
    whole, torn = run_folder(wanted, "whole"), run_folder(wanted, "torn")
    events = run(whole)
    while True:
        calls = iter(range(5))
        try:
            run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    plain = run_folder(tiny(keep=["all"]), "plain")
    run(plain)
    for index in range(3):
        files = [d.level(index) / levels.TICKET for d in (whole, torn)]
        assert files[0].read_bytes() == files[1].read_bytes()
        mask, other = levels.mask(whole, index), levels.mask(plain, index)
        assert mask.kept == other.kept
        assert mask.same(other) == (index == 0)
        same = sum(int((m == other[n]).sum()) for n, m in mask.items()) / mask.total
        if score == "random" and index:  # as if the two had nothing to do with one another
            density = mask.density
            assert same == pytest.approx(density**2 + (1 - density) ** 2, abs=0.04)
    assert len([e for e in events if isinstance(e, LevelEnded)]) == 3
