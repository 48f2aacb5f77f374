"""What every sparsifier must do, whichever it is: a new file is tested by existing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from inprocess import run

from engine import levels, registry
from engine.errors import Stopped
from engine.events import LevelEnded, LevelStarted, RunStarted
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.spec import RunSpec

NAMES = registry.names("sparsifiers")
# What a method needs to be short, and to be seen at work, on the tiny spec.
SHORT: dict[str, dict[str, Any]] = {
    "imp": {"levels": 2, "rewind": "1ep"},
    "random": {"density": 0.3},
}


@pytest.fixture(params=NAMES)
def spec(request: pytest.FixtureRequest, tiny: Callable[..., RunSpec]) -> RunSpec:
    return tiny(sparsifier={"name": request.param, **SHORT.get(request.param, {})}, keep=["all"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _tickets(directory: RunDirectory) -> list[bytes]:
    return [(folder / levels.TICKET).read_bytes() for folder in sorted(directory.levels.iterdir())]


def test_masks_have_the_planned_density_and_only_shrink_or_stay(
    spec: RunSpec, run_folder: Callable[..., RunDirectory]
) -> None:
    directory = run_folder(spec)
    events = run(directory)
    planned = plan(spec, next(e for e in events if isinstance(e, RunStarted)).images["train"])
    started = [e for e in events if isinstance(e, LevelStarted)]
    ended = [e for e in events if isinstance(e, LevelEnded)]
    assert len(started) == len(ended) == len(planned.levels)
    for event, level in zip(ended, planned.levels, strict=True):
        mask = levels.mask(directory, level.level.index)
        assert event.kept == mask.kept
        # rounding once per level moves the count by less than one weight per level
        expected = level.level.density * mask.total
        assert abs(mask.kept - expected) <= level.level.index + 1
        if event.level:
            before = levels.mask(directory, event.level - 1)
            assert all(bool((before[name] | ~m).all()) for name, m in mask.items())


def test_pruned_weights_are_exactly_zero_and_the_ticket_starts_where_it_says(
    spec: RunSpec, run_folder: Callable[..., RunDirectory]
) -> None:
    directory = run_folder(spec)
    run(directory)
    for folder in sorted(directory.levels.iterdir()):
        ticket = levels.ticket(directory, int(folder.name))
        for name, alive in ticket.mask.items():
            assert bool((ticket.trained[name][~alive] == 0).all())
            assert not torch.equal(ticket.trained[name][alive], ticket.rewind[name][alive])


def test_settings_survive_a_round_trip(spec: RunSpec) -> None:
    again = RunSpec.model_validate(spec.model_dump(mode="json"))
    assert again == spec and again.digest == spec.digest


def test_the_same_seed_gives_the_same_tickets_and_another_seed_others(
    spec: RunSpec, run_folder: Callable[..., RunDirectory]
) -> None:
    other = spec.model_copy(update={"seed": 1})
    runs = [run_folder(spec, "a"), run_folder(spec, "b"), run_folder(other, "c")]
    for directory in runs:
        run(directory)
    assert _tickets(runs[0]) == _tickets(runs[1])
    assert _tickets(runs[0]) != _tickets(runs[2])


def test_a_run_stopped_after_every_few_steps_equals_one_that_was_not(
    spec: RunSpec, run_folder: Callable[..., RunDirectory]
) -> None:
    whole, torn = run_folder(spec, "whole"), run_folder(spec, "torn")
    run(whole)
    for attempt in range(100):
        calls = iter(range(2 + attempt % 3))  # a few steps per attempt, then stop
        try:
            run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    else:
        pytest.fail("the run never ended")
    assert attempt >= 2
    assert _tickets(torn) == _tickets(whole)


def test_levels_are_laid_out_without_torch() -> None:
    code = (
        "import sys\nfrom engine import registry\n"
        "for name in registry.names('sparsifiers'):\n"
        "    module = registry.load('sparsifiers', name)\n"
        "    assert module.Sparsifier(module.Settings()).levels()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
