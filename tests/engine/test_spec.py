import json

import pytest
from pydantic import ValidationError

from engine.choice import Choice
from engine.registry import KINDS, load, names
from engine.spec import RunSpec

BASE = {"name": "x", "data": "digits", "model": "resnet20"}

# These digests identify results on people's disks. They must never change: a changed default or
# meaning needs a new `version`, not a new digest here.
GOLDEN = {
    "defaults": (BASE, "7801d70dc47306543af555bd4dd4f0dfb3e544465f54b66bee108c9f77369b94"),
    "all kinds": (
        {
            **BASE,
            "seed": 3,
            "data": {"name": "digits", "per_class": 20, "validation": 300},
            "model": {"name": "resnet20", "width": 16, "shortcut": "B"},
            "sparsifier": {"name": "imp", "rate": 0.2, "levels": 8, "rewind": "2ep"},
            "train": {"epochs": 40, "batch_size": 50, "warmup": "1ep"},
        },
        "077e6b37abef405482bae36cfa1cd1ed558a7bbf90e1ceb8eef02cafbc3c42e7",
    ),
    "other choices": (
        {
            **BASE,
            "augmentation": "none",
            "sparsifier": {"name": "random", "density": 0.1},
            "train": {
                "optimizer": {"name": "adam", "lr": 1e-4},
                "schedule": {"name": "multistep", "milestones": ["80ep", "120ep"]},
            },
            "select": {"level": 0},
        },
        "e2867dd12130ef2d484b2eee1a7482cb6c53c57dec772984c11b9bcbc280f4b0",
    ),
}


@pytest.mark.parametrize(("settings", "digest"), GOLDEN.values(), ids=GOLDEN.keys())
def test_golden_digests(settings, digest):
    assert RunSpec.model_validate(settings).digest == digest


def digest(**changes):
    return RunSpec.model_validate({**BASE, **changes}).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"experiment": "e"},
        {"tags": {"a": "b"}},
        {"launch": {"devices": "cpu", "threads": 4}},
        {"tracking": "off"},
        {"keep": ["all"]},
        {"evaluate": ["layer_density"]},
        {"checkpoint": 5.0},
        {"data": {"name": "digits", "root": "elsewhere"}},
        {"train": {"epochs": 200, "optimizer": {"name": "sgd", "lr": 0.1}}},  # defaults, written
        {"sparsifier": {"name": "imp", "rewind": "2ep0it"}},
        {"augmentation": "basic", "loss": "cross_entropy", "train": {}, "seed": 0},
    ],
)
def test_what_does_not_make_the_result_leaves_the_digest_alone(changes):
    assert digest(**changes) == digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"data": {"name": "digits", "fraction": 0.5}},
        {"data": {"name": "digits", "seed": 1}},
        {"model": {"name": "resnet20", "width": 8}},
        {"model": "resnet32"},
        {"augmentation": "none"},
        {"sparsifier": "dense"},
        {"sparsifier": {"name": "imp", "rewind": "3ep"}},
        {"train": {"optimizer": "adam"}},
        {"select": {"metric": "balanced_accuracy"}},
    ],
)
def test_what_makes_the_result_changes_the_digest(changes):
    assert digest(**changes) != digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"optimizer": {"name": "sgd", "lr": 0.01}}, {"optimizer": {"name": "adam", "lr": 0.01}}),
        (
            {"schedule": {"name": "step", "gamma": 0.5}},
            {"schedule": {"name": "multistep", "gamma": 0.5}},
        ),
        ({"schedule": "constant"}, {"schedule": "multistep"}),
    ],
)
def test_blocks_that_differ_in_their_name_alone_have_other_digests(one, other):
    assert digest(train=one) != digest(train=other)


def test_group_and_family():
    def of(**changes):
        return RunSpec.model_validate({**BASE, **changes})

    assert of(seed=1).group == of(seed=2).group
    assert of(sparsifier="dense").group != of().group
    assert of(sparsifier="dense", seed=1).family == of(seed=2).family
    assert of(model="resnet32").family != of().family


