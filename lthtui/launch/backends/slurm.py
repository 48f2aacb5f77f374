"""Runs on this machine's Slurm cluster: submits them as jobs, follows and stops the jobs.

A run's folder lies on a file system that the nodes share; `slurmjob` runs there and leaves its
traces in it. Slurm's commands may take long, so a thread calls them, one at a time, and what came
of them is seen to by the queue process when it looks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.causes import Cause
from engine.errors import LthError, UsageError, some
from engine.events import Journal, RunEnded
from engine.launchspec import LaunchSpec
from engine.rundir import LEFT, RunDirectory, Status, next_attempt, status, write_json
from lthtui.launch import entries, lease
from lthtui.launch.backends import slurmcalls
from lthtui.launch.backends.slurmcalls import Job, Refused, Unreachable
from lthtui.launch.entries import Entry

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from lthtui.launch.backends.slurmscript import Batch

SOON, LATE, LATEST = 2.0, 30.0, 300.0  # seconds between looks: at first, at rest, without answers
GLANCE = 3.0  # seconds between looks at the folders of runs that train
MIRROR = 30.0  # seconds between calls to bring over what they have written
ANSWER = 0.1  # seconds between looks at a call that is under way
STUCK = "launch failed requeued held"  # after a node's failure: Slurm never starts it by itself
EXPLAINED = {
    "BeginTime": "Slurm starts it again in some minutes (BeginTime)",
    "Priority": "others are before it (Priority)",
    "Resources": "no node is free (Resources)",
}


class Cluster:
    """What the queue process of a root knows of its jobs; entries and folders know it, too.

    Args:
        root: the root of all state.
        tell: says something once in the queue process's log.
    """

    def __init__(self, root: Path, tell: Callable[[str], None]) -> None:
        self._root, self._tell = root, tell
        self._waiting = entries.Waiting(root)
        self._pool: ThreadPoolExecutor | None = None
        self._calls: list[tuple[Future[Any], Callable[[Future[Any]], None]]] = []
        self._jobs: dict[str, Job] | None = None
        self._looking = False
        self._pace, self._look_at, self._glance_at, self._submit_at = SOON, 0.0, 0.0, 0.0
        self._strays: dict[str, str] = {}
        self._sending: set[str] = set()
        self._mirror_at = 0.0
        self._unsent = False
        self._trouble = ""
        self._followed: dict[str, Entry] = {}

    def submit(self, ready: Sequence[Entry]) -> None:
        """Submit runs whose turn it is; to be called with all of them. The caller holds the lock.

        One that Slurm has already, though nobody could note its number, is not submitted again.
        """
        fresh = [entry for entry in ready if not entry.job and entry.run_id not in self._sending]
        self._unsent = bool(fresh)
        if not fresh or self._jobs is None or time.monotonic() < self._submit_at:
            return
        from lthtui.launch.backends import slurmscript

        single = []
        for entry in fresh:
            stray = self._jobs.get(self._strays.pop(entry.run_id, ""))
            if stray and stray.live:
                self._change(self._directory(entry), stray.number)
                continue
            try:
                single.append(slurmscript.batch(entry, self._directory(entry)))
            except UsageError as error:
                self._fail(entry, str(error), Cause.SPEC)
        for batch in slurmscript.together(single):
            self._sending.update(run.run_id for run in batch.runs)
            self._call(partial(_sbatch, batch), partial(self._submitted, batch))
        self._unsent = any(entry.run_id in self._strays for entry in fresh)

    def look(self) -> list[Entry]:
        """See what has become of jobs; the runs whose entries are gone, whoever removed them."""
        self._answers()
        now, waiting = time.monotonic(), self._ours()
        asked = any(entry.job for entry in waiting) or (waiting and self._jobs is None)
        if asked and not self._looking and now >= self._look_at:
            self._looking = True
            self._call(slurmcalls.jobs, self._looked)
        if self._jobs is not None and now >= self._glance_at:
            self._glance_at = now + GLANCE
            for entry in waiting:
                if entry.job:
                    self._judge(entry, self._jobs.get(entry.job))
        before, self._followed = self._followed, {one.run_id: one for one in self._ours()}
        return [before[run] for run in before.keys() - self._followed.keys()]

    def training(self) -> list[RunDirectory]:
        """Runs that train now, every half a minute, to be brought over into MLflow."""
        now, jobs = time.monotonic(), self._jobs or {}
        if now < self._mirror_at:
            return []
        found = [self._directory(one) for one in self._ours() if _runs(jobs.get(one.job or ""))]
        self._mirror_at = now + MIRROR if found else 0.0
        return found

    def patience(self) -> float | None:
        """Seconds until `look` is due; None if there is nothing to look at."""
        waiting = self._ours()
        if self._followed.keys() - {entry.run_id for entry in waiting}:
            return 0.0
        if self._calls:
            return ANSWER
        jobs, submitted = self._jobs or {}, [entry for entry in waiting if entry.job]
        if not submitted and not self._unsent:
            return None
        due = [self._look_at] if submitted or self._jobs is None else []
        if self._unsent and self._jobs is not None:
            due.append(self._submit_at)
        if any(_runs(jobs.get(entry.job or "")) for entry in submitted):
            due.append(self._glance_at)
        return max(0.0, min(due) - time.monotonic())

    def reason(self, entry: Entry) -> str:
        """Why a run does not train yet, for people."""
        job = (self._jobs or {}).get(entry.job or "")
        if entry.job is None or job is None:
            return self._trouble or "on its way to Slurm"
        if _runs(job):
            return f"Slurm job {job.number} starts it on {job.node}"
        why = EXPLAINED.get(job.reason, job.reason)
        return f"Slurm job {job.number}: {why if job.state == 'PENDING' else job.state.lower()}"

    def _ours(self) -> list[Entry]:
        return [entry for entry in self._waiting.read() if entry.launch.slurm and entry.here]

    def _directory(self, entry: Entry) -> RunDirectory:
        return RunDirectory(self._root / "runs" / entry.run_id)

    def _call(self, call: Callable[[], Any], answered: Callable[[Future[Any]], None]) -> None:
        from concurrent.futures import ThreadPoolExecutor  # a queue without jobs needs no threads

        self._pool = self._pool or ThreadPoolExecutor(1, "slurm")
        self._calls.append((self._pool.submit(call), answered))

    def _answers(self) -> None:
        """See to the calls that have been answered, in the order in which they were made."""
        while self._calls and self._calls[0][0].done():
            done, answered = self._calls.pop(0)
            answered(done)

    def _looked(self, done: Future[dict[str, Job]]) -> None:
        self._looking = False
        try:
            found = done.result()
        except (Unreachable, Refused) as error:
            self._pace = min(2 * self._pace, LATEST)
            self._troubled(error)
        else:
            if self._jobs is None:
                self._strays = self._without_entry(found)
            same = found == self._jobs
            self._pace = min(1.5 * self._pace, LATE) if same else SOON
            self._jobs, self._trouble, self._glance_at = found, "", 0.0
        self._look_at = time.monotonic() + self._pace

    def _without_entry(self, jobs: dict[str, Job]) -> dict[str, str]:
        """By name, jobs of this root whose number a queue process before this one never noted."""
        noted, root = {entry.job for entry in self._ours()}, str(self._root)
        return {
            job.name: number
            for number, job in jobs.items()
            if job.live and job.folder == root and number not in noted
        }

    def _submitted(self, batch: Batch, done: Future[str]) -> None:
        self._sending.difference_update(run.run_id for run in batch.runs)
        try:
            number = done.result()
        except Unreachable as error:
            self._submit_at = time.monotonic() + self._pace
            self._pace, self._unsent = min(2 * self._pace, LATEST), True
            self._troubled(error)
            return
        except UsageError as error:
            for run in batch.runs:
                if entry := entries.find(run):
                    self._fail(entry, str(error), Cause.SPEC)
            return
        with entries.locked(self._root):
            for index, run in enumerate(batch.runs):
                self._note(run, f"{number}_{index}" if batch.array else number)
        self._pace, self._look_at = SOON, time.monotonic() + SOON

    def _note(self, run: RunDirectory, number: str) -> None:
        """Keep a job's number with its run, or cancel the job if the run is wanted no more."""
        assert self._jobs is not None
        name, folder = run.run_id, str(self._root)
        self._jobs[number] = Job(number, "PENDING", "just submitted", name=name, folder=folder)
        if self._change(run, number) is False:
            self._call(partial(slurmcalls.cancel, [number]), _forget)

    def _change(self, run: RunDirectory, job: str | None) -> bool | None:
        """Change which job a run is; False if it does not wait, None if the disk is too full.

        A job whose number could not be kept is a stray, which the next submission takes up.
        """
        try:
            return entries.change(run, job=job)
        except OSError as error:
            self._tell(f"{run.run_id}: its job can't be noted: {error}")
            if job:
                self._strays[run.run_id] = job
            self._unsent, self._submit_at = True, time.monotonic() + SOON
            return None

    def _troubled(self, error: Exception) -> None:
        if not self._trouble:
            self._trouble = f"{error}; it is tried again"
            self._tell(self._trouble)

    def _judge(self, entry: Entry, job: Job | None) -> None:
        """Take a run's entry out if its job has ended, or have it submitted again."""
        directory = self._directory(entry)
        launch, left = directory.launch(), directory.exit()
        began = launch is not None and launch.job == entry.job
        code = left.code if began and left and left.attempt >= launch.attempt else None  # type: ignore[union-attr]
        live = job is not None and job.live
        unasked = directory.request() is None and not (job and job.cancelled)
        if job and STUCK in job.reason and live and unasked:
            self._tell(f"{entry.run_id}: Slurm job {job.number}: {job.reason}; submitted again")
            self._call(partial(slurmcalls.cancel, [job.number]), _forget)
            with entries.locked(self._root):
                self._change(directory, None)
            return
        if (live and (code is None or (code in LEFT and unasked))) or _lives(directory):
            return
        forgotten = job is None and not began  # such as by a controller that died right then
        if (code in LEFT or forgotten) and unasked:  # or its node could not have it queued again
            with entries.locked(self._root):
                self._change(directory, None)
        elif began or not unasked:
            if code is None:
                self._tell(f"{entry.run_id}: Slurm job {entry.job} is gone ({_state(job)})")
            self._take_out(entry)
        else:
            message = f"Slurm job {entry.job} ended before the run began ({_state(job)})"
            self._fail(entry, f"{message}; see its log", Cause.ERROR)

    def _take_out(self, entry: Entry) -> None:
        with entries.locked(self._root):
            found = entries.find(self._directory(entry))
            if found is not None and found.job == entry.job:
                self._directory(entry).queue_file.unlink(missing_ok=True)

    def _fail(self, entry: Entry, message: str, cause: Cause) -> None:
        """Have a run fail that no worker could begin: its journal says why."""
        directory = self._directory(entry)
        attempt = next_attempt(directory)
        self._tell(f"{entry.run_id}: {message}")
        try:
            write_json(directory.attempt_file, attempt)
            journal = Journal(directory.events_file, entry.run_id, attempt)
            journal.append(RunEnded(status="failed", error=message, cause=cause))
            journal.close()
            directory.queue_file.unlink(missing_ok=True)
        except OSError as error:  # it stays as it is until there is room on the disk
            self._tell(f"{entry.run_id} can't be looked after: {error}")


