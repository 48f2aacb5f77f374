"""The program of a Slurm job: `python -P -m lthtui.launch.backends.slurmjob RUN_DIR` on a node.

It is the job's batch process, starts one attempt of the run and stands over it as a shim does. It
shares nothing with who submitted it but the run's folder and its entry in the queue: whether the
job is still wanted is read there, and what came of it is left there. When the worker was stopped by
the time limit or by a preemption, and not by a client, the job is put back into Slurm's queue.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from engine.processes import Process
from engine.rundir import LEFT, Launch, RunDirectory, next_attempt, write_json
from lthtui.launch import entries, shim
from lthtui.launch.backends import local
from lthtui.launch.entries import Entry

NAME = "slurm"
PATIENCE = (0.0, 2.0, 10.0, 30.0, 60.0, 60.0)  # seconds between tries to reach Slurm's controller


def main(run_dir: str) -> int:
    """Run one attempt; returns its exit code, which Slurm then shows."""
    signal.pthread_sigmask(signal.SIG_BLOCK, shim.BLOCKED)  # until `stand_over` waits for them
    os.umask(0o077)
    directory, job = RunDirectory.open(run_dir), number(os.environ)
    entry = entries.find(directory)
    if entry is None or not wanted(directory, entry, job):
        print(f"Slurm job {job} is not wanted any more", flush=True)
        return 0
    attempt = next_attempt(directory)
    write_json(directory.attempt_file, attempt)  # first: whoever is still at it writes no more
    launch = Launch(
        attempt=attempt,
        backend=NAME,
        process=Process.of(os.getpid()),
        folder=directory.inode,
        device=_device(),
        threads=_threads(directory, entry),
        time=time.time(),
        retries=entry.retries,
        job=job,
        user=entry.user,
    )
    write_json(directory.launch_file, launch.model_dump())
    print(f"Slurm job {job} is attempt {attempt}, on {launch.device}", flush=True)
    os.environ.update(_environment(directory, launch))
    code = shim.stand_over(directory.path, attempt, local.worker_command(str(directory.path)))
    if code in LEFT and not directory.request() and next_attempt(directory) == attempt + 1:
        requeue(job)
    return code if code >= 0 else 128 - code


def number(environment: os._Environ[str] | dict[str, str]) -> str:
    """The job's number as `squeue` shows it: of an array's task, `<job>_<task>`."""
    task = environment.get("SLURM_ARRAY_TASK_ID")
    if task is None:
        return environment["SLURM_JOB_ID"]
    return f"{environment['SLURM_ARRAY_JOB_ID']}_{task}"


def wanted(directory: RunDirectory, entry: Entry, job: str) -> bool:
    """Whether the run is still to be run by this job, and not by another or not at all."""
    return directory.request() is None and entry.job in (None, job)


def requeue(job: str) -> bool:
    """Put this very job back into Slurm's queue, unless it has been cancelled.

    Slurm lets it wait for a while (two minutes as a rule) and then starts it again.
    """
    for delay in PATIENCE:
        time.sleep(delay)
        try:
            state = _ask("show", "job", "--oneliner", job)
            if "JobState=RUNNING" not in state.split():
                return False  # cancelled, or being preempted, after which Slurm queues it by itself
            _ask("requeue", job)
            return True
        except (OSError, subprocess.SubprocessError) as error:
            print(f"Slurm job {job} can't be queued again: {_words(error)}", flush=True)
    return False


def _ask(*arguments: str) -> str:
    command = ["scontrol", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def _words(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return " ".join(str(said).split())


def _environment(directory: RunDirectory, launch: Launch) -> dict[str, str]:
    remote = "://" in directory.spec().tracking
    return {
        **local.QUIET,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "PYTHONUNBUFFERED": "1",
        "LTHTUI_ATTEMPT": str(launch.attempt),
        "LTHTUI_SINK": "on" if remote else "off",  # a local store is the login node's to write
        "OMP_NUM_THREADS": str(launch.threads),
    }


def _device() -> str:
    """For people: the node, and the devices that Slurm gave; without any it is the CPU."""
    node = os.environ.get("SLURMD_NODENAME", "a node")
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return f"{node}, GPU {given}" if given else f"{node}, CPU"


def _threads(directory: RunDirectory, entry: Entry) -> int:
    """As at the run's first start, or as many as Slurm gave CPUs if the spec leaves it open."""
    before, asked = directory.launch(), entry.launch.threads
    if before:
        return before.threads
    return int(os.environ.get("SLURM_CPUS_ON_NODE", "1")) if asked == "auto" else asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
