"""When masks change and by how much: published numbers, brute force, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from engine.durations import Duration
from engine.errors import SpecError
from engine.plan import Level, Planned, plan
from engine.sparsifiers import rigl
from engine.sparsifiers._schedules import Window, drop_fraction, pruned_share
from engine.spec import RunSpec

Specs = Callable[..., RunSpec]


def test_the_cosine_of_rigl() -> None:
    window = Window(0, 1000, 100)
    found = [
        drop_fraction("cosine", 0.3, window.progress(t), 3.0, 1.0) for t in (0, 250, 500, 1000)
    ]
    assert found == pytest.approx([0.3, 0.25607, 0.15, 0.0], abs=5e-6)


@pytest.mark.parametrize(
    ("schedule", "power", "rate", "expected"),
    [
        ("linear", 3.0, 1.0, 0.3),  # 0.4 * (1 - 1/4)
        ("power", 1.0, 1.0, 0.3),
        ("power", 2.0, 1.0, 0.225),  # 0.4 * 9/16
        ("constant", 3.0, 0.1, 0.4),
        ("learning_rate", 3.0, 0.1, 0.04),
    ],
)
def test_other_drop_schedules(schedule: Any, power: float, rate: float, expected: float) -> None:
    assert drop_fraction(schedule, 0.4, 0.25, power, rate) == pytest.approx(expected)


def test_the_densities_of_zhu_and_gupta() -> None:
    window = Window(700, 65918, 100)
    sparsity = [
        0.8 * pruned_share(window.progress(t)) for t in (0, 700, 10_000, 30_000, 50_000, 65_918)
    ]
    assert sparsity == pytest.approx([0, 0, 0.2958, 0.6664, 0.7884, 0.8], abs=5e-5)


@pytest.mark.parametrize(
    "window",
    [
        Window(0, 12, 4), Window(0, 13, 4), Window(0, 11, 4), Window(3, 12, 4), Window(4, 12, 4),
        Window(0, 9, 1), Window(5, 7, 1), Window(5, 7, 10), Window(0, 1, 2), Window(7, 100, 9),
    ],
)  # fmt: skip
def test_updates_are_the_steps_before_a_multiple_of_the_interval(window: Window) -> None:
    steps = range(200)
    expected = [
        t for t in steps if (t + 1) % window.interval == 0 and window.start <= t < window.stop
    ]
    assert [t for t in steps if window.due(t)] == expected
    assert window.updates == len(expected)
    if expected:
        assert window.last == expected[-1]


def test_published_updates_are_at_99_199_and_never_at_0() -> None:
    due = [t for t in range(1000) if Window(0, 750, 100).due(t)]
    assert due == [99, 199, 299, 399, 499, 599, 699]


@pytest.mark.parametrize(
    ("settings", "multiplier", "expected"),
    [
        ({}, 1.0, (0, 75, 100)),
        ({}, 5.0, (0, 375, 100)),  # the interval stays, as published
        ({"start": "1ep", "stop": "4ep5it", "interval": "1ep"}, 1.0, (10, 45, 10)),
        ({"start": "1ep", "stop": "4ep5it", "interval": "1ep"}, 2.0, (20, 90, 10)),
        ({"start": 0.1, "stop": 1.0, "interval": "3it"}, 1.0, (10, 100, 3)),
        ({"start": "3it", "stop": "31it"}, 0.5, (1, 15, 100)),
        ({"start": "1ep", "stop": "3ep"}, 1.5, (15, 45, 100)),  # half epochs too
    ],
)
def test_moments_stretch_with_the_training_and_the_interval_does_not(
    settings: dict[str, Any], multiplier: float, expected: tuple[int, int, int]
) -> None:
    planned = Planned(Level(0, 0.2), 0, int(100 * multiplier))
    window = rigl.Settings(**settings).window(planned, 10, multiplier)
    assert (window.start, window.stop, window.interval) == expected


def test_a_share_is_rounded_down_to_a_step() -> None:
    planned = Planned(Level(0, 0.2), 0, 87_891)
    assert rigl.Settings(stop=0.75).window(planned, 352, 1.0).stop == 65_918  # as RR's settings


@pytest.mark.parametrize("wrong", ["soon", 1.5, -0.1, True, None])
@pytest.mark.parametrize("field", ["start", "stop"])
def test_what_is_no_moment(field: str, wrong: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        rigl.Settings(**{field: wrong})
    [error] = caught.value.errors()
    assert error["loc"] == (field,) and "a share of training, as 0.75" in error["msg"]


def test_moments_survive_a_file() -> None:
    settings = rigl.Settings(start="2ep", stop=1, interval="7it")
    dump = settings.model_dump(mode="json")
    assert (dump["start"], dump["stop"], dump["interval"]) == ("2ep", 1.0, "7it")
    assert rigl.Settings(**{k: v for k, v in dump.items() if k != "name"}) == settings
    assert settings.start == Duration(2) and settings.stop == 1.0


REFUSED = [
    (
        {"interval": "12it"},
        "interval",
        r"interval 12it \(12 steps\) takes the whole training of 12",
    ),
    ({}, "interval", r"interval 100it \(100 steps\) takes the whole training"),
    ({"interval": "init"}, "interval", "at least one step"),
    ({"interval": "1it"}, "interval", "take the place of every step"),
    ({"interval": "6it", "stop": "5it"}, "interval", "the mask would never change"),
    ({"interval": "6it", "start": "6it", "stop": "11it"}, "interval", "never change"),
    ({"interval": "3it", "start": "2ep", "stop": "1ep"}, "stop", r"\(step 4\) does not come after"),
    ({"interval": "3it", "start": 0.5, "stop": 0.5}, "stop", "does not come after start 0.5"),
    ({"interval": "3it", "stop": "13it"}, "stop", "beyond the end of training, 12 steps"),
    ({"interval": "3it", "start": "12it"}, "start", "at or beyond the end of training, 12 steps"),
    ({"interval": "3it", "start": "11it"}, "start", "does not come after start 11it"),
    ({"interval": "9it", "start": "1it", "stop": "8it"}, "interval", "never change"),
    ({"interval": "3it", "density": 1.0}, "density", "nothing to"),
]


@pytest.mark.parametrize("name", ["set", "snfs", "rigl", "gradual"])
@pytest.mark.parametrize(("settings", "field", "why"), REFUSED)
def test_updates_that_cannot_be_are_refused_before_anything_starts(
    name: str, settings: dict[str, Any], field: str, why: str, tiny: Specs
) -> None:
    spec = tiny(sparsifier={"name": name, **settings})
    with pytest.raises(SpecError, match=why) as caught:
        plan(spec, 100)  # 4 steps per epoch, 3 epochs
    assert caught.value.at == f"sparsifier.{field}"


def test_what_is_left_at_its_default_is_not_to_blame(tiny: Specs) -> None:
    spec = tiny(sparsifier={"name": "set", "start": "110it"}, train={"epochs": 200})
    with pytest.raises(SpecError, match="interval, 100it .* would never change") as caught:
        plan(spec, 100)  # 200 steps, the updates from 110 to 150
    assert caught.value.at == "sparsifier.start"


@pytest.mark.parametrize("name", ["set", "snfs", "rigl", "gradual"])
def test_the_plan_says_how_often_the_mask_changes(name: str, tiny: Specs) -> None:
    spec = tiny(sparsifier={"name": name, "interval": "3it", "stop": "11it"})
    [note] = plan(spec, 100).notes  # 4 steps per epoch, 3 epochs: in the steps 3, 6 and 9
    assert note == f"{name}: 3 mask update(s), 3 steps apart, the last in step 9 of 12"


def test_updates_after_every_step_are_possible(tiny: Specs) -> None:
    assert plan(tiny(sparsifier={"name": "set", "interval": "1it", "at": "after"}), 100).steps == 12


@pytest.mark.parametrize(
    ("name", "redistribute", "refused"),
    [
        ("snfs", "none", True), ("snfs", "momentum", True), ("rigl", "momentum", True),
        ("set", "momentum", True), ("rigl", "gradient", False), ("rigl", "none", False),
    ],
)  # fmt: skip
def test_going_by_momentum_needs_some(
    name: str, redistribute: str, refused: bool, tiny: Specs
) -> None:
    sparsifier = {"name": name, "interval": "3it", "redistribute": redistribute}
    for optimizer in ({"name": "adam"}, {"name": "sgd"}):
        plan(tiny(sparsifier=sparsifier, train={"epochs": 3, "optimizer": optimizer}), 400)
    without = {"epochs": 3, "optimizer": {"name": "sgd", "momentum": 0.0}}
    spec = tiny(sparsifier=sparsifier, train=without)
    if refused:
        with pytest.raises(SpecError, match="momentum here, which is 0") as caught:
            plan(spec, 400)
        assert caught.value.at == "train.optimizer.momentum"
    else:
        plan(spec, 400)


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": 1.0}, {"density": 0}, {"density": 1.1}])
def test_shares_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        rigl.Settings(**wrong)


def test_growth_by_momentum_cannot_forget_it(tiny: Specs) -> None:
    with pytest.raises(ValidationError, match="memory"):
        tiny(sparsifier={"name": "snfs", "memory": "masked"})