def test_sets_that_are_named_by_their_folder_differ_by_it():
    found = [name for name in names("datasets") if name != "digits"]
    named = [n for n in found if getattr(load("datasets", n).Settings(), "named_by_root", False)]
    assert named == ["image_folder", "image_list", "npz"]
    one, other, moved = (
        digest(data={"name": "image_list", "root": root})
        for root in ("a/birds", "a/fish", "b/birds")
    )
    assert one != other and one == moved


@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_every_choice_have_bounds_descriptions_and_safe_defaults(kind):
    for name in names(kind):
        settings = load(kind, name).Settings
        for key, field in settings.model_fields.items():
            assert field.description, f"{kind}/{name}: {key} has no description"
            assert key != "name"
        made = Choice(kind).resolve(name)
        assert made.name == name
        assert Choice(kind).resolve(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": True},
        {"seed": "1"},
        {"seed": 1.0},
        {"checkpoint": "30"},
        {"checkpoint": float("nan")},
        {"tags": {"a": 1}},
        {"train": {"epochs": "200"}},
        {"train": {"optimizer": {"name": "sgd", "nesterov": "off"}}},
        {"version": 2},
        {"keep": "best"},
        {"name": "a/b"},
        {"name": "a b"},
        {"name": "-a"},
        {"name": "a" * 65},
        {"name": "a\n"},
        {"unknown": 1},
        {"evaluate": ["layer_density", "layer_density"]},
        {"tracking": "http://user:secret@host"},
        {"tracking": "https://host/?token=secret"},
    ],
)
def test_nothing_is_guessed(changes):
    with pytest.raises(ValidationError):
        RunSpec.model_validate({**BASE, **changes})


def test_lists_become_tuples_so_that_a_spec_cannot_change():
    spec = RunSpec.model_validate({**BASE, "keep": ["best"], "launch": {"devices": ["0"]}})
    assert spec.keep == ("best",) and spec.launch.devices == ("0",)
    with pytest.raises(ValidationError, match="frozen"):
        spec.seed = 3


def test_a_spec_survives_json():
    spec = RunSpec.model_validate(GOLDEN["all kinds"][0])
    assert RunSpec.model_validate(json.loads(spec.model_dump_json())) == spec
    assert RunSpec.model_validate(spec.model_dump(mode="json", exclude_defaults=True)) == spec


def test_the_schema_of_a_choice_lists_every_file():
    schema = RunSpec.model_json_schema()["properties"]["sparsifier"]["anyOf"]
    assert schema[0] == {"enum": names("sparsifiers")}
    assert [option["properties"]["name"]["const"] for option in schema[1:]] == names("sparsifiers")
    assert all(option["additionalProperties"] is False for option in schema[1:])


def drawn(sparsifier="imp", seed=0, **data):
    settings = {"data": {"name": "digits", **data}, "seed": seed, "sparsifier": sparsifier}
    return RunSpec.model_validate({**BASE, **settings})


def test_folds_are_repetitions_of_one_group():
    runs = [drawn(seed=seed, folds=3, fold=fold) for fold in range(3) for seed in range(2)]
    assert len({run.digest for run in runs}) == len({run.repetition for run in runs}) == 6
    assert {run.group for run in runs} == {runs[0].group}
    assert [str(run.repetition) for run in runs[1:3]] == ["f0-s1", "f1-s0"]
    assert drawn("dense", folds=3, fold=2).family == runs[0].family
    others = {drawn().group, drawn(folds=4).group, drawn(folds=3, fraction=0.5).group}
    assert len(others | {runs[0].group}) == 4


def test_draws_are_repetitions_of_one_group():
    runs = [
        RunSpec.model_validate({**BASE, "data": {"name": "digits", "per_class": 5, "seed": draw}})
        for draw in range(3)
    ]
    assert len({run.digest for run in runs}) == 3
    assert {run.group for run in runs} == {drawn(per_class=5).group}
    assert {run.family for run in runs} == {drawn("dense", per_class=5).family}
    assert [str(run.repetition) for run in runs] == ["s0", "d1-s0", "d2-s0"]
