"""Iterative magnitude pruning: what each level starts from, how long and at what rate it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from inprocess import run
from pydantic import ValidationError

from engine import levels
from engine.durations import Duration
from engine.events import EpochEnded
from engine.optim import learning_rate
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.sparsifiers.imp import Settings, Sparsifier
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]


def _densities(**settings: Any) -> list[float]:
    return [level.density for level in Sparsifier(Settings(**settings)).levels()]


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
    settings = {"name": "imp", "levels": 1, "rewind": "1ep", "after": after, "finetune": "2ep"}
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
