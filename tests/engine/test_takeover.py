"""A longer run that takes over a finished one against the same run trained from the start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from inprocess import finish, run
from waiting import wait_for

from engine import growth, registry
from engine.errors import Stopped
from engine.events import EpochEnded, Event, LevelEnded, Tail, Warned
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.spec import RunSpec
from lthtui.sources import resolved

HELD_AT = Path(__file__).parents[1] / "fakes" / "held_at.py"
IMP: dict[str, Any] = {"name": "imp", "levels": 1, "rewind": "1ep"}
FLAT = {"schedule": "constant"}
STAIRS = {"schedule": {"name": "multistep", "milestones": ["1ep", "3ep"]}}
Make = Callable[..., RunDirectory]

# By method: what it has, what it is to have more of, and what is taken over of that:
# whole levels, or as a negative number epochs. A method that is new here has to say so.
LONGER: dict[str, list[tuple[dict[str, Any], dict[str, Any], int]]] = {
    "imp": [
        ({}, {"levels": 3}, 2),
        ({"score": "movement"}, {"levels": 3}, 2),
        ({"score": "taylor", "scope": "layer"}, {"levels": 3}, 2),
        ({"score": "random", "order": "replay"}, {"levels": 2}, 2),
        ({"after": "continue", "rewind": "2ep"}, {"levels": 2}, 2),
        ({"after": "finetune", "rewind": "2ep", "finetune": "1ep"}, {"levels": 2}, 2),
        ({"levels": 0, "rewind": "init", "epoch": "last"}, {"levels": 1}, 1),
        ({"levels": None, "density": 0.6}, {"density": 0.4}, 2),  # of 4: both last ones are others
    ],
    "prac": [({"levels": 2, "window": 1, "min_per_class": 2}, {"levels": 3}, 2)],  # of 3
    "continuous": [({"rounds": 2, "epoch": "last"}, {"rounds": 3}, 1)],  # of 3
    "dense": [
        ({"levels": 1}, {"levels": 2}, 2),
        ({"levels": 2, "rounds": 2}, {"levels": 3, "rounds": 3}, 1),  # only the best epoch is left
        ({"levels": 2, "rounds": 2, "epoch": "last"}, {"levels": 3, "rounds": 3}, 2),
        ({"levels": 0, "rewind": "2ep"}, FLAT, -2),
    ],
    "static": [({"density": 0.4}, FLAT, -2)],
    "random": [({"density": 0.4}, {"schedule": {"name": "step", "every": "1ep"}}, -2)],
    "magnitude_init": [({"density": 0.4}, STAIRS, -2)],
    "snip": [({"density": 0.5}, FLAT, -2)],
    "grasp": [({"density": 0.5}, FLAT, -2)],
    "synflow": [({"density": 0.4, "iterations": 5}, FLAT, -2)],
    "set": [({"interval": "2it", "stop": "1ep"}, FLAT, -2)],
    "rigl": [({"interval": "2it", "stop": "2ep"}, FLAT, -2)],
    "snfs": [({"interval": "2it", "stop": "1ep"}, FLAT, -2)],
    "gradual": [({"density": 0.4, "interval": "1it", "stop": "2ep", "at": "after"}, FLAT, -2)],
    "ticket": [
        ({"mask": "same_layer", "schedule": "whole"}, FLAT, -2),
        ({"mask": "same_layer"}, FLAT, -1),  # from where the ticket was rewound to
    ],
}
# One of each kind by default; the others differ from them in what is pruned, not in how they grow.
ALIKE = {"imp-2", "imp-3", "imp-5", "static-0", "random-0", "magnitude_init-0", "grasp-0",
         "synflow-0", "set-0", "snfs-0", "ticket-0"}  # fmt: skip
CASES = [
    pytest.param(name, *case, id=id, marks=[pytest.mark.fault] if id in ALIKE else [])
    for name, cases in LONGER.items()
    for id, case in ((f"{name}-{number}", case) for number, case in enumerate(cases))
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make(tmp_path: Path, tiny: Callable[..., RunSpec]) -> Make:
    """Makes run folders; what is given replaces whole fields, a mapping goes into `train`."""

    def made(name: str, train: dict[str, Any] | None = None, **fields: Any) -> RunDirectory:
        small = {"epochs": 2, "batch_size": 16, "evaluate": {"every": 1}, **(train or {})}
        data = {"name": "digits", "per_class": 5, "validation": 50}
        spec = tiny(**{"data": data, "train": small, "keep": ["all"], "evaluate": ["layer_density"],
                       **fields})  # fmt: skip
        directory = RunDirectory(tmp_path / "runs" / name)
        directory.path.mkdir(parents=True)
        directory.spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
        return directory

    return made


def _settings(name: str, own: dict[str, Any], source: Source | None) -> dict[str, Any]:
    base = {**IMP, "name": name} if name in ("imp", "prac") else {"name": name}
    base = {**base, "rewind": "1ep"} if name in ("dense", "continuous") else base
    base = {**base, "source": source} if name == "ticket" else base
    merged = {**base, **own}
    merged.pop("epoch", None)
    return {key: value for key, value in merged.items() if value is not None}


def _events(directory: RunDirectory, *kinds: type[Event]) -> list[dict[str, Any]]:
    """What the journal says, but for times and speeds."""
    own = {"time", "seconds", "device_seconds", "joules", "images_per_second", "run_id"}
    read = [event for event in Tail(directory.events_file).read() if isinstance(event, kinds)]
    return [event.model_dump(exclude=own) for event in read]


def _files(directory: RunDirectory) -> dict[str, bytes]:
    """Everything that the levels left: masks, states, tickets and cards."""
    found = [path for path in directory.levels.rglob("*.*") if path.name != "manifest.json"]
    return {str(path.relative_to(directory.path)): path.read_bytes() for path in found}


def test_every_method_says_how_it_grows() -> None:
    assert sorted(LONGER) == registry.names("sparsifiers")


@pytest.mark.parametrize(("name", "own", "more", "taken"), CASES)
def test_a_longer_run_is_as_if_trained_from_the_start(
    make: Make, name: str, own: dict[str, Any], more: dict[str, Any], taken: int
) -> None:
    source = None
    if name == "ticket":
        finish(make("source", sparsifier=IMP))
        source = resolved(Source("source", "last"), 0, make("other").root)
    select = {"epoch": own.get("epoch", "best")}
    before = _settings(name, own, source)
    train, after = ({}, {**before, **more}) if taken > 0 else (more, before)
    short = make("short", train=train, sparsifier=before, select=select)
    finish(short)
    longer = {"train": {**train, "epochs": 2 if taken > 0 else 4}, "sparsifier": after,
              "select": select}  # fmt: skip
    grown, whole = make("grown", **longer, extends="short"), make("whole", **longer)
    assert grown.spec().digest == whole.spec().digest != short.spec().digest

    finish(grown)
    finish(whole)

    assert _files(grown) == _files(whole)
    assert _events(grown, EpochEnded) == _events(whole, EpochEnded)
    assert _events(grown, LevelEnded) == _events(whole, LevelEnded)
    wanted = {"run": "short", "levels": max(taken, 0), "epochs": max(-taken, 0)}
    assert yaml.safe_load(grown.extends_file.read_text()) == wanted
    assert _before(grown, short) == (taken if taken > 0 else -taken - 1)


def _before(grown: RunDirectory, short: RunDirectory) -> int:
    """How many levels, or epochs of a single one, the journal has with the times of `short`."""
    kind = LevelEnded if len(growth.look(grown).levels) > 1 else EpochEnded
    times = [
        {event.time for event in Tail(one.events_file).read() if isinstance(event, kind)}
        for one in (grown, short)
    ]
    return len(times[0] & times[1])


def _said(directory: RunDirectory) -> list[str]:
    return [e.message for e in Tail(directory.events_file).read() if isinstance(e, Warned)]


def _taken(directory: RunDirectory) -> int:
    return int(yaml.safe_load(directory.extends_file.read_text())["levels"])


def test_a_damaged_level_and_all_after_it_are_trained_again(make: Make) -> None:
    finish(make("short", sparsifier={**IMP, "levels": 2}))
    whole, grown = (make(n, sparsifier={**IMP, "levels": 3}) for n in ("whole", "grown"))
    finish(whole)
    mask = make("x").root / "runs/short/levels/01/mask.safetensors"
    data = bytearray(mask.read_bytes())
    data[-1] ^= 1
    mask.write_bytes(data)
    _extend(grown, "short")
    finish(grown)
    assert _taken(grown) == 1 and _files(grown) == _files(whole)
    assert any("mask.safetensors differs from its checksum" in line for line in _said(grown))


def _extend(directory: RunDirectory, source: str) -> None:
    spec = directory.spec().model_copy(update={"extends": source})
    directory.spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))


def test_levels_go_back_as_far_as_weights_were_dropped(make: Make) -> None:
    """With after: continue a level starts from the weights that the one before it ended with."""
    onward = {**IMP, "after": "continue", "rewind": "2ep"}
    finish(make("short", sparsifier={**onward, "levels": 2}, keep=["dense"]))
    grown = make("grown", sparsifier={**onward, "levels": 3}, extends="short")
    whole = make("whole", sparsifier={**onward, "levels": 3})
    finish(grown)
    finish(whole)
    assert _taken(grown) == 1
    assert _files(grown) == _files(whole)
    assert _said(grown) == [
        "short is taken over up to level 0: the weights that level 2 ended with were not kept"
    ]


@pytest.mark.parametrize("gone", ["run", "images"])
def test_a_run_that_cannot_be_taken_over_is_trained_anew(make: Make, gone: str) -> None:
    short = make("short", sparsifier=IMP)
    if gone == "images":
        finish(short)
        short.subset_file.write_text('{"sha256": "0"}')
    else:
        short.spec_file.unlink()
    grown = make("grown", sparsifier={**IMP, "levels": 2}, extends="short")
    finish(grown)
    assert len(_events(grown, LevelEnded)) == 3 and _taken(grown) == 0
    why = {"run": "there is no such run", "images": "it was trained on other images"}
    assert why[gone] in _said(grown)[0]


def test_a_search_that_would_have_ended_early_ends_there_again(make: Make) -> None:
    """With stop_below lowered, a level that exists would not have been trained from the start."""
    finish(make("short", sparsifier={**IMP, "levels": 3}, seed=3))
    strict = {"sparsifier": {**IMP, "levels": 4, "stop_below": 0.0001}, "seed": 3}
    grown, whole = make("grown", **strict, extends="short"), make("whole", **strict)
    finish(grown)
    finish(whole)
    assert len(_events(whole, LevelEnded)) < 4, "or the case shows nothing"
    assert _events(grown, LevelEnded) == _events(whole, LevelEnded)
    assert _files(grown) == _files(whole)


def test_a_run_that_is_stopped_while_it_takes_over_goes_on_there(make: Make) -> None:
    finish(make("short", sparsifier={**IMP, "levels": 2}))
    grown = make("grown", sparsifier={**IMP, "levels": 3}, extends="short")
    asked = iter([False, True])
    with pytest.raises(Stopped, match="before level 1 of short"):
        run(grown, stopping=lambda: next(asked))
    assert len(growth.look(grown).levels) == 1
    finish(grown)
    whole = make("whole", sparsifier={**IMP, "levels": 3})
    finish(whole)
    assert _files(grown) == _files(whole)


def test_a_run_grows_again_and_again(make: Make) -> None:
    finish(make("one", sparsifier=IMP))
    for name, source, count in (("two", "one", 2), ("three", "two", 3)):
        finish(make(name, sparsifier={**IMP, "levels": count}, extends=source))
    whole = make("whole", sparsifier={**IMP, "levels": 3})
    finish(whole)
    three = RunDirectory(whole.root / "runs" / "three")
    assert _taken(three) == 3 and _files(three) == _files(whole)
    assert _events(three, EpochEnded) == _events(whole, EpochEnded)


SLOW = (
    "half a rewind point",
    "half a line of a level taken over",
    "a level taken over not in place",
    "all levels taken over, none noted",
)
MOMENTS = ["half a level taken over", *(pytest.param(m, marks=pytest.mark.fault) for m in SLOW)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_while_it_takes_over_goes_on_there(
    make: Make, spawn: Callable[..., subprocess.Popen[bytes]], moment: str
) -> None:
    longer = {**IMP, "rewind": "20it", "levels": 3}
    train = {"batch_size": 4}  # 12 steps an epoch
    finish(make("short", train=train, sparsifier={**longer, "levels": 2}))
    grown = make("grown", train=train, sparsifier=longer, extends="short")
    whole = make("whole", train=train, sparsifier=longer)
    finish(whole)
    program = [sys.executable, "-P", str(HELD_AT), str(grown.path), moment]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with grown.log_file.open("ab") as log:
        worker = spawn(program, stdout=log, stderr=subprocess.STDOUT, env=environment)
        wait_for(lambda: _held(worker.pid), grown.log_file.read_text)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert not grown.extends_file.exists()

    finish(grown)

    assert _taken(grown) == 3 and _before(grown, RunDirectory(grown.root / "runs/short")) == 3
    assert _tickets(grown) == _tickets(whole)
    assert _events(grown, EpochEnded) == _events(whole, EpochEnded)
    assert not list(grown.path.rglob("*.tmp"))


def _held(pid: int) -> bool:
    changed = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
    assert changed is None or changed.si_code == os.CLD_STOPPED, "it ended"
    return changed is not None


def _tickets(directory: RunDirectory) -> list[str]:
    """The checksums of tickets: the worker beside the test notes more of its machine on cards."""
    cards = sorted(directory.levels.glob("*/ticket.json"))
    return [yaml.safe_load(card.read_text())["sha256"] for card in cards]
