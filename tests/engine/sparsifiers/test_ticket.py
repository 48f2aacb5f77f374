"""Retrained tickets and their controls: exact counts, the same values, the same training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from inprocess import finish

from engine import densities, levels, masks
from engine.checkpoints import load
from engine.errors import Damaged, SpecError
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.setup import build_for
from engine.sources import Source
from engine.sparsifier import Host
from engine.sparsifiers.ticket import Settings, Sparsifier
from engine.spec import RunSpec
from engine.tickets import Ticket
from lthtui.sources import resolved

IMP = {"name": "imp", "rate": 0.5, "levels": 2, "rewind": "1ep"}
TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digits", "per_class": 10, "validation": 100},
    "model": {"name": "resnet20", "width": 4, "shortcut": "B"},
    "train": {"epochs": 2, "batch_size": 25, "evaluate": {"every": 1}},
    "keep": ["all"],
    "tracking": "off",
}


def _spec(**fields: Any) -> RunSpec:
    return RunSpec.model_validate({**TINY, **fields})


def _folder(root: Path, name: str, spec: RunSpec) -> RunDirectory:
    directory = RunDirectory(root / "runs" / name)
    directory.path.mkdir(parents=True)
    directory.spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    return directory


@pytest.fixture(scope="module")
def imp(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    directory = _folder(
        tmp_path_factory.mktemp("source"), "20260101-imp-aaaaaa-s0", _spec(sparsifier=IMP)
    )
    finish(directory)
    torch.set_num_threads(before)
    return directory


@pytest.fixture(autouse=True)
def one_thread(imp: RunDirectory) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def control(imp: RunDirectory, tmp_path: Path) -> Callable[..., Ticket]:
    """Trains a ticket's control of one short epoch and returns its ticket."""
    numbers = count()

    def make(source: Source, /, spec: dict[str, Any] | None = None, **settings: Any) -> Ticket:
        train = {**TINY["train"], "epochs": 2}
        ticket = {"name": "ticket", "source": source, **settings}
        made = _spec(**{"sparsifier": ticket, "train": train, **(spec or {})})
        directory = _folder(tmp_path, f"20260102-control{next(numbers)}-bbbbbb-s0", made)
        finish(directory)
        return levels.ticket(directory, 0)

    return make


def _source(imp: RunDirectory, level: int) -> Source:
    return resolved(Source(imp.run_id, level), 0, imp.root)


