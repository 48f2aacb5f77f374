"""What every sparsifier must do, whichever it is: a new file is tested by existing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import yaml
from inprocess import finish, run

from engine import levels, registry
from engine.errors import Stopped
from engine.events import Event, LevelEnded, LevelStarted, RunStarted
from engine.images import Images, Splits
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.spec import RunSpec
from lthtui.sources import resolved

NAMES = registry.names("sparsifiers")
# What a method needs to be short, and to be seen at work, on the tiny spec.
SHORT: dict[str, dict[str, Any]] = {
    "continuous": {"rounds": 2, "rewind": "1ep"},
    "dense": {"levels": 1, "rewind": "1ep"},
    "imp": {"levels": 2, "rewind": "1ep"},
    "grasp": {"density": 0.5},
    "magnitude_init": {"density": 0.3},
    "gradual": {"density": 0.3, "interval": "2it"},
    "prac": {"levels": 2, "rewind": "1ep", "window": 1, "min_per_class": 3},
    "random": {"density": 0.3},
    "rigl": {"interval": "3it", "redistribute": "gradient"},
    "set": {"interval": "3it", "at": "after"},
    "snfs": {"interval": "3it"},
    "snip": {"density": 0.5},
    "synflow": {"density": 0.3, "iterations": 10},
}


TIMED = {"seconds", "device_seconds", "joules"}
Folders = Callable[..., RunDirectory]


@pytest.fixture(params=NAMES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def spec(name: str, tiny: Callable[..., RunSpec], request: pytest.FixtureRequest) -> RunSpec:
    settings = SHORT.get(name, {})
    if name == "ticket":
        settings = {"source": request.getfixturevalue("source"), "mask": "same_layer"}
    return tiny(sparsifier={"name": name, **settings}, keep=["all"])


@pytest.fixture
def source(tiny: Callable[..., RunSpec], tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The last ticket of a run, trained once."""
    folder = tmp_path_factory.getbasetemp() / "source" / "runs" / "imp-s0"
    directory = RunDirectory(folder)
    if not folder.exists():
        folder.mkdir(parents=True)
        directory.spec_file.write_text(tiny(keep=["all"]).model_dump_json())
        finish(directory)
    return resolved(Source(directory.run_id, "last"), 0, directory.root)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Whole:
    """A method's uninterrupted run."""

    directory: RunDirectory
    events: list[Event]

    def ended(self) -> list[LevelEnded]:
        return [event for event in self.events if isinstance(event, LevelEnded)]


@pytest.fixture
def whole(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Whole]) -> Whole:
    """Trained once for all tests of a method."""
    if spec.digest not in kept:
        directory = RunDirectory(tmp_path_factory.mktemp("whole") / "runs" / "run-s0")
        directory.path.mkdir(parents=True)
        directory.spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
        kept[spec.digest] = Whole(directory, run(directory))
    return kept[spec.digest]


@pytest.fixture(scope="module")
def kept() -> dict[str, Whole]:
    return {}


def _tickets(directory: RunDirectory) -> list[bytes]:
    return [(folder / levels.TICKET).read_bytes() for folder in sorted(directory.levels.iterdir())]


def test_masks_have_the_planned_density(spec: RunSpec, whole: Whole) -> None:
    started = next(e for e in whole.events if isinstance(e, RunStarted))
    planned = plan(spec, started.images["train"])
    begun = [e for e in whole.events if isinstance(e, LevelStarted)]
    assert len(begun) == len(whole.ended()) == len(planned.levels)
    for event, level in zip(whole.ended(), planned.levels, strict=True):
        mask = levels.mask(whole.directory, level.level.index)
        assert event.kept == mask.kept and event.total == mask.total
        if level.level.density is not None:
            # rounding once per level moves the count by less than one weight per level
            expected = level.level.density * mask.total
            assert abs(mask.kept - expected) <= level.level.index + 1


def test_pruned_weights_are_exactly_zero_and_the_others_trained(whole: Whole) -> None:
    for level in range(len(whole.ended())):
        ticket = levels.ticket(whole.directory, level)
        for name, alive in ticket.mask.items():
            assert bool((ticket.trained[name][~alive] == 0).all())
            assert bool((ticket.rewind[name][~alive] == 0).all())
            assert not torch.equal(ticket.trained[name][alive], ticket.rewind[name][alive])


def test_the_cost_of_a_level_is_bounded_and_that_of_its_ticket_follows_its_mask(
    spec: RunSpec, whole: Whole
) -> None:
    started = next(e for e in whole.events if isinstance(e, RunStarted))
    assert started.flops is not None
    for event in whole.ended():
        assert event.inference_flops is not None and event.training_flops is not None
        assert (event.inference_flops == started.flops) == (event.kept == event.total)
        shown = event.epochs * started.images["train"]
        assert 0 < event.training_flops <= 2 * 3 * started.flops * shown  # scoring included


def test_settings_survive_a_round_trip(spec: RunSpec) -> None:
    again = RunSpec.model_validate(spec.model_dump(mode="json"))
    assert again == spec and again.digest == spec.digest


def test_the_same_seed_gives_the_same_tickets_and_another_seed_others(
    spec: RunSpec, whole: Whole, run_folder: Folders
) -> None:
    same, other = run_folder(spec, "a"), run_folder(spec.model_copy(update={"seed": 1}), "b")
    run(same), run(other)
    assert _tickets(same) == _tickets(whole.directory)
    assert _tickets(other) != _tickets(whole.directory)


def test_a_run_stopped_after_every_few_steps_equals_one_that_was_not(
    spec: RunSpec, whole: Whole, run_folder: Folders
) -> None:
    torn = run_folder(spec, "torn")
    for attempt in range(100):
        calls = iter(range(2 + attempt % 3))  # a few steps per attempt, then stop
        try:
            events = run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    else:
        pytest.fail("the run never ended")
    assert attempt >= 2
    assert _tickets(torn) == _tickets(whole.directory)
    again = Whole(torn, events).ended()  # each attempt reports all levels that are done
    assert [e.model_dump(exclude=TIMED) for e in again] == [
        e.model_dump(exclude=TIMED) for e in whole.ended()
    ]


def test_no_validation_or_test_image_moves_a_weight(
    spec: RunSpec, whole: Whole, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = registry.load("datasets", "digits")
    load = digits.load

    def black(split: Images) -> Images:
        return replace(split, x=torch.zeros_like(split.x), y=split.y.flip(0))

    def poisoned(settings: Any) -> Splits:
        data = load(settings)
        return replace(data, val=black(data.val), test=black(data.test))

    monkeypatch.setattr(digits, "load", poisoned)
    directory = run_folder(spec, "poisoned")
    run(directory)
    assert len(list(directory.levels.iterdir())) == len(whole.ended())
    for level in range(len(whole.ended())):
        found, expected = levels.ticket(directory, level), levels.ticket(whole.directory, level)
        assert found.mask.same(expected.mask)
        for name, weights in expected.trained.items():
            assert torch.equal(found.trained[name], weights)


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
