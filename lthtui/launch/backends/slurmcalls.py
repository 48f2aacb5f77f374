"""Slurm's commands: called with lists of words, never through a shell, and with a time limit.

Only sbatch, squeue and scancel of a login node are needed; there need be no accounting.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.errors import LthError, UsageError
from lthtui.launch import credentials

LIMIT = 60.0  # seconds for one command; on their own they try for some ten
FIELDS = "%i|%T|%r|%N|%j|%Z"
LIVE = (
    *("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "RESIZING"),
    *("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SIGNALING", "SPECIAL_EXIT"),
    "STAGE_OUT",
)
# What Slurm says when the same command may well work later.
_NOWHERE = "Could not establish a configuration source"
_PASSES = re.compile(
    r"unable to contact|timed out|temporarily|standby|zero bytes|connection|authentication|"
    r"submit limit|try again|not responding|communication",
    re.IGNORECASE,
)
# What sbatch and the job get of this process's environment, besides credentials.
_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|SLURM_CONF|SBATCH_(ACCOUNT|QOS|RESERVATION)|"
    r"LD_LIBRARY_PATH|VIRTUAL_ENV|CONDA_PREFIX|XDG_CONFIG_HOME|MODULEPATH|"
    r"SSL_CERT_\w+|MLFLOW_TRACKING_\w+|AWS_\w+|LTHTUI_\w+",
    re.IGNORECASE,
)


class Unreachable(LthError):
    """Slurm does not answer, or can't do it now."""


class Refused(UsageError):
    """Slurm was asked for something that it does not do."""


@dataclass(frozen=True)
class Job:
    """What Slurm knows of a job.

    Attributes:
        number: as squeue shows it: `12`, or `12_3` for a task of an array.
        state: such as RUNNING.
        reason: why it does not run.
        node: where it runs, or ran.
        name: the job's.
        folder: its working folder.
    """

    number: str
    state: str
    reason: str = ""
    node: str = ""
    name: str = ""
    folder: str = ""

    @property
    def live(self) -> bool:
        """Whether it runs or will."""
        return self.state in LIVE

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self.state == "CANCELLED"


def jobs() -> dict[str, Job]:
    """By number, all jobs of this user that Slurm still knows, those that ended lately included.

    Raises:
        Unreachable: Slurm does not answer.
        Refused: there is no squeue here.
    """
    user = f"--user={os.geteuid()}"
    said = ask("squeue", "--noheader", "--array", "--states=all", user, f"--format={FIELDS}")
    found = (Job(*line.split("|", 5)) for line in said.splitlines() if line.count("|") >= 5)
    return {job.number: job for job in found}


def submit(options: Iterable[str], script: str) -> str:
    """Submit a batch script; returns the job's number.

    Raises:
        Unreachable: Slurm does not answer, or takes no more jobs now.
        Refused: it does not take such a job.
    """
    said = ask("sbatch", "--parsable", *options, script=script)
    return said.strip().partition(";")[0]


def check(options: Iterable[str], script: str) -> None:
    """Ask whether Slurm would take such a job; it may also say so for one that has to wait.

    Raises:
        Unreachable: Slurm does not answer.
        Refused: it does not take such a job.
    """
    ask("sbatch", "--test-only", *options, script=script)


def cancel(numbers: Iterable[str], *options: str) -> None:
    """Cancel jobs, or do what `options` of scancel say; those that are gone are no mistake.

    Raises:
        Unreachable: Slurm does not answer.
    """
    found = list(numbers)
    try:
        if found:
            ask("scancel", *options, *found)
    except Refused:
        return


def ask(*command: str, script: str = "") -> str:
    """What one of Slurm's commands prints.

    Raises:
        Unreachable: it failed in a way that may pass.
        Refused: it failed in another, or is not installed here.
    """
    try:
        done = subprocess.run(
            command,
            input=script,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            env=environment(os.environ),
        )
    except FileNotFoundError:
        raise _nowhere(f"there is no {command[0]} here") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"Slurm does not answer: {error}") from None
    if done.returncode == 0:
        return done.stdout
    words = " ".join(done.stderr.split()) or f"{command[0]} left with code {done.returncode}"
    if _NOWHERE in words:
        raise _nowhere(f"{command[0]} knows of no cluster")
    if _PASSES.search(words):
        raise Unreachable(f"Slurm does not answer, or not now: {words}")
    raise Refused(f"Slurm refuses it: {words}")


def _nowhere(why: str) -> Refused:
    return Refused(
        f"{why}: this is no machine of a Slurm cluster; leave out launch.slurm, or give the"
        " command on the cluster's login node"
    )


def environment(whole: Mapping[str, str]) -> dict[str, str]:
    """What of an environment Slurm's commands and jobs get."""
    named = credentials.names()
    return {k: v for k, v in whole.items() if _KEPT.fullmatch(k) or k in named}
