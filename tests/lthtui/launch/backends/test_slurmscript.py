"""What is submitted to Slurm: every word of it, and that no value of anybody's is run."""

from __future__ import annotations

import subprocess

import pytest

from engine.errors import UsageError
from engine.launchspec import LaunchSpec
from engine.rundir import RunDirectory, write_json
from lthtui.launch import credentials
from lthtui.launch.backends import slurmcalls, slurmscript
from lthtui.launch.backends.slurmscript import Batch
from lthtui.launch.entries import Entry
from lthtui.launch.profiles import Profile

# A program in Python's place: writes down how it was called, and in which environment.
STUB = """#!/bin/bash
printf '%s\\n' "$@" "$SETTING" >"$(dirname "$0")/called"
echo said
echo warned >&2
"""


def batch(root, *names, array=False, threads=1, **profile):
    runs = tuple(RunDirectory(root / "runs" / name) for name in names)
    return Batch(runs, Profile(**profile), threads, array)


def wish(root, name, **launch):
    entry = Entry(run_id=name, order=0, launch=LaunchSpec.model_validate(launch))
    return slurmscript.batch(entry, RunDirectory(root / "runs" / name))


def test_the_options_of_a_run(tmp_path):
    asked = {"partition": "gpu", "gres": "gpu:1", "time": "1:00:00", "memory": 10 * 2**20 + 1}
    found = batch(
        tmp_path, "imp-s0", threads=3, warning=60, extra={"qos": "a b", "exclusive": ""}, **asked
    ).options()
    assert found == [
        "--requeue",
        "--job-name=imp-s0",
        f"--chdir={tmp_path}",
        f"--output={tmp_path}/runs/imp-s0/log.txt",
        "--open-mode=append",
        "--export=ALL",
        "--nodes=1",
        "--ntasks=1",
        "--signal=B:USR1@60",
        "--cpus-per-task=3",
        "--partition=gpu",
        "--gres=gpu:1",
        "--time=1:00:00",
        "--mem=11M",
        "--qos=a b",
        "--exclusive",
    ]


def test_what_is_left_open_is_left_to_the_site(tmp_path):
    found = batch(tmp_path, "a", threads=None).options()
    assert not [word for word in found if word.startswith(("--cpus", "--part", "--mem", "--time"))]
    assert "--signal=B:USR1@120" in found


def test_an_array_is_one_job(tmp_path):
    found = batch(tmp_path, "a", "b", "c", array=True)
    assert found.name == "a+2"
    assert {"--array=0-2", "--output=/dev/null"} <= set(found.options())


@pytest.mark.parametrize("task", [None, 0, 1])
def test_the_script_runs_the_program_on_the_tasks_own_run(tmp_path, task):
    root = tmp_path / 'it\'s $(touch evil) "`x`" ; & %j \\u00e9'
    root = tmp_path / root.name.replace("\\", "")
    names = ["a b", "$HOME"]
    found = batch(
        root,
        *names,
        array=True,
        python=str(tmp_path / "py thon"),
        setup=("export SETTING='as set'", "false"),
    )
    for run in found.runs:
        run.path.mkdir(parents=True)
    (tmp_path / "py thon").write_text(STUB)
    (tmp_path / "py thon").chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    if task is not None:
        environment["SLURM_ARRAY_TASK_ID"] = str(task)
    subprocess.run(
        ["bash"], input=found.script(), text=True, env=environment, cwd=tmp_path, check=True
    )
    run = found.runs[task or 0]
    called = (tmp_path / "called").read_text().splitlines()
    assert called == ["-P", "-m", slurmscript.PROGRAM, str(run.path), "as set"]
    assert run.log_file.read_text() == "said\nwarned\n"
    assert run.log_file.stat().st_mode & 0o777 == 0o600
    others = [one for one in found.runs if one is not run]
    assert not any(one.log_file.exists() for one in others)
    assert not (tmp_path / "evil").exists()


def test_a_percent_sign_of_a_folder_stands_for_itself(tmp_path):
    found = batch(tmp_path / "100%j", "a").options()
    assert f"--output={tmp_path}/100%%j/runs/a/log.txt" in found
    assert f"--chdir={tmp_path}/100%j" in found


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\\b", "a\u202eb"])
def test_a_folder_that_slurm_would_read_as_something_else_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="Slurm can't work in a folder of such a name"):
        batch(tmp_path / name, "a").options()


def test_runs_that_ask_for_the_same_become_one_array(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    alike, other = {"time": "60", "array": True}, {"time": "90", "array": True}
    wishes = [
        wish(tmp_path, "a", slurm=alike),
        wish(tmp_path, "b", slurm={"time": "60"}),
        wish(tmp_path, "c", slurm=other),
        wish(tmp_path, "d", slurm=alike),
        wish(tmp_path, "e", slurm=alike, threads=2),
    ]
    found = [[run.run_id for run in one.runs] for one in slurmscript.together(wishes)]
    assert sorted(found) == [["a", "d"], ["b"], ["c"], ["e"]]
    monkeypatch.setattr(slurmscript, "MOST", 2)
    many = [wish(tmp_path, str(number), slurm=alike) for number in range(5)]
    assert [len(one.runs) for one in slurmscript.together(many)] == [2, 2, 1]


def test_a_run_keeps_the_threads_that_it_began_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert wish(tmp_path, "a", slurm={}, threads="auto").threads is None
    assert wish(tmp_path, "a", slurm={}, threads=4).threads == 4
    (tmp_path / "runs" / "a").mkdir(parents=True)
    process = {"host": "n", "boot": "b", "pid": 1, "start": 1}
    launch = {"attempt": 1, "backend": "slurm", "process": process, "device": "cpu", "threads": 3}
    write_json(tmp_path / "runs" / "a" / "launch.json", {**launch, "time": 0})
    assert wish(tmp_path, "a", slurm={}, threads="auto").threads == 3
    assert wish(tmp_path, "a", slurm={}, threads=4).threads == 3


def test_slurm_gets_no_more_of_the_environment_than_it_needs():
    given = {
        "PATH": "/bin",
        "MLFLOW_TRACKING_TOKEN": "t",
        "https_proxy": "p",
        "LTHTUI_USER": "ann",
        "SBATCH_ACCOUNT": "lab",
        "SBATCH_ARRAY_INX": "0-9",
        "SBATCH_EXPORT": "x",
        "AWS_SECRET": "s",
        "PYTHONPATH": "/evil",
        "BASH_ENV": "/evil",
        "GITHUB_TOKEN": "g",
        "LD_PRELOAD": "/evil",
    }
    kept = ["PATH", "MLFLOW_TRACKING_TOKEN", "https_proxy", "LTHTUI_USER", "SBATCH_ACCOUNT"]
    assert [*slurmcalls.environment(given)] == [*kept, "AWS_SECRET"]


def test_a_job_gets_every_credential_that_the_queue_process_would_be_replaced_for():
    given = dict.fromkeys(credentials.names(), "x")
    assert slurmcalls.environment(given) == given
