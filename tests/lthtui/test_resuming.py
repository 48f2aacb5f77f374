"""A spec that goes on from a ticket can be queued as it stands, whichever method found it."""

from __future__ import annotations

import pytest
from maskfiles import NETWORK, draw, write_ticket
from rundirs import FakeRun

from engine import registry
from engine.errors import UsageError
from lthtui import cloning, resuming, specfiles, yamlfile
from lthtui.drawer import Drawer
from lthtui.sources import Patience

NEEDED = {  # what a method needs besides its name
    "imp": {"levels": 3},
    "grasp": {"density": 0.5},
    "magnitude_init": {"density": 0.3},
    "gradual": {"density": 0.3},
    "random": {"density": 0.3},
    "rigl": {"density": 0.3},
    "set": {"density": 0.3},
    "snfs": {"density": 0.3},
    "snip": {"density": 0.5},
    "static": {"density": 0.3},
    "synflow": {"density": 0.3},
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path))


def run_with_tickets(root, name, seed=0, levels=3, top=2, **changes):
    """A finished run, every level of which kept a ticket that is whole."""
    run = FakeRun(root, name, seed, levels=levels, top=top, **changes)
    run.start().train(levels + 1).end()
    spec = run.directory.spec()
    for level in range(levels + 1):
        path = run.directory.level(level) / "ticket.safetensors"
        card = {"level": level, "spec": spec.model_dump(mode="json", context={"purpose": "card"})}
        write_ticket(path, draw(NETWORK, 0.8**level if level else 2.0, level), **card)
    return run


def made(text, name="next"):
    expansion = specfiles.expand_document(yamlfile.parse(text, name), name, patience=Patience())
    return expansion


@pytest.mark.parametrize("method", [*registry.names("sparsifiers")])
def test_tickets_of_all_methods_can_be_gone_on_from(tmp_path, method):
    settings = {"name": method, **NEEDED.get(method, {})}
    if method == "ticket":
        first = run_with_tickets(tmp_path, "first")
        settings["source"] = f"{first.run_id}:2"
        spec = specfiles.load(_file(tmp_path, settings))[0]
        settings = spec.sparsifier.model_dump(mode="json")
    module = registry.load("sparsifiers", method)
    knobs = {key: value for key, value in settings.items() if key != "name"}
    last = len(module.Sparsifier(module.Settings.model_validate(knobs)).levels()) - 1
    run = run_with_tickets(tmp_path, "found", levels=last, sparsifier=settings)
    expansion = made(resuming.resume(tmp_path, [run.directory], last))
    (ready,) = expansion.runs
    assert ready.spec.sparsifier.name == "ticket" and len(ready.plan.levels) == 1
    assert ready.spec.sparsifier.source.run == run.run_id
    assert ready.spec.tags["cloned_from"] == run.run_id and expansion.later == ()


def _file(folder, sparsifier):
    spec = {"name": "other", "data": {"name": "digits", "validation": 300}, "model": "resnet20"}
    path = folder / "other.yaml"
    path.write_text(yamlfile.dump({**spec, "sparsifier": sparsifier}))
    return path


def test_all_settings_but_the_method_are_those_of_the_run(tmp_path):
    train = {"epochs": 4, "batch_size": 20, "optimizer": {"name": "sgd", "lr": 0.03}}
    run = run_with_tickets(tmp_path, "one", experiment="day", train=train)
    text = resuming.resume(tmp_path, [run.directory], 2)
    head = text.splitlines()[0]
    assert head.startswith(f"# Goes on from level 2 of {run.run_id}: 6")  # 0.64 of 100,000
    assert "of 100,000 weights." in head
    (ready,) = made(text).runs
    found = cloning.changed(run.directory.spec(), [ready.spec])
    assert {field.partition(".")[0] for field, _, _ in found} == {"sparsifier"}
    assert ready.spec.experiment == "day" and ready.spec.train.optimizer.lr == 0.03
    # it stands under the run that it repeats
    assert str(ready.spec.controls.source) == f"{run.run_id}:2"


