"""Trainings without pruning: the null control of every method starts and lasts as the method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from inprocess import run
from pydantic import ValidationError

from engine import levels, registry
from engine.durations import Duration
from engine.errors import SpecError
from engine.plan import Plan, plan
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.sparsifiers import dense, ticket
from engine.spec import RunSpec

Specs = Callable[..., RunSpec]
Folders = Callable[..., RunDirectory]
IMAGES = 100  # in batches of 25 for 6 epochs: 24 steps
SEVERAL: list[dict[str, Any]] = [
    {"name": name, "levels": 3, **settings, **more}
    for name in ("imp", "prac")
    for more in ([{}] if name == "imp" else [{}, {"schedule": "restart"}, {"retrain": "none"}])
    for settings in (
        {},
        {"rewind": "init"},
        {"rewind": "5it", "length": "full"},
        {"after": "lr_rewind"},
        {"after": "lr_rewind", "length": "full", "rewind": "1ep"},
        {"after": "finetune", "finetune": "7it"},
        {"after": "continue"},
        {"order": "replay"},
        {"density": 0.1, "density_schedule": "linear"},
    )
] + [
    {"name": "continuous", "rounds": rounds, "length": length, "rewind": rewind}
    for rounds in (1, 2, 4)
    for length in ("full", "exact")
    for rewind in ("init", "5it", "2ep")
]
OTHERS = sorted({*registry.names("sparsifiers")} - {"imp", "prac", "continuous", "dense", "ticket"})
ONCE = {"interval": "3it"}


def trainings(planned: Plan) -> list[tuple[Any, ...]]:
    return [
        (one.first, one.end, one.level.start, one.level.learning_rate) for one in planned.levels
    ]


@pytest.mark.parametrize("settings", SEVERAL, ids=str)
def test_the_null_of_several_trainings_starts_and_lasts_as_they_do(
    settings: dict[str, Any], tiny: Specs
) -> None:
    source = tiny(sparsifier=settings, train={"epochs": 6, "batch_size": 25})
    planned = plan(source, IMAGES)
    null = dense.null(source.sparsifier, len(planned.levels))
    made = plan(source.model_copy(update={"sparsifier": null}), IMAGES)
    assert trainings(made) == trainings(planned) and made.steps == planned.steps
    assert {one.level.density for one in made.levels} == {1.0}
    assert [one.level.stream for one in made.levels] == [one.level.stream for one in planned.levels]
    assert tiny(sparsifier=null.model_dump(mode="json", exclude_defaults=True)).sparsifier == null


@pytest.mark.parametrize("order", ["fresh", "replay"])
def test_a_replayed_training_without_pruning_is_the_first_one_again(
    order: str, tiny: Specs, run_folder: Folders
) -> None:
    """From the rewind point on: the same images in the same order, augmented alike."""
    dense = {"name": "dense", "levels": 1, "rewind": "5it", "order": order}
    optimizer = {"name": "sgd", "lr": 0.1, "momentum": 0}  # which rewinding forgets
    train = {"epochs": 3, "batch_size": 25, "optimizer": optimizer}
    directory = run_folder(tiny(sparsifier=dense, train=train, augmentation="basic", keep=["all"]))
    run(directory)
    first, again = (levels.ticket(directory, level).trained for level in (0, 1))
    same = all(torch.equal(first[name], again[name]) for name in first)
    assert same is (order == "replay")


@pytest.mark.parametrize("name", OTHERS)
def test_the_null_of_one_training_is_dense(name: str, tiny: Specs) -> None:
    fields = registry.load("sparsifiers", name).Settings.model_fields
    settings = {"name": name, **{k: v for k, v in ONCE.items() if k in fields}}
    source = tiny(sparsifier=settings, train={"epochs": 6, "batch_size": 25})
    planned = plan(source, IMAGES)
    assert dense.null(source.sparsifier, 1) == dense.Settings()
    made = plan(source.model_copy(update={"sparsifier": dense.Settings()}), IMAGES)
    assert trainings(made) == trainings(planned)


def test_a_null_is_written_as_plainly_as_it_can_be(tiny: Specs) -> None:
    for settings, wanted in (
        ({"name": "imp", "levels": 3, "rate": 0.5}, {"levels": 3}),
        ({"name": "prac", "levels": 3}, {"levels": 3}),
        ({"name": "prac", "levels": 3, "after": "continue", "schedule": "restart"},
         {"levels": 3, "after": "continue"}),
        ({"name": "prac", "levels": 3, "schedule": "restart"}, {"levels": 3,
                                                               "schedule": "restart"}),
        ({"name": "continuous"}, {"levels": 3, "rounds": 3, "schedule": "restart"}),
        ({"name": "continuous", "rounds": 1, "length": "exact"}, {"levels": 1}),
    ):  # fmt: skip
        source = tiny(sparsifier=settings).sparsifier
        trained = len(registry.load("sparsifiers", source.name).Sparsifier(source).levels())
        made = dense.null(source, trained).model_dump(mode="json", exclude_defaults=True)
        assert made == {"name": "dense", **wanted}


def test_the_null_of_a_run_that_ended_early_is_as_short(tiny: Specs) -> None:
    source = tiny(sparsifier={"name": "imp", "levels": 9, "stop_below": 0.1}).sparsifier
    assert dense.null(source, 4) == dense.Settings(levels=3)


def test_a_ticket_has_a_null_only_if_it_is_trained_from_the_schedules_beginning() -> None:
    whole = ticket.Settings(source=Source("a", at="init", lasts="whole"))
    assert dense.null(whole, 1) == dense.Settings()
    with pytest.raises(SpecError, match="where dense starts none"):
        dense.null(ticket.Settings(source=Source("a", at="2ep", lasts="rest")), 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rewind", "1ep"),
        ("after", "finetune"),
        ("after", "lr_rewind"),
        ("length", "full"),
        ("order", "replay"),
        ("schedule", "restart"),
    ],
)
def test_what_only_later_trainings_have_needs_some(field: str, value: str, tiny: Specs) -> None:
    plan(tiny(sparsifier={"name": "dense", "levels": 1, "rewind": "1ep"}), IMAGES)
    stored = tiny(sparsifier={"name": "dense", field: value})  # older specs can still be read
    with pytest.raises(SpecError, match=f"{field} has no effect without levels") as caught:
        plan(stored, IMAGES)
    assert caught.value.at == f"sparsifier.{field}"


@pytest.mark.parametrize(
    "settings",
    [
        {"levels": 0, "rewind": "1ep", "order": "replay"},
        {"levels": 1, "rewind": "1ep", "after": "finetune"},
    ],
)
def test_the_null_of_what_had_idle_settings_has_none(settings: dict[str, Any], tiny: Specs) -> None:
    source = registry.load("sparsifiers", "imp").Settings.model_validate(settings)
    planned = plan(tiny(sparsifier=dense.null(source, settings["levels"] + 1)), IMAGES)
    assert len(planned.levels) == settings["levels"] + 1


def test_rounds_go_on_with_the_weights_they_have() -> None:
    made = dense.Sparsifier(dense.Settings(levels=3, rounds=3, rewind="1ep")).levels()
    assert [one.start for one in made] == [Duration(), None, None, Duration(1)]
    assert [one.lasts for one in made] == ["whole", "whole", "whole", "rest"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"levels": 1, "rounds": 3}, "3 rounds are more than the 2 trainings"),
        ({"levels": 1, "schedule": "restart", "length": "full"}, "length has no effect"),
        ({"levels": 1, "schedule": "restart", "after": "continue"}, "schedule has no effect"),
    ],
)
def test_what_would_have_no_effect_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        dense.Settings.model_validate(settings)
