"""What a worker evaluates of a run: in which order, what it tries again, and what stops it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine import evaluating, outstanding, surroundings
from engine.context import Result
from engine.errors import Inapplicable
from engine.evaluations import cka, layer_density
from engine.events import (
    Evaluated,
    EvaluationFailed,
    EvaluationStarted,
    Event,
    Journal,
    LevelEnded,
)
from engine.experiment import Experiment
from engine.processes import Process
from engine.rundir import Launch, RunDirectory, write_json
from engine.sources import TICKET
from engine.spec import RunSpec

LAYERS = "layer_density"
ALL = {"evaluate": [{"name": LAYERS, "levels": ["all"]}]}


@pytest.fixture
def run(tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]) -> RunDirectory:
    """A run of three levels, whose tickets are empty files, and a spec that has all evaluated."""
    directory = run_folder(tiny(**ALL, keep=["all"]))
    journal = Journal(directory.events_file, directory.run_id, 1)
    for level in range(3):
        directory.level(level).mkdir(parents=True)
        (directory.level(level) / TICKET).touch()
        journal.append(LevelEnded(level=level, density=1, kept=8, total=8, epochs=1, seconds=1.0))
    journal.append(EvaluationStarted(level=0, name=LAYERS))
    journal.append(EvaluationFailed(level=1, name=LAYERS, error="no"))
    return directory


@pytest.fixture
def make(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Event]]:
    """Evaluate the run by a function of the level, and give the events that tell of it."""

    def make(evaluate: Callable[[int], Result]) -> list[Event]:
        events = list[Event]()
        setup: Any = SimpleNamespace(
            directory=run, spec=run.spec(), emit=events.append, stopping=lambda: False
        )
        monkeypatch.setattr(surroundings, "surroundings", lambda *_: None)
        digest = setup.spec.digest
        monkeypatch.setattr(
            surroundings, "context", lambda around, level, seed: _context(level, digest)
        )
        monkeypatch.setattr(layer_density, "evaluate", lambda settings, one: evaluate(one.level))
        evaluating.Evaluations(setup).make(outstanding.told(run).history, over=True)
        return events

    return make


def _context(level: int, digest: str) -> Any:
    """Of a ticket whose checksum is `sha-<level>`."""
    ticket = SimpleNamespace(card={"sha256": f"sha-{level}", "digest": digest, "level": level})
    return SimpleNamespace(level=level, subject=SimpleNamespace(ticket=ticket))


def _launched(run: RunDirectory, retries: int) -> None:
    """As if the queue had started this attempt, so often in a row by itself."""
    process = Process(host=socket.gethostname(), boot="x", pid=1, start=1)
    places: dict[str, Any] = {"backend": "local", "device": "cpu", "threads": 1, "time": 0.0}
    launch = Launch(attempt=2, process=process, retries=retries, **places)
    write_json(run.attempt_file, 2)
    write_json(run.launch_file, launch.model_dump())


def _made(events: list[Event]) -> list[int | None]:
    return [event.level for event in events if isinstance(event, Evaluated)]


def test_what_was_cut_short_comes_last(run: RunDirectory, make: Callable[..., list[Event]]) -> None:
    found = make(lambda level: Result({"lowest": 0.5}, {}))
    assert [f"{event.kind} {event.level}" for event in found] == [
        f"{kind} {level}" for level in (1, 2, 0) for kind in ("evaluation_started", "evaluated")
    ]


def test_a_result_has_the_checksum_of_its_ticket(
    run: RunDirectory, make: Callable[..., list[Event]]
) -> None:
    def evaluate(level: int) -> Result:
        if level == 1:
            raise Inapplicable("as it is dense")
        return Result({}, {})

    made = [event for event in make(evaluate) if isinstance(event, Evaluated)]
    assert [event.tickets for event in made] == [("sha-1",), ("sha-2",), ("sha-0",)]


def test_a_ticket_that_is_gone_by_then_fails_and_costs_the_others_nothing(
    run: RunDirectory, make: Callable[..., list[Event]]
) -> None:
    outstanding.ask(run, [layer_density.Settings(levels=(1,))])
    (run.level(1) / TICKET).unlink()
    events = make(lambda level: Result({}, {}))
    assert _made(events) == [2, 0]
    (failed,) = [event for event in events if isinstance(event, EvaluationFailed)]
    assert failed.level == 1 and failed.error == (
        f"{run.run_id} has not kept the weights of level 1; kept: 0, 2; name one of these with"
        " --level, or run it again with keep: [all] and --again"
    )


def test_what_failed_is_tried_again_when_somebody_asks_and_not_by_itself(
    run: RunDirectory, make: Callable[..., list[Event]]
) -> None:
    whole = Result({"lowest": 0.5}, {})
    _launched(run, retries=1)
    assert _made(make(lambda level: whole)) == [2, 0]
    _launched(run, retries=0)
    assert _made(make(lambda level: whole)) == [1, 2, 0]
    _launched(run, retries=1)
    write_json(run.attempt_file, 3)  # by hand, after that
    assert _made(make(lambda level: whole)) == [1, 2, 0]


@pytest.mark.parametrize(("name", "more"), [(LAYERS, ""), ("cka", ", or with a smaller cka.batch")])
def test_who_ran_out_of_memory_is_told_what_to_do(
    name: str, more: str, run: RunDirectory, make: Callable[..., list[Event]], monkeypatch: Any
) -> None:
    def evaluate(*_: Any) -> Result:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee ...")

    monkeypatch.setattr(cka, "evaluate", evaluate)
    outstanding.ask(run, [cka.Settings(levels=(1,))])
    failed = [event for event in make(evaluate) if isinstance(event, EvaluationFailed)]
    assert [one.error for one in failed if one.name == name][0] == (
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.; nothing of the run is"
        f" lost: evaluate it again when less runs on its device{more}"
    )


def test_a_full_disk_fails_no_evaluation(
    run: RunDirectory, make: Callable[..., list[Event]]
) -> None:
    told = list[int]()

    def evaluate(level: int) -> Result:
        told.append(level)
        raise OSError(errno.ENOSPC if level == 2 else errno.EIO, "as it happens")

    with pytest.raises(OSError, match="as it happens"):
        make(evaluate)
    assert told == [1, 2]


def test_what_a_killed_worker_left_of_a_document_is_cleared_away(run: RunDirectory) -> None:
    folder = run.evaluations / "01" / "fgsm_epsilon:4"
    folder.mkdir(parents=True)
    (folder / "fgsm.json").write_text("{}")
    (folder / f".fgsm.json.{2**30}.tmp").write_text("{")  # no process has such a number
    cpu = torch.device("cpu")
    Experiment(run, run.spec(), cpu, lambda event: None, lambda: None, lambda: False, {})
    assert [path.name for path in folder.iterdir()] == ["fgsm.json"]
