"""Methods of every coming kind behind the seam: the files of `fakes/choices/` stand in for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import engine.models
import engine.sparsifiers
from engine import levels, registry
from engine.errors import Damaged, DataError, Stopped
from engine.events import EpochEnded, Evaluated, Event, LevelEnded, MaskChanged, TicketSaved
from engine.experiment import Experiment
from engine.plan import Level
from engine.rundir import RunDirectory
from engine.spec import RunSpec
from engine.verifying import verify

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
CPU = torch.device("cpu")
NAMES = ["rigl", "continuous", "prac", "probe"]
SHORT: dict[str, dict[str, Any]] = {
    "continuous": {"rounds": 2},
    "imp": {"levels": 2, "rewind": "1ep"},
    "prac": {
        "levels": 2,
        "rewind": "1ep",
        "select": "constant",
        "data_rate": 0.4,
        "mask_distance": 0.05,
        "window": 2,
    },
    "rigl": {"density": 0.3, "interval": "3it", "stop": 1.0},
}
# the gates of an earlier epoch are soft, and leave no ticket
EPOCHS = [(n, e) for n in NAMES for e in ("last", "best") if (n, e) != ("continuous", "best")]


@pytest.fixture(autouse=True)
def choices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lay the fakes beside the real files, as a user would."""
    folder = Path(__file__).parents[1] / "fakes" / "choices"
    for package in (engine.sparsifiers, engine.models):
        own = folder / package.__name__.rpartition(".")[2]
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(own)])
    registry.names.cache_clear()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    registry.names.cache_clear()


@pytest.fixture
def spec(tiny: Specs) -> Callable[..., RunSpec]:
    def make(name: str, **fields: Any) -> RunSpec:
        train = {"epochs": 6, "batch_size": 25, "evaluate": {"every": 1}}
        if name == "continuous":  # three levels of whole trainings
            train |= {"epochs": 4, "batch_size": 50}
        sparsifier = {"name": name, **SHORT.get(name, {})}
        return tiny(**{"sparsifier": sparsifier, "train": train, "keep": ["all"], **fields})

    return make


def _run(
    directory: RunDirectory,
    stopping: Callable[[], bool] = lambda: False,
    emit: Callable[[Event], object] | None = None,
) -> list[Event]:
    events: list[Event] = []
    emit = emit or events.append
    Experiment(directory, directory.spec(), CPU, emit, lambda: None, stopping, {}).run()
    return events


def _left(directory: RunDirectory) -> dict[str, bytes]:
    """All tickets, and what levels hand on."""
    files = sorted(directory.levels.glob("*/*.safetensors"))
    return {str(f.relative_to(directory.levels)): f.read_bytes() for f in files}


class Killed(Exception):
    """Stands in for a kill at an event: what is on the disk then is all there is."""


def _evaluated(directory: RunDirectory) -> list[bytes]:
    """The results of its evaluations, in the order of their files."""
    return [file.read_bytes() for file in sorted(directory.evaluations.rglob("*.json"))]


@pytest.mark.parametrize(("name", "epoch"), EPOCHS)
def test_stopped_every_few_steps_equals_uninterrupted(
    name: str, epoch: str, spec: Specs, run_folder: Folders
) -> None:
    wanted = spec(name, select={"epoch": epoch})
    whole, torn = run_folder(wanted, "whole"), run_folder(wanted, "torn")
    _run(whole)
    for attempt in range(100):
        calls = iter(range(3 + attempt % 4))
        try:
            _run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    assert attempt >= 4
    assert _left(torn) == _left(whole)


@pytest.fixture(scope="module")
def wholes() -> dict[str, tuple[dict[str, bytes], list[bytes]]]:
    """What uninterrupted runs left, by the name of their method."""
    return {}


