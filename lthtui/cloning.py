"""Makes a spec file of runs, to change and run again, and says what was changed since."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import LthError, UsageError
from engine.rundir import RunDirectory
from engine.schema import params_of
from engine.sources import replaced
from engine.spec import RunSpec
from lthtui import yamlfile
from lthtui.text import clean_line

TAG = "cloned_from"
_OWN = {"name", "seed", "controls", "extends"}  # what only the run itself has
_ASIDE = ("name", "experiment", "seed", f"tags.{TAG}")


def clone(runs: Sequence[RunDirectory]) -> str:
    """The text of a spec that makes runs like these, one for each of their seeds and folds.

    Defaults are left out. A tag names the first run, so that it can be told what was changed.

    Raises:
        UsageError: there is none, or they differ in more than their seeds.
        LthError: a spec cannot be read.
    """
    whole = settings(runs)
    head = f"# Cloned from {clean_line(runs[0].run_id)}."
    return f"{head}\n{yamlfile.dump(whole)}{repeated(runs)}"


def repeated(runs: Sequence[RunDirectory]) -> str:
    """What a spec file says that makes these repetitions: draws and folds that vary, and seeds.

    Raises:
        UsageError: one would make others, too.
    """
    found = {run.spec().repetition for run in runs}
    fields = {"data.seed": "draw", "data.fold": "fold"}
    values = {at: sorted({getattr(one, name) for one in found}) for at, name in fields.items()}
    seeds = sorted({one.seed for one in found})
    if math.prod(map(len, values.values())) * len(seeds) > len(found):
        raise UsageError("not each of these folds and draws has all of the seeds; choose one fold")
    vary = {at: several for at, several in values.items() if several[1:]}
    varied = f"vary: {yamlfile.dump_inline(vary)}\n" if vary else ""
    return f"{varied}seeds: {yamlfile.dump_inline(seeds)}\n"


def settings(runs: Sequence[RunDirectory]) -> dict[str, Any]:
    """What a spec file of runs like these says, but for its name and for `repeated`.

    Raises:
        UsageError, LthError: as `clone`.
    """
    specs = [run.spec() for run in runs]
    if not specs:
        raise UsageError("no run is chosen, or its folder is not here")
    if len({spec.group for spec in specs}) > 1:
        raise UsageError("these runs differ in more than their seeds; clone one of them")
    first = replaced(specs[0], lambda at, source: type(source).parse(str(source)))
    data = first.model_dump(mode="json", exclude_defaults=True, exclude=_OWN)
    data["data"].pop("examples_sha256", None)
    for field in ("seed", "fold"):
        if len({getattr(spec.data, field) for spec in specs}) > 1:
            data["data"].pop(field, None)
    if (root := near(first.data.root)) != type(first.data).model_fields["root"].default:
        data["data"]["root"] = root
    else:
        data["data"].pop("root", None)
    whole = {"version": 1, "experiment": first.experiment_name, **data}
    return {**whole, "tags": {**first.tags, TAG: runs[0].run_id}}


def origin(root: Path, data: Mapping[str, Any]) -> tuple[str, RunSpec] | None:
    """The run that a spec file says it was cloned from; None if it says none, or that is gone."""
    tags = data.get("tags")
    run_id = tags.get(TAG) if isinstance(tags, Mapping) else None
    if not isinstance(run_id, str) or Path(run_id).name != run_id:
        return None
    try:
        return run_id, RunDirectory.open(root / "runs" / run_id).spec()
    except (LthError, OSError):
        return None


def changed(before: RunSpec, runs: Iterable[RunSpec]) -> list[tuple[str, str, str]]:
    """Fields that are not as they were, with the value before and those that they have now.

    What only the choice before had goes without saying where another was made.
    """
    was = _params(before)
    now = [_params(spec) for spec in runs]
    fields = dict.fromkeys(key for one in (was, *now) for key in one)
    found = []
    for field in fields:
        values = dict.fromkeys(one.get(field, "–") for one in now)
        told = ", ".join(values)
        if field not in _ASIDE and told != was.get(field, "–"):
            found.append((field, was.get(field, "–"), told))
    other = [field.removesuffix("name") for field, _, _ in found if field.endswith(".name")]
    return [one for one in found if one[2] != "–" or not one[0].startswith(tuple(other))]


def _params(spec: RunSpec) -> dict[str, str]:
    """All settings, with folders as one would write them here."""
    found = params_of(spec)
    return {**found, "data.root": near(found["data.root"])}


def near(root: str) -> str:
    """A path as one would write it here."""
    found = os.path.relpath(root)
    return root if found.startswith("..") else found
