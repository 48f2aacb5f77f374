"""A run's spec survives its own file, which is a spec too."""

from __future__ import annotations

import pytest
import yaml

from engine.registry import load as load_choice
from engine.registry import names
from engine.spec import RunSpec
from lthtui import yamlfile
from lthtui.specfiles import load, write


def some_specs():
    """A spec for each choice of each kind, and some with all that is unusual."""
    base = {"name": "x", "data": "digits", "model": "resnet20"}
    all_pruned = {"sparsifier": {"name": "imp", "prunable": "conv+linear"}}
    for name in names("models"):
        yield {**base, "model": name, **all_pruned}
    fields = {
        "datasets": "data",
        "augmentations": "augmentation",
        "losses": "loss",
        "sparsifiers": "sparsifier",
    }
    for kind, field in fields.items():
        for name in names(kind):
            if all(
                not f.is_required() for f in load_choice(kind, name).Settings.model_fields.values()
            ):
                yield {**base, field: name}
    for name in names("evaluations"):
        yield {**base, "evaluate": [name]}
    for schedule in ("cosine", "multistep", "step", "constant"):
        yield {**base, "train": {"schedule": schedule, "optimizer": "adam", "warmup": "1ep30it"}}
    yield {**base, "tags": {"a": "off", "b": "1e-3", "c": "ü\u202e\x1b[2J\n 'x': #", "d": ""}}
    yield {**base, "launch": {"devices": ["0", "GPU-1e3"]}, "keep": ["all"], "seed": 2**32 - 1}
    yield {**base, "train": {"optimizer": {"name": "sgd", "lr": 1e-7, "weight_decay": 1e-300}}}
    yield {**base, "data": {"name": "digits", "validation": 0.25, "root": "a b/'c'\": #"}}


@pytest.mark.parametrize(
    "settings", list(some_specs()), ids=lambda s: str(list(s.items())[3:])[:60]
)
def test_a_run_round_trips_through_its_file(settings):
    spec = RunSpec.model_validate(settings)
    text = write(spec)
    again = RunSpec.model_validate(yamlfile.parse(text, "spec.yaml").data)
    assert again == spec
    assert again.digest == spec.digest and again.group == spec.group
    assert write(again) == text
    assert RunSpec.model_validate(yaml.safe_load(text)) == spec  # as the worker reads it


def test_a_run_folder_is_a_spec_too(folder):
    [run] = load("good", ["seed=5", "name=a"])
    (folder / "mlruns" / "runs" / "id").mkdir(parents=True)
    (folder / "mlruns" / "runs" / "id" / "spec.yaml").write_text(write(run))
    assert load("mlruns/runs/id") == [run]
    assert load("mlruns/runs/id/spec.yaml") == [run]
    assert [r.seed for r in load("mlruns/runs/id", ["seeds=0..2"])] == [0, 1, 2]