@pytest.mark.parametrize("kind", [EpochEnded, LevelEnded, TicketSaved, Evaluated])
@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_event_equals_uninterrupted(
    name: str,
    kind: type[Event],
    spec: Specs,
    run_folder: Folders,
    wholes: dict[str, tuple[dict[str, bytes], list[bytes]]],
) -> None:
    if name not in wholes:
        whole = run_folder(spec(name, evaluate=["layer_density"]), "whole")
        _run(whole)
        wholes[name] = _left(whole), _evaluated(whole)
    torn = run_folder(spec(name, evaluate=["layer_density"], checkpoint=1e-9), "torn")
    killed_at, finished = set(), False

    def emit(event: Event) -> None:
        if isinstance(event, kind) and (event.level, event.epoch) not in killed_at:
            killed_at.add((event.level, event.epoch))
            raise Killed

    while not finished:
        try:
            _run(torn, emit=emit)
            finished = True
        except Killed:
            continue
    assert killed_at
    assert (_left(torn), _evaluated(torn)) == wholes[name]
    mine = [*torn.evaluations.rglob("layer_density.json")]
    assert len(mine) == len(list(torn.levels.iterdir())) > 0
    assert not torn.partial.exists()


@pytest.mark.parametrize(("name", "epoch"), EPOCHS)
def test_tickets_are_masked_and_score_what_the_journal_says(
    name: str, epoch: str, spec: Specs, run_folder: Folders
) -> None:
    directory = run_folder(spec(name, select={"epoch": epoch}))
    events = _run(directory)
    for ended in (e for e in events if isinstance(e, LevelEnded)):
        assert ended.level is not None
        ticket = levels.ticket(directory, ended.level)
        assert ended.kept == ticket.mask.kept
        assert all(bool((ticket.trained[n][~m] == 0).all()) for n, m in ticket.mask.items())
        report = verify(directory.level(ended.level) / levels.TICKET, None, CPU)
        assert report["verified"], report
        epochs = [e for e in events if isinstance(e, EpochEnded) and e.level == ended.level]
        scored = [e for e in epochs if e.level_epoch == ended.scored_epoch]
        if name != "continuous" or ended.level == 2:  # rounds are validated with soft gates
            assert [e.val_accuracy for e in scored] == [ended.val_accuracy]


def test_a_mask_that_changes_is_journalled_and_keeps_its_count(
    spec: Specs, run_folder: Folders
) -> None:
    events = _run(run_folder(spec("rigl")))
    changes = [e for e in events if isinstance(e, MaskChanged)]
    assert [e.step for e in changes] == list(range(3, 25, 3))
    [ended] = [e for e in events if isinstance(e, LevelEnded)]
    assert {e.kept for e in changes} == {ended.kept} == {round(0.3 * ended.total)}


def test_the_best_epoch_keeps_the_mask_it_had(spec: Specs, run_folder: Folders) -> None:
    select = {"epoch": "best"}
    specs = [spec("rigl", select=s, seed=3) for s in (select, {})]
    directories = [run_folder(wanted, name) for wanted, name in zip(specs, "ab", strict=True)]
    scored = []
    for directory in directories:
        [ended] = [e for e in _run(directory) if isinstance(e, LevelEnded)]
        scored.append(ended.scored_epoch)
    assert scored[0] != scored[1], "the best epoch was the last one"
    assert not levels.mask(directories[0], 0).same(levels.mask(directories[1], 0))


def test_closed_gates_are_out_of_a_ticket_but_not_of_what_a_round_goes_on_from(
    spec: Specs, run_folder: Folders
) -> None:
    directory = run_folder(spec("continuous"))
    _run(directory)
    first, second = (levels.ticket(directory, level) for level in range(2))
    state = levels.carry(directory, 0).sparsifier
    opened = 0
    for name, mask in first.mask.items():
        weights = state[f"weight/{name}"]
        assert torch.equal(mask, state[f"gate/{name}"] > 0)
        assert torch.equal(first.trained[name], weights * mask)
        assert torch.equal(second.rewind[name], weights * second.mask[name])
        opened += int((second.mask[name] & ~mask & (weights != 0)).sum())
    assert opened, "no gate opened again: a round may as well have gone on from the ticket"


