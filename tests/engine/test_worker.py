"""The worker program as it is run: killed at any moment, stopped, diverged, out of disk."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from waiting import PATIENCE, wait_for

from engine import attempts, checkpoints
from engine.events import EpochEnded, Event, LevelEnded, LevelStarted, RunEnded, RunStarted, Tail
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
HELD_AT = Path(__file__).parents[1] / "fakes" / "held_at.py"


def _how(directory: RunDirectory, moment: str | None) -> dict[str, Any]:
    """How a worker is started: as lthtui does, or held at a moment (see `held_at`)."""
    program = ["-m", "engine", str(directory.path)]
    if moment:
        program = [str(HELD_AT), str(directory.path), moment]
    return {
        "args": [sys.executable, "-P", *program],
        "env": {**os.environ, "OMP_NUM_THREADS": "1"},
        "stderr": subprocess.STDOUT,
    }


def _run(directory: RunDirectory, **how: Any) -> int:
    """Run a worker to its end; returns its exit code."""
    with directory.log_file.open("ab") as log:
        how = {**_how(directory, None), "stdout": log, "timeout": PATIENCE, **how}
        return subprocess.run(**how).returncode


class Worker:
    """A worker that runs beside the test."""

    def __init__(self, directory: RunDirectory, process: subprocess.Popen[bytes]) -> None:
        self.directory, self.process = directory, process

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def wait_until(self, happened: Callable[[], object]) -> None:
        wait_for(happened, self.directory.log_file.read_text)

    def wait_until_held(self) -> None:
        self.wait_until(self._changed)
        changed = self._changed()
        assert changed and changed.si_code == os.CLD_STOPPED, self.directory.log_file.read_text()

    def _changed(self) -> os.waitid_result | None:
        how = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, how)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


Workers = Callable[..., Worker]


@pytest.fixture
def start(spawn: Callable[..., subprocess.Popen[bytes]]) -> Workers:
    """Starts workers; those that are given a moment are held there."""

    def make(directory: RunDirectory, moment: str | None = None) -> Worker:
        with directory.log_file.open("ab") as log:
            worker = Worker(directory, spawn(**_how(directory, moment), stdout=log))
        if moment:
            worker.wait_until_held()
        return worker

    return make


def _events(directory: RunDirectory) -> list[Event]:
    return list(Tail(directory.events_file).read())


def _numbers(directory: RunDirectory) -> list[dict[str, Any]]:
    """What a run measured, without times, speeds and attempts."""
    drop = {"time", "attempt", "seconds", "device_seconds", "joules", "images_per_second"}
    kinds = (EpochEnded, LevelStarted, LevelEnded)
    return [e.model_dump(exclude=drop) for e in _events(directory) if isinstance(e, kinds)]


def _tickets(directory: RunDirectory) -> dict[str, bytes]:
    found = sorted(directory.levels.glob("*/ticket.safetensors"))
    return {path.parent.name: path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """An uninterrupted run."""
    directory = RunDirectory(tmp_path_factory.mktemp("whole") / "runs" / "run-s0")
    directory.path.mkdir(parents=True)
    directory.spec_file.write_text(json.dumps(_long()))
    assert _run(directory) == 0, directory.log_file.read_text()
    return directory


def _long() -> dict[str, Any]:
    return {
        "name": "long",
        "data": {"name": "digits", "per_class": 20, "validation": 100},
        "model": {"name": "resnet20", "width": 4, "shortcut": "B"},
        "sparsifier": {"name": "imp", "levels": 2, "rewind": "2ep"},
        "train": {"epochs": 9, "batch_size": 20, "evaluate": {"every": 3}},
        "checkpoint": 0.05,
        "keep": ["all"],
        "tracking": "off",
    }


def test_a_finished_run(whole: RunDirectory) -> None:
    events = _events(whole)
    started, ended = events[0], events[-1]
    assert isinstance(started, RunStarted) and started.images == {
        "train": 200, "val": 100, "test": 797,
    }  # fmt: skip
    assert isinstance(ended, RunEnded) and ended.status == "finished" and ended.winning
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    # level 0 trains 9 epochs, the levels after it the 7 beyond the rewind point
    assert [e.epoch for e in epochs] == list(range(1, 24))
    assert [e.level_epoch for e in epochs] == [*range(1, 10), *range(1, 8), *range(1, 8)]
    assert epochs[-1].step == 230
    assert [e.level_epoch for e in epochs if e.val_accuracy is not None][:3] == [3, 6, 9]
    assert status(whole) == Status.FINISHED


# Each run is killed at the first moment, resumed and killed at the second, and so on.
MOMENTS = {
    "steps": ["in the middle of an epoch", "before an epoch's result", "early in the next level"],
    "journal": ["half a line in the journal"],
    "rewind point": ["half a rewind point", "a rewind point not in place"],
    "checkpoint": [
        "half a checkpoint",
        "a checkpoint not in place",
        "a checkpoint too many",
        "a checkpoint half removed",
    ],
    "level": [
        "half a level",
        "a level not in place",
        "a level not reported",
        "checkpoints of a finished level",
    ],
}


@pytest.mark.parametrize(
    "what",
    [  # real starts take long: some are left to the long tests of faults
        pytest.param(what, marks=pytest.mark.fault if what in ("rewind point", "level") else ())
        for what in MOMENTS
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    what: str, whole: RunDirectory, run_folder: Folders, start: Workers
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    for moment in MOMENTS[what]:
        start(directory, moment).kill()
        assert status(directory) == Status.LOST
    _assert_resumes_to(whole, directory)


def test_killed_whenever_equals_uninterrupted(
    whole: RunDirectory, run_folder: Folders, start: Workers
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    for number in range(1, 5):
        delay = random.uniform(0, 5)  # an idle machine needs half of it to begin training
        print(f"attempt {number}: killed after {delay:.3f} s")
        worker = start(directory)
        worker.wait_until(lambda number=number: attempts.current(directory) == number)  # type: ignore[misc]
        time.sleep(delay)
        worker.kill()
    _assert_resumes_to(whole, directory)


def _assert_resumes_to(whole: RunDirectory, directory: RunDirectory) -> None:
    assert _run(directory) == 0, directory.log_file.read_text()
    assert _tickets(directory) == _tickets(whole)
    assert _numbers(directory) == _numbers(whole)
    assert not list(directory.path.rglob(".*.tmp"))


def test_sigterm_saves_a_checkpoint_and_exits_75(
    whole: RunDirectory, run_folder: Folders, start: Workers
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    worker = start(directory, "in the middle of an epoch")
    assert _newest(directory).name == "000-000000028"
    worker.process.send_signal(signal.SIGTERM)
    worker.process.send_signal(signal.SIGCONT)
    assert worker.wait() == 75
    ended = _events(directory)[-1]
    assert isinstance(ended, RunEnded) and ended.status == "stopped"
    assert status(directory) == Status.STOPPED
    assert _newest(directory).name > "000-000000033"
    _assert_resumes_to(whole, directory)


def _newest(directory: RunDirectory) -> Path:
    return max(directory.partial.glob("[0-9]*"))


def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    whole: RunDirectory, run_folder: Folders, start: Workers
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    start(directory, "in the middle of an epoch").kill()
    newest = _newest(directory) / "net.safetensors"
    data = bytearray(newest.read_bytes())
    data[-9] ^= 1
    newest.write_bytes(data)
    _assert_resumes_to(whole, directory)
    assert "going back to the checkpoint before" in directory.log_file.read_text()


def test_a_checkpoint_of_another_version_is_left_alone(
    whole: RunDirectory, run_folder: Folders, start: Workers
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    start(directory, "in the middle of an epoch").kill()
    for folder in directory.partial.glob("[0-9]*"):
        files, meta = checkpoints.read(folder)
        checkpoints.write(folder, files, {"position": meta["position"]})
    _assert_resumes_to(whole, directory)
    said = directory.log_file.read_text()
    assert said.count("written by another version of this program") == 2


def _take_back_the_end(directory: RunDirectory) -> None:
    """Have a run look as if it was killed before its end: one that has finished stays so."""
    lines = directory.events_file.read_bytes().splitlines(keepends=True)
    directory.events_file.write_bytes(b"".join(x for x in lines if b'"run_ended"' not in x))


def test_a_damaged_level_is_trained_again(whole: RunDirectory, run_folder: Folders) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    shutil.copytree(whole.path, directory.path, dirs_exist_ok=True)
    _take_back_the_end(directory)
    shutil.rmtree(directory.level(2))
    ticket = directory.level(1) / "ticket.safetensors"
    ticket.write_bytes(ticket.read_bytes()[:-1])
    assert _run(directory) == 0
    assert "level 1 is trained again" in directory.log_file.read_text()
    assert _tickets(directory) == _tickets(whole)


def test_a_finished_run_started_again_trains_nothing(
    whole: RunDirectory, run_folder: Folders
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    shutil.copytree(whole.path, directory.path, dirs_exist_ok=True)
    assert _run(directory) == 0
    assert _numbers(directory) == _numbers(whole)


def test_a_run_goes_on_with_the_images_it_began_with(
    tiny: Specs, run_folder: Folders, tmp_path: Path, image_sets: SimpleNamespace
) -> None:
    lists = image_sets.lists(tmp_path / "leaves", 3) / "trainval.txt"
    data = {"name": "image_list", "root": str(lists.parent), "validation": 6, "size": 16}
    directory = run_folder(tiny(data=data, keep=["all"]))
    assert _run(directory) == 0, directory.log_file.read_text()
    tickets, listed = _tickets(directory), lists.read_text()
    _take_back_the_end(directory)
    shutil.rmtree(directory.level(2))
    lists.write_text(listed.partition("\n")[2])
    assert _run(directory) == 2
    ended = _events(directory)[-1]
    assert isinstance(ended, RunEnded) and ended.error
    assert "other training or validation images than this run began with" in ended.error
    assert not directory.level(2).exists()
    lists.write_text(listed)
    assert _run(directory) == 0
    assert _tickets(directory) == tickets


def test_divergence_fails_the_run_with_its_reason(tiny: Specs, run_folder: Folders) -> None:
    optimizer = {"name": "sgd", "lr": 100.0, "weight_decay": 1.0}
    spec = tiny(train={"epochs": 200, "batch_size": 25, "optimizer": optimizer})
    directory = run_folder(spec)
    assert _run(directory) == 1
    ended = _events(directory)[-1]
    assert isinstance(ended, RunEnded) and ended.status == "failed" and ended.error
    assert "loss became" in ended.error and "lower train.optimizer.lr" in ended.error
    assert status(directory) == Status.FAILED


# A checkpoint is larger than this; the journal is not.
SMALL = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000))
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_full_disk_loses_nothing_that_was_saved(whole: RunDirectory, run_folder: Folders) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    assert _run(directory, args=[sys.executable, "-c", SMALL, *_how(directory, None)["args"]]) == 1
    ended = _events(directory)[-1]
    assert isinstance(ended, RunEnded) and ended.status == "failed" and ended.error
    assert "Traceback" not in directory.log_file.read_text()
    assert _run(directory) == 0
    assert _tickets(directory) == _tickets(whole)


def test_a_second_worker_is_refused_and_a_replaced_one_stops(
    run_folder: Folders, start: Workers
) -> None:
    directory = run_folder(RunSpec.model_validate(_long()))
    first = start(directory, "in the middle of an epoch")
    assert _run(directory) == 2
    assert "another worker is on this run" in directory.log_file.read_text()
    assert status(directory) == Status.RUNNING
    directory.attempt_file.write_text("9")  # a newer attempt, on another host
    first.process.send_signal(signal.SIGCONT)
    assert first.wait() == 1
    assert not isinstance(_events(directory)[-1], RunEnded)


def test_missing_images_are_said_before_anything_starts(
    tiny: Specs, run_folder: Folders, tmp_path: Path
) -> None:
    directory = run_folder(tiny(data={"name": "cifar10", "root": str(tmp_path / "nowhere")}))
    assert _run(directory) == 2
    ended = _events(directory)[-1]
    assert isinstance(ended, RunEnded) and ended.error and "nowhere" in ended.error
    assert not directory.levels.exists()


def test_the_way_to_the_first_step_imports_nothing_slow(tiny: Specs, run_folder: Folders) -> None:
    directory = run_folder(tiny(augmentation={"name": "basic", "mixup": 1.0}))
    code = (
        "import sys\nfrom engine import worker\n"
        f"code = worker.main({str(directory.path)!r})\n"
        "slow = {'torchvision', 'sklearn', 'mlflow', 'torch._dynamo', 'pandas', 'matplotlib',"
        " 'sympy'}\n"
        "print(code, sorted(slow & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "0 []"
