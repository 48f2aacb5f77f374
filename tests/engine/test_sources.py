"""References to tickets: how they are written, what of them enters a digest, damage found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine import cards, sources, tickets
from engine.errors import Damaged
from engine.masks import Mask
from engine.sources import Source
from engine.spec import RunSpec

FOUND = Source("run-s0", "best", "/a/ticket.safetensors", "a" * 64, 3, 3, 0, "g", 5, 10)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("imp", Source("imp", "best")),
        ("@last:last", Source("@last", "last")),
        ("20260101-a.b-s0:12", Source("20260101-a.b-s0", 12)),
        ("here/x.safetensors", Source(path="here/x.safetensors")),
        ("x.safetensors", Source(path="x.safetensors")),
        ("", Source()),
    ],
)
def test_what_users_write_is_read_and_written_again(text: str, source: Source) -> None:
    assert Source.parse(text) == source
    assert Source.parse(str(source)) == source


@pytest.mark.parametrize("text", ["imp:", ":3", "imp:third", "imp:-1", "imp:1.5", ":"])
def test_what_names_no_ticket_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no ticket; write RUN"):
        Source.parse(text)


def _spec(source: Source, **fields: object) -> RunSpec:
    whole = {"name": "x", "data": "digits", "model": "resnet20"}
    ticket = {"name": "ticket", "source": source}
    return RunSpec.model_validate({**whole, "sparsifier": ticket, **fields})


def test_only_the_tensors_enter_the_digest() -> None:
    spec = _spec(FOUND)
    moved = replace(FOUND, run="other-s1", path="/b/t.safetensors", pick=3)
    assert _spec(moved).digest == spec.digest
    assert _spec(replace(FOUND, sha256="b" * 64)).digest != spec.digest
    assert RunSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_seeds_with_tickets_of_their_own_are_one_group() -> None:
    other = _spec(replace(FOUND, sha256="b" * 64, run="run-s1", level=7), seed=1)
    assert other.group == _spec(FOUND).group and other.digest != _spec(FOUND).digest
    assert _spec(replace(FOUND, pick="last")).group != _spec(FOUND).group
    assert _spec(replace(FOUND, group="h")).group != _spec(FOUND).group


def test_a_control_belongs_to_the_family_that_it_was_made_from() -> None:
    base = _spec(FOUND, sparsifier="dense")
    controls = {"source": FOUND, "kind": "small_dense", "instead": {"model.width": 16}}
    narrow = _spec(FOUND, sparsifier="dense", model={"name": "resnet20", "width": 7})
    small = narrow.model_copy(update={})
    made = RunSpec.model_validate({**small.model_dump(mode="json"), "controls": controls})
    assert made.family == base.family != narrow.family
    assert made.digest == narrow.digest and made.group not in (narrow.group, base.group)
    wider = made.model_dump(mode="json")
    wider["model"]["width"], wider["seed"] = 9, 1
    assert RunSpec.model_validate(wider).group == made.group
    for wrong in ({"model.with": 3}, {"nothing.width": 3}, {"model.width": "wide"}):
        with pytest.raises(ValueError, match="not fields and values of a run"):
            RunSpec.model_validate({**wider, "controls": {**controls, "instead": wrong}})


def test_a_control_that_changes_nothing_else_is_a_group_of_its_own() -> None:
    plain = _spec(FOUND, sparsifier="dense")

    def null(source: Source, seed: int = 0) -> RunSpec:
        controls = {"source": source, "kind": "null"}
        return _spec(FOUND, sparsifier="dense", seed=seed, controls=controls)

    made = null(FOUND)
    assert (made.digest, made.family) == (plain.digest, plain.family)
    assert made.group not in (plain.group, null(replace(FOUND, group="h")).group)
    assert null(replace(FOUND, sha256="b" * 64, run="run-s1", level=7), seed=1).group == made.group


def test_sources_are_found_and_replaced_wherever_they_stand() -> None:
    spec = _spec(Source("a"), controls={"source": "b:2", "kind": "null"})
    at = {"sparsifier.source": Source("a"), "controls.source": Source("b", 2)}
    assert dict(sources.found_in(spec)) == at
    changed = sources.replaced(spec, lambda key, source: replace(FOUND, run=key))
    assert changed.sparsifier.source.run == "sparsifier.source"  # type: ignore[attr-defined]
    assert changed.controls is not None and changed.controls.source.run == "controls.source"
    assert sources.replaced(spec, lambda key, source: source) is spec


@pytest.fixture
def ticket_file(tmp_path: Path, tiny: Callable[..., RunSpec]) -> Path:
    alive = torch.rand(3, 2, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.5
    state = {"conv": torch.ones(3, 2, 3, 3), "steps": torch.tensor(7), "half": torch.ones(2).half()}
    mask = Mask(conv=alive)
    start, trained = tickets.masked(state, mask), tickets.masked(state, mask)
    card = {"spec": tiny().model_dump(mode="json"), "level": 1}
    data, _ = tickets.serialise(tickets.Ticket(mask, start, trained, card))
    path = tmp_path / "ticket.safetensors"
    path.write_bytes(data)
    return path


def test_the_checksum_is_verified_without_torch_as_with_it(ticket_file: Path) -> None:
    assert cards.verified_card(ticket_file) == tickets.load(ticket_file).card
    assert cards.read_card(ticket_file) == cards.verified_card(ticket_file)


@pytest.mark.parametrize("position", [-1, -200])
def test_a_flipped_bit_is_found(ticket_file: Path, position: int) -> None:
    data = bytearray(ticket_file.read_bytes())
    data[position] ^= 1
    ticket_file.write_bytes(data)
    with pytest.raises(Damaged, match="differ from the checksum"):
        cards.verified_card(ticket_file)


def test_other_files_are_no_tickets(ticket_file: Path, tmp_path: Path) -> None:
    for data in (
        b"",
        b"x" * 100,
        ticket_file.read_bytes()[:300],
        (2).to_bytes(8, "little") + b"{}",
    ):
        path = tmp_path / "other.safetensors"
        path.write_bytes(data)
        with pytest.raises(Damaged, match="not a ticket file"):
            cards.verified_card(path)
    ticket_file.write_bytes(ticket_file.read_bytes()[:-50])
    with pytest.raises(Damaged, match="differ from the checksum"):
        cards.verified_card(ticket_file)
    with pytest.raises(Damaged, match="No such file"):
        cards.read_card(tmp_path / "none.safetensors")
