"""Carries a search out: its trials are ordinary runs, queued a round at a time, and then scored."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from engine.errors import INTERRUPTED, OK, RESUMABLE, SpecError
from engine.rundir import Status, status
from engine.spec import RunSpec
from lthtui import yamlfile
from lthtui.headless import Follower
from lthtui.launch import queue
from lthtui.launch.queue import Submitted
from lthtui.monitor import Watched
from lthtui.proposals import Values, best, met, rounds
from lthtui.readying import Ready
from lthtui.search import Density, Search
from lthtui.specfiles import Expansion

TAG = "search"  # <search>/<trial> among a run's tags, which are no part of its identity
Make = Callable[[Mapping[str, Any]], Sequence[Ready]]
Follow = Callable[[Sequence[Submitted], dict[str, str]], Follower]


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, with a run for each seed.

    Attributes:
        number: from 1.
        scores: the figure that the goal is about, of each seed; empty where one has none.
        error: why there is no score.
    """

    number: int
    values: Values
    specs: tuple[RunSpec, ...] = ()
    runs: tuple[Watched, ...] = ()
    scores: tuple[float, ...] = ()
    error: str = ""

    @property
    def score(self) -> float | None:
        """The mean over the seeds; None if the trial failed."""
        return mean(self.scores) if self.scores else None


@dataclass(frozen=True)
class Found:
    """What a search came to: its trials, a remark on its end, and how its runs were left.

    Attributes:
        code: 0, or what a command ends with that was interrupted (130), or stopped (75).
    """

    search: Search
    trials: tuple[Trial, ...]
    remark: str = ""
    code: int = OK

    @property
    def best(self) -> Trial | None:
        """The trial that came nearest to the goal; None if all failed."""
        index = best(self.search, [trial.score for trial in self.trials])
        return None if index is None else self.trials[index]

    @property
    def met(self) -> bool:
        """Whether there is a best trial, and it has the density that was asked for."""
        goal, won = self.search.goal, self.best
        return won is not None and (not isinstance(goal, Density) or met(goal, won.score))


def conduct(
    root: Path, expansion: Expansion, make: Make, follow: Follow, say: Callable[[str], None]
) -> Found:
    """Propose, run and score trials until the search ends, or is stopped.

    Finished runs are taken as they are, and failed ones as failures, whenever they were made; all
    others are queued. Begun again after a stop, the search thus comes to where it was.

    Args:
        make: the runs of a trial with these settings.
        follow: shows runs, by the names given, until they have ended.
        say: tells of each trial that begins.
    """
    assert expansion.search is not None
    search, trials = expansion.search, list[Trial]()
    proposals = rounds(search)
    batch = next(proposals)
    while True:
        begun = [_trial(number, v, make) for number, v in enumerate(batch, len(trials) + 1)]
        for trial in begun:
            what = trial.error or " ".join(f"{field}={v}" for field, v in trial.values.items())
            say(f"trial {trial.number} of {search.most}: {what}")
        done, code = _run(root, begun, _digest(expansion), follow, search)
        trials += done
        if code:
            return Found(search, tuple(trials), "", code)
        try:
            batch = proposals.send([trial.score for trial in done])
        except StopIteration as end:
            return Found(search, tuple(trials), end.value)


def spec_of(trial: Trial) -> str:
    """A spec file that runs a trial's settings on the search's seeds."""
    first = trial.specs[0]
    data = first.model_dump(mode="json", exclude_defaults=True)
    seeds = {"seeds": [spec.seed for spec in trial.specs]}
    return yamlfile.dump({"version": first.version, **data, **seeds})


def _trial(number: int, values: Values, make: Make) -> Trial:
    try:
        return Trial(number, values, tuple(run.spec for run in make(values)))
    except SpecError as error:  # settings that are possible one by one, but not together
        return Trial(number, values, error=str(error).partition("\n")[0])


def _run(
    root: Path, trials: Sequence[Trial], digest: str, follow: Follow, search: Search
) -> tuple[list[Trial], int]:
    """Run a round to its end; the trials with their runs and scores, and an exit code."""
    asked = [(trial, spec) for trial in trials for spec in trial.specs]
    tagged = [_tagged(spec, f"{digest}/{trial.number}") for trial, spec in asked]
    submitted = _submit(root, tagged)
    ids = [one.directory.run_id for one in submitted]
    names = {
        run: f"trial-{trial.number}-s{spec.seed}"
        for run, (trial, spec) in zip(ids, asked, strict=True)
    }
    follower = follow(submitted, names)
    follower.follow(mirrored=False)  # the next trials need not wait for that
    each = iter(ids)
    done = [_scored(one, [follower.runs[next(each)] for _ in one.specs], search) for one in trials]
    left = {run.status for run in follower.runs.values()}
    stopped = left & {Status.STOPPED, Status.PAUSED} or follower.stuck
    return done, INTERRUPTED if follower.interrupted else RESUMABLE if stopped else OK


def _submit(root: Path, specs: Sequence[RunSpec]) -> list[Submitted]:
    """Queue what is neither finished nor failed; a failure stays one until somebody retries it."""
    known = queue.preview(root, specs)
    failed = [status(one.directory) == Status.FAILED for one in known]
    wanted = [spec for spec, left in zip(specs, failed, strict=True) if not left]
    queued = iter(queue.submit(root, wanted) if wanted else ())
    return [
        replace(one, action="finished") if left else next(queued)
        for one, left in zip(known, failed, strict=True)
    ]


def _scored(trial: Trial, runs: Sequence[Watched], search: Search) -> Trial:
    if trial.error:
        return trial
    scores = [_score(run, search) for run in runs]
    known = [score for score in scores if score is not None and math.isfinite(score)]
    if len(known) == len(runs):
        return replace(trial, runs=tuple(runs), scores=tuple(known))
    error = next(_failures(runs), f"a seed has no {_figure(search)}")
    return replace(trial, runs=tuple(runs), error=error)


def _score(run: Watched, search: Search) -> float | None:
    """What the goal is about: of the level that won on validation images, or of the last."""
    progress = run.progress
    if run.status != Status.FINISHED:
        return None
    if isinstance(search.goal, Density):
        ended = progress.finished_levels
        return ended[-1].density if ended else None
    won = progress.levels.get(progress.winning.level) if progress.winning else None
    score: float | None = getattr(won, search.goal, None)
    return score


def _failures(runs: Sequence[Watched]) -> Iterator[str]:
    for run in runs:
        if run.status != Status.FINISHED:
            yield f"s{run.identity.seed} {run.status}: {run.error() or 'it has not ended'}"


def _figure(search: Search) -> str:
    return "density" if isinstance(search.goal, Density) else search.goal


def _tagged(spec: RunSpec, tag: str) -> RunSpec:
    return spec.model_copy(update={"tags": {**spec.tags, TAG: tag}})


def _digest(expansion: Expansion) -> str:
    """What tells a search from others: its settings, and those of the runs that it starts from."""
    assert expansion.search is not None
    text = expansion.search.model_dump_json() + expansion.runs[0].spec.group
    return hashlib.sha256(text.encode()).hexdigest()[:8]