def test_what_else_can_be_done_with_a_ticket_is_said_and_may_be_chosen(tmp_path):
    run = run_with_tickets(tmp_path, "one")
    text = resuming.resume(tmp_path, [run.directory], 2)
    lines = {line.split(":")[0].strip(): line for line in text.splitlines()}
    assert lines["mask"].endswith("# or same_layer, uniform, er, erk, random")
    assert lines["weights"].endswith("# or trained, reinit, shuffle")
    assert lines["schedule"].endswith("# or whole")
    (ready,) = made(text.replace("weights: rewind", "weights: trained")).runs
    assert ready.spec.sparsifier.weights == "trained"


def test_a_numbered_level_to_select_is_left_out_as_there_is_one_only(tmp_path):
    run = run_with_tickets(tmp_path, "one", select={"level": 2, "epoch": "best"})
    text = resuming.resume(tmp_path, [run.directory], 2)
    assert "# Left out: select.level 2" in text
    (ready,) = made(text).runs
    assert ready.spec.select.level == "best" and ready.spec.select.epoch == "best"


def test_each_seed_goes_on_from_its_own_ticket(tmp_path):
    runs = [run_with_tickets(tmp_path, "one", seed) for seed in (0, 1)]
    text = resuming.resume(tmp_path, [run.directory for run in runs], "best")
    found = {one.spec.seed: one.spec.sparsifier.source.run for one in made(text).runs}
    assert found == {0: runs[0].run_id, 1: runs[1].run_id}
    assert "source: one:best" in text
    # another group of that name: now the digits of the group tell which is meant
    run_with_tickets(tmp_path, "one", 0, train={"epochs": 4, "batch_size": 20})
    text = resuming.resume(tmp_path, [run.directory for run in runs], 2)
    assert f"source: {runs[0].directory.spec().group[:8]}:2" in text
    found = {one.spec.seed: one.spec.sparsifier.source.run for one in made(text).runs}
    assert found == {0: runs[0].run_id, 1: runs[1].run_id}


def test_runs_that_were_made_twice_are_gone_on_from_one_by_one(tmp_path, monkeypatch):
    from engine.rundir import RunDirectory

    runs = [run_with_tickets(tmp_path, "one", seed) for seed in (0, 1)]
    again = tmp_path / "runs" / f"{runs[0].run_id}-2"
    again.mkdir()
    (again / "spec.yaml").write_text(runs[0].directory.spec_file.read_text())
    with pytest.raises(UsageError, match="go on from one of them"):
        resuming.resume(tmp_path, [RunDirectory(run.directory.path) for run in runs], 2)


def test_why_there_is_no_ticket(tmp_path):
    run = run_with_tickets(tmp_path, "one")
    run.keep(2, None)
    with pytest.raises(UsageError, match="has not kept the weights of level 2; kept: 0, 1, 3"):
        resuming.resume(tmp_path, [run.directory], 2)
    broken = run.directory.level(1) / "ticket.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1] + b"\1")
    with pytest.raises(Exception, match="differ from the checksum"):
        resuming.resume(tmp_path, [run.directory], 1)


def test_a_run_under_way_is_waited_for(tmp_path):
    run = FakeRun(tmp_path, "one").start(alive=True).train(2, 1)
    text = resuming.resume(tmp_path, [run.directory], 1)
    assert f"# Goes on from level 1 of {run.run_id} once that has finished." in text
    expansion = made(text)
    assert expansion.runs == () and expansion.later[0].after == (run.run_id,)


def test_the_spec_is_named_after_the_level(tmp_path):
    run = run_with_tickets(tmp_path, "a" * 62)
    name, _ = Drawer(tmp_path, tmp_path / "specs").clone([run.run_id], [], 2)
    assert name == "a" * 56 + "-level-2"
    assert resuming.stem(run.directory, "best") == "a" * 57 + "-ticket"
