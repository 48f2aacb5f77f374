"""Runs that plain MLflow code wrote: which differ in their seed only, and what they are called."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from engine.schema import digits
from lthtui.records import RunSummary

PARENT = "mlflow.parentRunId"
SOURCE = "mlflow.source.name"
SEEDS = ("seed", "random_seed", "random_state", "manual_seed", "rng_seed", "seed_everything")
_DRAWN = re.compile(r"[a-z]+-[a-z]+-\d+")  # such as `bold-cat-123`, which MLflow makes up
_TAIL = re.compile(r"(?:[\s_.:=-]+(?:seed|rs|s)?|seed)[\s_.:=-]*(\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Kin:
    """What a run has in common with others.

    Attributes:
        group: the same for runs that differ in their seed only.
        name: what all of the group are called.
        seed: None where nothing says so.
    """

    group: str
    name: str
    seed: int | None = None


def is_ours(run: RunSummary) -> bool:
    """Whether lthtui made a run."""
    return bool(run.run_id)


def kin(run: RunSummary, alone: bool = False) -> Kin:
    """What a run that is not ours has in common with others.

    Runs belong together that have the same experiment, parent, program, name up to the seed, and
    parameters but for a seed: they must have one.

    Args:
        alone: it stands for itself, as what other runs are nested under does.
    """
    own = Kin(run.mlflow_run_id, run.name or run.mlflow_run_id)
    named = [(key, value) for key, value in run.params.items() if _is_seed(key)]
    seeds = {value for _, value in named}
    if alone or len(seeds) != 1:
        return own
    (text,) = seeds
    if (seed := digits(text)) is None:
        return own
    stem = _stem(run.name, seed)
    rest = sorted((key, value) for key, value in run.params.items() if not _is_seed(key))
    parts = [run.experiment, run.tags.get(PARENT, ""), run.tags.get(SOURCE, ""), stem, rest]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return Kin(digest, stem or own.name, seed)


def _is_seed(key: str) -> bool:
    return re.split(r"[./]", key.lower())[-1] in SEEDS


def _stem(name: str, seed: int) -> str:
    """A name without the seed that it ends with; nothing of a name that was made up."""
    if _DRAWN.fullmatch(name):
        return ""
    tail = _TAIL.search(name)
    return name[: tail.start()] or name if tail and digits(tail[1]) == seed else name
