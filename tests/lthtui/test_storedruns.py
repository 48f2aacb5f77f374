"""A store that is browsed shows runs as the root that they are in does."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import fields as parts

import pytest
import viewed
from rundirs import FakeRun
from storing import copy_store

from engine import noted, schema
from engine.rundir import Request, write_json
from engine.sources import Source
from engine.tracking import sync
from lthtui.board import status_cell
from lthtui.choosing import labelled
from lthtui.fields import Field
from lthtui.lookout import Lookout
from lthtui.runview import LevelView, RunView

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
# of the machine, of files, and of what is under way, which MLflow knows nothing of
LOCAL = {"directory", "stored", "asked", "user", "device"}
UNDER_WAY = {"epoch", "planned_epochs", "pace", "eta", "stalled"}
SHOWN = ("val", "test", "density", "kept", "best_level", "gain", "seed")
FILES = {"planned", "epochs", "ticket", "bytes", "losses", "validations"}


def told(run, board):
    """What both know of a run; of one that is under way, its ended levels."""
    left_out = LOCAL | UNDER_WAY | {"extremes"}
    found = {part.name: getattr(run, part.name) for part in parts(RunView)}
    levels = [part.name for part in parts(LevelView) if part.name not in FILES]
    found["levels"] = [[getattr(one, name) for name in levels] for one in run.ended_levels]
    if run.active:
        left_out |= {"duration"}
    elif run.status == "lost":  # which nobody saw happen: each says so in its own words
        left_out |= {"error"}
    if not run.active:
        group = board.group_of(run.run_id)
        found |= {name: Field.parse(name).of(run, group) for name in SHOWN}
    found["cell"], found["metrics"] = status_cell(run), sorted(run.metrics.items())
    return {name: repr(value) for name, value in found.items() if name not in left_out}


def control(root, run):
    """A control of a run's level 1, as `lthtui control` would make it."""
    group = run.directory.spec().group
    found = Source(run.run_id, pick=1, path="/x", sha256="a" * 64, level=1, group=group, kept=80000)
    spec = {"kind": "null", "source": found, "instead": {"train.batch_size": 64}}
    train = {"epochs": 4, "batch_size": 32}
    return FakeRun(root, "sweep", levels=1, sparsifier="dense", train=train, controls=spec)


def pause(run):
    """Have a run be one that stopped because it was asked to pause."""
    asked = Request(verb="pause", time=time.time())
    write_json(run.directory.path / "request.json", asked.model_dump())
    return run


def lose(run):
    """Have a run be one whose worker is gone without a word."""
    launch = {"attempt": 1, "backend": "local", "device": "cpu", "threads": 1, "time": run.clock}
    gone = {"host": "elsewhere", "boot": "", "pid": 1, "start": 0}
    write_json(run.directory.launch_file, launch | {"process": gone})
    return run


def populate(root):
    """Small runs of each status that MLflow can know of: seeds, a sweep, a control, single ones."""
    runs = {f"s{seed}": FakeRun(root, "seeds", seed, levels=1).start() for seed in range(2)}
    runs["s0"].train(2).end()
    runs["s1"].train(2).end()
    runs["running"] = FakeRun(root, "seeds", 2, levels=1).start(alive=True).train(1, 2)
    for rate in (0.3, 0.5):
        sparsifier = {"name": "imp", "rate": rate, "levels": 1}
        runs[f"{rate}"] = FakeRun(root, "sweep", levels=1, sparsifier=sparsifier, top=0).start()
        runs[f"{rate}"].train(2).end()
    runs["failed"] = FakeRun(root, "failed", levels=2).start().train(1, 1).end("failed", "why")
    runs["paused"] = pause(FakeRun(root, "paused", levels=3).start().train(1).end("stopped"))
    runs["lost"] = lose(FakeRun(root, "lost", levels=4).start().train(1))
    runs["control"] = control(root, runs["0.3"]).start().train(1).end("stopped")
    return runs


@pytest.fixture
def both(tmp_path, template):
    """What a root shows of its runs, and what another one does, which browses the same store."""
    root = copy_store(template, tmp_path / "mlruns")
    runs = populate(root)
    changes = {schema.NAME: "Best one", "why": "paper", schema.ARCHIVED: "true"}
    noted.change(runs["failed"].directory, changes)
    for run in runs.values():
        sync(run.directory)
    browsing = Lookout(tmp_path / "theirs", f"sqlite:///{root}/mlflow.db")
    with closing(Lookout(root)) as own, closing(browsing) as other:
        yield runs, own.look(), other.look()


def test_a_store_that_is_browsed_shows_runs_as_their_root_does(both):
    runs, here, there = both
    assert {*there.runs} == {run.run_id for run in runs.values()} == {*here.runs}
    statuses = {here.runs[run.run_id].status for run in runs.values()}
    assert statuses == {"finished", "running", "failed", "stopped", "paused", "lost"}
    for name, run in runs.items():
        assert told(there.runs[run.run_id], there) == told(here.runs[run.run_id], here), name
    shown = [
        [
            (one.id, one.key, one.label, one.control, sorted(one.dense), made.colours[one.id])
            for one in made.groups
        ]
        for made in (here, there)
    ]
    assert shown[0] == shown[1]
    labels = {one.label for one in there.groups}
    assert {"imp rate=0.5 · sweep", "null of imp rate=0.3 batch_size=32"} <= labels


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{",
        "[]",
        "9" * 5000,
        '{"a":' * 3000 + "1" + "}" * 3000,
        '{"sparsifier": 5}',
        '{"sparsifier": {"name": "imp"}, "data": 5}',
        '{"sparsifier": {"name": "imp"}, "controls": {"kind": "x", "instead": []}}',
        '{"sparsifier": {"name": "imp"}, "model": {"name": ["a"]}, "loss": {"name": {}, "a": 1}}',
        '{"sparsifier": {"name": "imp"}, "controls": {"kind": "", "source": {"pick": 1}}}',
    ],
)
def test_whatever_a_server_says_was_asked_groups_have_names(said):
    asked = '{"sparsifier": {"name": "imp", "rate": 0.5}, "model": {"name": "b", "width": 1}}'
    runs = [viewed.run(group=asked, asked=asked) for asked in (said, asked)]
    named = labelled(runs)
    assert len(set(named.values())) == 2 and all(named.values())
