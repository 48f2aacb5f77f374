"""What the shapes of a network rule out, told as a training would tell it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from inprocess import run

from engine import layouts
from engine.errors import SpecError
from engine.registry import load
from engine.rundir import RunDirectory
from engine.spec import RunSpec

# name, settings, what the refusal says, and the field that it blames
IMPOSSIBLE = [
    ("imp", {"prunable": "re:nothing"}, "matches no weights", "prunable"),
    ("continuous", {"prunable": "re:nothing"}, "matches no weights", "prunable"),
    ("dense", {"prunable": "re:nothing"}, "matches no weights", "prunable"),
    ("snip", {"keep_dense": "re:nothing"}, "none of the prunable layers", "keep_dense"),
    ("gradual", {"keep_dense": "first", "density": 1e-3}, "keeps", "keep_dense"),
    ("random", {"keep_dense": "last", "density": 1e-3}, "keeps", "keep_dense"),
    ("static", {"keep_dense": "first", "density": 1e-3}, "keeps", "keep_dense"),
    ("rigl", {"keep_dense": "first", "density": 1e-3}, "keeps", "keep_dense"),
    ("set", {"structure": "channel", "prunable": "re:fc"}, "keeps linear", "structure"),
    ("static", {"structure": "channel", "prunable": "re:fc"}, "keeps linear", "structure"),
    ("rigl", {"density": 3e-4}, "leaves nothing of", "density"),
    ("snfs", {"density": 0.01, "allocation": "uniform"}, "leaves nothing of", "density"),
    ("rigl", {"density": 0.05, "power": 9.0}, "leaves nothing of", "density"),
]

Tiny = Callable[..., RunSpec]
Folder = Callable[[RunSpec], RunDirectory]


def _asked(spec: RunSpec) -> dict[str, Any]:
    parts = {"model": spec.model, "sparsifier": spec.sparsifier}
    return {
        **{name: part.model_dump(mode="json") for name, part in parts.items()},
        "classes": 10,
        "channels": 1,
        "size": 8,
    }


def _method(spec: RunSpec) -> Any:
    return load("sparsifiers", spec.sparsifier.name).Sparsifier(spec.sparsifier)


@pytest.mark.parametrize(("name", "settings", "why", "at"), IMPOSSIBLE)
def test_what_a_training_would_refuse_is_refused_without_it(
    name: str, settings: dict[str, Any], why: str, at: str, tiny: Tiny, run_folder: Folder
) -> None:
    spec = tiny(sparsifier={"name": name, **settings}, train={"epochs": 3, "batch_size": 2})
    assert _method(spec).rests_on_shapes()
    [refusal] = layouts.refusals([_asked(spec)])
    assert refusal is not None and why in refusal["message"]
    assert refusal["at"] == f"sparsifier.{at}"
    with pytest.raises(SpecError) as trained:
        run(run_folder(spec))
    assert str(trained.value) == refusal["message"]


@pytest.mark.parametrize("name", ["imp", "snip", "gradual", "random", "static", "rigl", "dense"])
def test_what_shapes_cannot_rule_out_needs_no_asking(name: str, tiny: Tiny) -> None:
    spec = tiny(sparsifier=name)
    assert not _method(spec).rests_on_shapes()
    assert layouts.refusals([_asked(spec), _asked(spec)]) == [None, None]


def test_a_layer_that_fits_is_no_reason_to_refuse(tiny: Tiny) -> None:
    specs = [
        tiny(sparsifier={"name": "rigl", "keep_dense": "first", "structure": "channel"}),
        tiny(sparsifier={"name": "imp", "prunable": "re:layer[34]"}),
    ]
    assert layouts.refusals(map(_asked, specs)) == [None, None]
