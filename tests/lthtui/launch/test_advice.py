import json
import sys
from pathlib import Path

import pytest

from engine.errors import LthError
from engine.spec import RunSpec
from lthtui.launch import devices
from lthtui.launch.advice import Row, advise, recommended
from lthtui.launch.devices import Device
from lthtui.launch.nvml import Load

GIB = 2**30
GPU = Device("GPU-a", "0: A", memory=80 * GIB)
WORKER = r"""
import json, os, re, sys, time
from pathlib import Path
here, (verb, spec, seconds) = Path(sys.argv[1]), sys.argv[2:]
launch = dict(re.findall(r"(per_device|threads): (\d+)", Path(spec).read_text()))
runs, threads = int(launch.get("per_device", 1)), int(launch.get("threads", 1))
rate = json.loads((here / "rates.json").read_text()).get(str(runs))
(here / f"{runs}-{os.getpid()}").write_text("")
if rate is None:
    sys.exit(f"{runs} are too many")
if rate == "silence":
    time.sleep(1000)
print("ready", flush=True)
sys.stdin.readline()
if len(list(here.glob(f"{runs}-*"))) < runs:
    sys.exit("not all were ready")
seen = [verb, seconds, threads, os.environ["CUDA_VISIBLE_DEVICES"]]
(here / "seen.json").write_text(json.dumps(seen))
print(json.dumps({"images_per_second": rate / runs, "seconds_per_step": 0.5}), flush=True)
"""


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Ask for advice where so many runs at once get so many images done; each takes a few GiB."""
    taken = []

    def alive():
        return sum(Path("/proc", path.name.split("-")[1]).exists() for path in _workers(tmp_path))

    def load(device):
        free = 80 - taken[-1] * alive()
        return Load(0, free * GIB, 80 * GIB)

    monkeypatch.setattr(devices, "load", load)
    monkeypatch.setattr(devices, "cores", lambda: 4)

    def play(rates, device=GPU, size=1, **options):
        taken.append(size)
        (tmp_path / "rates.json").write_text(json.dumps(rates))
        program = [sys.executable, "-S", "-c", WORKER, str(tmp_path)]
        settings = {"name": "x", "data": "digits", "model": "resnet20", "sparsifier": "dense"}
        spec = RunSpec.model_validate({**settings, "launch": {"threads": 3}})
        try:
            return advise(spec, device, command=program, **options)
        finally:
            assert alive() == 0

    return play


def _workers(folder):
    return list(folder.glob("*-*"))


def test_doubling_ends_where_it_is_of_no_use(play, tmp_path):
    rows = play({1: 100, 2: 190, 4: 195, 8: 1000})
    assert rows == [
        Row(1, 3, 100, 0.5, GIB),
        Row(2, 3, 190, 0.5, GIB),
        Row(4, 3, 195, 0.5, GIB),
    ]
    assert recommended(rows) == 2
    assert json.loads((tmp_path / "seen.json").read_text()) == ["pace", "3.0", 3, "GPU-a"]


def test_no_more_are_tried_than_there_is_memory_for(play):
    rows = play({1: 100, 2: 200, 4: 400, 8: 800}, size=10)
    assert [row.runs for row in rows] == [1, 2, 4]  # eight would need all of it
    assert recommended(rows) == 4


def test_the_cpus_cores_are_divided_and_each_run_has_one(play, tmp_path):
    rows = play({1: 100, 2: 200, 4: 300, 8: 900}, devices.cpu(), seconds=0.5)
    assert [(row.runs, row.threads) for row in rows] == [(1, 4), (2, 2), (4, 1)]
    assert all(2**20 < row.memory < 2**30 for row in rows)  # that of a bare interpreter
    assert json.loads((tmp_path / "seen.json").read_text()) == ["pace", "0.5", 1, ""]


def test_what_is_too_much_ends_the_trial_with_what_is_known(play):
    assert [row.runs for row in play({1: 100, 2: 200})] == [1, 2]


def test_a_run_that_can_not_even_be_trained_alone_is_an_error(play):
    with pytest.raises(LthError, match="1 at once can't be measured: 1 are too many"):
        play({})


def test_a_worker_that_never_gets_ready_is_not_waited_for(play):
    with pytest.raises(LthError, match="it took too long"):
        play({1: "silence"}, patience=0.0)


def test_a_program_that_can_not_be_started_is_an_error():
    spec = RunSpec.model_validate(
        {"name": "x", "data": "digits", "model": "resnet20", "sparsifier": "dense"}
    )
    with pytest.raises(LthError, match="No such file"):
        advise(spec, devices.cpu(), command=["/nowhere/at/all"])


@pytest.mark.parametrize(
    ("rates", "best"), [((100,), 1), ((100, 96), 1), ((94, 100, 99), 2), ((94, 96, 120, 125), 4)]
)
def test_the_fewest_runs_within_a_twentieth_of_the_best_are_recommended(rates, best):
    rows = [Row(2**i, 1, rate, 0.1, 0) for i, rate in enumerate(rates)]
    assert recommended(rows) == best
