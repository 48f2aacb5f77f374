"""What is submitted to Slurm for a run, or for many as one array: options, and a batch script.

A spec's values reach sbatch as `--name=value` words only. The script holds nothing of a spec: the
folders of its runs, the lines of `setup` in the user's own settings, and the program of the job.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui.launch import profiles
from lthtui.launch.entries import Entry
from lthtui.launch.profiles import Profile
from lthtui.text import clean

PROGRAM = "lthtui.launch.backends.slurmjob"
MOST = 1000  # tasks of one array, as clusters allow if nobody changed it
SCRIPT = """\
#!/bin/bash{login}
umask 077
runs=(
{runs}
)
run=${{runs[${{SLURM_ARRAY_TASK_ID:-0}}]}}
exec >>"$run/log.txt" 2>&1
{setup}exec {python} -P -m {program} "$run"
"""


@dataclass(frozen=True)
class Batch:
    """Runs that are submitted together.

    Attributes:
        array: whether they are the tasks of an array, in this order; otherwise it is one run.
        threads: CPUs of each; None if the site decides.
    """

    runs: tuple[RunDirectory, ...]
    profile: Profile
    threads: int | None
    array: bool

    @property
    def name(self) -> str:
        """The job's: a run's id, and how many others come with it."""
        first = self.runs[0].run_id
        return f"{first}+{len(self.runs) - 1}" if self.array else first

    def options(self) -> list[str]:
        """Words for sbatch.

        Raises:
            UsageError: the root's path has characters that Slurm can't be given.
        """
        root, profile = _plain(str(self.runs[0].root)), self.profile
        log = "/dev/null" if self.array else f"{_plain(str(self.runs[0].path))}/log.txt"
        wanted = {
            "job-name": self.name,
            "chdir": root,
            "output": log.replace("%", "%%"),
            "open-mode": "append",
            "export": "ALL",  # of what sbatch is given
            "nodes": 1,
            "ntasks": 1,
            "signal": f"B:USR1@{profiles.warning_of(profile)}",
            "cpus-per-task": self.threads,
            "partition": profile.partition,
            "gres": profile.gres,
            "time": profile.time,
            "mem": None if profile.memory is None else f"{-(-profile.memory // 2**20)}M",
            "array": f"0-{len(self.runs) - 1}" if self.array else None,
        }
        given = [f"--{name}={value}" for name, value in wanted.items() if value is not None]
        extra = [f"--{n}={value}" if value else f"--{n}" for n, value in profile.extra.items()]
        return ["--requeue", *given, *extra]

    def script(self) -> str:
        """The batch script, which ends by becoming the program of the job."""
        setup = self.profile.setup
        return SCRIPT.format(
            login=" -l" if setup else "",  # what setup needs, such as `module`, comes with a login
            runs="\n".join(shlex.quote(str(run.path)) for run in self.runs),
            setup="".join(f"{line}\n" for line in setup),
            python=shlex.quote(self.profile.python),
            program=PROGRAM,
        )


def batch(entry: Entry, directory: RunDirectory) -> Batch:
    """What is submitted for one run.

    Raises:
        UsageError: its profile is missing or wrong.
    """
    slurm = entry.launch.slurm
    assert slurm is not None
    threads = _threads(entry, directory)
    return Batch((directory,), profiles.resolve(slurm), threads, slurm.array)


def together(single: Iterable[Batch]) -> Iterator[Batch]:
    """Put arrays that ask for the same into one; every other run stays a job of its own."""
    arrays: dict[tuple[str, int | None], list[Batch]] = {}
    for one in single:
        if one.array:
            arrays.setdefault((one.profile.model_dump_json(), one.threads), []).append(one)
        else:
            yield one
    for alike in arrays.values():
        for start in range(0, len(alike), MOST):
            runs = tuple(one.runs[0] for one in alike[start : start + MOST])
            yield replace(alike[0], runs=runs)


def _threads(entry: Entry, directory: RunDirectory) -> int | None:
    """As many as at the run's first start, which its results depend on."""
    before, asked = directory.launch(), entry.launch.threads
    if before:
        return before.threads
    return None if asked == "auto" else asked


def _plain(path: str) -> str:
    """A path that Slurm takes as it is."""
    if path != clean(path) or "\\" in path or "\n" in path:
        raise UsageError(f"{clean(path)}: Slurm can't work in a folder of such a name; use another")
    return path
