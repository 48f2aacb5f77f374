"""Settings that would do nothing are refused, so that no two specs mean the same run."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine import registry
from engine.sources import Source
from engine.spec import RunSpec

IDLE = [
    ("imp", "finetune", {"finetune": "3ep"}, {"after": "finetune"}),
    ("imp", "length", {"after": "continue", "length": "full"}, {"after": "lr_rewind"}),
    ("dense", "finetune", {"finetune": "3ep"}, {"after": "finetune"}),
    ("random", "power", {"power": 0.5}, {"allocation": "er"}),
    ("snip", "power", {"allocation": "uniform", "power": 0.5}, {"allocation": "erk"}),
    ("static", "power", {"allocation": "uniform", "power": 0.5}, {"allocation": "erk"}),
    ("rigl", "drop_power", {"drop_power": 2.0}, {"drop_schedule": "power"}),
    ("set", "grow_divisor", {"grow_divisor": 2.0}, {"grow_init": "initial"}),
    ("snfs", "drop_by", {"drop_by": "max"}, {"structure": "channel"}),
    ("rigl", "grow_by", {"grow_by": "min"}, {"structure": "channel"}),
    ("prac", "threshold", {"select": "constant", "threshold": 2}, {"select": "zero_out"}),
    ("prac", "data_rate", {"data_rate": 0.3}, {"select": "constant"}),
    ("prac", "wake", {"mask_distance": 0.0, "wake": 0.1}, {"mask_distance": 0.08}),
    ("prac", "window", {"mask_distance": 0.0, "window": 2}, {"mask_distance": 0.08}),
    (
        "ticket",
        "weights_source",
        {"weights": "reinit", "weights_source": Source()},
        {"weights": "trained"},
    ),
]


@pytest.mark.parametrize(("name", "field", "given", "cure"), IDLE)
def test_a_setting_without_effect_is_refused_and_named(name, field, given, cure):
    settings = registry.load("sparsifiers", name).Settings
    with pytest.raises(ValidationError, match=f"{field} has no effect with .*; leave it out") as e:
        settings(**given)
    (error,) = e.value.errors()
    assert error["ctx"]["at"] == field
    assert getattr(settings(**(given | cure)), field) is not None


def test_an_idle_setting_may_stand_at_its_default_as_resolved_specs_write_it():
    settings = registry.load("sparsifiers", "rigl").Settings
    assert settings(drop_power=3.0, grow_divisor=1.0) == settings()


@pytest.mark.parametrize(
    ("field", "data", "given", "cure"),
    [
        ("scale", {"name": "cifar10"}, {"scale": [0.2, 1.0]}, {"crop": "resized"}),
        (
            "scale",
            {"name": "image_folder", "crop": "pad"},
            {"scale": [0.2, 1.0]},
            {"crop": "resized"},
        ),
        ("scale", {"name": "image_folder"}, {"crop": "pad", "scale": [0.2, 1.0]}, {"crop": None}),
        ("pad", {"name": "image_folder"}, {"pad": 4}, {"crop": "pad"}),
        ("pad", {"name": "cifar10"}, {"crop": "resized", "pad": 4}, {"crop": None}),
    ],
)
def test_what_an_augmentation_says_of_the_crop_that_is_not_used_is_refused(
    field, data, given, cure
):
    def spec(**knobs):
        augmentation = {"name": "rand", **knobs}
        return RunSpec.model_validate(
            {"name": "x", "data": data, "model": "resnet20", "augmentation": augmentation}
        )

    with pytest.raises(ValidationError, match=f"{field} has no effect with crop .*; leave") as e:
        spec(**given)
    (error,) = e.value.errors()
    assert error["ctx"]["at"] == f"augmentation.{field}"
    assert spec(**{**given, **cure}).augmentation


@pytest.mark.parametrize(
    ("kind", "name", "field", "one"),
    [
        ("evaluations", "corruptions", "severities", 4),
        ("evaluations", "layer_density", "levels", "last"),
        ("models", "mlp", "hidden", 64),
        ("datasets", "eurosat", "flips", "horizontal"),
    ],
)
def test_one_word_or_number_is_a_list_of_it(kind, name, field, one):
    settings = registry.load(kind, name).Settings
    assert settings(**{field: one}) == settings(**{field: [one]})
    with pytest.raises(ValidationError):
        settings(**{field: None})


def test_a_pair_is_no_list_of_any_length():
    with pytest.raises(ValidationError):
        registry.load("augmentations", "basic").Settings(crop="resized", scale=0.5)
