"""What the shapes of a network rule out, told as a training would tell it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import run

from engine import layouts, masks, tickets
from engine.errors import SpecError
from engine.registry import load
from engine.rundir import RunDirectory
from engine.setup import build_for
from engine.sources import Source
from engine.spec import RunSpec
from engine.tickets import Ticket
from lthtui.sources import resolved

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


MLP = {"model": {"name": "mlp", "hidden": [4, 4]}, "loss": "cross_entropy"}
VIT = {"model": {"name": "vit_small", "patch": 4, "width": 1}, "loss": "cross_entropy"}
GREY, COLOUR, LARGE, CLASSES = (10, 1, 8), (10, 3, 8), (10, 1, 16), (7, 1, 8)


def _asked(spec: RunSpec, shape: tuple[int, int, int] = GREY) -> dict[str, Any]:
    parts = ("model", "loss", "start", "sparsifier")
    return {
        **{name: getattr(spec, name).model_dump(mode="json") for name in parts},
        **dict(zip(("classes", "channels", "size"), shape, strict=True)),
    }


def _ticket(folder: Path, spec: RunSpec) -> Source:
    """A ticket of all weights that may be pruned, which was made with small grey digits."""
    net = build_for(spec)
    mask = masks.ones(masks.prunable(net, spec.prunable))
    one, other = (tickets.masked(net.state_dict(), mask) for _ in range(2))
    card = {"spec": tickets.settings(spec), "level": None}
    path = folder / "ticket.safetensors"
    path.write_bytes(tickets.serialise(Ticket(mask, one, other, card))[0])
    return resolved(Source(path=str(path)), 0, folder)


def _method(spec: RunSpec) -> Any:
    return load("sparsifiers", spec.sparsifier.name).Sparsifier(spec.sparsifier)


@pytest.mark.parametrize(("name", "settings", "why", "at"), IMPOSSIBLE)
def test_what_a_training_would_refuse_is_refused_without_it(
    name: str, settings: dict[str, Any], why: str, at: str, tiny: Tiny, run_folder: Folder
) -> None:
    spec = tiny(sparsifier={"name": name, **settings}, train={"epochs": 3, "batch_size": 2})
    assert _method(spec).rests_on_shapes(spec)
    [refusal] = layouts.refusals([_asked(spec)])
    assert refusal is not None and why in refusal["message"]
    assert refusal["at"] == f"sparsifier.{at}"
    with pytest.raises(SpecError) as trained:
        run(run_folder(spec))
    assert str(trained.value) == refusal["message"]


@pytest.mark.parametrize("name", ["imp", "snip", "gradual", "random", "static", "rigl", "dense"])
def test_what_shapes_cannot_rule_out_needs_no_asking(name: str, tiny: Tiny) -> None:
    spec = tiny(sparsifier=name)
    assert not _method(spec).rests_on_shapes(spec)
    assert layouts.refusals([_asked(spec), _asked(spec)]) == [None, None]


def test_a_layer_that_fits_is_no_reason_to_refuse(tiny: Tiny) -> None:
    specs = [
        tiny(sparsifier={"name": "rigl", "keep_dense": "first", "structure": "channel"}),
        tiny(sparsifier={"name": "imp", "prunable": "re:layer[34]"}),
    ]
    assert layouts.refusals(map(_asked, specs)) == [None, None]


@pytest.mark.parametrize(
    ("fields", "prunable", "shape", "why"),
    [
        ({}, "conv", COLOUR, "conv1.weight is [4, 1, 3, 3] there, [4, 3, 3, 3] here"),
        ({}, "conv-no-first", COLOUR, None),
        ({}, "conv+linear", CLASSES, "fc.weight is [10, 16] there, [7, 16] here"),
        ({}, "conv", CLASSES, None),
        ({}, "conv", LARGE, None),
        (MLP, "linear", LARGE, "layers.0.weight is [4, 64] there, [4, 256] here"),
        (MLP, "re:layers.2", LARGE, None),
        (VIT, "linear", LARGE, None),  # positions are no weights that a mask covers
    ],
)
def test_a_mask_fits_other_images_where_what_they_shape_is_not_masked(
    fields: dict[str, Any],
    prunable: str,
    shape: tuple[int, int, int],
    why: str | None,
    tiny: Tiny,
    tmp_path: Path,
) -> None:
    source = _ticket(tmp_path, tiny(sparsifier={"name": "imp", "prunable": prunable}, **fields))
    taken = {"name": "ticket", "source": source}
    for sparsifier in (taken, {"name": "rigl", "source": source, "prunable": prunable}):
        spec = tiny(sparsifier=sparsifier, data={"name": "digits", "per_class": 5}, **fields)
        assert _method(spec).rests_on_shapes(spec)
        [refusal] = layouts.refusals([_asked(spec, shape)])
        assert (refusal is None) == (why is None)
        if refusal is not None:
            assert why in refusal["message"] and refusal["at"] == "sparsifier.source"


def test_a_mask_of_a_pretraining_fits_where_no_head_is_masked(tiny: Tiny, tmp_path: Path) -> None:
    for which, why in (("linear", None), ("conv+linear", "fc.weight is not masked there")):
        pruned = {"name": "imp", "prunable": which, "rewind": "init"}
        before = tiny(**{**MLP, "loss": "nt_xent", "sparsifier": pruned})
        spec = tiny(sparsifier={"name": "ticket", "source": _ticket(tmp_path, before)}, **MLP)
        assert _method(spec).rests_on_shapes(spec)
        [refusal] = layouts.refusals([_asked(spec)])
        assert (refusal is None) if why is None else (refusal and why in refusal["message"])


@pytest.mark.parametrize(
    ("fields", "shape", "why"),
    [
        (VIT, LARGE, "(pos_embed); give this spec the model that they are of"),
        (VIT, COLOUR, None),
        (MLP, LARGE, None),  # the first layer may be drawn anew
        ({"model": "lenet5"}, (10, 1, 64), "(layers.0.weight)"),
        ({"loss": "cosine"}, GREY, None),
    ],
)
def test_first_weights_for_images_of_another_size_are_refused(
    fields: dict[str, Any],
    shape: tuple[int, int, int],
    why: str | None,
    tiny: Tiny,
    tmp_path: Path,
) -> None:
    sparsifier = {"name": "dense", "prunable": "linear" if fields in (MLP, VIT) else "conv"}
    source = _ticket(tmp_path, tiny(sparsifier=sparsifier, **fields))
    spec = tiny(start={"ticket": source}, sparsifier=sparsifier, **fields)
    [refusal] = layouts.refusals([_asked(spec, shape)])
    assert (refusal is None) == (why is None)
    if refusal is not None:
        assert why in refusal["message"] and refusal["at"] == "start"


def test_a_checkpoint_that_cannot_be_read_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"half")
    [refusal] = layouts.refusals([_asked(tiny(start=str(tmp_path / "w.pth")))])
    assert refusal is not None and refusal["at"] == "start"
    assert "cannot be read without running code" in refusal["message"]
