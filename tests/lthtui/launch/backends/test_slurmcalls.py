"""Slurm's commands: what is made of what they print, and of how they fail."""

from __future__ import annotations

import pytest

from lthtui.launch.backends import slurmcalls
from lthtui.launch.backends.slurmcalls import Job, Refused, Unreachable


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Makes commands: shell scripts that come before any real ones."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(name, script):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return make


def test_jobs_are_read_whatever_others_are_called(command):
    lines = [
        "7_1|RUNNING|None|n1|imp-s0+2|/lab/mlruns",
        "8|PENDING|Nodes required for job are DOWN|||/x",
        "9|CANCELLED|None||a|b|c|/x",
        "a line that is none",
    ]
    command("squeue", "cat <<'END'\n" + "\n".join(lines) + "\nEND")
    found = slurmcalls.jobs()
    assert [*found] == ["7_1", "8", "9"]
    assert found["7_1"] == Job("7_1", "RUNNING", "None", "n1", "imp-s0+2", "/lab/mlruns")
    assert found["8"].live and not found["9"].live and found["9"].cancelled


PASSING = [
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller",
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    "slurm_load_jobs error: Slurm backup controller in standby mode",
    "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
    " (job submit limit, user's size and/or time limits)",
]
LASTING = [
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination",
    "sbatch: error: Batch job submission failed: Requested node configuration is not available",
    "sbatch: error: Memory specification can not be satisfied",
]


@pytest.mark.parametrize("words", PASSING)
def test_what_may_pass_is_told_from_what_does_not(command, words):
    command("sbatch", f'echo "{words}" >&2; exit 1')
    with pytest.raises(Unreachable):
        slurmcalls.submit([], "")


@pytest.mark.parametrize("words", LASTING)
def test_what_does_not_pass_is_given_in_slurms_words(command, words):
    command("sbatch", f'echo "{words}" >&2; exit 1')
    with pytest.raises(Refused, match=words.rpartition(": ")[2]):
        slurmcalls.submit([], "")


def test_a_command_that_hangs_is_given_up(command, monkeypatch):
    monkeypatch.setattr(slurmcalls, "LIMIT", 0.2)
    command("squeue", "exec sleep 60")
    with pytest.raises(Unreachable, match="timed out"):
        slurmcalls.jobs()


def test_a_job_that_is_gone_need_not_be_cancelled(command, tmp_path):
    command("scancel", f'echo "$@" >{tmp_path}/called; echo "Invalid job id specified" >&2; exit 1')
    slurmcalls.cancel(["12", "7_1"], "--signal=TERM")
    assert (tmp_path / "called").read_text() == "--signal=TERM 12 7_1\n"
    (tmp_path / "called").unlink()
    slurmcalls.cancel([])
    assert not (tmp_path / "called").exists()


def test_the_number_is_told_from_the_clusters_name(command):
    command("sbatch", 'cat >/dev/null; echo "123;lab"')
    assert slurmcalls.submit(["--requeue"], "#!/bin/sh\n") == "123"


def test_a_machine_with_the_commands_but_no_cluster_is_said_to_be_none(command):
    command("sbatch", "echo 'fatal: Could not establish a configuration source' >&2; exit 1")
    with pytest.raises(Refused, match="knows of no cluster: .*login node"):
        slurmcalls.check([], "")
