"""Lists of images that specs refer to: by file, by run and level, and where neither is right."""

import json
import os
import time

import pytest

from engine import examples
from engine.events import Journal, RunEnded
from engine.processes import Process
from engine.rundir import RunDirectory
from lthtui.specfiles import expand, load, write
from lthtui.yamlfile import FileError

SPEC = """\
data:
  name: digits
  validation: 100
  examples: {}
model: {{name: resnet20, width: 4}}
sparsifier: dense
train: {{epochs: 1}}
"""
RUN = "20260101-prac-abcdef-s0"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)
    return tmp_path


def spec_file(folder, reference):
    (folder / "x.yaml").write_text(SPEC.format(reference))
    return "x.yaml"


def export(path, *ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(examples.document(ids, {"dataset": "digits"}, {})))
    return examples.digest(ids)


def run_with(folder, *, sparsifier="prac", finished=True, **levels):
    directory = RunDirectory(folder / "mlruns" / "runs" / RUN)
    directory.path.mkdir(parents=True)
    spec = {"name": "prac", "data": "digits", "model": "resnet20", "sparsifier": sparsifier}
    directory.spec_file.write_text(json.dumps(spec))
    if finished:
        journal = Journal(directory.events_file, RUN, 1)
        journal.append(RunEnded(status="finished"))
        journal.close()
    for level, ids in levels.items():
        export(directory.evaluations / level.strip("_") / examples.FILE, *ids)
    return directory


def training_images(folder):
    """Ids that this draw trains on."""
    from engine.registry import load as choice

    digits = choice("datasets", "digits")
    return digits.load(digits.Settings(validation=100)).train.ids


def test_a_file_is_found_and_its_images_are_what_counts(folder):
    ids = training_images(folder)[:30]
    sha256 = export(folder / "sets" / "a.json", *ids)
    (folder / "b.txt").write_text("\n".join(reversed(ids)))
    [one], [two] = (load(spec_file(folder, path)) for path in ("sets/a.json", "b.txt"))
    assert one.data.examples == str(folder / "sets" / "a.json")
    assert one.data.examples_sha256 == two.data.examples_sha256 == sha256
    assert one.digest == two.digest
    (folder / "again.yaml").write_text(write(one))
    assert load("again.yaml")[0] == one
    assert expand("again.yaml").runs[0].images.train == 30


def test_a_run_gives_the_set_it_found_last_or_in_a_level(folder):
    ids = training_images(folder)
    directory = run_with(folder, _00=ids[:50], _02=ids[:20])
    for reference, level in (("prac-s0", "02"), (RUN, "02"), ("prac-s0:0", "00")):
        [found] = load(spec_file(folder, reference))
        assert found.data.examples == str(directory.evaluations / level / examples.FILE)
    assert load("x.yaml")[0].data.examples_sha256 == examples.digest(ids[:50])


def test_lists_can_vary(folder):
    ids = training_images(folder)
    run_with(folder, _00=ids[:50], _01=ids[:30])
    found = expand(spec_file(folder, "x.json"), ["data.examples=prac-s0:0,prac-s0:1"]).runs
    assert [one.images.train for one in found] == [50, 30]
    assert len({one.spec.group for one in found}) == 2


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("missing.json", "there is no such list of images"),
        ("other-s0", "no run 'other-s0'"),
        ("prac-s0:7", "exported no set in level 7, only in 0"),
        ("prac-s0:best", "write RUN, RUN:LEVEL, or a file"),
    ],
)
def test_what_is_not_there_is_said_at_its_place(reference, message, folder):
    run_with(folder, _00=training_images(folder)[:9])
    with pytest.raises(FileError) as caught:
        load(spec_file(folder, reference))
    [problem] = caught.value.problems
    assert message in problem.message
    assert problem.mark.line == 4


def refusal(folder, reference):
    with pytest.raises(FileError) as caught:
        load(spec_file(folder, reference))
    [problem] = caught.value.problems
    return problem.message


@pytest.mark.parametrize(
    ("sparsifier", "finished"), [("prac", True), ("imp", True), ("imp", False)]
)
def test_a_run_without_sets_says_which_runs_have_them(folder, sparsifier, finished):
    run_with(folder, sparsifier=sparsifier, finished=finished)
    wanted = "exported no set of images; runs of sparsifier prac do"
    assert wanted in refusal(folder, "prac-s0")


def test_sets_of_a_run_that_is_not_over_are_taken_only_by_their_level(folder):
    ids = training_images(folder)
    directory = run_with(folder, finished=False)
    assert f"is stopped, and its sets are not final yet; lthtui resume {RUN}" in refusal(
        folder, "prac-s0"
    )
    directory.queue_file.parent.mkdir()
    directory.queue_file.write_text("{}")
    assert refusal(folder, "prac-s0").endswith("is queued, and its sets are not final yet; wait")
    export(directory.evaluations / "00" / examples.FILE, *ids[:50])
    directory.heartbeat_file.write_text(
        json.dumps(
            {"attempt": 1, "process": Process.of(os.getpid()).model_dump(), "time": time.time()}
        )
    )
    for reference in ("prac-s0", "prac-s0:1"):
        assert refusal(folder, reference) == (
            f"{RUN} is running, and its sets are not final yet; wait; level 0's is: {RUN}:0"
        )
    [found] = load(spec_file(folder, "prac-s0:0"))
    assert found.data.examples_sha256 == examples.digest(ids[:50])
