"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import yaml
from cluster import Cluster, missing

from engine.rundir import RunDirectory
from engine.spec import RunSpec

# A shell starts what runs in its background with Ctrl-C ignored, which programs that are started
# from here would take over: tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Hundreds of processes start here, and none should compile torch and MLflow anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors: more threads only get in the way
MEMORY = Path("/dev/shm")
if (
    MEMORY.is_dir()
    and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > 2**33
):
    # No test cuts the power: none needs a disk, for which some would wait half of their time.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes share the tests: one more than cores, as many tests wait for others.

    0 runs them in this one: those that are named, and whatever prints or renews snapshots.
    """
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    if named or config.option.capture == "no" or config.option.update_snapshots:
        return 0
    return min(len(os.sched_getaffinity(0)), 7) + 1


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    """What commands keep in the environment, such as the root they were given, ends with a test."""
    before = {name: value for name, value in os.environ.items() if name.startswith("LTHTUI_")}
    yield
    for name in [name for name in os.environ if name.startswith("LTHTUI_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def real_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cifar-10-batches-bin/, eurosat/ and isic2018/, laid out as users have them."""
    script = SHARED / "data" / "unpack.py"
    if not script.is_file():
        pytest.skip(f"the real image sets are not here ({script.parent})")
    folder = tmp_path_factory.mktemp("images")
    arguments, sys.argv = sys.argv, [str(script), str(folder)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = arguments
    return folder


@pytest.fixture
def tiny() -> Callable[..., RunSpec]:
    """Makes specs of a few seconds on digits; keyword arguments replace whole fields."""

    def make(**fields: Any) -> RunSpec:
        whole: dict[str, Any] = {
            "name": "tiny",
            "data": {"name": "digits", "per_class": 10, "validation": 100},
            "model": {"name": "resnet20", "width": 4, "shortcut": "B"},
            "sparsifier": {"name": "imp", "levels": 2, "rewind": "1ep"},
            "train": {"epochs": 3, "batch_size": 25, "evaluate": {"every": 1}},
            "tracking": "off",
        }
        return RunSpec.model_validate({**whole, **fields})

    return make


@pytest.fixture
def run_folder(tmp_path: Path) -> Callable[..., RunDirectory]:
    """Makes run folders, as the launcher does, under `tmp_path/<root>/runs/`."""

    def make(spec: RunSpec, root: str = "mlruns", run_id: str = "run-s0") -> RunDirectory:
        directory = RunDirectory(tmp_path / root / "runs" / run_id)
        directory.path.mkdir(parents=True)
        directory.spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
        return directory

    return make


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that MLflow made; where it is copied to, it has to be relocated."""
    from engine.tracking import ensure_store

    root = tmp_path_factory.mktemp("template")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own
        ensure_store(root)
    return root / "mlflow.db"


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[Any]]]:
    """Starts processes as `subprocess.Popen` does; those still there at the test's end are killed.

    One that a failed test left behind would be a warning, so an error, in any later test.
    """
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> subprocess.Popen[Any]:
            process = stack.enter_context(subprocess.Popen(*arguments, **options))
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture(scope="session")
def image_sets() -> SimpleNamespace:
    """The makers of `fakes/image_sets.py`: tiny data sets in every layout."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "fakes/image_sets.py")))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real Slurm of two nodes on loopback; `environment` of it leads Slurm's commands there."""
    if why := missing():
        pytest.skip(why)
    found = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        found.start()
        yield found
    finally:
        found.stop()