def stop(
    jobs: Sequence[tuple[RunDirectory, Entry]], verb: Literal["stop", "pause"], grace: float
) -> None:
    """Stop runs that are jobs, and return once all have ended: pending ones at once.

    Others get `grace` seconds for their checkpoint; then Slurm ends them.

    Raises:
        Unreachable: Slurm does not answer; nothing has changed.
    """
    slurmcalls.jobs()
    for directory, _ in jobs:
        directory.ask(verb)  # a job that begins just now sees it
    numbers = [entry.job for _, entry in jobs if entry.job]
    slurmcalls.cancel(numbers, "--state=PENDING")
    slurmcalls.cancel(numbers, "--state=RUNNING", "--signal=TERM", "--batch")
    if left := _wait(jobs, grace):
        slurmcalls.cancel(left)
        if left := _wait(jobs, LATEST):
            raise LthError(f"Slurm has not ended {some(left)} yet; see `squeue --me`")
    for directory, entry in jobs:
        with entries.locked(directory.root):
            found = entries.find(directory)
            if found is not None and found.job == entry.job:
                directory.queue_file.unlink()
            lease.ensure(directory.root)  # MLflow is still to be told


def check(root: Path, launches: Iterable[LaunchSpec]) -> None:
    """Refuse what Slurm would refuse, before anything is queued; silence is no refusal.

    Raises:
        UsageError: a profile is missing or wrong, or Slurm takes no such job, or is not here.
    """
    from lthtui.launch.backends import slurmscript

    checked = []
    for launch in launches:
        if launch.slurm is None or launch in checked:
            continue
        checked.append(launch)
        if not isinstance(launch.devices, str):
            raise UsageError(
                "launch.devices: Slurm gives a job its devices; ask for them with"
                " launch.slurm.gres, such as gpu:1, and write devices: auto"
            )
        entry = Entry(run_id="check", order=0, launch=launch)
        batch = slurmscript.batch(entry, RunDirectory(root / "runs" / "check"))
        try:
            slurmcalls.check(batch.options(), batch.script())
        except Unreachable:
            return


def _wait(jobs: Sequence[tuple[RunDirectory, Entry]], patience: float) -> list[str]:
    """Wait until jobs have ended; the numbers of those that have not in `patience` seconds."""
    deadline, pause = time.monotonic() + patience, 0.2
    while True:
        known = slurmcalls.jobs()
        left = [
            entry.job
            for directory, entry in jobs
            if entry.job and ((job := known.get(entry.job)) and job.live or _lives(directory))
        ]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(pause)
        pause = min(2 * pause, SOON)


def _sbatch(batch: Batch) -> str:
    try:
        for run in batch.runs:  # or Slurm makes it, for all to read
            log = os.open(run.log_file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.close(log)
    except OSError as error:
        raise Unreachable(f"no job can be submitted: {error}") from None
    return slurmcalls.submit(batch.options(), batch.script())


def _forget(done: Future[Any]) -> None:
    """What became of a job that nobody wants is of no interest: it ends by itself."""


def _lives(directory: RunDirectory) -> bool:
    return status(directory) == Status.RUNNING


def _runs(job: Job | None) -> bool:
    return job is not None and job.state in ("RUNNING", "COMPLETING")


def _state(job: Job | None) -> str:
    return job.state if job else "Slurm does not know it any more"
