"""RigL re-init: sparse training that begins with the mask an earlier run ended with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from inprocess import run
from pydantic import ValidationError

from engine import levels, partials, tickets
from engine.errors import Damaged, SpecError, Stopped
from engine.events import LevelEnded, LevelStarted, MaskChanged
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def first(tiny: Specs, run_folder: Folders) -> RunDirectory:
    """A finished run of RigL-SM."""
    settings = {"interval": "3it", "redistribute": "momentum", "density": 0.15}
    directory = run_folder(tiny(sparsifier={"name": "rigl", **settings}), "first")
    run(directory)
    return directory


def _source(directory: RunDirectory) -> Source:
    """As it is noted once it is found."""
    folder: Path = directory.level(0)
    card = json.loads((folder / levels.CARD).read_text())
    counts = {"kept": card["kept"], "total": card["total"]}
    path = str((folder / levels.TICKET).absolute())
    return Source("first", "last", path, card["sha256"], 0, **counts)


@pytest.mark.parametrize("name", ["rigl", "set", "snfs"])
def test_training_begins_with_the_mask_and_weights_of_its_own(
    name: str, first: RunDirectory, tiny: Specs, run_folder: Folders
) -> None:
    source = _source(first)
    wanted = tiny(sparsifier={"name": name, "interval": "3it", "source": source}, seed=1)
    assert plan(wanted, 100).levels[0].level.density == source.density
    directory = run_folder(wanted, name)
    events = run(directory)
    [begun] = [e for e in events if isinstance(e, LevelStarted)]
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    assert begun.kept == ended.kept == source.kept == round(0.15 * source.total)
    assert len([e for e in events if isinstance(e, MaskChanged)]) == 3
    old, new = levels.ticket(first, 0), levels.ticket(directory, 0)
    assert not old.mask.same(new.mask)
    both = {n: old.mask[n] & m for n, m in new.mask.items()}
    # three updates of a few weights each: most of the mask is still the source's
    assert sum(int(m.sum()) for m in both.values()) > 0.4 * source.kept
    assert all(not torch.equal(old.rewind[n][m], new.rewind[n][m]) for n, m in both.items())


def test_its_first_steps_are_those_of_a_network_under_that_mask(
    first: RunDirectory, tiny: Specs, run_folder: Folders
) -> None:
    """Without an update so far, the mask is the ticket's, weight by weight."""
    source = _source(first)
    settings = {"name": "rigl", "interval": "11it", "stop": 1.0, "source": source}
    directory = run_folder(tiny(sparsifier=settings), "again")
    calls = iter(range(5))
    with pytest.raises(Stopped):
        run(directory, lambda: next(calls, None) is None)
    saved = partials.newest(directory, 0, lambda message: None)
    assert saved is not None
    mask = tickets.unpack_mask(saved.tensors["mask"])
    assert mask.same(levels.mask(first, 0))


def _refused(spec: RunSpec, at: str, why: str) -> None:
    with pytest.raises(SpecError, match=why) as caught:
        plan(spec, 100)
    assert caught.value.at == at


def test_masks_that_cannot_be_taken_are_refused(
    first: RunDirectory, tiny: Specs, run_folder: Folders
) -> None:
    source = _source(first)

    def spec(source: Source, fields: dict[str, Any] | None = None, **settings: Any) -> RunSpec:
        sparsifier = {"name": "rigl", "interval": "3it", "source": source, **settings}
        return tiny(sparsifier=sparsifier, **(fields or {}))

    _refused(spec(Source.parse("first:last")), "sparsifier.source", "nobody has looked")
    dense = replace(source, kept=source.total)
    _refused(spec(dense), "sparsifier.source", "nothing to exchange")
    missing = replace(source, path=source.path + ".gone")
    _refused(spec(missing), "sparsifier.source", "No such file")
    _refused(spec(source, prunable="conv+linear"), "sparsifier.prunable", "write prunable: conv")
    other = {"model": {"name": "resnet20", "width": 8, "shortcut": "B"}}
    _refused(spec(source, other), "sparsifier.source", "model.width is 4 there, 8 here")
    for name, value in {"density": 0.3, "allocation": "uniform", "power": 2.0}.items():
        with pytest.raises(ValidationError, match=f"{name} follows from the source's mask"):
            spec(source, **{name: value})
    with pytest.raises(SpecError, match="keeps single weights") as caught:
        run(run_folder(spec(source, structure="channel"), "blocks"))
    assert caught.value.at == "sparsifier.structure"
    with pytest.raises(Damaged, match="is not the ticket that this run was asked to take"):
        run(run_folder(spec(replace(source, sha256="0" * 64)), "another"))