def test_examples_and_early_stops_shorten_levels(spec: Specs, run_folder: Folders) -> None:
    directory = run_folder(spec("prac"))
    ended = [e for e in _run(directory) if isinstance(e, LevelEnded)]
    assert any(e.epochs < 6 for e in ended)
    chosen = levels.carry(directory, 0).sparsifier["prac/chosen"]
    assert 2 < len(chosen) < 100 and ended[1].step is not None and ended[0].step is not None
    assert ended[1].step - ended[0].step == ended[1].epochs * -(-len(chosen) // 25)


def test_a_rewind_point_counts_the_epochs_of_the_images_in_use(
    spec: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = registry.load("sparsifiers", "imp").Sparsifier
    states: list[dict[str, torch.Tensor]] = []

    def stop(self: Any, training: Any) -> bool:
        states.append({name: t.clone() for name, t in training.net.state_dict().items()})
        return False

    monkeypatch.setattr(method, "examples", lambda self, training: torch.arange(40))
    monkeypatch.setattr(method, "stop", stop)
    directory = run_folder(spec("imp"))
    _run(directory)
    ticket = levels.ticket(directory, 1)
    assert all(
        torch.equal(ticket.rewind[name][alive], states[0][name][alive])
        for name, alive in ticket.mask.items()
    )


def test_a_level_that_ends_before_its_rewind_point_is_said(
    spec: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = registry.load("sparsifiers", "imp").Sparsifier
    monkeypatch.setattr(method, "stop", lambda self, training: True)
    settings = {"name": "imp", "rewind": "2ep"}
    with pytest.raises(Damaged, match="level 1 starts from 2ep of level 0"):
        _run(run_folder(spec("imp", sparsifier=settings)))


def test_looking_at_the_network_before_training_leaves_no_trace(
    spec: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same mask without having run the network gives the same ticket."""
    wanted = spec("probe")
    careless, careful = run_folder(wanted, "careless"), run_folder(wanted, "careful")
    _run(careless)
    mask = levels.mask(careless, 0)
    method = registry.load("sparsifiers", "probe").Sparsifier
    monkeypatch.setattr(method, "mask_before", lambda self, training: mask)
    _run(careful)
    assert _left(careless) == _left(careful)
    ticket = levels.ticket(careless, 0)
    weights = torch.cat([ticket.rewind[name][alive] for name, alive in mask.items()])
    assert 0.1 < float(weights.std()) < 0.3  # its own weights, the larger ones of N(0, 0.1)


@pytest.mark.parametrize(
    "model", ["noisy", {"name": "wide_resnet", "depth": 10, "width": 0.25, "dropout": 0.3}]
)
def test_dropout_draws_the_same_after_a_resume(
    model: Any, tiny: Specs, run_folder: Folders
) -> None:
    wanted = tiny(model=model, sparsifier="dense", keep=["all"])
    whole, torn = run_folder(wanted, "whole"), run_folder(wanted, "torn")
    torch.manual_seed(1)
    _run(whole)
    for attempt in range(20):
        torch.manual_seed(attempt)
        calls = iter(range(2))
        try:
            _run(torn, lambda calls=calls: next(calls, None) is None)  # type: ignore[misc]
            break
        except Stopped:
            continue
    assert attempt > 2
    assert _left(torn) == _left(whole)


def test_a_run_that_a_method_ends_early_keeps_no_more_than_asked(
    tiny: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.sparsifiers.imp import Sparsifier

    def proceed(self: Any, history: list[LevelEnded], level: Level, metric: Any) -> bool:
        return len(history) < 3

    monkeypatch.setattr(Sparsifier, "proceed", proceed)
    sparsifier = {"name": "imp", "levels": 5, "rewind": "init"}
    train = {"epochs": 1, "batch_size": 50}
    select = {"level": "last"}
    directory = run_folder(tiny(sparsifier=sparsifier, train=train, keep=["last"], select=select))
    for _ in range(2):
        _run(directory)
        kept = [i for i in range(6) if levels.ticket_path(directory, i)]
        assert kept == [2]
        assert len(list(directory.levels.iterdir())) == 3


def test_too_few_examples_are_said(
    spec: Specs, run_folder: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = registry.load("sparsifiers", "rigl").Sparsifier
    monkeypatch.setattr(method, "examples", lambda self, training: torch.tensor([4]))
    with pytest.raises(DataError, match="1 training image"):
        _run(run_folder(spec("rigl")))