@pytest.mark.parametrize("rewind", ["init", "1ep"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_ticket_of_gates_goes_on_with_their_scale(
    rewind: str,
    optimizer: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    control: Callable[..., Ticket],
) -> None:
    """The learning rate and weight decay that its weights had, for it and its controls alike."""
    gated = {"name": "continuous", "rounds": 1, "initial": 0.1, "rewind": rewind, "density": 0.5}
    fields: dict[str, Any] = {"train": {**TINY["train"], "optimizer": optimizer}}
    name = "20260101-gated-aaaaaa-s0"
    directory = _folder(tmp_path_factory.mktemp("gated"), name, _spec(sparsifier=gated, **fields))
    finish(directory)
    source, ticket = _source(directory, 1), levels.ticket(directory, 1)
    again, moved = control(source, fields), control(source, fields, mask="same_layer")
    assert all(torch.equal(again.trained[name], ticket.trained[name]) for name in ticket.trained)
    assert not moved.mask.same(ticket.mask) and moved.mask.kept == ticket.mask.kept
    for name, mask in moved.mask.items():
        both = mask & ticket.mask[name]
        assert torch.equal(moved.rewind[name][both], ticket.rewind[name][both])
    anew = control(source, fields, weights="reinit")
    assert anew.card["scale"] == ticket.card["scale"]
    for name, mask in anew.mask.items():
        if mask.sum() > 50:  # both are drawn from one distribution, scaled alike
            fresh, drawn = anew.rewind[name][mask], moved.rewind[name][moved.mask[name]]
            assert not torch.equal(fresh, drawn)
            assert 0.75 < float(fresh.std() / drawn.std()) < 1.33
    (first, *_) = sorted((tmp_path / "runs").iterdir())
    third = control(_source(RunDirectory(first), 0), fields)  # the ticket of the ticket's run
    assert all(torch.equal(third.trained[name], ticket.trained[name]) for name in ticket.trained)
    assert third.card["scale"] == ticket.card["scale"] == pytest.approx(1 + math.exp(-0.1))


def test_what_is_found_of_a_source(imp: RunDirectory) -> None:
    found = _source(imp, 2)
    card = levels.ticket(imp, 2).card
    assert (found.sha256, found.kept, found.total) == (card["sha256"], card["kept"], card["total"])
    assert (found.run, found.level, found.seed) == (imp.run_id, 2, 0)
    assert (found.at, found.lasts, found.start) == ("1ep", "rest", 4)
    assert Path(found.path).is_absolute() and found.group == imp.spec().group
    first = _source(imp, 0)
    assert (first.at, first.lasts, first.start, first.dense) == ("init", "whole", 0, True)


@pytest.mark.parametrize("level", [0, 2])
def test_a_ticket_trained_again_is_the_sources_level_to_the_bit(
    imp: RunDirectory, control: Callable[..., Ticket], level: int
) -> None:
    again, ticket = control(_source(imp, level)), levels.ticket(imp, level)
    assert again.mask.same(ticket.mask)
    for state, other in ((again.rewind, ticket.rewind), (again.trained, ticket.trained)):
        assert state.keys() == other.keys()
        assert all(torch.equal(state[name], other[name]) for name in other)
    for split in ("val", "test"):
        assert again.card[f"{split}_correct"] == ticket.card[f"{split}_correct"]


def test_the_whole_schedule_is_another_training_from_the_same_start(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    whole, ticket = control(_source(imp, 2), schedule="whole"), levels.ticket(imp, 2)
    assert whole.mask.same(ticket.mask) and whole.card["epoch"] == 2
    assert all(torch.equal(whole.rewind[n], t) for n, t in ticket.rewind.items())
    assert any(not torch.equal(whole.trained[n], ticket.trained[n]) for n in ticket.mask)


def test_same_layer_keeps_each_layers_count_at_other_places_with_the_runs_weights(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    made, ticket = control(_source(imp, 2), mask="same_layer"), levels.ticket(imp, 2)
    start, overlap = _rewound(imp), 0
    for name, m in ticket.mask.items():
        assert int(made.mask[name].sum()) == int(m.sum())
        assert torch.equal(made.rewind[name], start[name] * made.mask[name])
        overlap += int((made.mask[name] & m).sum())
    assert abs(overlap / ticket.mask.kept - 0.34) < 0.06  # by chance, layer by layer


@pytest.mark.parametrize("how", ["random", "uniform", "er", "erk"])
def test_other_masks_keep_the_tickets_count_where_they_say(
    imp: RunDirectory, control: Callable[..., Ticket], how: str
) -> None:
    made, ticket = control(_source(imp, 2), mask=how), levels.ticket(imp, 2)
    assert made.mask.kept == ticket.mask.kept and not made.mask.same(ticket.mask)
    if how != "random":
        shapes = {name: tuple(m.shape) for name, m in ticket.mask.items()}
        density = ticket.mask.kept / ticket.mask.total
        counts = densities.counts(shapes, density, how)  # type: ignore[arg-type]
        assert {name: int(m.sum()) for name, m in made.mask.items()} == counts


def test_shuffled_weights_are_the_same_values_in_each_layer(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    made, ticket = control(_source(imp, 2), weights="shuffle"), levels.ticket(imp, 2)
    assert made.mask.same(ticket.mask)
    for name, weight in ticket.rewind.items():
        if name in ticket.mask:
            mine, theirs = made.rewind[name][made.mask[name]], weight[ticket.mask[name]]
            assert not torch.equal(mine, theirs)
            assert torch.equal(mine.sort().values, theirs.sort().values)
        else:
            assert torch.equal(made.rewind[name], weight)


def test_new_weights_are_those_of_no_seed(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    made = control(_source(imp, 2), weights="reinit")
    first, other = (
        levels.ticket(imp, 0).rewind,
        control(_source(imp, 2), {"seed": 1}, weights="reinit"),
    )
    for name, m in made.mask.items():
        assert not torch.equal(made.rewind[name], first[name] * m)
        assert not torch.equal(made.rewind[name], other.rewind[name])
        assert abs(made.rewind[name][m].std() / first[name].std() - 1) < 0.5


def test_trained_weights_and_weights_of_another_ticket(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    ticket, dense = levels.ticket(imp, 2), levels.ticket(imp, 0)
    trained = control(_source(imp, 2), weights="trained")
    assert all(torch.equal(trained.rewind[n], t) for n, t in ticket.trained.items())
    mixed = control(
        _source(imp, 2), mask="same_layer", weights="trained", weights_source=_source(imp, 0)
    )
    for name, m in mixed.mask.items():
        assert torch.equal(mixed.rewind[name], dense.trained[name] * m)


def test_other_classes_take_a_head_of_their_own_and_say_so(imp: RunDirectory) -> None:
    source, ticket = _source(imp, 2), levels.ticket(imp, 2)
    own = {n: torch.full_like(t, 7) for n, t in ticket.rewind.items()}
    own |= {"fc.weight": torch.full((3, 16), 7.0), "fc.bias": torch.full((3,), 7.0)}
    warnings: list[str] = []
    method = Sparsifier(Settings(source=source))
    method.host = Host(warnings.append, lambda number: own)
    start = method.weights_before(method.levels()[0], own, torch.Generator().manual_seed(0))
    assert list(start) == list(own)
    for name, weight in start.items():
        taken = own if name.startswith("fc.") else ticket.rewind
        assert torch.equal(weight, taken[name])
    assert warnings == [
        "fc.bias, fc.weight: not as in the ticket, so this run's own initial values are used"
    ]


def test_weights_that_only_the_mask_kept_cannot_go_elsewhere(imp: RunDirectory) -> None:
    source = _source(imp, 2)
    for settings in (
        {"source": source, "mask": "random", "weights": "trained"},
        {"source": replace(source, start=None), "mask": "same_layer"},
        {"source": source, "mask": "erk", "weights": "trained", "weights_source": _source(imp, 1)},
    ):
        with pytest.raises(SpecError, match="known only where its mask keeps them") as caught:
            plan(_spec(sparsifier={"name": "ticket", **settings}), 100)
        assert caught.value.at == "sparsifier.weights"


@pytest.mark.parametrize(
    ("fields", "settings", "words"),
    [
        (
            {"model": {"name": "resnet20", "width": 8, "shortcut": "B"}},
            {},
            "model.width is 4 there, 8",
        ),
        (
            {"model": {"name": "resnet32", "width": 4, "shortcut": "B"}},
            {},
            "model.name is resnet20",
        ),
        ({}, {"source": Source("imp", 2)}, "imp:2: nobody has looked for this ticket"),
    ],
)
def test_tickets_of_other_networks_are_refused(
    imp: RunDirectory, fields: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    sparsifier = {"name": "ticket", "source": _source(imp, 2), **settings}
    with pytest.raises(SpecError, match=words) as caught:
        plan(_spec(sparsifier=sparsifier, **fields), 100)
    assert caught.value.at == "sparsifier.source"


def test_other_first_weights_and_other_images_fit_but_not_other_channels(
    imp: RunDirectory, tmp_path: Path, image_sets: Any
) -> None:
    ticket = {"name": "ticket", "source": _source(imp, 2)}
    other = {**TINY["model"], "init": "xavier"}
    more = {"name": "digits", "per_class": 5, "validation": 50}
    assert plan(_spec(sparsifier=ticket, model=other, data=more), 100).levels[0].level.draws == 2
    colour = {"name": "image_list", **image_sets.make("image_list", tmp_path)}
    spec, same = (
        _spec(sparsifier=ticket, data=data) for data in ({**colour, "validation": 3}, TINY["data"])
    )
    method = Sparsifier(spec.sparsifier)  # type: ignore[arg-type]
    assert method.rests_on_shapes(spec) and not method.rests_on_shapes(same)
    net, words = build_for(spec), r"conv1.weight is \[4, 1, 3, 3\] there, \[4, 3, 3, 3\] here"
    with pytest.raises(SpecError, match=words) as asked:
        method.check_shapes(masks.prunable(net, "conv"))
    with pytest.raises(SpecError, match=words):  # whatever a worker was started with
        method.weights_before(method.levels()[0], dict(net.state_dict()), torch.Generator())
    assert asked.value.at == "sparsifier.source"


def test_dense_levels_have_nothing_to_draw_anew(imp: RunDirectory) -> None:
    dense = _source(imp, 0)
    for settings in ({"mask": "random"}, {"weights": "shuffle"}):
        with pytest.raises(SpecError, match="nothing to draw anew"):
            plan(_spec(sparsifier={"name": "ticket", "source": dense, **settings}), 100)


def test_a_ticket_that_changed_since_is_refused_when_training_starts(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    with pytest.raises(Damaged, match="is not the ticket that this run was asked to take"):
        control(replace(_source(imp, 2), sha256="0" * 64))


def test_a_start_that_is_not_the_tickets_is_found_out(
    imp: RunDirectory, control: Callable[..., Ticket]
) -> None:
    with pytest.raises(Damaged, match="are not those of its run's start"):
        control(replace(_source(imp, 2), start=0), mask="same_layer")  # it was rewound to step 4


def _rewound(imp: RunDirectory) -> dict[str, torch.Tensor]:
    return load(imp.rewind / "000000004").tensors["net"]
